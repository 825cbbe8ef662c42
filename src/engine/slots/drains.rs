//! Drains: replicas that have to leave the place where they run.
//!
//! With `max_surge`, a surge slot is started elsewhere first, and replaces the drained slot once it is available. Without it,
//! the replica is stopped as soon as enough others are available, and starts again elsewhere. At `deadline - stop_grace` it is
//! stopped in any case. An interruption notice is a drain with a deadline.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::super::output::{IgnoreReason, Notice, Rejection, Waiting};
use super::super::replica::{CensusBucket, NextPhase, Phase, ReplicaFlags};
use super::super::state::ReplicaSet;
use super::Role;
use super::drain_report::{DrainAnswer, DrainOutcome, DrainView};
use crate::decide::{Disruption, Gate, Incarnation, InstanceId, ReplicaId, StartKind, StartOutcome};
use crate::policy::{OnSuccess, Placement};
use crate::time::Timestamp;

/// The open drains of a set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Drains {
    open: BTreeMap<ReplicaId, Drain>,
    /// Drains without a surge slot that have not been asked to stop, by deadline.
    #[serde(skip)]
    waiting: BTreeSet<(Timestamp, ReplicaId)>,
    /// The drains of `waiting` whose replicas are not available, so that they may be stopped at once.
    #[serde(skip)]
    down: BTreeSet<ReplicaId>,
    /// Drains whose surge slot is available.
    #[serde(skip)]
    ready: BTreeSet<ReplicaId>,
    /// Drains with a deadline, by the time at which they are forced.
    #[serde(skip)]
    forced: BTreeSet<(Timestamp, ReplicaId)>,
    /// Drains that have not been reported as waiting yet.
    #[serde(skip)]
    new: BTreeSet<ReplicaId>,
    /// Drains that have not been asked to stop, the oldest first.
    #[serde(skip)]
    by_age: BTreeSet<(Timestamp, ReplicaId)>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Drain {
    since: Timestamp,
    #[serde(with = "crate::decide::serde_opt_timestamp")]
    deadline: Timestamp,
    /// The incarnation that has to go.
    incarnation: Incarnation,
    /// The outcome once the instance has ended; `None`: it has not been asked to stop.
    leaves: Option<DrainOutcome>,
}

impl Drains {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    fn get(&self, id: ReplicaId) -> Option<Drain> {
        self.open.get(&id).copied()
    }

    fn unlist(&mut self, id: ReplicaId, grace: u64) {
        if let Some(drain) = self.open.get(&id) {
            self.waiting.remove(&(drain.deadline, id));
            self.forced.remove(&(drain.forced_at(grace), id));
            self.by_age.remove(&(drain.since, id));
        }
        self.down.remove(&id);
        self.ready.remove(&id);
    }

    /// Clears the sets. Under another policy, `list_drain` fills them again.
    pub(super) fn unlist_all(&mut self) {
        self.waiting.clear();
        self.down.clear();
        self.ready.clear();
        self.forced.clear();
        self.by_age.clear();
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = ReplicaId> + '_ {
        self.open.keys().copied()
    }

    pub(super) fn entries(&self) -> usize {
        let sets = self.waiting.len() + self.down.len() + self.ready.len() + self.forced.len() + self.new.len();
        self.open.len() + sets + self.by_age.len()
    }

    pub(super) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        for drain in self.open.values_mut() {
            drain.since = by(drain.since);
            if !drain.deadline.is_never() {
                drain.deadline = by(drain.deadline);
            }
        }
    }
}

impl Drain {
    fn forced_at(&self, grace: u64) -> Timestamp {
        match self.deadline.known() {
            Some(deadline) => Timestamp::from_nanos(deadline.as_nanos().saturating_sub(grace)),
            None => Timestamp::NEVER,
        }
    }
}

