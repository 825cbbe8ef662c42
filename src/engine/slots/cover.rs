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
use crate::policy::Placement;
use crate::time::Timestamp;

/// The regular slots that are down, and those that are available again and still have a stand-in.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Cover {
    /// Slots that are down and have no stand-in.
    down: BTreeMap<ReplicaId, Down>,
    /// Slots that still have a stand-in, with the time since when they have been available again.
    back: BTreeMap<ReplicaId, Timestamp>,
    /// No standby is started before this time, because one was given up.
    standby_from: Timestamp,
    /// The slots of `down`, by the time from which a standby may take over.
    #[serde(skip)]
    by_standby: BTreeSet<(Timestamp, ReplicaId)>,
    /// The slots of `down`, by the time from which a stand-in may be started.
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
    }

    /// Delays the next standby by `after`, because one was given up.
    pub(in crate::engine) fn standby_given_up(&mut self, now: Timestamp, after: u64) {
        self.standby_from = now.plus_nanos(after);
    }

    pub(super) fn slots(&self) -> impl Iterator<Item = ReplicaId> + '_ {
        self.down.keys().chain(self.back.keys()).copied()
    }

    pub(super) fn entries(&self) -> usize {
        let sets = self.by_standby.len() + self.by_stand_in.len() + self.by_end.len();
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
        let lacks = is_down && !has_stand_in && !replica.flags.has(ReplicaFlags::DRAINING);
        let at_once = replica.flags.has(ReplicaFlags::FAILED) && !replica.phase.is_up();
        let was_available = replica.flags.has(ReplicaFlags::WAS_AVAILABLE);
        let has_extras = self.policy.scaling().has_extras();
        let cover = &mut self.slots.get_or_init().cover;
        cover.unlist(id, after);
        if !has_extras {
            cover.down.remove(&id);
            cover.back.remove(&id);
            return;
        }
        if is_back {
            let since = *cover.back.entry(id).or_insert(now);
            cover.by_end.insert((since.plus_nanos(after), id));
        } else {
            cover.back.remove(&id);
        }
        if lacks {
            let down = cover.down.entry(id).or_insert(Down { since: now, keys: None });
            let due = down.since.plus_nanos(after);
            let standby = if at_once { down.since } else { due };
            down.keys = Some((standby, due));
            cover.by_standby.insert((standby, id));
            if was_available {
                cover.by_stand_in.insert((due, id));
            }
        } else {
            cover.down.remove(&id);
        }
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
            let standbys = self.slots.get().map(|slots| &slots.extras.standbys);
            let Some(standby) = standbys.into_iter().flatten().copied().find(|&id| self.is_available(id)) else {
                break;
            };
            self.change_role(standby, Role::StandIn, Some(id));
            self.track_cover(id);
            moved = true;
        }
        moved
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
        let mut moved = false;
        while let Some(surplus) = self.surplus(Role::Standby, wanted) {
            self.remove_slot(surplus);
            moved = true;
        }
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

    /// Returns a slot to remove if a role has more than `wanted`: one that is not available first, then the highest number.
    pub(super) fn surplus(&self, role: Role, wanted: usize) -> Option<ReplicaId> {
        let slots = self.slots.get()?.extras.of(role).filter(|slots| slots.len() > wanted)?;
        slots.iter().copied().max_by_key(|&id| (!self.is_available(id), id))
    }

    /// Returns the next time at which a stand-in or standby changes without an event.
    pub(super) fn cover_due(&self) -> Timestamp {
        let Some(slots) = self.slots.get() else { return Timestamp::NEVER };
        let (cover, scaling) = (&slots.cover, self.policy.compiled().scaling);
        let next = |set: &BTreeSet<(Timestamp, ReplicaId)>| {
            let later = (self.now, ReplicaId(u32::MAX));
            set.range(later..).find(|(at, _)| *at > self.now).map_or(Timestamp::NEVER, |&(at, _)| at)
        };
        let standby = if scaling.standby > 0 { next(&cover.by_standby) } else { Timestamp::NEVER };
        let stand_in = if scaling.stand_ins > 0 { next(&cover.by_stand_in) } else { Timestamp::NEVER };
        let short = slots.extras.standbys.len() < scaling.standby as usize && cover.standby_from > self.now;
        let refill = if short { cover.standby_from } else { Timestamp::NEVER };
        next(&cover.by_end).min(standby).min(stand_in).min(refill)
    }
}

fn first_due(set: Option<&BTreeSet<(Timestamp, ReplicaId)>>, now: Timestamp) -> Option<ReplicaId> {
    set?.first().filter(|(at, _)| *at <= now).map(|&(_, id)| id)
}
