//! Stand-ins and standbys: extra slots that serve in place of regular ones that are down.
//!
//! When a slot fails and is not restarted in the same instant, an available standby becomes its stand-in at once. Otherwise a
//! stand-in is started once the slot has been down for `stand_ins.after`. A stand-in is removed when its slot has been available
//! again for `after`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::super::replica::{CensusBucket, ReplicaFlags};
use super::super::state::ReplicaSet;
use super::Role;
use crate::decide::ReplicaId;
use crate::policy::retry_schedule::MIN_FAILED_START_DELAY;
use crate::policy::{CompiledScaling, Placement};
use crate::time::Timestamp;

/// The regular slots that are down, and those that are available again and still have a stand-in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cover {
    /// Slots that are down.
    down: BTreeMap<ReplicaId, Down>,
    /// Slots that still have a stand-in, with the time since when they have been available again.
    back: BTreeMap<ReplicaId, Timestamp>,
    /// No standby is started before this time, because one was given up.
    standby_from: Timestamp,
    /// Standbys that are available.
    #[serde(skip)]
    standbys: BTreeSet<ReplicaId>,
    /// Those of `down` that have no stand-in, by when a standby may take over.
    #[serde(skip)]
    by_standby: BTreeSet<(Timestamp, ReplicaId)>,
    /// The same, by when a stand-in may be started.
    #[serde(skip)]
    by_stand_in: BTreeSet<(Timestamp, ReplicaId)>,
    /// The slots of `back`, by the time at which the stand-in is removed.
    #[serde(skip)]
    by_end: BTreeSet<(Timestamp, ReplicaId)>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
struct Down {
    since: Timestamp,
    /// Its times in `by_standby` and `by_stand_in`.
    #[serde(skip)]
    keys: Option<(Timestamp, Timestamp)>,
}

impl Cover {
    /// Removes a slot from the sets by time. It stays in `down` or `back`.
    fn unlist(&mut self, id: ReplicaId, after: u64) {
        if let Some((standby, stand_in)) = self.down.get_mut(&id).and_then(|down| down.keys.take()) {
            self.by_standby.remove(&(standby, id));
            self.by_stand_in.remove(&(stand_in, id));
        }
        if let Some(since) = self.back.get(&id) {
            self.by_end.remove(&(since.plus_nanos(after), id));
        }
    }

    /// Clears the sets by time. Under another policy, `track_cover` fills them again.
    pub(super) fn unlist_all(&mut self) {
        self.down.values_mut().for_each(|down| down.keys = None);
        self.by_standby.clear();
        self.by_stand_in.clear();
        self.by_end.clear();
        self.standbys.clear();
    }

    /// When stand-ins and standbys change next by time alone. `standbys`: so many there are.
    pub(super) fn due(&self, scaling: &CompiledScaling, standbys: usize, now: Timestamp) -> Timestamp {
        let next = |set: &BTreeSet<(Timestamp, ReplicaId)>| {
            let later = (now, ReplicaId(u32::MAX));
            set.range(later..).find(|(at, _)| *at > now).map_or(Timestamp::NEVER, |&(at, _)| at)
        };
        let standby = if scaling.standby > 0 { next(&self.by_standby) } else { Timestamp::NEVER };
        let stand_in = if scaling.stand_ins > 0 { next(&self.by_stand_in) } else { Timestamp::NEVER };
        let short = standbys < scaling.standby as usize && self.standby_from > now;
        let refill = if short { self.standby_from } else { Timestamp::NEVER };
        next(&self.by_end).min(standby).min(stand_in).min(refill)
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = ReplicaId> + '_ {
        self.down.keys().chain(self.back.keys()).copied()
    }

    pub(super) fn entries(&self) -> usize {
        let sets = self.by_standby.len() + self.by_stand_in.len() + self.by_end.len() + self.standbys.len();
        self.down.len() + self.back.len() + sets
    }

    pub(super) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        self.standby_from = by(self.standby_from);
        self.down.values_mut().for_each(|down| down.since = by(down.since));
        self.back.values_mut().for_each(|since| *since = by(*since));
    }
}

impl ReplicaSet {
    /// Updates `down` and `back` after a change of a slot.
    pub(super) fn track_cover(&mut self, id: ReplicaId) {
        let after = self.policy.compiled().scaling.stand_in_after;
        let (now, has_stand_in) = (self.now, self.has_stand_in(id));
        let replica = &self.replicas[id.index()];
        let is_down = matches!(
            replica.bucket,
            CensusBucket::Failed
                | CensusBucket::GivenUp
                | CensusBucket::NotReady
                | CensusBucket::Unknown
                | CensusBucket::CompletedRun
        );
        let is_back = replica.bucket == CensusBucket::Available && has_stand_in;
        let at_once = replica.flags.has(ReplicaFlags::FAILED) && !replica.phase.is_up();
        let was_available = replica.flags.has(ReplicaFlags::WAS_AVAILABLE);
        let is_standby = replica.role == Some(Role::Standby) && replica.bucket.is_available();
        let has_extras = self.policy.scaling().has_extras();
        let cover = &mut self.slots.get_or_init().cover;
        cover.unlist(id, after);
        if !has_extras {
            cover.down.remove(&id);
            cover.back.remove(&id);
            return;
        }
        if is_standby {
            cover.standbys.insert(id);
        } else {
            cover.standbys.remove(&id);
        }
        if is_back {
            let since = *cover.back.entry(id).or_insert(now);
            cover.by_end.insert((since.plus_nanos(after), id));
        } else {
            cover.back.remove(&id);
        }
        if !is_down {
            cover.down.remove(&id);
            return;
        }
        let down = cover.down.entry(id).or_insert(Down { since: now, keys: None });
        if !has_stand_in {
            let due = down.since.plus_nanos(after);
            let standby = if at_once { down.since } else { due };
            down.keys = Some((standby, due));
            cover.by_standby.insert((standby, id));
            if was_available {
                cover.by_stand_in.insert((due, id));
            }
        }
    }

