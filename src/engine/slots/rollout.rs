//! Rollouts: moves every regular slot to another revision.
//!
//! This file has the state of a rollout, how far each slot has come, and the replacement of one slot.
//! `rollout_requests.rs` begins rollouts, `rollout_steps.rs` takes their steps, and `rollout_failures.rs` charges failures to
//! them. What is done next is decided at depth 1 (`Policy::next_of_rollout`).

use serde::{Deserialize, Serialize};

use super::super::output::Notice;
use super::super::replica::{CensusBucket, NextPhase, Phase, Replica, ReplicaFlags};
use super::super::state::ReplicaSet;
use super::Role;
use super::progress_clock::ProgressClock;
use super::rollout_index::{Progress, RolloutIndex};
use super::rollout_report::{RolloutChange, RolloutEvent, RolloutFailure, RolloutPhase, RolloutView};
use crate::decide::{ReplicaId, Revision, StartKind};
use crate::policy::{CompiledRollout, Placement};
use crate::time::Timestamp;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum State {
    Advancing,
    /// Baking since this time.
    Baking(Timestamp),
    AwaitingPromotion,
    Paused,
}

#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) enum Direction {
    Forward,
    /// Back to the revision that was last completed.
    Back {
        /// The revision that is taken back.
        from: Option<Revision>,
    },
}

/// A rollout that is under way, paused or rolling back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rollout {
    /// Where the set is moving to; `None`: the revision that it began with.
    pub(super) target: Option<Revision>,
    direction: Direction,
    pub(super) state: State,
    pub(super) promoted: bool,
    since: Timestamp,
    pub(super) failures: u32,
    /// The most replicas of the new revision that have been available at a time.
    pub(super) most_available: u32,
    pub(super) clock: ProgressClock,
    /// It has failed; what follows has not been done yet.
    pub(super) failed: Option<RolloutFailure>,
    /// No surge slot is started before: one was given up.
    pub(super) surge_from: Timestamp,
    #[serde(skip)]
    pub(super) index: RolloutIndex,
}

impl Rollout {
    pub(super) fn new(target: Option<Revision>, direction: Direction, promoted: bool, now: Timestamp) -> Self {
        Self {
            target,
            direction,
            state: State::Advancing,
            promoted,
            since: now,
            failures: 0,
            most_available: 0,
            clock: ProgressClock::default(),
            failed: None,
            surge_from: Timestamp::ZERO,
            index: RolloutIndex::default(),
        }
    }

    pub(super) fn entries(&self) -> usize {
        self.index.entries()
    }

    pub(super) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        self.since = by(self.since);
        self.surge_from = by(self.surge_from);
        if let State::Baking(since) = &mut self.state {
            *since = by(*since);
        }
        self.clock.shift(by);
    }

    /// When it has something to do by time alone. `now`: the time of the last mutation.
    pub(super) fn due(&self, compiled: &CompiledRollout, now: Timestamp) -> Timestamp {
        let bake = match self.state {
            State::Baking(since) => since.plus_nanos(compiled.bake),
            _ => Timestamp::NEVER,
        };
        let surge = match self.state {
            State::Advancing if self.surge_from > now => self.surge_from,
            _ => Timestamp::NEVER,
        };
        self.clock.ends_at(compiled.progress_deadline).min(bake).min(surge)
    }

    pub(super) fn goes_back(&self) -> bool {
        self.direction != Direction::Forward
    }

    /// Returns whether slots of this revision are being tried, so that their failures are charged to the rollout.
    pub(super) fn tries(&self, revision: Option<&Revision>) -> bool {
        !self.goes_back() && self.target.as_ref() == revision
    }

    /// Whether failures of slots of this revision are exempt: it is being tried, or was and is being replaced.
    pub(super) fn exempts(&self, revision: Option<&Revision>, completed: Option<&Revision>) -> bool {
        self.tries(revision) || revision != completed
    }

    /// Returns whether slots of this revision are still to be replaced.
    pub(super) fn is_outdated(&self, revision: Option<&Revision>) -> bool {
        self.target.as_ref() != revision
    }

    /// A surge slot was given up, or has completed.
    pub(super) fn surge_given_up(&mut self, next_from: Timestamp) {
        self.surge_from = next_from;
    }

    /// Returns the revision that notices name: the one that is rolled out or rolled back.
    fn revision(&self) -> &Option<Revision> {
        match &self.direction {
            Direction::Forward => &self.target,
            Direction::Back { from } => from,
        }
    }

    fn phase(&self) -> RolloutPhase {
        match self.state {
            _ if self.goes_back() => RolloutPhase::RollingBack,
            State::Advancing => RolloutPhase::Advancing,
            State::Baking(_) => RolloutPhase::Baking,
            State::AwaitingPromotion => RolloutPhase::AwaitingPromotion,
            State::Paused => RolloutPhase::Paused,
        }
    }

    pub(super) fn change(&self, event: RolloutEvent, reason: Option<RolloutFailure>) -> Notice {
        Notice::Rollout(RolloutChange {
            event,
            revision: self.revision().clone(),
            updated: self.index.updated(),
            remaining: self.index.old(),
            available: self.index.available(),
            reason,
        })
    }
}

