//! A failure on its way through the set: correlated with others, judged, carried out.

use super::cause_counts::code_of;
use super::event::{Ended, Event};
use super::output::{DecisionMade, IgnoredWhy, IncidentNotice, Notice, Output};
use super::replica::{After, Marks, Phase};
use super::set::ReplicaSet;
use super::tally::bump;
use crate::decide::{
    Decision, DecisionReason, DueStart, Gate, Outcome, ReplicaId, Restart, StartKind, StartOutcome, Verdict,
};
use crate::policy::{Cause, Scope};
use crate::time::Timestamp;

impl ReplicaSet {
    /// Incidents first: every failure that is known at this instant is noted before the first is judged.
    #[inline(never)]
    pub(super) fn note_failures(&mut self, events: &[Event]) {
        let compiled = self.policy.compiled();
        // One event alone is neither a batch nor, where nobody watches for them, part of an incident.
        if events.len() == 1 && !compiled.watches_failures {
            return;
        }
        let mut noted = false;
        for event in events {
            let stopped;
            let ended = match event {
                Event::Exited(ended) | Event::StartFailed(ended) => ended,
                // Stopped by somebody else.
                Event::Stopped(news) => {
                    let outcome = Outcome::failed(Cause::Interruption, self.when(news.at));
                    stopped = Ended { replica: news.replica, incarnation: news.incarnation, outcome };
                    &stopped
                }
                _ => continue,
            };
            let Some(replica) = self.replicas.get_mut(ended.replica.index()) else { continue };
            let genuine = replica.history.incarnation() == ended.incarnation
                && replica.phase.is_up()
                && !replica.marks.has(Marks::ENDING);
            if genuine {
                replica.marks.set(Marks::ENDING);
                noted |= self.note_failure(ended.replica, &ended.outcome);
            }
        }
        if noted && self.policy.detect_incident(&mut self.set, &self.counts.census, self.now) {
            self.incident_recognised();
        }
        if let [alone] = events {
            // It has no company at this instant.
            if let Some(replica) = alone.instance().and_then(|(id, _)| self.replicas.get_mut(id.index())) {
                replica.marks.clear(Marks::ENDING);
            }
        }
    }

    /// Notes failures that are found out at one instant, by time-outs or probes, before the first is judged.
    pub(super) fn note_together(&mut self, mut failing: Vec<(ReplicaId, Outcome)>) {
        if self.ending || !self.policy.compiled().watches_failures {
            return;
        }
        failing.sort_unstable_by_key(|(id, _)| *id);
        let noted = &self.extras.get_or_init().noted;
        failing.retain(|(id, _)| !noted.contains(id));
        let mut counted = false;
        for (id, outcome) in &failing {
            counted |= self.note_failure(*id, outcome);
            self.extras.get_or_init().noted.insert(*id);
        }
        if counted && self.policy.detect_incident(&mut self.set, &self.counts.census, self.now) {
            for (id, _) in &failing {
                self.replica_mut(*id).marks.set(Marks::ENDING);
            }
            self.incident_recognised();
            for (id, _) in &failing {
                self.replica_mut(*id).marks.clear(Marks::ENDING);
            }
        }
    }

    /// Its failure is judged now: it may be noted again.
    pub(super) fn was_noted(&mut self, id: ReplicaId) -> bool {
        self.extras.get_mut().is_some_and(|extras| extras.noted.remove(&id))
    }

    /// For a failure that comes on its own.
    pub(super) fn correlate_one(&mut self, id: ReplicaId, outcome: &Outcome) {
        if !self.was_noted(id) {
            self.note_together(vec![(id, outcome.clone())]);
            self.was_noted(id);
        }
    }

    /// Notes a failure beside those of the other replicas. Whether that may make an incident.
    fn note_failure(&mut self, id: ReplicaId, outcome: &Outcome) -> bool {
        if self.ending || !self.policy.compiled().watches_failures {
            return false;
        }
        let outcome = Outcome { at: self.happened(id, outcome.at), ..outcome.clone() };
        let history = &mut self.replicas[id.index()].history;
        self.counts.changed = true;
        self.policy.note_failure(&mut self.set, id, history, &outcome, self.now)
    }

    /// When something happened to a replica: not in the future, nor before what happened to it before.
    #[inline(always)]
    pub(super) fn happened(&self, id: ReplicaId, at: Timestamp) -> Timestamp {
        let replica = self.replica(id);
        let before = match replica.phase {
            Phase::Running | Phase::Ready | Phase::Unknown => replica.history.as_of(),
            _ => replica.since,
        };
        at.max(before).min(self.now)
    }