    /// An extra slot is not restarted any more: it is removed, and another may follow after `stand_ins.after`.
    pub(in crate::engine) fn give_up_extra(&mut self, id: ReplicaId) {
        let after = self.policy.compiled().scaling.stand_in_after;
        // With `after: 0s` too, extra slots that fail at once do not follow each other without a pause.
        let (now, pause) = (self.now, after.max(MIN_FAILED_START_DELAY));
        let role = self.replica(id).role;
        let slots = self.slots.get_or_init();
        let regular = slots.ties.regular_of(id).filter(|_| role == Some(Role::StandIn));
        if let Some(down) = regular.and_then(|regular| slots.cover.down.get_mut(&regular)) {
            down.since = now.plus_nanos(pause - after);
        } else if role == Some(Role::Standby) {
            slots.cover.standby_from = now.plus_nanos(pause);
        } else if let (Some(Role::Surge), Some(rollout)) = (role, &mut slots.rollout)
            && slots.ties.regular_of(id).is_none()
        {
            rollout.surge_given_up(now.plus_nanos(pause));
        }
        self.detach_slot(id);
    }

    pub(super) fn has_stand_in(&self, id: ReplicaId) -> bool {
        let extras = self.slots.get().into_iter().flat_map(|slots| slots.ties.extras_of(id));
        extras.into_iter().any(|extra| self.replica(extra).role == Some(Role::StandIn))
    }

    pub(super) fn has_available_stand_in(&self, id: ReplicaId) -> bool {
        let extras = self.slots.get().into_iter().flat_map(|slots| slots.ties.extras_of(id));
        let serves = |extra| self.replica(extra).role == Some(Role::StandIn) && self.is_available(extra);
        extras.into_iter().any(serves)
    }

    /// Starts, assigns and removes stand-ins and standbys. Returns whether anything was done.
    pub(super) fn apply_cover(&mut self) -> bool {
        let scaling = self.policy.compiled().scaling;
        let mut moved = self.remove_stand_ins_of_slots_that_are_back();
        moved |= self.assign_standbys();
        if !self.holds_extras() {
            moved |= self.start_stand_ins(scaling.stand_ins);
        }
        let wanted = if self.desired == 0 { 0 } else { scaling.standby as usize };
        moved | self.keep_standbys(wanted)
    }

    fn remove_stand_ins_of_slots_that_are_back(&mut self) -> bool {
        let mut moved = false;
        while let Some(id) = first_due(self.slots.get().map(|slots| &slots.cover.by_end), self.now) {
            self.remove_stand_in(id);
            self.track_cover(id);
            moved = true;
        }
        moved
    }

    fn assign_standbys(&mut self) -> bool {
        let mut moved = false;
        while let Some(id) = first_due(self.slots.get().map(|slots| &slots.cover.by_standby), self.now) {
            let Some(standby) = self.first_available_standby() else { break };
            self.change_role(standby, Role::StandIn, Some(id));
            self.track_cover(id);
            moved = true;
        }
        moved
    }

    fn first_available_standby(&mut self) -> Option<ReplicaId> {
        loop {
            let id = self.slots.get()?.cover.standbys.first().copied()?;
            if self.replica(id).role == Some(Role::Standby) && self.is_available(id) {
                return Some(id);
            }
            // It has changed since it was looked at.
            self.slots.get_or_init().cover.standbys.remove(&id);
        }
    }

    fn start_stand_ins(&mut self, most: u32) -> bool {
        let mut moved = false;
        while self.slots.get().is_some_and(|slots| slots.extras.stand_ins.len() < most as usize) {
            let Some(id) = first_due(self.slots.get().map(|slots| &slots.cover.by_stand_in), self.now) else { break };
            let revision = self.revision_of(id).cloned();
            let Some(stand_in) = self.add_slot(Role::StandIn, Placement::Elsewhere, revision) else { break };
            self.slots.get_or_init().ties.tie(stand_in, id);
            self.track_cover(id);
            moved = true;
        }
        moved
    }

    fn keep_standbys(&mut self, wanted: usize) -> bool {
        let mut moved = self.remove_surplus(Role::Standby, wanted);
        let slots = self.slots.get_or_init();
        let starts = slots.cover.standby_from <= self.now && !self.holds_extras();
        while starts && self.slots.get().is_some_and(|slots| slots.extras.standbys.len() < wanted) {
            let revision = self.slots.get().and_then(|slots| slots.revisions.completed.clone());
            let placement = self.placement_of_next(Role::Standby);
            if self.add_slot(Role::Standby, placement, revision).is_none() {
                break;
            }
            moved = true;
        }
        moved
    }
}

fn first_due(set: Option<&BTreeSet<(Timestamp, ReplicaId)>>, now: Timestamp) -> Option<ReplicaId> {
    set?.first().filter(|(at, _)| *at <= now).map(|&(_, id)| id)
}
