//! Passes a failure to depth 1 for a decision, and carries the verdict out.

use super::cold_state::code_of;
use super::output::{DecisionMade, IgnoreReason, Notice, Output};
use super::replica::{NextPhase, ReplicaFlags};
use super::state::ReplicaSet;
use crate::decide::{Decision, DecisionReason, Outcome, ReplicaId, Restart, StartKind, Verdict};
use crate::policy::{Cause, Scope};

impl ReplicaSet {
    /// Decides about the end or the failure of the current instance, and carries the decision out. `still_live`: the
    /// instance has not ended and is stopped first.
    pub(super) fn judge(&mut self, id: ReplicaId, outcome: &Outcome, still_live: bool) {
        if still_live || !self.is_common_failure(id, outcome) {
            self.judge_in_full(id, outcome, still_live);
            return;
        }
        let replica = &mut self.replicas[id.index()];
        let incarnation = replica.history.incarnation();
        // Everything that can panic happens above, so `decision` need not be spilled for unwinding.
        let counts = self.tally.count();
        let entry = self.outputs.push_empty();
        let decided = self.policy.decide_plain(&mut replica.history, outcome);
        match decided.map(|decision| (decision.verdict, decision)) {
            Ok((Verdict::Restart(restart), decision)) if restart.scope == Scope::Replica => {
                counts.judged(decision.cause.as_ref(), decision.verdict);
                if let Some(cause) = &decision.cause {
                    self.counts.failed_by(replica, code_of(cause, &mut self.cold));
                }
                replica.will_restart(restart, decision.charged, decision.reason);
                *entry = Some(Output::Notice(Notice::Verdict(DecisionMade { replica: id, incarnation, decision })));
                self.enter(id, NextPhase::Start);
            }
            decided => {
                let decision = match decided {
                    Ok((_, decision)) => decision,
                    Err(stays) => self.policy.decide_no_restart(&mut replica.history, outcome, stays),
                };
                self.outputs.remove_empty();
                self.carry_out(DecisionMade { replica: id, incarnation, decision }, false, false);
            }
        }
    }

    /// Whether a failure concerns only this replica and needs only a plain decision.
    #[inline]
    fn is_common_failure(&self, id: ReplicaId, outcome: &Outcome) -> bool {
        let replica = self.replica(id);
        let has_messages = self.cold.get().is_some_and(|cold| !cold.messages.is_empty());
        let alone = !replica.flags.any(ReplicaFlags::UNCOMMON_END) && !self.set.has_incident();
        alone && !has_messages && replica.history.is_live() && self.policy.is_plain(outcome)
    }

    /// Decides under any policy and in any context, and carries the decision out.
    #[inline(never)]
    fn judge_in_full(&mut self, id: ReplicaId, outcome: &Outcome, still_live: bool) {
        let replica = self.replica(id);
        let exempt = replica.flags.has(ReplicaFlags::EXEMPT);
        if replica.flags.has(ReplicaFlags::DRAINING)
            && replica.history.is_live()
            && self.left_while_draining(id, outcome.is_success(), still_live)
        {
            return;
        }
        let indispensable = self.policy.compiled().keep_min_available && self.is_indispensable(id);
        let mut context = self.policy.failure_context(&self.set, id, outcome.at, indispensable);
        context.joins_group = self.replica(id).flags.has(ReplicaFlags::ENDING) && self.is_in_group(id);
        context.exempt = exempt;
        context.unlimited = exempt && (self.is_surge_of_drain(id) || self.is_surge_of_rollback(id));
        let replica = &mut self.replicas[id.index()];
        replica.flags.clear(ReplicaFlags::ENDING);
        if !replica.history.is_live() {
            self.ignore(self.current_instance(id), IgnoreReason::Duplicate);
            return;
        }
        let alive;
        let outcome = if still_live {
            alive = outcome.clone().still_alive();
            &alive
        } else {
            outcome
        };
        let mut decision = self.policy.decide_in_full(&mut replica.history, outcome, context);
        if exempt {
            self.charge_rollout(id, &mut decision);
        } else {
            // It has been ready at the revision that the set goes back to.
            self.replica_mut(id).flags.clear(ReplicaFlags::ROLLING);
        }
        let incarnation = self.incarnation(id);
        self.carry_out(DecisionMade { replica: id, incarnation, decision }, context.joins_group && !exempt, still_live);
    }

    /// Concludes the start that has failed, and clears the replica's lost-contact record.
    #[inline(never)]
    fn conclude_failed_start(&mut self, id: ReplicaId, decision: &Decision, still_live: bool) {
        if !still_live {
            self.forget_lost(id);
        }
        if self.replica(id).flags.any(ReplicaFlags::START_PENDS) {
            self.conclude_start(id, self.policy.start_outcome(&self.set, decision));
        }
    }

