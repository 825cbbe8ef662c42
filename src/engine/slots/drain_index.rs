//! The open drains of a set, by what each waits for, so that a step takes O(log n).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::drain_report::DrainOutcome;
use crate::decide::{Incarnation, ReplicaId};
use crate::time::Timestamp;

/// The open drains of a set.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Drains {
    open: BTreeMap<ReplicaId, Drain>,
    /// Drains that have neither a surge slot nor been asked to stop, by deadline.
    #[serde(skip)]
    waiting: BTreeSet<(Timestamp, ReplicaId)>,
    /// Of these, replicas that are not available: only an incident or an assumed partition keeps them from being stopped.
    #[serde(skip)]
    down: BTreeSet<(Timestamp, ReplicaId)>,
    /// Drains whose surge slot is available.
    #[serde(skip)]
    ready: BTreeSet<ReplicaId>,
    /// When drains with a deadline are forced.
    #[serde(skip)]
    forced: BTreeSet<(Timestamp, ReplicaId)>,
    /// Drains that have not been reported as waiting.
    #[serde(skip)]
    new: BTreeSet<ReplicaId>,
    /// Drains that have not been asked to stop, oldest first.
    #[serde(skip)]
    by_age: BTreeSet<(Timestamp, ReplicaId)>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(super) struct Drain {
    pub(super) since: Timestamp,
    #[serde(with = "crate::decide::serde_opt_timestamp")]
    pub(super) deadline: Timestamp,
    /// Which start of it.
    pub(super) incarnation: Incarnation,
    /// Asked to stop: how the drain will have ended once the instance is gone.
    pub(super) leaves: Option<DrainOutcome>,
}

/// What a drain waits for that has not been asked to stop.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum DrainWait {
    /// Enough other replicas.
    Floor,
    /// Nothing: the replica is not available.
    Down,
    /// Its surge slot.
    Surge,
    /// Nothing: its surge slot is available.
    Ready,
}

impl Drains {
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    pub(super) fn get(&self, id: ReplicaId) -> Option<Drain> {
        self.open.get(&id).copied()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (ReplicaId, Drain)> + '_ {
        self.open.iter().map(|(&id, &drain)| (id, drain))
    }

    /// Opens a drain, or brings its deadline forward.
    pub(super) fn open(&mut self, id: ReplicaId, drain: Drain, grace: u64) {
        self.unlist(id, grace);
        let open = self.open.entry(id).or_insert(drain);
        open.deadline = open.deadline.min(drain.deadline);
        if open.leaves.is_none() {
            self.new.insert(id);
        }
    }

    /// A list may have shown a later start.
    pub(super) fn set_incarnation(&mut self, id: ReplicaId, incarnation: Incarnation) {
        if let Some(drain) = self.open.get_mut(&id) {
            drain.incarnation = incarnation;
        }
    }

    /// It has been asked to stop.
    pub(super) fn leave(&mut self, id: ReplicaId, outcome: DrainOutcome, grace: u64) {
        self.unlist(id, grace);
        self.new.remove(&id);
        if let Some(drain) = self.open.get_mut(&id) {
            drain.leaves = Some(outcome);
        }
    }

    pub(super) fn close(&mut self, id: ReplicaId, grace: u64) {
        self.unlist(id, grace);
        self.new.remove(&id);
        self.open.remove(&id);
    }

    /// Puts a drain into the sets in which it is looked for.
    pub(super) fn list(&mut self, id: ReplicaId, wait: DrainWait, grace: u64) {
        self.unlist(id, grace);
        let Some(drain) = self.get(id).filter(|drain| drain.leaves.is_none()) else { return };
        self.by_age.insert((drain.since, id));
        if !drain.deadline.is_never() {
            self.forced.insert((drain.forced_at(grace), id));
        }
        match wait {
            DrainWait::Floor => {
                self.waiting.insert((drain.deadline, id));
            }
            DrainWait::Down => {
                self.waiting.insert((drain.deadline, id));
                self.down.insert((drain.deadline, id));
            }
            DrainWait::Surge => {}
            DrainWait::Ready => {
                self.ready.insert(id);
            }
        }
    }

    fn unlist(&mut self, id: ReplicaId, grace: u64) {
        if let Some(drain) = self.open.get(&id) {
            self.waiting.remove(&(drain.deadline, id));
            self.down.remove(&(drain.deadline, id));
            self.forced.remove(&(drain.forced_at(grace), id));
            self.by_age.remove(&(drain.since, id));
        }
        self.ready.remove(&id);
    }

    /// Another policy: the sets are made anew.
    pub(super) fn unlist_all(&mut self) {
        self.waiting.clear();
        self.down.clear();
        self.ready.clear();
        self.forced.clear();
        self.by_age.clear();
    }

    /// The next drain to be forced.
    pub(super) fn first_forced(&self, now: Timestamp) -> Option<ReplicaId> {
        self.forced.first().filter(|(at, _)| *at <= now).map(|&(_, id)| id)
    }

    pub(super) fn first_ready(&self) -> Option<ReplicaId> {
        self.ready.first().copied()
    }

    /// The first of the drains without a surge slot, by deadline.
    pub(super) fn first_waiting(&self) -> Option<ReplicaId> {
        self.waiting.first().map(|&(_, id)| id)
    }

    /// The first of these whose replica is not available.
    pub(super) fn first_down(&self) -> Option<ReplicaId> {
        self.down.first().map(|&(_, id)| id)
    }

    /// How many drains have not been asked to stop, and when the oldest of them began.
    pub(super) fn waiting_by_age(&self) -> (u32, Option<Timestamp>) {
        (self.by_age.len() as u32, self.by_age.first().map(|&(since, _)| since))
    }

    /// Takes a drain that has not been reported as waiting.
    pub(super) fn pop_new(&mut self) -> Option<ReplicaId> {
        self.new.pop_first()
    }

    /// When the next drain is forced.
    pub(super) fn due(&self) -> Timestamp {
        self.forced.first().map_or(Timestamp::NEVER, |&(at, _)| at)
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
