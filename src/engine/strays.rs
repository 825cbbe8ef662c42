//! Strays: live instances that are not the current incarnation of any slot.
//!
//! Examples are an earlier incarnation that is still listed, one that was declared `node-lost` and reports again, a late start
//! that was already given up, and an instance of a slot that the set does not have. A stray is asked to stop,
//! killed after `stop_grace`, and killed again with growing gaps until its end is reported or a list no longer shows it.
//! Until then its slot starts nothing and the set is not `terminated`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::output::{Command, IgnoreReason, Kill, Notice, Stop, Waiting};
use super::replica::{Phase, Replica, ReplicaFlags};
use super::state::ReplicaSet;
use super::wakeup::kill_gap;
use crate::decide::{Gate, Incarnation, InstanceId, ReplicaId};
use crate::time::Timestamp;

/// The number of strays that any set can hold. If a list shows more, later lists add the others.
const ROOM: usize = 4096;

/// One stray.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Stray {
    /// When the next kill is due.
    pub(super) due: Timestamp,
    /// The number of kills without a confirmed end.
    pub(super) kills: u8,
}

/// The strays of a set.
#[derive(Clone, Debug, Default)]
pub(super) struct Strays {
    all: BTreeMap<InstanceId, Stray>,
    /// Index of `all` by due time.
    by_due: BTreeSet<(Timestamp, InstanceId)>,
}

impl Strays {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The number of entries in its collections.
    pub(super) fn entries(&self) -> usize {
        self.all.len() + self.by_due.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(super) fn contains(&self, instance: InstanceId) -> bool {
        self.all.contains_key(&instance)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (InstanceId, Stray)> + '_ {
        self.all.iter().map(|(&instance, &stray)| (instance, stray))
    }

    /// The latest incarnation among the strays of a slot.
    pub(super) fn latest_of(&self, replica: ReplicaId) -> Option<Incarnation> {
        self.all.range(InstanceId::all_of(replica)).next_back().map(|(instance, _)| instance.incarnation)
    }

    /// The slot of the stray that is killed next.
    pub(super) fn next(&self) -> Option<ReplicaId> {
        self.by_due.first().map(|(_, instance)| instance.replica)
    }

    fn first_due(&self) -> Timestamp {
        self.by_due.first().map_or(Timestamp::NEVER, |&(at, _)| at)
    }

    pub(super) fn insert(&mut self, instance: InstanceId, stray: Stray) {
        if let Some(before) = self.all.insert(instance, stray) {
            self.by_due.remove(&(before.due, instance));
        }
        self.by_due.insert((stray.due, instance));
    }

    fn remove(&mut self, instance: InstanceId) -> bool {
        let Some(stray) = self.all.remove(&instance) else { return false };
        self.by_due.remove(&(stray.due, instance));
        true
    }

    /// Makes room for a stray of `replica` in a set of `slots`. One of the set's own slots displaces one of an unknown slot.
    fn make_room(&mut self, replica: ReplicaId, slots: usize) -> bool {
        if self.len() < most(slots) {
            return true;
        }
        let last = self.all.last_key_value().map(|(&key, _)| key);
        match last.filter(|last| last.replica.index() >= slots && replica.index() < slots) {
            Some(last) => self.remove(last),
            None => false,
        }
    }

    pub(super) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        let all = std::mem::take(self).all;
        for (instance, stray) in all {
            self.insert(instance, Stray { due: by(stray.due), ..stray });
        }
    }
}

/// The greatest number of strays that a set of `slots` holds.
pub(super) fn most(slots: usize) -> usize {
    ROOM.max(slots.saturating_mul(2))
}

impl ReplicaSet {
    /// Whether this instance is a known stray, which is being stopped.
    pub(crate) fn is_stray(&self, instance: InstanceId) -> bool {
        self.strays().is_some_and(|strays| strays.contains(instance))
    }

