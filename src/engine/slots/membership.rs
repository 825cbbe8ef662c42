//! Adds slots to the set, removes them, and changes their roles.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use super::super::output::{Notice, RoleChange};
use super::super::replica::{NextPhase, Phase, Replica, ReplicaFlags};
use super::super::state::ReplicaSet;
use super::Role;
use crate::decide::{Gate, Incarnation, ReplicaId, Revision, StartKind};
use crate::policy::{MAX_REPLICAS, Placement};

/// The most slots that a set ever uses. Beyond that, a slot whose end is not confirmed is used again, and its start waits for the end.
pub(in crate::engine) const MAX_SLOTS: usize = 5 * MAX_REPLICAS as usize;

impl ReplicaSet {
    /// Returns the number of slots in a role.
    pub(crate) fn role_count(&self, role: Role) -> u32 {
        let extras = self.slots.get().and_then(|slots| slots.extras.of(role));
        if role == Role::Regular { self.desired } else { extras.map_or(0, |extras| extras.len() as u32) }
    }

    /// Returns the number of slots in each role that has any.
    pub(in crate::engine) fn role_counts(&self) -> BTreeMap<Role, u32> {
        let counted = Role::ALL.map(|role| (role, self.role_count(role)));
        counted.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// Adds a slot that waits for its first start, under the lowest free number; `None` if there is none.
    pub(super) fn add_slot(
        &mut self,
        role: Role,
        placement: Placement,
        revision: Option<Revision>,
    ) -> Option<ReplicaId> {
        let id = self.take_free_id()?;
        self.free_acted(id);
        self.set_role(id, Some(role));
        let now = self.now;
        let replica = self.replica_mut(id);
        let kept = replica.flags.only(ReplicaFlags::AWAITING.and(ReplicaFlags::LOST).and(ReplicaFlags::UNCONFIRMED));
        replica.flags = kept;
        if replica.phase == Phase::Stopping {
            replica.after = NextPhase::Start;
            replica.due = now;
            replica.gate = Gate::Backoff;
        } else {
            let mut history = replica.history.clone();
            history.reset_keep_incarnation();
            *replica = Replica { history, flags: kept, role: Some(role), ..Replica::new(0, id, now) };
            if self.begun {
                self.notice_phase(id);
            }
        }
        let replica = self.replica_mut(id);
        replica.kind = StartKind::First;
        replica.placement = placement;
        if role != Role::Regular {
            replica.flags.set(ReplicaFlags::EXEMPT);
        }
        if let Some(slots) = self.slots.get_mut() {
            slots.revisions.set(id, revision);
        }
        self.recount(id);
        self.retime(id);
        self.note_slot_change(id);
        Some(id)
    }

    /// Returns where the next extra slot of this role is started: elsewhere if the last one was drained.
    pub(super) fn placement_of_next(&mut self, role: Role) -> Placement {
        let drained = self.slots.get_mut().is_some_and(|slots| slots.elsewhere.remove(&role));
        if drained { Placement::Elsewhere } else { Placement::Same }
    }

    fn take_free_id(&mut self) -> Option<ReplicaId> {
        if let Some(id) = self.slots.get_mut().and_then(|slots| slots.free.pop_first()) {
            return Some(id);
        }
        while self.replicas.len() < MAX_SLOTS {
            let id = self.append_slot();
            // A stray of a slot beyond the end blocks its number.
            if !self.waits_for_stray(id) {
                return Some(id);
            }
        }
        self.take_stopping_id()
    }

    /// A slot that was removed and whose instance is still being stopped. The search goes on from the last one, so that it
    /// takes constant time on average.
    fn take_stopping_id(&mut self) -> Option<ReplicaId> {
        let from = self.slots.get().map_or(0, |slots| slots.reused_up_to as usize).min(self.replicas.len());
        let stopping = |replica: &Replica| replica.role.is_none() && replica.phase == Phase::Stopping;
        let (before, after) = self.replicas.split_at(from);
        let later = after.iter().position(stopping).map(|index| from + index);
        let index = later.or_else(|| before.iter().position(stopping))? as u32;
        self.slots.get_or_init().reused_up_to = index + 1;
        Some(ReplicaId(index))
    }

    /// Appends a slot that is no part of the set, as one that was removed.
    fn append_slot(&mut self) -> ReplicaId {
        let count = self.replicas.len();
        let id = ReplicaId(count as u32);
        let mut replica = Replica::new(self.seed, id, self.now);
        if let Some(latest) = self.strays().and_then(|strays| strays.latest_of(id)) {
            replica.history.raise_incarnation(latest.min(Incarnation::LAST_ADOPTED));
        }
        replica.phase = Phase::Removed;
        self.replicas.push(replica);
        self.make_room_for(count + 1);
        id
    }

    /// Reserves entries in the collections that are indexed by slot.
    pub(super) fn make_room_for(&mut self, slots: usize) {
        self.deadlines.grow(slots);
        self.make_room_for_probes(slots);
        self.make_room_for_unready(slots);
    }

    /// Sets the role of a slot; `None` takes it out of the set.
    pub(super) fn set_role(&mut self, id: ReplicaId, role: Option<Role>) {
        let before = std::mem::replace(&mut self.replica_mut(id).role, role);
        let extra = |role: Option<Role>| role.is_some_and(|role| role != Role::Regular);
        if extra(before) || extra(role) {
            let slots = self.slots.get_or_init();
            if let Some(set) = before.and_then(|role| slots.extras.of_mut(role)) {
                set.remove(&id);
            }
            if let Some(set) = role.and_then(|role| slots.extras.of_mut(role)) {
                set.insert(id);
            }
        }
    }

    /// Unties an extra slot and gives it another role. `tied_to`: the regular slot that it is there for.
    pub(super) fn change_role(&mut self, id: ReplicaId, role: Role, tied_to: Option<ReplicaId>) {
        if let Some(slots) = self.slots.get_mut() {
            slots.ties.untie(id);
            tied_to.into_iter().for_each(|regular| slots.ties.tie(id, regular));
        }
        self.notice(Notice::Role(RoleChange { replica: id, role, tied_to }));
        self.set_role(id, Some(role));
        if role == Role::Regular && self.is_ready_once(id) {
            self.end_exemption(id);
        }
        self.recount(id);
        self.retime(id);
        self.note_slot_change(id);
    }

    /// Returns whether its present instance has been ready.
    fn is_ready_once(&self, id: ReplicaId) -> bool {
        let replica = self.replica(id);
        replica.phase == Phase::Ready || replica.history.was_ready()
    }

    /// Takes a slot out of the set, and removes the extra slots that are tied to it. The caller stops its instance.
    pub(in crate::engine) fn detach_slot(&mut self, id: ReplicaId) {
        self.leave_group(id);
        self.set_role(id, None);
        self.free_acted(id);
        let replica = &mut self.replicas[id.index()];
        self.counts.clear_joining(replica);
        replica.flags.clear(ReplicaFlags::EXEMPT.and(ReplicaFlags::DRAINING).and(ReplicaFlags::ROLLING));
        if replica.gate == Gate::Group {
            // Its group no longer exists.
            replica.gate = Gate::Backoff;
        }
        let Some(slots) = self.slots.get_mut() else { return };
        slots.changed.insert(id);
        slots.pending = true;
        if let Some(regular) = slots.ties.untie(id) {
            slots.changed.insert(regular);
        }
        slots.revisions.set(id, None);
        let extras: Vec<ReplicaId> = slots.ties.extras_of(id).collect();
        for extra in extras {
            self.remove_slot(extra);
        }
    }

    /// Removes a slot and stops its instance. The end is no failure.
    pub(in crate::engine) fn remove_slot(&mut self, id: ReplicaId) {
        if self.replica(id).role.is_none() {
            return;
        }
        self.detach_slot(id);
        match self.replica(id).phase {
            phase if phase.is_up() => self.stop(id, NextPhase::Remove),
            Phase::Stopping => self.replica_mut(id).after = NextPhase::Remove,
            Phase::Removed => {}
            _ => self.enter(id, NextPhase::Remove),
        }
        self.recount(id);
        self.retime(id);
    }

    /// Its instance has been ready: from now on its failures count as those of every regular slot, unless a rollout is under
    /// way and its revision was never completed.
    #[inline(never)]
    pub(in crate::engine) fn end_exemption(&mut self, id: ReplicaId) {
        if self.is_regular(id) && !self.is_exempt_by_rollout(id) {
            self.replica_mut(id).flags.clear(ReplicaFlags::EXEMPT);
            self.recount(id);
        }
    }

    /// Whether a rollout is under way that makes the failures of this slot exempt.
    pub(super) fn is_exempt_by_rollout(&self, id: ReplicaId) -> bool {
        let rollout = self.slots.get().and_then(|slots| slots.rollout.as_ref());
        rollout.is_some_and(|rollout| rollout.exempts(self.revision_of(id), self.revision()))
    }

    /// Removes the stand-in of a regular slot, if it has one.
    pub(in crate::engine) fn remove_stand_in(&mut self, id: ReplicaId) {
        let Some(slots) = self.slots.get() else { return };
        let is_stand_in = |extra: &ReplicaId| self.replica(*extra).role == Some(Role::StandIn);
        let stand_ins: Vec<ReplicaId> = slots.ties.extras_of(id).filter(is_stand_in).collect();
        stand_ins.into_iter().for_each(|stand_in| self.remove_slot(stand_in));
    }

    /// Returns whether no extra slot may be started, because an incident is open or we assume that we are partitioned.
    pub(super) fn holds_extras(&self) -> bool {
        self.set.has_incident() || self.is_partitioned()
    }

    /// Returns whether a replica is available.
    pub(super) fn is_available(&self, id: ReplicaId) -> bool {
        self.replica(id).bucket.is_available()
    }

    /// Returns the regular slot that a slot is tied to, and its revision.
    #[cold]
    pub(in crate::engine) fn tie_and_revision(&self, id: ReplicaId) -> (Option<ReplicaId>, Option<Revision>) {
        let tied_to = self.slots.get().and_then(|slots| slots.ties.regular_of(id));
        (tied_to, self.revision_of(id).cloned())
    }

    /// Removes the extra slots of a role beyond `wanted`: those that are not available first, then the highest numbers. Whether
    /// there were any.
    pub(super) fn remove_surplus(&mut self, role: Role, wanted: usize) -> bool {
        let Some(slots) = self.slots.get().and_then(|slots| slots.extras.of(role)) else { return false };
        let surplus = slots.len().saturating_sub(wanted);
        if surplus == 0 {
            return false;
        }
        let mut slots: Vec<ReplicaId> = slots.iter().copied().collect();
        slots.sort_by_key(|&id| (self.is_available(id), Reverse(id)));
        slots.truncate(surplus);
        slots.into_iter().for_each(|id| self.remove_slot(id));
        true
    }
}