impl ReplicaSet {
    /// The rollout that is under way, paused, or goes back.
    pub fn rollout(&self) -> Option<RolloutView> {
        let rollout = self.rollout_state()?;
        Some(RolloutView {
            revision: rollout.revision().clone(),
            phase: rollout.phase(),
            since: rollout.since,
            remaining: rollout.index.old(),
            updated: rollout.index.updated(),
            available: rollout.index.available(),
            failures: rollout.failures,
        })
    }

    pub(super) fn rollout_state(&self) -> Option<&Rollout> {
        self.slots.get()?.rollout.as_ref()
    }

    pub(super) fn rollout_mut(&mut self) -> Option<&mut Rollout> {
        self.slots.get_mut()?.rollout.as_mut()
    }

    /// The revision of a slot that is added now: the new one once a replica of it has been available. A rollout that is paused
    /// has failed, and replaces nothing more.
    pub(super) fn revision_of_new_slots(&self) -> Option<Revision> {
        let proven = self
            .rollout_state()
            .filter(|rollout| rollout.most_available > 0 && !rollout.goes_back() && rollout.state != State::Paused);
        match proven {
            Some(rollout) => rollout.target.clone(),
            None => self.revision().cloned(),
        }
    }

    pub(super) fn begin_rollout(&mut self, rollout: Rollout) {
        let slots = self.slots.get_or_init();
        slots.rollout = Some(rollout);
        slots.watching = true;
        slots.pending = true;
        self.track_rollout_of_all();
    }

    /// Counts every slot of a rollout that has just begun, or was restored.
    pub(super) fn track_rollout_of_all(&mut self) {
        if self.rollout_state().is_some() {
            for id in self.member_ids().collect::<Vec<_>>() {
                let revision = self.revision_of(id);
                let tried = self.rollout_state().is_some_and(|rollout| rollout.tries(revision));
                if tried && revision != self.revision() {
                    // An earlier rollout of this revision has left it.
                    self.replica_mut(id).flags.set(ReplicaFlags::EXEMPT);
                    self.recount(id);
                }
                self.track_rollout(id);
            }
        }
    }

    pub(super) fn tell_rollout(&mut self, event: RolloutEvent, reason: Option<RolloutFailure>) {
        if let Some(notice) = self.rollout_state().map(|rollout| rollout.change(event, reason)) {
            self.notice(notice);
        }
    }

    /// A slot has changed: how far it has come. A stopped one takes the revision without being started.
    pub(super) fn track_rollout(&mut self, id: ReplicaId) {
        let Some(rollout) = self.rollout_state() else { return };
        let replica = self.replica(id);
        if replica.role == Some(Role::StandIn) {
            // Whether it serves matters for the slot that it is there for.
            if let Some(regular) = self.slots.get().and_then(|slots| slots.ties.regular_of(id)) {
                self.track_rollout(regular);
            }
            return;
        }
        if replica.is_regular()
            && replica.is_stopped()
            && rollout.state != State::Paused
            && rollout.is_outdated(self.revision_of(id))
        {
            let target = rollout.target.clone();
            self.take_revision(id, target);
        }
        let progress = self.rollout_progress(id);
        if let Some(rollout) = self.rollout_mut() {
            rollout.index.set(id, progress);
        }
    }

