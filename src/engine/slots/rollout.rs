//! Rollouts: moves every regular slot to another revision.
//!
//! Depth 1 decides the next step (`Policy::next_of_rollout`). With `max_surge`, slots of the new revision are started beside the
//! old ones and replace them once they are available. Without it, old slots are stopped and started again at the new
//! revision. A rollout that makes no progress, or whose replicas fail too often, is rolled back or paused.

use serde::{Deserialize, Serialize};

use super::super::output::{Notice, Rejection};
use super::super::replica::{CensusBucket, NextPhase, Phase, Replica, ReplicaFlags};
use super::super::state::ReplicaSet;
use super::Role;
use super::rollout_index::{Progress, RolloutIndex};
use super::rollout_report::{RolloutChange, RolloutEvent, RolloutFailure, RolloutPhase, RolloutView};
use crate::decide::{
    Decision, DecisionReason, Degrade, Disruption, ReplicaId, Revision, RolloutCensus, RolloutStep, StartKind, Verdict,
};
use crate::policy::retry_schedule::FOREVER;
use crate::policy::{Cause, OnRolloutFailure, Placement, Promote};
use crate::time::Timestamp;

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
enum State {
    Advancing,
    /// Baking since this time.
    Baking(Timestamp),
    AwaitingPromotion,
    Paused,
}

/// A rollout that is under way, paused or rolling back.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Rollout {
    /// The revision that the set is moving to; `None`: the one that it began with.
    target: Option<Revision>,
    /// The revision that is rolled back, if this is a rollback.
    taken_back: Option<Option<Revision>>,
    state: State,
    promoted: bool,
    /// Whether a replica of the new revision has been available.
    proven: bool,
    since: Timestamp,
    failures: u32,
    most_available: u32,
    clock: ProgressClock,
    /// Why it has failed. Set until `fail_rollout` has handled it.
    failed: Option<RolloutFailure>,
    #[serde(skip)]
    index: RolloutIndex,
}

/// Measures how long a rollout has been without progress. It can stand.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct ProgressClock {
    /// The time counted before it last stood, in nanoseconds.
    spent: u64,
    /// Since when it runs; `None`: it stands.
    since: Option<Timestamp>,
}

impl ProgressClock {
    fn run(&mut self, runs: bool, now: Timestamp) {
        match self.since {
            None if runs => self.since = Some(now),
            Some(since) if !runs => {
                self.spent = self.spent.saturating_add(now.nanos_since(since));
                self.since = None;
            }
            _ => {}
        }
    }

    fn restart(&mut self, now: Timestamp) {
        self.spent = 0;
        self.since = self.since.map(|_| now);
    }

    /// Returns when it reaches `deadline`.
    fn ends_at(&self, deadline: u64) -> Timestamp {
        match self.since {
            Some(since) if deadline != FOREVER => since.plus_nanos(deadline.saturating_sub(self.spent)),
            _ => Timestamp::NEVER,
        }
    }
}

impl Rollout {
    pub(super) fn entries(&self) -> usize {
        self.index.entries()
    }

