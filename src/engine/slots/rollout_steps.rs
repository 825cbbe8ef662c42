//! Takes the steps of a rollout: starts and replaces slots, waits for its canaries, and ends it.

use super::super::replica::{Phase, ReplicaFlags};
use super::super::state::ReplicaSet;
use super::Role;
use super::rollout::State;
use super::rollout_index::Progress;
use super::rollout_report::{RolloutEvent, RolloutFailure};
use crate::decide::{Disruption, ReplicaId, RolloutCensus, RolloutStep};
use crate::policy::Promote;

impl ReplicaSet {
    /// Takes the next steps of the rollout. Whether anything was done.
    pub(super) fn apply_rollout(&mut self) -> bool {
        let mut moved = false;
        while self.rollout_state().is_some() && self.apply_rollout_step() {
            moved = true;
        }
        moved
    }

    fn apply_rollout_step(&mut self) -> bool {
        let (now, holds, desired) = (self.now, self.set.has_incident(), self.desired);
        let deadline = self.policy.compiled().rollout.progress_deadline;
        let in_place = self.policy.max_surge(desired) == 0;
        let surges = self.slots.get().map_or(0, |slots| slots.extras.surges.len() as u32);
        let Some(rollout) = self.rollout_mut() else { return false };
        if desired == 0 {
            self.end_rollout();
            return true;
        }
        if let Some(reason) = rollout.failed.take() {
            self.fail_rollout(reason);
            return true;
        }
        let available = rollout.index.available();
        if available > rollout.most_available {
            rollout.most_available = available;
            rollout.clock.restart(now);
            if !rollout.goes_back() {
                self.tell_rollout(RolloutEvent::Progress, None);
            }
            return true;
        }
        rollout.clock.run(rollout.state == State::Advancing && !rollout.goes_back() && !holds, now);
        if rollout.clock.ends_at(deadline) <= now {
            self.fail_rollout(RolloutFailure::ProgressDeadline);
            return true;
        }
        if rollout.state == State::Paused {
            return false;
        }
        // A stand-in that serves is removed with its slot: without a surge, that takes one down.
        let takes_covered =
            !in_place || self.policy.may_disrupt(&self.set, &self.counts.census, true, Disruption::Rollout);
        let Some(rollout) = self.rollout_state() else { return false };
        let census = rollout.index.census(surges, rollout.promoted, takes_covered, in_place);
        let step = self.policy.next_of_rollout(&self.set, &self.counts.census, &census);
        self.take_rollout_step(step, census)
    }

    fn take_rollout_step(&mut self, step: RolloutStep, census: RolloutCensus) -> bool {
        let (now, no_canaries) = (self.now, self.policy.compiled().rollout.canaries == 0);
        let Some(rollout) = self.rollout_mut() else { return false };
        let was_baking = matches!(rollout.state, State::Baking(_) | State::AwaitingPromotion);
        if step != RolloutStep::Bake && was_baking {
            if no_canaries {
                // Another policy has none.
                self.promote_canaries();
            } else {
                // A canary is not available any more.
                rollout.state = State::Advancing;
            }
            return true;
        }
        let back = rollout.goes_back() && census.old == 0 && census.surge == 0;
        let started = rollout.index.of(Progress::NewUnstarted).is_empty();
        match step {
            RolloutStep::Bake => self.bake(),
            RolloutStep::StartSurge if rollout.surge_from > now => false,
            RolloutStep::StartSurge => {
                let revision = rollout.target.clone();
                let placement = self.placement_of_next(Role::Surge);
                self.add_slot(Role::Surge, placement, revision).inspect(|&id| self.track_rollout(id)).is_some()
            }
            RolloutStep::Swap { surge, old } => {
                self.change_role(surge, Role::Regular, None);
                self.remove_slot(old);
                self.track_rollout(surge);
                self.track_rollout(old);
                true
            }
            RolloutStep::RemoveSurge => {
                let last = |progress| rollout.index.of(progress).last().copied();
                let surplus = last(Progress::SurgeStarted).or_else(|| last(Progress::SurgeAvailable));
                surplus.is_some_and(|id| {
                    self.remove_slot(id);
                    self.track_rollout(id);
                    true
                })
            }
            RolloutStep::Replace(old) => {
                let revision = rollout.target.clone();
                self.replace_in_place(old, revision);
                true
            }
            RolloutStep::Complete | RolloutStep::Wait if back && started => {
                self.end_rollout();
                true
            }
            RolloutStep::Complete if !rollout.goes_back() => {
                self.end_rollout();
                true
            }
            RolloutStep::Complete | RolloutStep::Wait => false,
        }
    }

