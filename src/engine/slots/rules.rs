//! Applies the rules of stand-ins, drains and rollouts until nothing changes.

use std::collections::BTreeSet;

use super::super::deadline::DeadlineReason;
use super::super::replica::Phase;
use super::super::state::ReplicaSet;
use super::{Extras, Slots};
use crate::decide::ReplicaId;
use crate::time::Timestamp;

impl Slots {
    /// Records a change of a slot, so that the rules that depend on it are applied again.
    #[inline(never)]
    pub(in crate::engine) fn record_change(&mut self, id: ReplicaId) {
        if self.watching {
            self.changed.insert(id);
            self.pending = true;
        }
    }

    /// Frees the number of a slot that is not in the set and has no instance.
    #[inline(never)]
    pub(in crate::engine) fn release(&mut self, id: ReplicaId) {
        self.free.insert(id);
    }
}

impl ReplicaSet {
    /// Returns whether a rule may have something to do.
    #[inline]
    pub(in crate::engine) fn slot_rules_pending(&self) -> bool {
        self.slots.get().is_some_and(|slots| slots.pending)
    }

    /// Applies the rules of stand-ins, drains and rollouts. Returns whether anything was done.
    #[cold]
    pub(in crate::engine) fn apply_slot_rules(&mut self) -> bool {
        let mut moved = false;
        loop {
            if self.ending || self.has_ended() {
                self.end_slots();
                return moved;
            }
            self.track_changed_slots();
            if !(self.apply_cover() | self.apply_drains() | self.apply_rollout()) {
                break;
            }
            moved = true;
        }
        self.rearm_slots();
        moved
    }

    fn track_changed_slots(&mut self) {
        while let Some(id) = self.slots.get_mut().and_then(|slots| slots.changed.pop_first()) {
            self.track_cover(id);
            self.track_drain(id);
            self.track_rollout(id);
        }
    }

    /// Updates the deadline of the rules, and whether changes of slots have to be recorded.
    fn rearm_slots(&mut self) {
        let has_extras = self.policy.scaling().has_extras();
        let slots = self.slots.get_or_init();
        slots.pending = false;
        slots.watching = has_extras
            || slots.rollout.is_some()
            || !slots.drains.is_empty()
            || !slots.ties.is_empty()
            || !slots.extras.is_empty();
        self.set_deadlines.set_slots(self.next_slot_rule().0);
    }

    /// Returns the next time at which a rule acts without an event, and which rule.
    pub(in crate::engine) fn next_slot_rule(&self) -> (Timestamp, DeadlineReason) {
        let due = [
            (self.drains_due(), DeadlineReason::Drain),
            (self.rollout_due(), DeadlineReason::Rollout),
            (self.cover_due(), DeadlineReason::StandIn),
        ];
        due.into_iter().min_by_key(|(at, _)| *at).unwrap_or((Timestamp::NEVER, DeadlineReason::StandIn))
    }

    /// Looks at every slot again, after a restore or a change of the policy.
    pub(in crate::engine) fn review_slots(&mut self) {
        if self.slots.get().is_none() && !self.policy.scaling().has_extras() {
            return;
        }
        let members: BTreeSet<ReplicaId> = self.member_ids().collect();
        let slots = self.slots.get_or_init();
        slots.watching = true;
        slots.pending = true;
        slots.cover.unlist_all();
        slots.drains.unlist_all();
        let kept: Vec<ReplicaId> = slots.cover.slots().chain(slots.drains.slots()).collect();
        slots.changed.extend(members);
        slots.changed.extend(kept);
    }

    /// Removes stand-ins beyond the numbers of a new policy.
    pub(in crate::engine) fn remove_surplus_slots(&mut self) {
        let scaling = self.policy.compiled().scaling;
        let stand_ins = (scaling.stand_ins as usize).max(scaling.standby as usize);
        while let Some(id) = self.surplus(super::Role::StandIn, stand_ins) {
            self.remove_slot(id);
        }
    }

    /// Answers every drain and clears the rules' state, because the set has ended.
    pub(in crate::engine) fn end_slots(&mut self) {
        if self.slots.get().is_none() {
            return;
        }
        self.end_drains();
        let slots = self.slots.get_or_init();
        slots.rollout = None;
        slots.cover = Default::default();
        slots.pending = false;
        slots.watching = false;
        slots.changed.clear();
        self.set_deadlines.set_slots(Timestamp::NEVER);
    }

    /// Rebuilds what is derived from the slots after a restore. The clocks of a rollout begin anew.
    pub(in crate::engine) fn restore_slots(&mut self) {
        let mut extras = Extras::default();
        let mut free = BTreeSet::new();
        for (id, replica) in (0..).map(ReplicaId).zip(&self.replicas) {
            match replica.role {
                Some(role) => {
                    extras.of_mut(role).map(|slots| slots.insert(id));
                }
                None if replica.phase == Phase::Removed => {
                    free.insert(id);
                }
                None => {}
            }
        }
        if self.slots.get().is_some() || !free.is_empty() || !extras.is_empty() {
            let slots = self.slots.get_or_init();
            slots.extras = extras;
            slots.free = free;
        }
        self.restart_rollout_clocks();
        self.review_slots();
    }
}