    /// The incident takes in all failures within `within`: charges and give-ups are undone, restarts wait.
    fn incident_recognised(&mut self) {
        let (members, latest) = self.set.take_members();
        let latest = latest.unwrap_or(self.now);
        bump(&mut self.tally.count().incidents);
        self.notice(Notice::Incident(IncidentNotice::Recognised(u32::try_from(members.len()).unwrap_or(u32::MAX))));
        let within = self.policy.canary_trial();
        let mut canary = None;
        for id in members.into_iter().filter(|id| id.0 < self.desired).collect::<Vec<_>>() {
            let now = self.now;
            let first_delay = self.policy.compiled().schedules[0].stage(0).pacing.nominal(0);
            let replica = &mut self.replicas[id.index()];
            let charged = replica.history.undo(latest, within);
            // What is still waiting has taken no token yet.
            let waits = replica.kind == (StartKind::Restart { charged: true }) && !replica.phase.is_up();
            self.set.refund(&self.policy, charged.saturating_sub(u32::from(waits)));
            if matches!(replica.kind, StartKind::Restart { .. }) {
                replica.kind = StartKind::Restart { charged: false };
            }
            // What waited for room in the window has room again.
            let gave_up = replica.marks.has(Marks::GAVE_UP) || replica.gate == Gate::Window;
            replica.marks.clear(Marks::GAVE_UP);
            match replica.phase {
                Phase::Waiting if replica.marks.has(Marks::QUEUED) => self.requeue(id),
                Phase::Waiting | Phase::Quarantined if gave_up => {
                    replica.due = now.plus_nanos(first_delay);
                    replica.kind = StartKind::Restart { charged: false };
                    replica.gate = Gate::Backoff;
                    self.enter(id, After::Start);
                }
                Phase::Stopping if gave_up => {
                    replica.due = now.plus_nanos(first_delay);
                    replica.kind = StartKind::Restart { charged: false };
                    replica.after = After::Start;
                    self.recount(id);
                    self.retime(id);
                }
                // Restarted before the incident was recognised, and not up yet: it serves as the canary.
                Phase::Starting | Phase::Running if !replica.marks.has(Marks::ENDING) => {
                    canary.get_or_insert(id);
                }
                _ => {}
            }
        }
        if let Some(id) = canary {
            self.set.adopt_canary(id);
            self.put_on_trial(id);
            self.retime(id);
        }
    }

    /// Judges the end of an incarnation. `still_live`: the instance must be stopped first.
    #[inline(never)]
    pub(super) fn fail(&mut self, id: ReplicaId, outcome: &Outcome, still_live: bool) {
        self.judge(id, outcome, still_live);
    }

    /// [`fail`](Self::fail), in line for what every failure comes through.
    #[inline(always)]
    pub(super) fn judge(&mut self, id: ReplicaId, outcome: &Outcome, still_live: bool) {
        let replica = &mut self.replicas[id.index()];
        let incarnation = replica.history.incarnation();
        let silent = outcome.reason.is_none() && self.extras.get().is_none_or(|extras| extras.messages.is_empty());
        let calm = silent && !still_live && !replica.marks.any(Marks::LOST.and(Marks::START_PENDS));
        let alone = !replica.marks.has(Marks::ENDING) && !self.set.has_incident();
        if !(calm && alone && replica.history.is_live() && self.policy.is_plain(outcome)) {
            self.judge_in_full(id, outcome, still_live);
            return;
        }
        // All that could go wrong comes before: what may have to be dropped on the way out lies in memory until then.
        let counts = self.tally.count();
        let place = self.outputs.place();
        let decided = self.policy.decide_plain(&mut replica.history, outcome);
        match decided.map(|decision| (decision.verdict, decision)) {
            Ok((Verdict::Restart(restart), decision)) if restart.scope == Scope::Replica => {
                counts.judged(decision.cause.as_ref(), decision.verdict);
                if let Some(cause) = &decision.cause {
                    self.counts.failed_by(replica, code_of(cause, &mut self.extras));
                }
                replica.will_restart(restart, decision.charged, decision.reason);
                *place = Some(Output::Notice(Notice::Verdict(DecisionMade { replica: id, incarnation, decision })));
                self.go_on(id, After::Start);
            }
            decided => {
                let decision = match decided {
                    Ok((_, decision)) => decision,
                    Err(stays) => self.policy.decide_to_stay_down(&mut replica.history, outcome, stays),
                };
                self.outputs.leave();
                self.carry_out(DecisionMade { replica: id, incarnation, decision }, false, still_live);
            }
        }
    }

    #[inline(never)]
    fn judge_in_full(&mut self, id: ReplicaId, outcome: &Outcome, still_live: bool) {
        let indispensable = self.policy.compiled().keep_min_available && self.is_indispensable(id);
        let mut context = self.policy.failure_context(&self.set, id, outcome.at, indispensable);
        context.joins_group = self.replica(id).marks.has(Marks::ENDING) && self.is_in_group(id);
        let replica = &mut self.replicas[id.index()];
        replica.marks.clear(Marks::ENDING);
        let incarnation = replica.history.incarnation();
        if !replica.history.is_live() {
            self.ignore(id, incarnation, IgnoredWhy::Duplicate);
            return;
        }
        let alive;
        let outcome = if still_live {
            alive = outcome.clone().still_alive();
            &alive
        } else {
            outcome
        };
        let decision = self.policy.decide_in_full(&mut replica.history, outcome, context);
        self.carry_out(DecisionMade { replica: id, incarnation, decision }, context.joins_group, still_live);
    }

