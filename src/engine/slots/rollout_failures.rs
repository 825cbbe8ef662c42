//! Failures of a new revision: charged to its rollout, which goes back or is paused once it has failed.

use super::super::replica::ReplicaFlags;
use super::super::state::ReplicaSet;
use super::Role;
use super::rollout::{Direction, Rollout, State};
use super::rollout_index::Progress;
use super::rollout_report::{RolloutEvent, RolloutFailure};
use crate::decide::{Decision, DecisionReason, Degrade, ReplicaId, Verdict};
use crate::policy::{Cause, OnRolloutFailure};

impl ReplicaSet {
    /// Whether a slot is a surge slot of the rollout.
    pub(in crate::engine) fn is_surge_of_rollout(&self, id: ReplicaId) -> bool {
        self.replica(id).role == Some(Role::Surge)
            && self.slots.get().is_some_and(|slots| slots.ties.regular_of(id).is_none())
    }

    /// Whether a slot is a surge slot of a rollout that goes back: it is retried without limit.
    pub(in crate::engine) fn is_surge_of_rollback(&self, id: ReplicaId) -> bool {
        self.rollout_state().is_some_and(Rollout::goes_back) && self.is_surge_of_rollout(id)
    }

    /// A replica that is exempt has failed. If it is of the new revision, its failure is charged to the rollout, and what
    /// would give it up or terminate the set fails the rollout.
    pub(in crate::engine) fn charge_rollout(&mut self, id: ReplicaId, decision: &mut Decision) {
        let (now, most) = (self.now, self.policy.compiled().rollout.max_failures);
        let Some(rollout) = self.rollout_state() else {
            // It is missing because it has failed, no longer because a rollout has replaced it.
            self.replica_mut(id).flags.clear(ReplicaFlags::ROLLING);
            return;
        };
        let tried = rollout.tries(self.revision_of(id));
        let flags = self.replica(id).flags;
        let was_available = flags.has(ReplicaFlags::WAS_AVAILABLE) && !flags.has(ReplicaFlags::UNPROVEN);
        let Some(rollout) = self.rollout_mut().filter(|rollout| tried && rollout.state != State::Paused) else {
            return;
        };
        let counts = match &decision.cause {
            Some(cause) => !matches!(cause, Cause::Interruption | Cause::NoCapacity | Cause::NodeLost),
            None => !was_available,
        };
        rollout.failures = rollout.failures.saturating_add(u32::from(counts));
        if let State::Baking(since) = &mut rollout.state {
            *since = now;
        }
        let reason = match decision.verdict {
            _ if counts && rollout.failures >= most => RolloutFailure::MaxFailures,
            Verdict::Degrade(_) | Verdict::Terminate if decision.reason == DecisionReason::Rule => RolloutFailure::Rule,
            Verdict::Degrade(_) | Verdict::Terminate => RolloutFailure::Exhausted,
            _ => return,
        };
        rollout.failed.get_or_insert(reason);
        decision.verdict = Verdict::Degrade(Degrade { until: None });
        decision.reason = DecisionReason::Rollout;
        if let Some(slots) = self.slots.get_mut() {
            slots.pending = true;
        }
    }

    pub(super) fn fail_rollout(&mut self, reason: RolloutFailure) {
        self.tell_rollout(RolloutEvent::Failed, Some(reason));
        match self.policy.compiled().rollout.on_failure {
            OnRolloutFailure::Rollback => self.start_rollback(),
            OnRolloutFailure::Pause => self.pause_rollout(),
        }
    }

    /// Nothing more is replaced. New replicas that are not available are removed, or go back to the revision that was last
    /// completed.
    fn pause_rollout(&mut self) {
        let now = self.now;
        let completed = self.revision().cloned();
        let Some(rollout) = self.rollout_mut() else { return };
        rollout.state = State::Paused;
        rollout.clock.run(false, now);
        let of = |progress| rollout.index.of(progress).iter().copied();
        let in_place: Vec<ReplicaId> = of(Progress::NewUnstarted).chain(of(Progress::NewStarted)).collect();
        let goes_back = rollout.is_outdated(completed.as_ref());
        for id in self.new_surges_that_are_down() {
            self.remove_slot(id);
            self.track_rollout(id);
        }
        if goes_back {
            in_place.into_iter().for_each(|id| self.replace_in_place(id, completed.clone()));
            for id in self.new_slots_that_are_stopped() {
                self.take_revision(id, completed.clone());
            }
        }
        self.tell_rollout(RolloutEvent::Paused, None);
    }

    /// Surge slots of the new revision that are not available, those of drains too.
    fn new_surges_that_are_down(&self) -> Vec<ReplicaId> {
        let (Some(slots), Some(rollout)) = (self.slots.get(), self.rollout_state()) else { return Vec::new() };
        let goes = |id: &ReplicaId| rollout.tries(slots.revisions.of(*id)) && !self.is_available(*id);
        slots.extras.surges.iter().copied().filter(goes).collect()
    }

    fn new_slots_that_are_stopped(&self) -> Vec<ReplicaId> {
        let Some(rollout) = self.rollout_state() else { return Vec::new() };
        let goes = |id: &ReplicaId| self.replica(*id).is_stopped() && rollout.tries(self.revision_of(*id));
        self.regular_ids().filter(goes).collect()
    }

    /// Every replaced slot goes back to the revision that was last completed.
    pub(super) fn start_rollback(&mut self) {
        let Some(rollout) = self.rollout_state() else { return };
        let (from, failures) = (rollout.target.clone(), rollout.failures);
        self.tell_rollout(RolloutEvent::RollingBack, None);
        self.remove_surges_of_rollout();
        let target = self.revision().cloned();
        let mut back = Rollout::new(target, Direction::Back { from }, true, self.now);
        back.failures = failures;
        self.begin_rollout(back);
    }
}
