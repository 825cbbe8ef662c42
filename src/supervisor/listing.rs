//! Compares a backend's list with what the set knows.

use std::collections::BTreeSet;

use crate::decide::InstanceId;
use crate::engine::{InstanceState, Observed, Phase, ReplicaSet};

/// Returns what an up-to-date list would contain for an instance that the set believes to be alive.
pub(super) fn known_state(set: &ReplicaSet, instance: InstanceId) -> Option<Observed> {
    if set.is_stray(instance) {
        return Some(Observed::new(instance, InstanceState::Stopping));
    }
    set.as_listed(instance.replica).filter(|known| known.incarnation == instance.incarnation)
}

/// Returns whether the list contains every instance that the set believes to be running.
pub(super) fn covers_live(set: &ReplicaSet, listed: &[Observed]) -> bool {
    let ended = |seen: &Observed| matches!(seen.state, InstanceState::Ended(_));
    let alive: BTreeSet<_> = listed.iter().filter(|seen| !ended(seen)).map(Observed::instance).collect();
    let is_listed = |instance| alive.contains(&instance);
    set.replicas()
        .filter(|view| view.phase.is_live() && view.phase != Phase::Starting)
        .all(|view| is_listed(view.instance()))
        && set.stray_instances().all(is_listed)
}

/// Returns whether the list contains nothing new to the set, so that it need not be applied or recorded.
pub(super) fn matches_set(set: &ReplicaSet, listed: &[Observed]) -> bool {
    let known = |seen: &Observed| {
        let stray = set.is_stray(seen.instance());
        match seen.state {
            InstanceState::Ended(_) => {
                let Some(view) = set.get(seen.replica) else { return false };
                let current = seen.incarnation == view.incarnation;
                !stray && (seen.incarnation < view.incarnation || (current && !view.phase.is_live()))
            }
            _ => stray || known_state(set, seen.instance()).as_ref() == Some(seen),
        }
    };
    listed.iter().all(known) && covers_live(set, listed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::Outcome;
    use crate::engine::Event;
    use crate::policy::Policy;
    use crate::time::Timestamp;

    #[test]
    fn a_list_matches_unless_it_differs_from_the_set() {
        let now = Timestamp::ZERO;
        let mut set = ReplicaSet::new(Policy::builder().replicas(2).build().unwrap(), 0, now);
        set.handle_timeout(now);
        while set.poll_output().is_some() {}
        set.handle(now, Event::ready((0, 1)));
        while set.poll_output().is_some() {}
        let seen = |replica: u32, incarnation: u64, state| Observed::new((replica, incarnation), state);
        let ready = seen(0, 1, InstanceState::Ready);
        let ended = || InstanceState::Ended(Outcome::exited(0, now));
        // The second is starting: it need not be listed yet.
        assert!(matches_set(&set, std::slice::from_ref(&ready)));
        assert!(matches_set(&set, &[ready.clone(), seen(1, 1, InstanceState::Starting), seen(0, 0, ended())]));
        assert!(!matches_set(&set, &[]));
        for different in [
            seen(0, 1, InstanceState::Running),
            seen(0, 1, ended()),
            seen(0, 2, InstanceState::Ready),
            seen(1, 1, InstanceState::Running),
            seen(7, 1, InstanceState::Ready),
        ] {
            assert!(!matches_set(&set, &[ready.clone(), different.clone()]), "{different:?}");
        }
    }
}
