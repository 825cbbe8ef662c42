//! Applies the rules of stand-ins, drains and rollouts until nothing changes.

use std::collections::BTreeSet;

use super::super::cold_state::ColdState;
use super::super::deadline::DeadlineReason;
use super::super::replica::Phase;
use super::super::state::ReplicaSet;
use super::{Extras, Role, Slots};
use crate::decide::ReplicaId;
use crate::policy::Policy;
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

    /// A slot is no part of the set and has no instance: its number may be used again, unless a stray of it is known.
    #[inline(never)]
    pub(in crate::engine) fn release(&mut self, id: ReplicaId, cold: Option<&ColdState>) {
        if cold.is_none_or(|cold| cold.strays.latest_of(id).is_none()) {
            self.free.insert(id);
        }
    }

    /// When a rule has something to do by time alone, and which. `now`: the time of the last mutation.
    pub(in crate::engine) fn next_rule(&self, policy: &Policy, now: Timestamp) -> (Timestamp, DeadlineReason) {
        let compiled = policy.compiled();
        let rollout = self.rollout.as_ref().map_or(Timestamp::NEVER, |rollout| rollout.due(&compiled.rollout, now));
        let due = [
            (self.drains.due(), DeadlineReason::Drain),
            (rollout, DeadlineReason::Rollout),
            (self.cover.due(&compiled.scaling, self.extras.standbys.len(), now), DeadlineReason::StandIn),
        ];
        due.into_iter().min_by_key(|(at, _)| *at).unwrap_or((Timestamp::NEVER, DeadlineReason::StandIn))
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
            // Each rule sees what the one before has changed.
            if !(self.remove_surplus_surges() || self.apply_cover() || self.apply_drains() || self.apply_rollout()) {
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
        self.set_deadlines.set_slots(slots.next_rule(&self.policy, self.now).0);
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
        self.remove_surplus(Role::StandIn, stand_ins);
    }

    /// Surge slots beyond `max_surge` are removed: another policy allows fewer, or a percentage is of fewer replicas.
    fn remove_surplus_surges(&mut self) -> bool {
        let most = self.policy.max_surge(self.desired) as usize;
        self.remove_surplus(Role::Surge, most)
    }

    /// The set has ended: no rule applies any more, and every drain is answered. A completed set keeps no extra slots; one that
    /// is terminated stops every replica.
    pub(in crate::engine) fn end_slots(&mut self) {
        if self.slots.get().is_none() {
            return;
        }
        self.end_drains();
        if !self.ending {
            for role in [Role::Surge, Role::StandIn, Role::Standby] {
                self.remove_surplus(role, 0);
            }
        }
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
                None if replica.phase == Phase::Removed && !self.waits_for_stray(id) => {
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
        self.track_rollout_of_all();
    }
}