    pub(super) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        self.since = by(self.since);
        if let State::Baking(since) = &mut self.state {
            *since = by(*since);
        }
        self.clock.since = self.clock.since.map(&by);
    }

    fn goes_back(&self) -> bool {
        self.taken_back.is_some()
    }

    /// Returns whether slots of this revision are being tried, so that their failures are charged to the rollout.
    pub(super) fn tries(&self, revision: Option<&Revision>) -> bool {
        !self.goes_back() && self.target.as_ref() == revision
    }

    /// Returns whether slots of this revision are still to be replaced.
    pub(super) fn is_outdated(&self, revision: Option<&Revision>) -> bool {
        self.target.as_ref() != revision
    }

    /// Returns the revision that notices name: the one that is rolled out or rolled back.
    fn revision(&self) -> &Option<Revision> {
        self.taken_back.as_ref().unwrap_or(&self.target)
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

    fn change(&self, event: RolloutEvent, reason: Option<RolloutFailure>) -> Notice {
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
    /// Returns the rollout that is under way, paused or rolling back.
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

    fn rollout_state(&self) -> Option<&Rollout> {
        self.slots.get()?.rollout.as_ref()
    }

    fn rollout_mut(&mut self) -> Option<&mut Rollout> {
        self.slots.get_mut()?.rollout.as_mut()
    }

    /// Returns the revision of a slot that is added now: the new one once a replica of it has been available, else the old one.
    pub(super) fn revision_of_new_slots(&self) -> Option<Revision> {
        let proven = self.rollout_state().filter(|rollout| rollout.proven && !rollout.goes_back());
        match proven {
            Some(rollout) => rollout.target.clone(),
            None => self.revision().cloned(),
        }
    }

    /// Begins to move every regular slot to this revision, or resumes a paused rollout of it.
    pub(in crate::engine) fn roll_out(&mut self, revision: Revision) -> Result<(), Rejection> {
        self.check_request(None)?;
        if let Some(rollout) = self.rollout_state() {
            let same = !rollout.goes_back() && rollout.target.as_ref() == Some(&revision);
            if same && rollout.state == State::Paused {
                self.resume_rollout();
                return Ok(());
            }
            if same {
                return self.refuse(Rejection::RolloutUnderWay);
            }
            self.tell_rollout(RolloutEvent::Superseded, None);
            self.remove_surges_of_rollout();
        } else if self.revision() == Some(&revision) {
            let state = State::Advancing;
            let rollout = Rollout::new(Some(revision), None, state, true, self.now);
            self.notice(rollout.change(RolloutEvent::Started, None));
            self.notice(rollout.change(RolloutEvent::Completed, None));
            return Ok(());
        }
        let promoted = self.policy.compiled().rollout.canaries == 0;
        self.begin_rollout(Rollout::new(Some(revision), None, State::Advancing, promoted, self.now));
        self.tell_rollout(RolloutEvent::Started, None);
        Ok(())
    }

    /// Lets the other slots follow the canaries.
    pub(in crate::engine) fn promote(&mut self) -> Result<(), Rejection> {
        self.check_request(None)?;
        let canary = self.rollout_state().is_some_and(|rollout| {
            let tried = rollout.index.updated() + rollout.index.surge() > 0;
            !rollout.promoted && !rollout.goes_back() && rollout.state != State::Paused && tried
        });
        if !canary {
            return self.refuse(Rejection::NoCanary);
        }
        self.promote_canaries();
        Ok(())
    }

    /// Begins to move every slot back to the last completed revision.
    pub(in crate::engine) fn roll_back(&mut self) -> Result<(), Rejection> {
        self.check_request(None)?;
        if self.rollout_state().is_none_or(Rollout::goes_back) {
            return self.refuse(Rejection::NoRollout);
        }
        self.start_rollback();
        Ok(())
    }

    fn begin_rollout(&mut self, rollout: Rollout) {
        let slots = self.slots.get_or_init();
        slots.rollout = Some(rollout);
        slots.watching = true;
        slots.pending = true;
        for id in self.member_ids().collect::<Vec<_>>() {
            let revision = self.revision_of(id);
            let tried = self.rollout_state().is_some_and(|rollout| rollout.tries(revision));
            if tried && revision != self.revision() {
                // An earlier rollout of this revision has left it.
                self.replica_mut(id).flags.set(ReplicaFlags::EXEMPT);
            }
            self.track_rollout(id);
        }
    }

    fn resume_rollout(&mut self) {
        let now = self.now;
        if let Some(rollout) = self.rollout_mut() {
            rollout.state = State::Advancing;
            rollout.failures = 0;
            rollout.clock.restart(now);
        }
        if let Some(slots) = self.slots.get_mut() {
            slots.pending = true;
        }
        self.tell_rollout(RolloutEvent::Started, None);
    }

    fn tell_rollout(&mut self, event: RolloutEvent, reason: Option<RolloutFailure>) {
        if let Some(notice) = self.rollout_state().map(|rollout| rollout.change(event, reason)) {
            self.notice(notice);
        }
    }

    /// Updates the progress of a slot after a change.
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
        if replica.role == Some(Role::Regular) && replica.is_stopped() && rollout.state != State::Paused {
            // It takes the revision without being started.
            let target = rollout.target.clone();
            self.slots.get_or_init().revisions.set(id, target);
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
        let completes = |replica: &Replica| {
            replica.phase == Phase::Completed
                || (replica.phase == Phase::Stopping && replica.after == NextPhase::Complete)
        };
        match replica.role {
            Some(Role::Regular) if replica.is_stopped() || completes(replica) => Progress::None,
            Some(Role::Regular) if new && available => Progress::NewAvailable,
            Some(Role::Regular) if new && replica.phase.is_up() => Progress::NewStarted,
            Some(Role::Regular) if new => Progress::NewWaiting,
            Some(Role::Regular) if available || replica.phase == Phase::Unknown => Progress::OldAvailable,
            Some(Role::Regular) if self.has_available_stand_in(id) => Progress::OldCovered,
            Some(Role::Regular) => Progress::OldDown,
            Some(Role::Surge) if slots.ties.regular_of(id).is_some() || !new => Progress::None,
            Some(Role::Surge) if available => Progress::SurgeAvailable,
            Some(Role::Surge) => Progress::SurgeStarted,
            _ => Progress::None,
        }
    }

    /// Takes the next steps of the rollout. Returns whether anything was done.
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
            rollout.proven = true;
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
        let takes_covered = self.policy.max_surge(desired) > 0
            || self.policy.may_disrupt(&self.set, &self.counts.census, true, Disruption::Rollout);
        let Some(rollout) = self.rollout_state() else { return false };
        let census = rollout.index.census(surges, rollout.promoted, takes_covered);
        let step = self.policy.next_of_rollout(&self.set, &self.counts.census, &census);
        self.take_rollout_step(step, census)
    }

    fn take_rollout_step(&mut self, step: RolloutStep, census: RolloutCensus) -> bool {
        let Some(rollout) = self.rollout_mut() else { return false };
        let was_baking = matches!(rollout.state, State::Baking(_) | State::AwaitingPromotion);
        if step != RolloutStep::Bake && was_baking {
            // A canary is not available any more.
            rollout.state = State::Advancing;
            return true;
        }
        let back = rollout.goes_back() && census.old == 0 && census.surge == 0;
        let started = rollout.index.of(Progress::NewWaiting).is_empty();
        match step {
            RolloutStep::Bake => self.bake(),
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

    /// Begins or ends the wait for `bake` or for an operator, while the canaries are available.
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
            // `replace_policy` may have changed `promote`.
            (State::Baking(_), Promote::Manual) => rollout.state = State::AwaitingPromotion,
            (State::AwaitingPromotion, Promote::Auto) => rollout.state = State::Baking(now),
            _ => return false,
        }
        true
    }

    fn promote_canaries(&mut self) {
        if let Some(rollout) = self.rollout_mut() {
            rollout.promoted = true;
            rollout.state = State::Advancing;
        }
        if let Some(slots) = self.slots.get_mut() {
            slots.pending = true;
        }
        self.tell_rollout(RolloutEvent::Promoted, None);
    }

    /// Stops a slot and starts it again at another revision in the same place. Its streak begins anew.
    fn replace_in_place(&mut self, id: ReplicaId, revision: Option<Revision>) {
        self.remove_stand_in(id);
        if let Some(slots) = self.slots.get_mut() {
            slots.revisions.set(id, revision);
        }
        let replica = &mut self.replicas[id.index()];
        let served = replica.bucket == CensusBucket::Available || replica.flags.has(ReplicaFlags::ROLLING);
        replica.history.reset();
        replica.flags.set(ReplicaFlags::EXEMPT);
        let requested = replica.flags.has(ReplicaFlags::REQUESTED);
        self.restart_at(id, Placement::Same);
        let replica = self.replica_mut(id);
        replica.kind = StartKind::Requested;
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

    fn remove_surges_of_rollout(&mut self) {
        let slots = self.slots.get();
        let untied = |id: &ReplicaId| slots.is_some_and(|slots| slots.ties.regular_of(*id).is_none());
        let surges: Vec<ReplicaId> =
            slots.into_iter().flat_map(|slots| slots.extras.surges.iter().copied()).filter(untied).collect();
        for id in surges {
            self.remove_slot(id);
            self.track_rollout(id);
        }
    }

    /// Charges the failure of an exempt replica to the rollout, if it is of the new revision. A verdict that would give it up or
    /// terminate the set fails the rollout instead.
    pub(in crate::engine) fn charge_rollout(&mut self, id: ReplicaId, decision: &mut Decision) {
        let most = self.policy.compiled().rollout.max_failures;
        let tried = self.rollout_state().is_some_and(|rollout| rollout.tries(self.revision_of(id)));
        let flags = self.replica(id).flags;
        let was_available = flags.has(ReplicaFlags::WAS_AVAILABLE) && !flags.has(ReplicaFlags::ROLLING);
        let Some(rollout) = self.rollout_mut().filter(|rollout| tried && rollout.state != State::Paused) else {
            return;
        };
        let counts = match &decision.cause {
            Some(cause) => !matches!(cause, Cause::Interruption | Cause::NoCapacity | Cause::NodeLost),
            None => !was_available,
        };
        rollout.failures = rollout.failures.saturating_add(u32::from(counts));
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

    fn fail_rollout(&mut self, reason: RolloutFailure) {
        self.tell_rollout(RolloutEvent::Failed, Some(reason));
        match self.policy.compiled().rollout.on_failure {
            OnRolloutFailure::Rollback => self.start_rollback(),
            OnRolloutFailure::Pause => self.pause_rollout(),
        }
    }

    /// Pauses a failed rollout. New replicas that are not available are removed; in place, they return to the old revision.
    fn pause_rollout(&mut self) {
        let now = self.now;
        let completed = self.revision().cloned();
        let Some(rollout) = self.rollout_mut() else { return };
        rollout.state = State::Paused;
        rollout.clock.run(false, now);
        let of = |progress| rollout.index.of(progress).iter().copied();
        let surges: Vec<ReplicaId> = of(Progress::SurgeStarted).collect();
        let in_place: Vec<ReplicaId> = of(Progress::NewWaiting).chain(of(Progress::NewStarted)).collect();
        for id in surges {
            self.remove_slot(id);
            self.track_rollout(id);
        }
        for id in in_place {
            self.replace_in_place(id, completed.clone());
        }
        self.tell_rollout(RolloutEvent::Paused, None);
    }

    fn start_rollback(&mut self) {
        let Some(rollout) = self.rollout_state() else { return };
        let taken_back = rollout.target.clone();
        self.tell_rollout(RolloutEvent::RollingBack, None);
        self.remove_surges_of_rollout();
        let target = self.revision().cloned();
        self.begin_rollout(Rollout::new(target, Some(taken_back), State::Advancing, true, self.now));
    }

    /// Ends a rollout or rollback whose slots are all at the revision that the set was moving to.
    fn end_rollout(&mut self) {
        // Scaled to zero, it is over while surge slots are there.
        self.remove_surges_of_rollout();
        let Some(rollout) = self.slots.get_mut().and_then(|slots| slots.rollout.take()) else { return };
        let event = if rollout.goes_back() { RolloutEvent::RolledBack } else { RolloutEvent::Completed };
        self.notice(rollout.change(event, None));
        let slots = self.slots.get_or_init();
        if !rollout.goes_back() {
            slots.revisions.completed = rollout.target.clone();
        }
        slots.pending = true;
        let outdated = |id: &ReplicaId| slots.revisions.of(*id) != slots.revisions.completed.as_ref();
        let standbys: Vec<ReplicaId> = slots.extras.standbys.iter().copied().filter(outdated).collect();
        standbys.into_iter().for_each(|id| self.remove_slot(id));
        for id in self.regular_ids().collect::<Vec<_>>() {
            let replica = self.replica(id);
            if replica.flags.has(ReplicaFlags::EXEMPT) && replica.phase == Phase::Ready {
                self.end_exemption(id);
            }
        }
    }

    /// Returns the next time at which the rollout acts without an event.
    pub(super) fn rollout_due(&self) -> Timestamp {
        let Some(rollout) = self.rollout_state() else { return Timestamp::NEVER };
        let compiled = self.policy.compiled().rollout;
        let bake = match rollout.state {
            State::Baking(since) => since.plus_nanos(compiled.bake),
            _ => Timestamp::NEVER,
        };
        rollout.clock.ends_at(compiled.progress_deadline).min(bake)
    }

    /// Begins the clocks of the rollout anew, after a restore.
    pub(super) fn restart_rollout_clocks(&mut self) {
        let now = self.now;
        let Some(rollout) = self.rollout_mut() else { return };
        rollout.clock = ProgressClock { spent: 0, since: rollout.clock.since.map(|_| now) };
        if let State::Baking(since) = &mut rollout.state {
            *since = now;
        }
    }
}

impl Rollout {
    fn new(
        target: Option<Revision>,
        taken_back: Option<Option<Revision>>,
        state: State,
        promoted: bool,
        now: Timestamp,
    ) -> Self {
        Self {
            target,
            taken_back,
            state,
            promoted,
            proven: false,
            since: now,
            failures: 0,
            most_available: 0,
            clock: ProgressClock::default(),
            failed: None,
            index: RolloutIndex::default(),
        }
    }
}
