//! The revision of each slot.

use serde::{Deserialize, Serialize};

use super::super::state::ReplicaSet;
use crate::decide::{ReplicaId, Revision};

/// The revisions that the slots of a set are started at.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Revisions {
    /// The revision that was last rolled out completely; `None`: the one that the set began with.
    pub(super) completed: Option<Revision>,
    /// The revision of each slot's present or next instance. `None`, or no entry, is the one that the set began with.
    of_slots: Vec<Option<Revision>>,
}

impl Revisions {
    pub(crate) fn of(&self, id: ReplicaId) -> Option<&Revision> {
        self.of_slots.get(id.index())?.as_ref()
    }

    pub(super) fn set(&mut self, id: ReplicaId, revision: Option<Revision>) {
        if self.of_slots.len() <= id.index() {
            if revision.is_none() {
                return;
            }
            self.of_slots.resize(id.index() + 1, None);
        }
        self.of_slots[id.index()] = revision;
    }

    /// Returns the length of `of_slots`.
    pub(crate) fn len(&self) -> usize {
        self.of_slots.len()
    }

    pub(super) fn entries(&self) -> usize {
        self.of_slots.len()
    }
}

impl ReplicaSet {
    /// Returns the revision that was last rolled out completely; `None`: the one that the set began with.
    pub fn revision(&self) -> Option<&Revision> {
        self.slots.get()?.revisions.completed.as_ref()
    }

    /// Returns the revision of a slot's present or next instance.
    pub(in crate::engine) fn revision_of(&self, id: ReplicaId) -> Option<&Revision> {
        self.slots.get()?.revisions.of(id)
    }
}
