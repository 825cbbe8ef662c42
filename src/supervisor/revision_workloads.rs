//! The workload of each revision.

use std::collections::{BTreeMap, BTreeSet};

use super::workload_source::WorkloadSource;
use crate::decide::Revision;
use crate::engine::ReplicaSet;

/// The workload of each revision that the set may start; `None` is the revision that the set began with.
pub(super) struct RevisionWorkloads<W>(BTreeMap<Option<Revision>, WorkloadSource<W>>);

impl<W> RevisionWorkloads<W> {
    pub(super) fn new(initial: WorkloadSource<W>) -> Self {
        Self(BTreeMap::from([(None, initial)]))
    }

    /// Sets the workload of a revision and returns the one that it had.
    pub(super) fn insert(&mut self, revision: Revision, workload: WorkloadSource<W>) -> Option<WorkloadSource<W>> {
        self.0.insert(Some(revision), workload)
    }

    /// Undoes an [`insert`](Self::insert) that returned `previous`.
    pub(super) fn undo_insert(&mut self, revision: Revision, previous: Option<WorkloadSource<W>>) {
        match previous {
            Some(workload) => drop(self.0.insert(Some(revision), workload)),
            None => drop(self.0.remove(&Some(revision))),
        }
    }

    pub(super) fn get(&self, revision: &Option<Revision>) -> Option<WorkloadSource<W>> {
        self.0.get(revision).cloned()
    }

    /// Drops the workloads of revisions that the set will not start again: no slot, not its rollout, and not the completed
    /// one.
    pub(super) fn prune(&mut self, set: &ReplicaSet) {
        if self.0.len() == 1 {
            return;
        }
        let mut named: BTreeSet<Option<Revision>> =
            set.replicas().filter(|view| view.role.is_some()).map(|view| view.revision).collect();
        named.insert(set.revision().cloned());
        named.extend(set.rollout().map(|rollout| rollout.revision));
        self.0.retain(|revision, _| named.contains(revision));
    }

    /// Returns the number of entries in its collections.
    pub(super) fn entries(&self) -> usize {
        self.0.len()
    }
}
