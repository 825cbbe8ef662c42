//! The slots of a rollout by their progress. Updated slot by slot, so that a step of the rollout takes O(log n).

use std::collections::BTreeSet;

use crate::decide::{ReplicaId, RolloutCensus};

/// The progress of one slot in a rollout.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Progress {
    /// Takes no part: stopped, completed, of another role, or not in the set.
    None,
    /// At another revision, and not available.
    OldDown,
    /// Of another revision, and not available, but a stand-in serves for it.
    OldCovered,
    /// Of another revision, added by a scale-up, and starting for the first time.
    OldJoining,
    /// At another revision, and available or unknown.
    OldAvailable,
    /// Of the new revision, and not started at it yet.
    NewUnstarted,
    /// Of the new revision, not available, and started at it: by the rollout, or before it.
    NewStarted,
    /// At the new revision, and available.
    NewAvailable,
    /// A surge slot of the new revision that is not available.
    SurgeStarted,
    /// A surge slot of the new revision that is available.
    SurgeAvailable,
}

const KINDS: usize = 10;

/// The slots of a rollout by progress.
#[derive(Clone, Debug, Default)]
pub(super) struct RolloutIndex {
    of_slots: Vec<Option<Progress>>,
    slots: [BTreeSet<ReplicaId>; KINDS],
}

impl RolloutIndex {
    pub(super) fn set(&mut self, id: ReplicaId, progress: Progress) {
        if self.of_slots.len() <= id.index() {
            self.of_slots.resize(id.index() + 1, None);
        }
        let before = self.of_slots[id.index()].replace(progress);
        if before != Some(progress) {
            if let Some(before) = before {
                self.slots[before as usize].remove(&id);
            }
            if progress != Progress::None {
                self.slots[progress as usize].insert(id);
            }
        }
    }

    pub(super) fn of(&self, progress: Progress) -> &BTreeSet<ReplicaId> {
        &self.slots[progress as usize]
    }

    fn count(&self, of: &[Progress]) -> u32 {
        of.iter().map(|&progress| self.of(progress).len() as u32).sum()
    }

    pub(super) fn surge(&self) -> u32 {
        self.count(&[Progress::SurgeStarted, Progress::SurgeAvailable])
    }

    /// Returns the number of regular slots at the new revision.
    pub(super) fn updated(&self) -> u32 {
        self.count(&[Progress::NewUnstarted, Progress::NewStarted, Progress::NewAvailable])
    }

    /// Returns the number of available replicas of the new revision, surge slots included.
    pub(super) fn available(&self) -> u32 {
        self.count(&[Progress::NewAvailable, Progress::SurgeAvailable])
    }

    pub(super) fn old(&self) -> u32 {
        self.count(&[Progress::OldDown, Progress::OldCovered, Progress::OldJoining, Progress::OldAvailable])
    }

    /// The counts that depth 1 asks for. `takes_covered`: the stand-ins of old slots may be removed with them. `in_place`:
    /// there is no surge. A slot that a scale-up has added is then not stopped while it starts, because it was started to
    /// serve beside those that are being replaced.
    pub(super) fn census(&self, all_surges: u32, promoted: bool, takes_covered: bool, in_place: bool) -> RolloutCensus {
        let first = |progress| self.of(progress).first().copied();
        let covered = first(Progress::OldCovered).filter(|_| takes_covered);
        let joining = first(Progress::OldJoining).filter(|_| !in_place);
        RolloutCensus {
            old: self.old(),
            old_down: first(Progress::OldDown).into_iter().chain(covered).chain(joining).min(),
            old_available: first(Progress::OldAvailable),
            updated: self.updated(),
            updated_available: self.count(&[Progress::NewAvailable]),
            surge: self.surge(),
            surge_available: self.count(&[Progress::SurgeAvailable]),
            surge_ready: first(Progress::SurgeAvailable),
            surge_of_drains: all_surges.saturating_sub(self.surge()),
            promoted,
        }
    }

    pub(super) fn entries(&self) -> usize {
        self.of_slots.len() + self.slots.iter().map(BTreeSet::len).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_counted_once_whatever_becomes_of_it() {
        let mut index = RolloutIndex::default();
        index.set(ReplicaId(2), Progress::OldAvailable);
        index.set(ReplicaId(0), Progress::OldAvailable);
        assert_eq!((index.old(), index.census(0, true, true, false).old_available), (2, Some(ReplicaId(0))));
        index.set(ReplicaId(0), Progress::NewUnstarted);
        index.set(ReplicaId(0), Progress::NewAvailable);
        assert_eq!((index.old(), index.updated(), index.available()), (1, 1, 1));
        index.set(ReplicaId(5), Progress::SurgeStarted);
        let census = index.census(3, false, true, false);
        assert_eq!((census.surge, census.surge_ready, census.surge_of_drains), (1, None, 2));
        index.set(ReplicaId(0), Progress::OldCovered);
        assert_eq!(index.census(0, true, false, false).old_down, None);
        assert_eq!(index.census(0, true, true, false).old_down, Some(ReplicaId(0)));
        index.set(ReplicaId(0), Progress::None);
        assert_eq!(index.updated(), 0);
        index.set(ReplicaId(1), Progress::OldJoining);
        let in_place = index.census(0, true, true, true);
        assert_eq!((in_place.old_down, in_place.old), (None, 2));
        assert_eq!(index.census(0, true, true, false).old_down, Some(ReplicaId(1)));
    }
}