    /// Adds a stray and stops it. `asked`: it is being stopped already.
    #[cold]
    pub(super) fn note_stray(&mut self, instance: InstanceId, asked: bool) {
        if self.is_stray(instance) {
            return;
        }
        let InstanceId { replica: id, incarnation } = instance;
        let slots = self.replicas.len();
        if !self.cold.get_or_init().strays.make_room(id, slots) {
            return;
        }
        let grace = self.policy.compiled().stop_grace;
        let due = self.now.plus_nanos(grace);
        self.cold.get_or_init().strays.insert(instance, Stray { due, kills: 0 });
        self.rearm_strays();
        if let Some(slots) = self.slots.get_mut() {
            slots.free.remove(&id);
        }
        if !asked {
            let grace = std::time::Duration::from_nanos(grace);
            self.command(Command::Stop(Stop { replica: id, incarnation, grace }));
        }
        self.hold_back_start(id);
    }

    /// Handles an event that shows a stray: adds it, with one notice. Further events are only counted.
    #[cold]
    pub(super) fn report_stray(&mut self, instance: InstanceId, why: IgnoreReason) {
        if self.is_stray(instance) {
            self.tally.ignored(why);
        } else {
            self.ignore(instance, why);
            self.note_stray(instance, false);
        }
    }

    /// Removes a stray that has ended or is no longer listed. Returns whether there was one.
    #[cold]
    pub(super) fn stray_gone(&mut self, instance: InstanceId) -> bool {
        let gone = self.cold.get_mut().is_some_and(|cold| cold.strays.remove(instance));
        if gone {
            self.rearm_strays();
            if !self.waits_for_stray(instance.replica) {
                self.resume_start(instance.replica);
                self.free_unused(instance.replica);
            }
        }
        gone
    }

    /// Kills the stray that is due, and schedules its next kill.
    #[cold]
    pub(super) fn kill_stray(&mut self) {
        let now = self.now;
        let grace = self.policy.compiled().stop_grace;
        let strays = &mut self.cold.get_or_init().strays;
        let Some(&(due, instance)) = strays.by_due.first() else {
            self.set_deadlines.set_stray(Timestamp::NEVER);
            return;
        };
        let kills = strays.all.get(&instance).map_or(0, |stray| stray.kills).saturating_add(1);
        debug_assert!(due <= now, "a stray is killed in time");
        strays.insert(instance, Stray { due: now.plus_nanos(kill_gap(kills, grace)), kills });
        self.rearm_strays();
        let InstanceId { replica, incarnation } = instance;
        self.command(Command::Kill(Kill { replica, incarnation }));
    }

    /// Updates the deadline of the strays.
    pub(super) fn rearm_strays(&mut self) {
        self.set_deadlines.set_stray(self.cold.get().map_or(Timestamp::NEVER, |cold| cold.strays.first_due()));
    }

    /// Holds back a queued start of the slot until the stray is gone.
    fn hold_back_start(&mut self, id: ReplicaId) {
        let Some(replica) = self.replicas.get(id.index()) else { return };
        if replica.phase != Phase::Waiting {
            return;
        }
        if replica.waits_for_group() {
            self.hold_back_group();
        } else if replica.flags.has(ReplicaFlags::QUEUED) {
            self.hold_for_stray(id);
        }
    }

    /// Holds a due start behind the gate `stop` until the strays of its slot are gone.
    pub(super) fn hold_for_stray(&mut self, id: ReplicaId) {
        let replica = self.replica_mut(id);
        replica.flags.clear(ReplicaFlags::QUEUED);
        replica.gate = Gate::Stop;
        self.notice(Notice::Waiting(Waiting { replica: id, gate: Gate::Stop }));
        self.retime(id);
    }

    /// The number of a slot that is no part of the set may be used again.
    fn free_unused(&mut self, id: ReplicaId) {
        let unused = |replica: &Replica| replica.role.is_none() && replica.phase == Phase::Removed;
        if !self.ending && self.replicas.get(id.index()).is_some_and(unused) {
            self.slots.get_or_init().free.insert(id);
        }
    }

    /// Resumes the start that waited for the last stray of its slot.
    fn resume_start(&mut self, id: ReplicaId) {
        let Some(replica) = self.replicas.get_mut(id.index()) else { return };
        if replica.phase != Phase::Waiting {
            return;
        }
        if replica.gate == Gate::Stop {
            replica.gate = Gate::Backoff;
            self.retime(id);
        } else if replica.waits_for_group() {
            self.resume_group();
        }
    }
}