    /// Carries out a decision. `joins`: a restart joins the group that an earlier failure of this instant has formed.
    #[inline(never)]
    fn carry_out(&mut self, mut judged: DecisionMade, joins: bool, still_live: bool) {
        let id = judged.replica;
        if let Some(cause) = &judged.decision.cause {
            self.note_cause(id, cause);
            self.keep_failure_message(id, judged.decision.message.as_ref());
        }
        let decision = &mut judged.decision;
        self.tally.count().judged(decision.cause.as_ref(), decision.verdict);
        if self.replica(id).flags.any(ReplicaFlags::LOST.and(ReplicaFlags::START_PENDS)) {
            self.conclude_failed_start(id, decision, still_live);
        }
        let mut group = None;
        let after = match decision.verdict {
            Verdict::Restart(restart) => {
                let replica = self.replica_mut(id);
                let failed = replica.flags.has(ReplicaFlags::FAILED);
                replica.will_restart(restart, decision.charged, decision.reason);
                if replica.flags.has(ReplicaFlags::EXEMPT) {
                    replica.kind = StartKind::Exempt;
                }
                if decision.reason == DecisionReason::CompletedRun {
                    // A clean exit neither is a failure nor ends one.
                    replica.flags.set(ReplicaFlags::COMPLETED_RUN);
                    if !failed {
                        replica.flags.clear(ReplicaFlags::FAILED);
                    }
                }
                if restart.scope != Scope::Replica || joins {
                    let from = match self.group() {
                        Some(group) if joins => group.from,
                        _ if restart.scope == Scope::All => ReplicaId(0),
                        _ => id,
                    };
                    let plan = self.plan_group(from, restart.due);
                    let delay = plan.due.known().map_or(restart.delay, |due| due.nanos_since(decision.ended_at));
                    decision.verdict = Verdict::Restart(Restart { due: plan.due, delay, ..restart });
                    self.replica_mut(id).due = if still_live { restart.due } else { plan.due };
                    group = Some((from, plan));
                }
                if still_live {
                    self.cold.get_or_init().delays.insert(id, restart.delay);
                }
                NextPhase::Start
            }
            Verdict::Hold(_) => NextPhase::Hold,
            Verdict::Degrade(_) => NextPhase::Quarantine,
            Verdict::Complete => NextPhase::Complete,
            Verdict::Terminate => NextPhase::Remove,
        };
        if after != NextPhase::Start {
            let gave_up =
                matches!(after, NextPhase::Hold | NextPhase::Quarantine) && self.is_by_limit(&judged.decision);
            let exempt = self.replica(id).flags.has(ReplicaFlags::EXEMPT);
            self.replica_mut(id).stays_down(judged.decision.verdict, gave_up && !exempt);
        }
        // An extra slot that is not restarted is removed. A rollout waits for a surge slot that is held.
        let waits = after == NextPhase::Hold && self.is_surge_of_rollout(id);
        let after = if after != NextPhase::Start && !waits && !self.is_regular(id) {
            self.give_up_extra(id);
            NextPhase::Remove
        } else {
            after
        };
        let ends = judged.decision.ends();
        let entry = self.outputs.push_empty();
        *entry = Some(Output::Notice(Notice::Verdict(judged)));
        if still_live {
            self.stop(id, after)
        } else {
            self.enter(id, after)
        }
        if let Some(reason) = ends {
            self.end(reason);
        }
        if let Some((from, plan)) = group {
            self.gather_group(id, from, plan);
        }
    }

    /// Whether giving this replica up would put `min_available` out of reach.
    #[inline(never)]
    fn is_indispensable(&self, id: ReplicaId) -> bool {
        let exempt = self.replica(id).flags.has(ReplicaFlags::EXEMPT);
        !exempt && !self.policy.can_spare(&self.counts.census, 1)
    }

    /// Whether a replica is given up by a limit or by a rule on the number of attempts.
    fn is_by_limit(&self, decision: &Decision) -> bool {
        let rule = decision.rule.as_ref().and_then(|rule| self.policy.compiled().rules.rule(rule.index));
        decision.exhausted_limit.is_some() || rule.is_some_and(|rule| rule.attempts_over.is_some())
    }

    /// Sets the cause by which a replica has failed.
    fn note_cause(&mut self, id: ReplicaId, cause: &Cause) {
        let code = code_of(cause, &mut self.cold);
        self.counts.failed_by(&mut self.replicas[id.index()], code);
    }
}