    fn rollout_progress(&self, id: ReplicaId) -> Progress {
        let Some(slots) = self.slots.get() else { return Progress::None };
        let Some(rollout) = &slots.rollout else { return Progress::None };
        let replica = self.replica(id);
        let new = !rollout.is_outdated(slots.revisions.of(id));
        let available = replica.bucket.is_available();
        let unstarted = replica.flags.has(ReplicaFlags::UNSTARTED) && !replica.phase.is_up();
        let joins = replica.flags.has(ReplicaFlags::JOINING) && !replica.flags.has(ReplicaFlags::FAILED);
        let completes = |replica: &Replica| {
            replica.phase == Phase::Completed
                || (replica.phase == Phase::Stopping && replica.after == NextPhase::Complete)
        };
        match replica.role {
            Some(Role::Regular) if replica.is_stopped() || completes(replica) => Progress::None,
            Some(Role::Regular) if new && available => Progress::NewAvailable,
            Some(Role::Regular) if new && unstarted => Progress::NewUnstarted,
            Some(Role::Regular) if new => Progress::NewStarted,
            Some(Role::Regular) if available || replica.phase == Phase::Unknown => Progress::OldAvailable,
            Some(Role::Regular) if joins => Progress::OldJoining,
            Some(Role::Regular) if self.has_available_stand_in(id) => Progress::OldCovered,
            Some(Role::Regular) => Progress::OldDown,
            Some(Role::Surge) if slots.ties.regular_of(id).is_some() || !new => Progress::None,
            Some(Role::Surge) if available => Progress::SurgeAvailable,
            Some(Role::Surge) => Progress::SurgeStarted,
            _ => Progress::None,
        }
    }

    /// The next instance of a slot is of another revision. Its streak begins anew.
    pub(super) fn take_revision(&mut self, id: ReplicaId, revision: Option<Revision>) {
        if let Some(slots) = self.slots.get_mut() {
            slots.revisions.set(id, revision);
        }
        let replica = self.replica_mut(id);
        replica.history.reset();
        replica.flags.set(ReplicaFlags::EXEMPT.and(ReplicaFlags::UNSTARTED).and(ReplicaFlags::UNPROVEN));
    }

    /// An old slot is stopped and started again at another revision. One that was being drained starts elsewhere.
    pub(super) fn replace_in_place(&mut self, id: ReplicaId, revision: Option<Revision>) {
        self.remove_stand_in(id);
        self.take_revision(id, revision);
        let replica = self.replica(id);
        let served = replica.bucket == CensusBucket::Available || replica.flags.has(ReplicaFlags::ROLLING);
        let requested = replica.flags.has(ReplicaFlags::REQUESTED);
        let moves = replica.kind == StartKind::Requested && replica.placement == Placement::Elsewhere;
        self.restart_at(id, if moves { Placement::Elsewhere } else { Placement::Same });
        let replica = self.replica_mut(id);
        if !requested {
            replica.flags.clear(ReplicaFlags::REQUESTED);
        }
        if served {
            replica.flags.set(ReplicaFlags::ROLLING);
            replica.flags.clear(ReplicaFlags::FAILED);
        }
        self.recount(id);
        self.track_rollout(id);
    }

    /// Removes the surge slots of the revision that was rolled out, those of drains too: drains start others.
    pub(super) fn remove_surges_of_rollout(&mut self) {
        let (Some(slots), Some(rollout)) = (self.slots.get(), self.rollout_state()) else { return };
        let completed = slots.revisions.completed.as_ref();
        let goes = |id: &ReplicaId| {
            let revision = slots.revisions.of(*id);
            slots.ties.regular_of(*id).is_none() || (rollout.tries(revision) && revision != completed)
        };
        let surges: Vec<ReplicaId> = slots.extras.surges.iter().copied().filter(goes).collect();
        for id in surges {
            self.remove_slot(id);
            self.track_rollout(id);
        }
    }
}
