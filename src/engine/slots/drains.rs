//! Drains: replicas that are to leave their place.
//!
//! With a surge, an extra slot is started elsewhere first and takes the place of the drained one once it is available.
//! Without, the replica is stopped as soon as enough others are available, and started again elsewhere. At
//! `deadline - stop_grace` it is stopped in any case. An interruption notice is a drain with a deadline.

use std::collections::BTreeSet;

use super::super::output::{IgnoreReason, Notice, Rejection, Waiting};
use super::super::replica::{CensusBucket, NextPhase, Phase, ReplicaFlags};
use super::super::state::ReplicaSet;
use super::Role;
use super::drain_index::{Drain, DrainWait, Drains};
use super::drain_report::{DrainAnswer, DrainOutcome, DrainView};
use crate::decide::{Disruption, Gate, InstanceId, ReplicaId, StartKind, StartOutcome};
use crate::policy::{OnSuccess, Placement};
use crate::time::Timestamp;

impl ReplicaSet {
    /// Drains that have not been answered yet, by replica.
    pub fn drains(&self) -> impl Iterator<Item = DrainView> + '_ {
        let open = self.slots.get().into_iter().flat_map(|slots| slots.drains.iter());
        open.map(|(replica, drain)| DrainView {
            replica,
            since: drain.since,
            deadline: drain.deadline.known(),
            surge: self.surge_of(replica),
            gate: if drain.leaves.is_some() { Gate::Stop } else { Gate::Disruption },
        })
    }

    /// Returns how many drains have not been asked to stop, and when the oldest of them began.
    pub fn waiting_drains(&self) -> (u32, Option<Timestamp>) {
        let Some(slots) = self.slots.get() else { return (0, None) };
        slots.drains.waiting_by_age()
    }

    /// Each of these replicas is to leave its place, by `deadline` at the latest.
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
            let is_live = replica.phase.is_live();
            self.slots.get_or_init().elsewhere.insert(role);
            self.remove_slot(id);
            if is_live {
                self.open_drain(id, deadline, Some(DrainOutcome::Replaced));
            } else {
                self.answer_drain(id, DrainOutcome::Replaced);
            }
            return;
        }
        if replica.phase.is_up() {
            replica.flags.set(ReplicaFlags::DRAINING);
            self.open_drain(id, deadline, None);
            self.track_drain(id);
            return;
        }
        replica.placement = Placement::Elsewhere;
        let restarts = replica.restarts();
        let in_turn = replica.kind == StartKind::First || matches!(replica.gate, Gate::Group | Gate::Order);
        let holds = deadline.is_never() && self.holds_extras();
        let mut outcome = if restarts { DrainOutcome::RestartedElsewhere } else { DrainOutcome::NothingToDo };
        if restarts && !in_turn && !holds {
            // Its delay, and the other gates, do not matter elsewhere.
            self.restart_at(id, Placement::Elsewhere);
        } else if self.replica(id).phase == Phase::Waiting {
            outcome = DrainOutcome::NothingToDo;
        }
        if self.replica(id).phase == Phase::Stopping {
            self.open_drain(id, deadline, Some(outcome));
        } else {
            self.answer_drain(id, outcome);
        }
    }

    /// Opens a drain. `leaves`: it has been asked to stop, and this is the answer once its instance is gone.
    fn open_drain(&mut self, id: ReplicaId, deadline: Timestamp, leaves: Option<DrainOutcome>) {
        let drain = Drain { since: self.now, deadline, incarnation: self.incarnation(id), leaves };
        let grace = self.policy.compiled().stop_grace;
        let slots = self.slots.get_or_init();
        slots.watching = true;
        slots.pending = true;
        slots.drains.open(id, drain, grace);
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
        self.slots.get_or_init().drains.close(id, grace);
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
        let (restarts, phase, incarnation) = (replica.restarts(), replica.phase, replica.history.incarnation());
        match drain.leaves {
            Some(outcome) if !phase.is_live() || incarnation != drain.incarnation => {
                self.forget_drain(id);
                self.answer_drain(id, outcome);
            }
            Some(_) => {}
            // It was asked to stop for another reason.
            None if !phase.is_up() => {
                self.remove_surge(id);
                let outcome = if restarts { DrainOutcome::RestartedElsewhere } else { DrainOutcome::NothingToDo };
                self.replica_mut(id).placement = Placement::Elsewhere;
                self.leave(id, outcome);
                self.track_drain(id);
            }
            None => {
                self.slots.get_or_init().drains.set_incarnation(id, incarnation);
                self.list_drain(id);
            }
        }
    }

    /// Records that a drained replica was asked to stop. The drain is answered once its instance has ended.
    fn leave(&mut self, id: ReplicaId, outcome: DrainOutcome) {
        let grace = self.policy.compiled().stop_grace;
        self.replica_mut(id).flags.clear(ReplicaFlags::DRAINING);
        self.slots.get_or_init().drains.leave(id, outcome, grace);
    }

    /// Finds what a drain waits for.
    fn list_drain(&mut self, id: ReplicaId) {
        let grace = self.policy.compiled().stop_grace;
        let replica = self.replica(id);
        let is_down = replica.bucket != CensusBucket::Available && replica.phase != Phase::Unknown;
        let wait = match self.surge_of(id) {
            Some(surge) if self.is_available(surge) => DrainWait::Ready,
            Some(_) => DrainWait::Surge,
            None if is_down => DrainWait::Down,
            None => DrainWait::Floor,
        };
        self.slots.get_or_init().drains.list(id, wait, grace);
    }

    /// Starts surge slots, and replaces or stops drained replicas, as far as allowed. Returns whether anything was done.
    pub(super) fn apply_drains(&mut self) -> bool {
        let mut moved = false;
        while let Some(id) = self.drains_index().and_then(|drains| drains.first_forced(self.now)) {
            self.take_down_drained(id, DrainOutcome::Forced);
            moved = true;
        }
        while let Some(id) = self.drains_index().and_then(Drains::first_ready) {
            self.take_down_drained(id, DrainOutcome::Replaced);
            moved = true;
        }
        let max_surge = if self.desired == 0 { 0 } else { self.policy.max_surge(self.desired) };
        moved |= self.remove_surplus(Role::Surge, max_surge as usize);
        moved |= if max_surge > 0 { self.start_surges_of_drains(max_surge) } else { self.stop_drained() };
        self.tell_waiting_drains();
        moved
    }

    fn drains_index(&self) -> Option<&Drains> {
        self.slots.get().map(|slots| &slots.drains)
    }

    fn start_surges_of_drains(&mut self, most: u32) -> bool {
        let mut moved = false;
        while !self.holds_extras() && self.slots.get().is_some_and(|slots| slots.extras.surges.len() < most as usize) {
            let Some(id) = self.drains_index().and_then(Drains::first_waiting) else { break };
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
        while let Some(id) = self.next_to_stop() {
            self.take_down_drained(id, DrainOutcome::RestartedElsewhere);
            moved = true;
        }
        moved
    }

    /// The drained replica that may be stopped now: one that is not available first, then by deadline.
    fn next_to_stop(&self) -> Option<ReplicaId> {
        let drains = self.drains_index()?;
        let may_stop = |id: ReplicaId, available: bool| {
            let timed = drains.get(id).is_some_and(|drain| !drain.deadline.is_never());
            let why = if timed { Disruption::DrainByDeadline } else { Disruption::Drain };
            self.policy.may_disrupt(&self.set, &self.counts.census, available, why)
        };
        let down = drains.first_down().filter(|&id| may_stop(id, false));
        down.or_else(|| drains.first_waiting().filter(|&id| may_stop(id, true)))
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
            self.replica_mut(surge)
                .flags
                .set(ReplicaFlags::WAS_AVAILABLE.and(ReplicaFlags::REQUESTED).and(ReplicaFlags::UNPROVEN));
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
        while let Some(id) = self.slots.get_mut().and_then(|slots| slots.drains.pop_new()) {
            self.notice(Notice::Waiting(Waiting { replica: id, gate: Gate::Disruption }));
        }
    }
}
