//! What a list of the backend says, beside what the set knows.

use std::collections::BTreeSet;

use crate::engine::{InstanceState, Observed, Phase, ReplicaSet, ReplicaView};

/// What the set knows of a live replica, as a list would say it.
pub(super) fn as_known(view: &ReplicaView) -> Option<Observed> {
    let state = match view.phase {
        Phase::Starting => InstanceState::Starting,
        Phase::Running => InstanceState::Running,
        Phase::Ready => InstanceState::Ready,
        Phase::Stopping => InstanceState::Stopping,
        _ => return None,
    };
    Some(Observed { replica: view.replica, incarnation: view.incarnation, state })
}

/// Whether the list holds every instance that the set believes to run.
pub(super) fn is_complete(set: &ReplicaSet, listed: &[Observed]) -> bool {
    let ended = |seen: &Observed| matches!(seen.state, InstanceState::Ended(_));
    let alive: BTreeSet<_> =
        listed.iter().filter(|seen| !ended(seen)).map(|seen| (seen.replica, seen.incarnation)).collect();
    set.replicas()
        .filter(|view| view.phase.is_live() && view.phase != Phase::Starting)
        .all(|view| alive.contains(&(view.replica, view.incarnation)))
}

/// Whether the list says just what the set knows: then there is nothing to tell it, nor to record.
pub(super) fn is_known(set: &ReplicaSet, listed: &[Observed]) -> bool {
    let known = |seen: &Observed| {
        let Some(view) = set.get(seen.replica) else { return false };
        match seen.state {
            InstanceState::Ended(_) => {
                seen.incarnation < view.incarnation || (seen.incarnation == view.incarnation && !view.phase.is_live())
            }
            _ => as_known(&view).as_ref() == Some(seen),
        }
    };
    listed.iter().all(known) && is_complete(set, listed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::decide::{Incarnation, Outcome, ReplicaId};
    use crate::engine::Event;
    use crate::policy::Policy;
    use crate::time::Timestamp;

    #[test]
    fn only_what_differs_is_news() {
        let now = Timestamp::ZERO;
        let mut set = ReplicaSet::new(Policy::builder().replicas(2).build().unwrap(), 0, now);
        set.handle_timeout(now);
        while set.poll_output().is_some() {}
        set.handle(now, Event::ready(0, 1));
        while set.poll_output().is_some() {}
        let seen = |replica, incarnation, state| Observed {
            replica: ReplicaId(replica),
            incarnation: Incarnation(incarnation),
            state,
        };
        let ready = seen(0, 1, InstanceState::Ready);
        let ended = || InstanceState::Ended(Outcome::exited(0, now));
        // The second is starting: it need not be listed yet.
        assert!(is_known(&set, std::slice::from_ref(&ready)));
        assert!(is_known(&set, &[ready.clone(), seen(1, 1, InstanceState::Starting), seen(0, 0, ended())]));
        assert!(!is_known(&set, &[]));
        for news in [
            seen(0, 1, InstanceState::Running),
            seen(0, 1, ended()),
            seen(0, 2, InstanceState::Ready),
            seen(1, 1, InstanceState::Running),
            seen(7, 1, InstanceState::Ready),
        ] {
            assert!(!is_known(&set, &[ready.clone(), news.clone()]), "{news:?}");
        }
    }
}
