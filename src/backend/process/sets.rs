//! The sets of a backend, each with a lock of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::children::SetChildren;

/// Beyond this number of sets, idle ones are forgotten.
const MAX_IDLE: usize = 1_000;

/// All sets of a backend, by name. Dropping it kills their processes.
#[derive(Debug, Default)]
pub(super) struct Sets {
    sets: Mutex<SetTable>,
}

#[derive(Debug, Default)]
struct SetTable {
    entries: BTreeMap<String, SetEntry>,
    /// Counts lookups, as a clock for the least recently used sets.
    uses: u64,
}

#[derive(Debug)]
struct SetEntry {
    children: Arc<SetChildren>,
    /// `SetTable::uses` at its last lookup.
    used: u64,
}

impl Sets {
    fn lock(&self) -> MutexGuard<'_, SetTable> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the processes of a set, which is added if necessary.
    pub(super) fn of(&self, set: &str) -> Arc<SetChildren> {
        let mut table = self.lock();
        table.uses += 1;
        let used = table.uses;
        if let Some(entry) = table.entries.get_mut(set) {
            entry.used = used;
            return entry.children.clone();
        }
        if table.entries.len() >= MAX_IDLE {
            forget_idle(&mut table.entries);
        }
        let children = Arc::new(SetChildren::default());
        table.entries.insert(set.to_owned(), SetEntry { children: children.clone(), used });
        children
    }
}

/// Forgets the least recently used half of the idle sets.
fn forget_idle(sets: &mut BTreeMap<String, SetEntry>) {
    // A set that is referenced elsewhere may be about to be used.
    let idle = |entry: &SetEntry| Arc::strong_count(&entry.children) == 1 && entry.children.is_idle();
    let mut used: Vec<u64> = sets.values().filter(|entry| idle(entry)).map(|entry| entry.used).collect();
    used.sort_unstable();
    let Some(&middle) = used.get(used.len() / 2) else { return };
    sets.retain(|_, entry| entry.used > middle || !idle(entry));
}

impl Drop for Sets {
    fn drop(&mut self) {
        for entry in self.lock().entries.values() {
            entry.children.kill_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::InstanceId;

    #[test]
    fn idle_sets_of_ever_new_names_are_forgotten_and_the_others_are_not() {
        let sets = Sets::default();
        let kept = sets.of("kept").reserve(InstanceId::new(0, 1));
        for number in 0..10 * MAX_IDLE {
            sets.of(&format!("set-{number}"));
            assert!(sets.lock().entries.len() <= MAX_IDLE + 1);
        }
        assert!(sets.of("kept").reserve(InstanceId::new(0, 1)).is_none());
        drop(kept);
    }
}
