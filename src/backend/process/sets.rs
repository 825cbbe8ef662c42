//! The sets whose processes a backend runs, each under a lock of its own.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::children::SetChildren;

/// Sets without processes that are remembered, with how their replicas ended.
const MOST_IDLE: usize = 1_000;

/// All sets of a backend. On drop their processes are killed.
#[derive(Debug, Default)]
pub(super) struct Sets {
    sets: Mutex<Names>,
}

#[derive(Debug, Default)]
struct Names {
    known: BTreeMap<String, Known>,
    /// Counts the uses of all sets.
    uses: u64,
}

#[derive(Debug)]
struct Known {
    children: Arc<SetChildren>,
    /// Its last use, by `Names::uses`.
    used: u64,
}

impl Sets {
    fn lock(&self) -> MutexGuard<'_, Names> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The processes of a set.
    pub(super) fn of(&self, set: &str) -> Arc<SetChildren> {
        let mut names = self.lock();
        names.uses += 1;
        let used = names.uses;
        if let Some(known) = names.known.get_mut(set) {
            known.used = used;
            return known.children.clone();
        }
        if names.known.len() >= MOST_IDLE {
            forget_idle(&mut names.known);
        }
        let children = Arc::new(SetChildren::default());
        names.known.insert(set.to_owned(), Known { children: children.clone(), used });
        children
    }
}

/// Forgets the half of the idle sets that was used least lately.
fn forget_idle(sets: &mut BTreeMap<String, Known>) {
    // Whoever else holds it may be about to use it.
    let idle = |known: &Known| Arc::strong_count(&known.children) == 1 && known.children.is_idle();
    let mut used: Vec<u64> = sets.values().filter(|known| idle(known)).map(|known| known.used).collect();
    used.sort_unstable();
    let Some(&middle) = used.get(used.len() / 2) else { return };
    sets.retain(|_, known| known.used > middle || !idle(known));
}

impl Drop for Sets {
    fn drop(&mut self) {
        for known in self.lock().known.values() {
            known.children.kill_all();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::InstanceKey;
    use crate::backend::process::children::Which;

    #[test]
    fn idle_sets_of_ever_new_names_are_forgotten_and_the_others_are_not() {
        let sets = Sets::default();
        let kept = sets.of("kept").reserve(Which::new(InstanceKey::new("kept", 0.into(), 1.into())));
        for number in 0..10 * MOST_IDLE {
            sets.of(&format!("set-{number}"));
            assert!(sets.lock().known.len() <= MOST_IDLE + 1);
        }
        assert!(sets.of("kept").reserve(Which::new(InstanceKey::new("kept", 0.into(), 1.into()))).is_none());
        drop(kept);
    }
}