impl ReplicaSet {
    /// Returns the drains that have not been answered yet, by replica.
    pub fn drains(&self) -> impl Iterator<Item = DrainView> + '_ {
        let open = self.slots.get().into_iter().flat_map(|slots| &slots.drains.open);
        open.map(|(&replica, drain)| DrainView {
            replica,
            since: drain.since,
            deadline: drain.deadline.known(),
            surge: self.surge_of(replica),
            gate: if drain.leaves.is_some() { Gate::Stop } else { Gate::Disruption },
        })
    }

    /// Returns how many drains have not been asked to stop, and when the oldest of them began.
    pub(crate) fn waiting_drains(&self) -> (u32, Option<Timestamp>) {
        let Some(slots) = self.slots.get() else { return (0, None) };
        let waiting = &slots.drains.by_age;
        (waiting.len() as u32, waiting.first().map(|&(since, _)| since))
    }

    /// Begins to drain these replicas; each has to be gone by `deadline`.
    pub(in crate::engine) fn drain(
        &mut self,
        replicas: &[ReplicaId],
        deadline: Option<Timestamp>,
    ) -> Result<(), Rejection> {
        self.check_request(None)?;
        for &id in replicas {
            self.check_request(Some(id))?;
        }
        for id in replicas.iter().copied().collect::<BTreeSet<_>>() {
            if self.replica(id).role.is_some() {
                self.drain_one(id, deadline.unwrap_or(Timestamp::NEVER));
            } else if self.slots.get().is_none_or(|slots| slots.drains.get(id).is_none()) {
                // It has been removed with another of these.
                self.answer_drain(id, DrainOutcome::NothingToDo);
            }
        }
        Ok(())
    }

    /// Begins the drain of an instance that the platform will take away.
    pub(in crate::engine) fn interruption_notice(&mut self, instance: InstanceId, deadline: Timestamp) {
        let known = self.replicas.get(instance.replica.index()).filter(|replica| replica.role.is_some());
        let why = match known.map(|replica| (replica.history.incarnation(), replica.phase.is_live())) {
            None => IgnoreReason::of_unstarted(instance.incarnation),
            Some((current, _)) if instance.incarnation > current => IgnoreReason::of_unstarted(instance.incarnation),
            Some((current, _)) if instance.incarnation < current => IgnoreReason::Stale,
            Some((_, false)) => IgnoreReason::Duplicate,
            Some(_) if self.has_ended() => IgnoreReason::Duplicate,
            Some(_) => return self.drain_one(instance.replica, deadline),
        };
        self.ignore(instance, why);
    }

    fn drain_one(&mut self, id: ReplicaId, deadline: Timestamp) {
        // An earlier drain of this replica may be over by now.
        self.track_drain(id);
        let replica = &mut self.replicas[id.index()];
        if let Some(role) = replica.role.filter(|role| *role != Role::Regular) {
            self.slots.get_or_init().elsewhere.insert(role);
            self.remove_slot(id);
            self.answer_drain(id, DrainOutcome::Replaced);
            return;
        }
        let waits = replica.phase == Phase::Waiting && replica.gate != Gate::Hold;
        if waits || (replica.phase == Phase::Stopping && replica.after == NextPhase::Start) {
            // What it would wait for there does not matter elsewhere.
            self.restart_at(id, Placement::Elsewhere);
            if self.slots.get().is_none_or(|slots| slots.drains.get(id).is_none()) {
                self.answer_drain(id, DrainOutcome::RestartedElsewhere);
            }
            return;
        }
        if !replica.phase.is_up() {
            replica.placement = Placement::Elsewhere;
            if self.slots.get().is_none_or(|slots| slots.drains.get(id).is_none()) {
                self.answer_drain(id, DrainOutcome::NothingToDo);
            }
            return;
        }
        replica.flags.set(ReplicaFlags::DRAINING);
        let (now, grace) = (self.now, self.policy.compiled().stop_grace);
        let incarnation = replica.history.incarnation();
        let slots = self.slots.get_or_init();
        slots.watching = true;
        slots.pending = true;
        slots.drains.unlist(id, grace);
        let begun = Drain { since: now, deadline, incarnation, leaves: None };
        let drain = slots.drains.open.entry(id).or_insert(begun);
        drain.deadline = drain.deadline.min(deadline);
        slots.drains.new.insert(id);
        self.track_drain(id);
    }

    /// Takes drains back, and removes the surge slots that were started for them.
    pub(in crate::engine) fn undrain(&mut self, replicas: &[ReplicaId]) -> Result<(), Rejection> {
        self.check_request(None)?;
        for &id in replicas {
            self.check_request(Some(id))?;
            if !self.replica(id).flags.has(ReplicaFlags::DRAINING) {
                return self.refuse(Rejection::NotDraining(id));
            }
        }
        for &id in replicas {
            self.replica_mut(id).flags.clear(ReplicaFlags::DRAINING);
            self.forget_drain(id);
            self.remove_surge(id);
            self.note_slot_change(id);
        }
        Ok(())
    }

    fn forget_drain(&mut self, id: ReplicaId) {
        let grace = self.policy.compiled().stop_grace;
        let drains = &mut self.slots.get_or_init().drains;
        drains.unlist(id, grace);
        drains.new.remove(&id);
        drains.open.remove(&id);
    }

    fn answer_drain(&mut self, id: ReplicaId, outcome: DrainOutcome) {
        self.notice(Notice::Drain(DrainAnswer { replica: id, outcome }));
    }

    /// Returns the surge slot that will take the place of a drained one.
    fn surge_of(&self, id: ReplicaId) -> Option<ReplicaId> {
        let slots = self.slots.get()?;
        slots.ties.extras_of(id).find(|&extra| self.replica(extra).role == Some(Role::Surge))
    }

    fn remove_surge(&mut self, id: ReplicaId) {
        if let Some(surge) = self.surge_of(id) {
            self.remove_slot(surge);
        }
    }

    /// Returns whether a slot is being drained and has not been asked to stop.
    pub(in crate::engine) fn is_drained(&self, id: ReplicaId) -> bool {
        let drain = self.slots.get().and_then(|slots| slots.drains.get(id));
        drain.is_some_and(|drain| drain.leaves.is_none())
    }

    /// Returns whether a slot is the surge slot of a drain, which is retried without limit.
    pub(in crate::engine) fn is_surge_of_drain(&self, id: ReplicaId) -> bool {
        self.replica(id).role == Some(Role::Surge)
            && self.slots.get().is_some_and(|slots| slots.ties.regular_of(id).is_some())
    }

    /// Updates drains after a change of a slot: the drain of that slot, or the one that it is the surge slot of.
    pub(super) fn track_drain(&mut self, id: ReplicaId) {
        if self.is_surge_of_drain(id)
            && let Some(regular) = self.slots.get().and_then(|slots| slots.ties.regular_of(id))
        {
            self.list_drain(regular);
        }
        let Some(drain) = self.slots.get().and_then(|slots| slots.drains.get(id)) else { return };
        let replica = self.replica(id);
        let (role, phase, incarnation) = (replica.role, replica.phase, replica.history.incarnation());
        match drain.leaves {
            Some(outcome) if !phase.is_live() || incarnation != drain.incarnation => {
                self.forget_drain(id);
                self.answer_drain(id, outcome);
            }
            Some(_) => {}
            // It was asked to stop for another reason.
            None if !phase.is_up() => {
                self.remove_surge(id);
                let outcome = if role.is_none() { DrainOutcome::NothingToDo } else { DrainOutcome::RestartedElsewhere };
                self.replica_mut(id).placement = Placement::Elsewhere;
                self.leave(id, outcome);
                self.track_drain(id);
            }
            None => {
                if let Some(drain) = self.slots.get_or_init().drains.open.get_mut(&id) {
                    // A list may have shown a later start.
                    drain.incarnation = incarnation;
                }
                self.list_drain(id);
            }
        }
    }

    /// Records that a drained replica was asked to stop. The drain is answered once its instance has ended.
    fn leave(&mut self, id: ReplicaId, outcome: DrainOutcome) {
        let grace = self.policy.compiled().stop_grace;
        self.replica_mut(id).flags.clear(ReplicaFlags::DRAINING);
        let drains = &mut self.slots.get_or_init().drains;
        drains.unlist(id, grace);
        drains.new.remove(&id);
        if let Some(drain) = drains.open.get_mut(&id) {
            drain.leaves = Some(outcome);
        }
    }

    /// Adds a drain to the sets that it belongs to.
    fn list_drain(&mut self, id: ReplicaId) {
        let grace = self.policy.compiled().stop_grace;
        let surge = self.surge_of(id);
        let ready = surge.is_some_and(|surge| self.is_available(surge));
        let replica = self.replica(id);
        let is_down = replica.bucket != CensusBucket::Available && replica.phase != Phase::Unknown;
        let drains = &mut self.slots.get_or_init().drains;
        drains.unlist(id, grace);
        let Some(drain) = drains.get(id).filter(|drain| drain.leaves.is_none()) else { return };
        drains.by_age.insert((drain.since, id));
        if !drain.deadline.is_never() {
            drains.forced.insert((drain.forced_at(grace), id));
        }
        if ready {
            drains.ready.insert(id);
        } else if surge.is_none() {
            drains.waiting.insert((drain.deadline, id));
            if is_down {
                drains.down.insert(id);
            }
        }
    }

    /// Starts surge slots, and replaces or stops drained replicas, as far as allowed. Returns whether anything was done.
    pub(super) fn apply_drains(&mut self) -> bool {
        let mut moved = false;
        while let Some(id) =
            self.next_drain(|drains, now| drains.forced.first().filter(|(at, _)| *at <= now).map(|&(_, id)| id))
        {
            self.take_down_drained(id, DrainOutcome::Forced);
            moved = true;
        }
        while let Some(id) = self.next_drain(|drains, _| drains.ready.first().copied()) {
            self.take_down_drained(id, DrainOutcome::Replaced);
            moved = true;
        }
        moved |=
            if self.policy.max_surge(self.desired) > 0 { self.start_surges_of_drains() } else { self.stop_drained() };
        self.tell_waiting_drains();
        moved
    }

    fn next_drain(&self, next: impl Fn(&Drains, Timestamp) -> Option<ReplicaId>) -> Option<ReplicaId> {
        next(&self.slots.get()?.drains, self.now)
    }

    fn start_surges_of_drains(&mut self) -> bool {
        let mut moved = false;
        let most = self.policy.max_surge(self.desired) as usize;
        while !self.holds_extras() && self.slots.get().is_some_and(|slots| slots.extras.surges.len() < most) {
            let Some(id) = self.next_drain(|drains, _| drains.waiting.first().map(|&(_, id)| id)) else { break };
            let revision = self.revision_of_new_slots();
            let Some(surge) = self.add_slot(Role::Surge, Placement::Elsewhere, revision) else { break };
            self.slots.get_or_init().ties.tie(surge, id);
            self.list_drain(id);
            moved = true;
        }
        moved
    }

    fn stop_drained(&mut self) -> bool {
        let mut moved = false;
        loop {
            let down = self.next_drain(|drains, _| drains.down.first().copied());
            let first = down.or_else(|| self.next_drain(|drains, _| drains.waiting.first().map(|&(_, id)| id)));
            let Some(id) = first else { break };
            let timed = self.slots.get().and_then(|slots| slots.drains.get(id)).is_some_and(|d| !d.deadline.is_never());
            let why = if timed { Disruption::DrainByDeadline } else { Disruption::Drain };
            if !self.policy.may_disrupt(&self.set, &self.counts.census, down.is_none(), why) {
                break;
            }
            self.take_down_drained(id, DrainOutcome::RestartedElsewhere);
            moved = true;
        }
        moved
    }

    /// Stops a drained replica. Its surge slot takes its place, if it has one; else it starts again elsewhere.
    fn take_down_drained(&mut self, id: ReplicaId, outcome: DrainOutcome) {
        self.leave(id, outcome);
        if let Some(surge) = self.surge_of(id) {
            self.take_place(surge);
            self.remove_slot(id);
        } else {
            self.restart_at(id, Placement::Elsewhere);
        }
    }

    /// Makes the surge slot of a drain regular, available or not. Until it is available it counts as missing, because the
    /// drained one did not.
    fn take_place(&mut self, surge: ReplicaId) {
        if !self.is_available(surge) {
            self.replica_mut(surge).flags.set(ReplicaFlags::WAS_AVAILABLE.and(ReplicaFlags::REQUESTED));
        }
        self.change_role(surge, Role::Regular, None);
    }

    /// Handles the end of a draining replica's instance, or a failure after which it has to be stopped: the drain is over, and
    /// there is no verdict. Returns false if the end is not part of a drain.
    pub(in crate::engine) fn left_while_draining(&mut self, id: ReplicaId, clean_exit: bool, still_live: bool) -> bool {
        if clean_exit && self.policy.compiled().success == OnSuccess::Complete {
            return false;
        }
        let surge = self.surge_of(id);
        if still_live {
            self.take_down_drained(
                id,
                if surge.is_some() { DrainOutcome::Replaced } else { DrainOutcome::RestartedElsewhere },
            );
            return true;
        }
        self.forget_drain(id);
        self.conclude_start(id, StartOutcome::Gone);
        self.forget_lost(id);
        let now = self.now;
        let replica = &mut self.replicas[id.index()];
        replica.history.record_stopped(&self.policy, now);
        replica.flags.clear(ReplicaFlags::ENDING.and(ReplicaFlags::DRAINING));
        if let Some(surge) = surge {
            self.take_place(surge);
            self.detach_slot(id);
            self.enter(id, NextPhase::Remove);
            self.answer_drain(id, DrainOutcome::Replaced);
        } else {
            self.leave_group(id);
            let replica = self.replica_mut(id);
            replica.kind = StartKind::Requested;
            replica.placement = Placement::Elsewhere;
            replica.gate = Gate::Backoff;
            replica.due = now;
            replica.flags.set(ReplicaFlags::REQUESTED);
            self.enter(id, NextPhase::Start);
            self.answer_drain(id, DrainOutcome::RestartedElsewhere);
        }
        true
    }

    /// Answers every drain, because the set has ended.
    pub(in crate::engine) fn end_drains(&mut self) {
        let open: Vec<ReplicaId> = self.slots.get().into_iter().flat_map(|slots| slots.drains.slots()).collect();
        for id in open {
            self.forget_drain(id);
            self.replica_mut(id).flags.clear(ReplicaFlags::DRAINING);
            self.answer_drain(id, DrainOutcome::NothingToDo);
        }
    }

    /// Reports each new drain that waits, once.
    fn tell_waiting_drains(&mut self) {
        while let Some(id) = self.slots.get_mut().and_then(|slots| slots.drains.new.pop_first()) {
            self.notice(Notice::Waiting(Waiting { replica: id, gate: Gate::Disruption }));
        }
    }

    /// Returns when the next drain is forced.
    pub(super) fn drains_due(&self) -> Timestamp {
        let forced = self.slots.get().and_then(|slots| slots.drains.forced.first());
        forced.map_or(Timestamp::NEVER, |&(at, _)| at)
    }
}