    /// The canaries are available: the rest waits for `bake`, or for an operator.
    fn bake(&mut self) -> bool {
        let (now, compiled) = (self.now, self.policy.compiled().rollout);
        let Some(rollout) = self.rollout_mut() else { return false };
        match (rollout.state, compiled.promote) {
            (State::Advancing, Promote::Auto) if compiled.bake == 0 => self.promote_canaries(),
            (State::Advancing, promote) => {
                let waits = if promote == Promote::Auto { State::Baking(now) } else { State::AwaitingPromotion };
                rollout.state = waits;
                self.tell_rollout(RolloutEvent::Baking, None);
            }
            (State::Baking(since), Promote::Auto) if now.nanos_since(since) >= compiled.bake => self.promote_canaries(),
            // Another policy promotes otherwise.
            (State::Baking(_), Promote::Manual) => rollout.state = State::AwaitingPromotion,
            (State::AwaitingPromotion, Promote::Auto) => rollout.state = State::Baking(now),
            _ => return false,
        }
        true
    }

    pub(super) fn promote_canaries(&mut self) {
        if let Some(rollout) = self.rollout_mut() {
            rollout.promoted = true;
            rollout.state = State::Advancing;
        }
        if let Some(slots) = self.slots.get_mut() {
            slots.pending = true;
        }
        self.tell_rollout(RolloutEvent::Promoted, None);
    }

    /// Every slot is at the revision that the set was moving to.
    fn end_rollout(&mut self) {
        let Some(slots) = self.slots.get_mut() else { return };
        if let Some(rollout) = slots.rollout.as_ref().filter(|rollout| !rollout.goes_back()) {
            slots.revisions.completed = rollout.target.clone();
        }
        // Scaled to zero, it is over while surge slots are there.
        self.remove_surges_of_rollout();
        let Some(rollout) = self.slots.get_mut().and_then(|slots| slots.rollout.take()) else { return };
        let event = if rollout.goes_back() { RolloutEvent::RolledBack } else { RolloutEvent::Completed };
        self.notice(rollout.change(event, None));
        let slots = self.slots.get_or_init();
        slots.pending = true;
        let outdated = |id: &ReplicaId| slots.revisions.of(*id) != slots.revisions.completed.as_ref();
        let standbys: Vec<ReplicaId> = slots.extras.standbys.iter().copied().filter(outdated).collect();
        standbys.into_iter().for_each(|id| self.remove_slot(id));
        let failed_while_rolling = ReplicaFlags::ROLLING.and(ReplicaFlags::FAILED);
        for id in self.regular_ids().collect::<Vec<_>>() {
            let replica = self.replica_mut(id);
            if replica.flags.has(failed_while_rolling) {
                // From now on it is missing because it has failed.
                replica.flags.clear(ReplicaFlags::ROLLING);
                self.recount(id);
            }
            let replica = self.replica(id);
            let unstarted = replica.flags.has(ReplicaFlags::UNSTARTED) && !replica.flags.has(ReplicaFlags::JOINING);
            if replica.flags.has(ReplicaFlags::EXEMPT) && (replica.phase == Phase::Ready || unstarted) {
                self.end_exemption(id);
            }
        }
    }

    /// After a restore: the clocks of the rollout begin anew.
    pub(super) fn restart_rollout_clocks(&mut self) {
        let now = self.now;
        let Some(rollout) = self.rollout_mut() else { return };
        rollout.clock.restart(now);
        if let State::Baking(since) = &mut rollout.state {
            *since = now;
        }
    }
}