    /// Its instance holds no place any more, and contact with it is of no matter.
    #[inline(never)]
    fn let_loose(&mut self, id: ReplicaId, decision: &Decision, still_live: bool) {
        if !still_live {
            self.forget_lost(id);
        }
        if self.replica(id).marks.any(Marks::START_PENDS) {
            self.decided(id, self.policy.start_outcome(&self.set, decision));
        }
    }

    /// Carries out what is decided, whatever it is. `joins`: a restart joins the group that an earlier failure of this
    /// instant has formed.
    #[inline(never)]
    fn carry_out(&mut self, mut judged: DecisionMade, joins: bool, still_live: bool) {
        let id = judged.replica;
        if let Some(cause) = &judged.decision.cause {
            self.note_cause(id, cause);
            self.keep_failure_message(id, judged.decision.message.as_ref());
        }
        let decision = &mut judged.decision;
        self.tally.count().judged(decision.cause.as_ref(), decision.verdict);
        if self.replica(id).marks.any(Marks::LOST.and(Marks::START_PENDS)) {
            self.let_loose(id, decision, still_live);
        }
        let mut group = None;
        let after = match decision.verdict {
            Verdict::Restart(restart) => {
                let replica = self.replica_mut(id);
                let failed = replica.marks.has(Marks::FAILED);
                replica.will_restart(restart, decision.charged, decision.reason);
                if decision.reason == DecisionReason::CompletedRun {
                    // A clean exit is no failure, and mends none.
                    replica.marks.set(Marks::COMPLETED_RUN);
                    if !failed {
                        replica.marks.clear(Marks::FAILED);
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
                    self.extras.get_or_init().delays.insert(id, restart.delay);
                }
                After::Start
            }
            Verdict::Hold(_) => After::Hold,
            Verdict::Degrade(_) => After::Quarantine,
            Verdict::Complete => After::Complete,
            Verdict::Terminate => After::Remove,
        };
        if after != After::Start {
            let gave_up = matches!(after, After::Hold | After::Quarantine) && self.is_by_limit(&judged.decision);
            self.replica_mut(id).stays_down(judged.decision.verdict, gave_up);
        }
        let ends = judged.decision.ends();
        let place = self.outputs.place();
        *place = Some(Output::Notice(Notice::Verdict(judged)));
        if still_live {
            self.stop(id, after)
        } else {
            self.go_on(id, after)
        }
        if let Some(reason) = ends {
            self.end(reason);
        }
        if let Some((from, plan)) = group {
            self.gather_group(id, from, plan);
        }
    }

    /// Giving this replica up would put `min_available` out of reach.
    #[inline(never)]
    fn is_indispensable(&self, id: ReplicaId) -> bool {
        let settled = self.counts.census.settled();
        let counted = u32::from(id.0 < self.desired && !self.replica(id).marks.has(Marks::JOINING));
        settled.saturating_sub(self.counts.census.given_up).saturating_sub(counted)
            < self.policy.compiled().need(settled)
    }

    /// Whether a limit, or a number of attempts, is what gives a replica up.
    fn is_by_limit(&self, decision: &Decision) -> bool {
        let rule = decision.rule.as_ref().and_then(|rule| self.policy.compiled().rules.rule(rule.index));
        decision.exhausted_limit.is_some() || rule.is_some_and(|rule| rule.attempts_over.is_some())
    }

    /// What a start that was under way has become: its places are free again.
    #[inline(always)]
    pub(super) fn decided(&mut self, id: ReplicaId, outcome: StartOutcome) {
        self.release_places(id);
        self.trial_decided(id, outcome);
    }

    #[inline(always)]
    fn release_places(&mut self, id: ReplicaId) {
        let marks = &mut self.replicas[id.index()].marks;
        if !marks.has(Marks::IN_FLIGHT) {
            return;
        }
        marks.clear(Marks::IN_FLIGHT);
        self.counts.census.in_flight -= 1;
        if marks.has(Marks::HOLDS_SLOT) {
            marks.clear(Marks::HOLDS_SLOT);
            self.counts.census.starting -= 1;
        }
        if marks.has(Marks::IN_GROUP) {
            marks.clear(Marks::IN_GROUP);
            let in_flight = &mut self.extras.get_or_init().group_in_flight;
            *in_flight -= 1;
            if *in_flight == 0 {
                self.counts.census.starting -= 1;
            }
        }
    }

    pub(super) fn release_slot(&mut self, id: ReplicaId) {
        self.release_places(id);
        self.retime(id);
    }

    /// The start as `admit` sees it.
    pub(super) fn due_start(&self, id: ReplicaId) -> DueStart {
        // Of a group that starts in order, the first member is the one that an incident tries.
        let first = if self.leads_group(id) { self.first_of_group_in_order() } else { None };
        DueStart { replica: first.unwrap_or(id), kind: self.replica(id).kind }
    }
}
