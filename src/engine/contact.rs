//! Contact with instances: when each was last seen, and when contact was lost.
//!
//! `unknown_after` counts from the first evidence of lost contact after the last sign of life. Evidence from before that
//! counts from the sign of life: a report may be repeated with its old time.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::replica::{Phase, ReplicaFlags};
use super::state::ReplicaSet;
use crate::decide::ReplicaId;
use crate::time::Timestamp;

/// The replicas that contact is lost with, and the last signs of life of the others.
#[derive(Clone, Debug, Default)]
pub(super) struct Contact {
    pub(super) lost: BTreeMap<ReplicaId, Lost>,
    /// The replicas of `lost` whose `lost_after` passed while the set was assumed partitioned.
    pub(super) overdue: BTreeSet<ReplicaId>,
    /// When the last list arrived. It was a sign of life for every live replica that is not in `lost`.
    pub(super) listed_at: Timestamp,
    /// By replica: its last sign of life that neither its history nor `listed_at` records. May be shorter than the set.
    pub(super) last_seen: Vec<Timestamp>,
}

/// Lost contact with one replica.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Lost {
    pub(crate) since: Timestamp,
    /// When it became unknown. If the call was late, that is later than it was due.
    #[serde(default)]
    pub(crate) unknown_since: Option<Timestamp>,
    /// Its phase when it became unknown.
    pub(crate) was: Phase,
    /// Its `lost_after` has passed, but the set is assumed partitioned.
    pub(crate) overdue: bool,
}

impl Contact {
    pub(super) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        self.listed_at = by(self.listed_at);
        self.last_seen.iter_mut().for_each(|at| *at = by(*at));
        for lost in self.lost.values_mut() {
            lost.since = by(lost.since);
            lost.unknown_since = lost.unknown_since.map(&by);
        }
    }
}

impl ReplicaSet {
    /// Records a sign of life at `at` that leaves no other trace.
    pub(super) fn note_alive(&mut self, id: ReplicaId, at: Timestamp) {
        let count = self.replicas.len();
        let last_seen = &mut self.cold.get_or_init().contact.last_seen;
        if last_seen.len() <= id.index() {
            last_seen.resize(count, Timestamp::ZERO);
        }
        let heard = &mut last_seen[id.index()];
        *heard = at.max(*heard);
    }

    /// Records the time of a list. Replicas that it lacks are marked as lost already.
    pub(super) fn note_list(&mut self) {
        if !self.replicas.is_empty() {
            self.cold.get_or_init().contact.listed_at = self.now;
        }
    }

    /// The last sign of life of the current instance.
    fn last_alive(&self, id: ReplicaId) -> Timestamp {
        let known = self.replica(id).history.as_of();
        let Some(contact) = self.cold.get().map(|cold| &cold.contact) else { return known };
        let heard = contact.last_seen.get(id.index()).copied().unwrap_or(Timestamp::ZERO);
        known.max(contact.listed_at).max(heard)
    }

    /// Marks a live replica as out of contact, by evidence from `at`. Returns whether it was in contact before.
    pub(super) fn lose_contact(&mut self, id: ReplicaId, at: Timestamp) -> bool {
        let since = at.max(self.last_alive(id)).min(self.now);
        let replica = self.replica_mut(id);
        if replica.phase.is_live() && !replica.flags.has(ReplicaFlags::LOST) {
            replica.flags.set(ReplicaFlags::LOST);
            let lost = Lost { since, unknown_since: None, was: replica.phase, overdue: false };
            self.cold.get_or_init().contact.lost.insert(id, lost);
            return true;
        }
        false
    }

    #[inline]
    pub(super) fn forget_lost(&mut self, id: ReplicaId) {
        let flags = &mut self.replicas[id.index()].flags;
        if flags.has(ReplicaFlags::LOST) {
            flags.clear(ReplicaFlags::LOST);
            let contact = &mut self.cold.get_or_init().contact;
            contact.lost.remove(&id);
            contact.overdue.remove(&id);
        }
    }

    pub(super) fn lost_contact(&self, id: ReplicaId) -> Option<&Lost> {
        self.cold.get()?.contact.lost.get(&id)
    }

    /// Whether at least half of the replicas, and at least two, are unknown. We then assume that we are partitioned, and
    /// declare no replica lost.
    pub(super) fn is_partitioned(&self) -> bool {
        self.counts.census.assumes_partition(self.desired)
    }

    /// Whether [`declare_overdue`](Self::declare_overdue) would declare one.
    pub(super) fn has_declarable(&self) -> bool {
        self.cold.get().is_some_and(|cold| !cold.contact.overdue.is_empty()) && !self.is_partitioned()
    }

    /// Starts the wait for the end of a stopping replica that is out of contact. A start that was out of contact did not
    /// become unknown, so its wait begins now.
    #[cold]
    pub(super) fn wait_for_end_of_lost(&mut self, id: ReplicaId) {
        let (now, unknown_after) = (self.now, self.policy.compiled().unknown_after);
        if let Some(lost) = self.cold.get_or_init().contact.lost.get_mut(&id)
            && lost.unknown_since.is_none()
            && lost.since.plus_nanos(unknown_after) <= now
        {
            lost.unknown_since = Some(now);
        }
    }
}
