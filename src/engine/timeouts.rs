//! Failures that the set detects itself: timeouts, lost contact and probe evidence.

use super::deadline::DeadlineReason;
use super::evidence::{Evidence, Health};
use super::output::{Command, Kill};
use super::replica::{NextPhase, Phase, ReplicaFlags};
use super::slots::Role;
use super::state::ReplicaSet;
use crate::decide::{Outcome, ReplicaId, StartOutcome};
use crate::policy::Cause;
use crate::time::Timestamp;

impl ReplicaSet {
    /// Handles the deadline of one replica, which was due at `at`.
    pub(super) fn timeout(&mut self, id: ReplicaId, at: Timestamp) {
        match self.replica(id).wakes_for {
            DeadlineReason::StartDue => self.start_due(id),
            DeadlineReason::HoldEnds => self.hold_ends(id),
            DeadlineReason::StartTimeout => {
                let outcome = Outcome::start_failed(Cause::StartTimeout, at);
                self.note_timeouts(id, at);
                self.correlate_one(id, &outcome);
                self.judge(id, &outcome, true);
            }
            DeadlineReason::MinReady => {
                self.make_available(id);
                self.record_census();
                self.retime(id);
            }
            DeadlineReason::SlotTimeout => {
                self.release_start_place(id);
                self.retime(id);
            }
            DeadlineReason::Trial => {
                self.conclude_trial(id, StartOutcome::Up);
                self.retime(id);
            }
            DeadlineReason::Kill => self.kill(id),
            DeadlineReason::Unknown => {
                let phase = self.replica(id).phase;
                // After a late call, the wait for `node-lost` starts at the time of the call, for a stop too.
                let now = self.now;
                if let Some(lost) = self.cold.get_or_init().contact.lost.get_mut(&id) {
                    lost.was = phase;
                    lost.unknown_since = Some(now);
                }
                self.policy.record_unknown(&mut self.replicas[id.index()].history, at);
                self.set_phase(id, Phase::Unknown);
                self.review_evidence(id);
                self.retime(id);
            }
            DeadlineReason::NodeLost if self.is_partitioned() => {
                let contact = &mut self.cold.get_or_init().contact;
                if let Some(lost) = contact.lost.get_mut(&id) {
                    lost.overdue = true;
                    contact.overdue.insert(id);
                }
                self.retime(id);
            }
            DeadlineReason::NodeLost if self.replica(id).phase == Phase::Stopping => self.give_up_stop(id),
            DeadlineReason::NodeLost => {
                self.note_timeouts(id, at);
                self.declare_lost(id, at);
                self.declare_overdue();
            }
            DeadlineReason::Probe => {
                if let Some(since) = self.probe_due(id) {
                    self.lose_contact(id, since);
                }
                self.retime(id);
            }
            DeadlineReason::Unready => {
                self.add_evidence(id, Evidence::unready, at);
                self.retime(id);
            }
            // `act_on_evidence` follows in the same mutation.
            DeadlineReason::Evidence => self.retime(id),
            DeadlineReason::Begin
            | DeadlineReason::Gate
            | DeadlineReason::Status
            | DeadlineReason::KillStray
            | DeadlineReason::Drain
            | DeadlineReason::Rollout
            | DeadlineReason::StandIn => {
                self.retime(id);
            }
        }
    }

    fn kill(&mut self, id: ReplicaId) {
        let now = self.now;
        let replica = self.replica_mut(id);
        replica.kills = replica.kills.saturating_add(1);
        replica.since = now;
        let incarnation = replica.history.incarnation();
        self.command(Command::Kill(Kill { replica: id, incarnation }));
        self.retime(id);
    }

    /// Records all failures by timeout at this instant as one batch.
    fn note_timeouts(&mut self, id: ReplicaId, at: Timestamp) {
        if !self.policy.compiled().watches_failures || self.cold.get().is_some_and(|cold| cold.noted.contains(&id)) {
            return;
        }
        let partitioned = self.is_partitioned();
        let mut failing = Vec::new();
        self.deadlines.at_earliest(|id| match self.replicas[id.index()].wakes_for {
            DeadlineReason::StartTimeout => failing.push((id, Outcome::start_failed(Cause::StartTimeout, at))),
            DeadlineReason::NodeLost if !partitioned => failing.push((id, Outcome::failed(Cause::NodeLost, at))),
            _ => {}
        });
        failing.retain(|(id, _)| self.replica(*id).phase != Phase::Stopping);
        self.note_together(failing);
    }

    pub(super) fn declare_lost(&mut self, id: ReplicaId, at: Timestamp) {
        self.forget_lost(id);
        self.replica_mut(id).flags.set(ReplicaFlags::UNCONFIRMED);
        let outcome = Outcome::failed(Cause::NodeLost, at);
        self.correlate_one(id, &outcome);
        self.judge(id, &outcome, false);
    }

    /// Declares the overdue replicas lost, unless a partition is assumed.
    #[inline]
    pub(super) fn declare_overdue(&mut self) {
        if self.cold.get().is_some_and(|cold| !cold.contact.overdue.is_empty()) {
            self.declare_all_overdue();
        }
    }

    fn declare_all_overdue(&mut self) {
        while !self.is_partitioned() {
            let Some(id) = self.cold.get_or_init().contact.overdue.pop_first() else { return };
            if self.replica(id).phase == Phase::Stopping {
                self.give_up_stop(id);
            } else {
                self.declare_lost(id, self.now);
            }
        }
    }

    /// Takes down the replicas that evidence and free places allow. Returns whether there were any.
    #[inline]
    pub(super) fn act_on_evidence(&mut self) -> bool {
        self.health().is_some_and(Health::waits) && self.take_down()
    }

    #[cold]
    fn take_down(&mut self) -> bool {
        let failing: Vec<(ReplicaId, Outcome)> = self.choose().into_iter().map(|id| (id, self.unhealthy(id))).collect();
        if failing.is_empty() {
            return false;
        }
        self.note_together(failing.clone());
        for (id, outcome) in failing {
            let up = matches!(self.replica(id).phase, Phase::Running | Phase::Ready);
            // Taking an earlier one down may have stopped this one or ended the set.
            if self.ending || !up || !self.replica(id).flags.has(ReplicaFlags::UNHEALTHY) {
                continue;
            }
            self.drop_evidence(id);
            self.correlate_one(id, &outcome);
            self.judge(id, &outcome, true);
            let replica = self.replica_mut(id);
            if !matches!(replica.after, NextPhase::Complete | NextPhase::Remove)
                && !replica.flags.has(ReplicaFlags::ACTED)
                && matches!(replica.role, Some(Role::Regular | Role::StandIn))
            {
                replica.flags.set(ReplicaFlags::ACTED);
                self.cold.get_or_init().health.acted += 1;
            }
        }
        true
    }
}
