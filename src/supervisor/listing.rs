//! What a list of the backend says, beside what the set knows.

use std::collections::BTreeSet;
use std::collections::btree_map::Entry;

use crate::decide::{Incarnation, ReplicaId};
use crate::engine::{Event, InstanceState, Observed, Phase, ProbeResult, ReplicaSet};

/// What news that came while the backend listed says, beside the list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum LatestReport {
    /// What the instance is: the list may be older, and says nothing of it.
    State,
    /// Contact is lost: the list may be older.
    Lost,
    /// It has answered a probe: it is alive, and what the backend says of it, the list says.
    ProbeAnswered,
    /// A probe that nobody answered: the list says more.
    ProbeUnanswered,
}

impl LatestReport {
    pub(super) fn of(event: &Event) -> Self {
        match event {
            Event::Lost(_) => Self::Lost,
            Event::Probed(news) if news.result == ProbeResult::Unanswered => Self::ProbeUnanswered,
            Event::Probed(_) => Self::ProbeAnswered,
            _ => Self::State,
        }
    }

    /// Adds it to earlier news of the instance.
    pub(super) fn merge_into<K: Ord>(self, entry: Entry<'_, K, Self>) {
        entry
            .and_modify(|before| {
                let kept = match self {
                    Self::ProbeUnanswered => true,
                    Self::ProbeAnswered => *before == Self::State,
                    Self::State | Self::Lost => false,
                };
                if !kept {
                    *before = self;
                }
            })
            .or_insert(self);
    }
}

/// What the set knows of an instance that it believes alive, as a list would say it.
pub(super) fn known_state(set: &ReplicaSet, (replica, incarnation): (ReplicaId, Incarnation)) -> Option<Observed> {
    if set.is_stray(replica, incarnation) {
        return Some(Observed { replica, incarnation, state: InstanceState::Stopping });
    }
    set.as_listed(replica).filter(|known| known.incarnation == incarnation)
}

/// Whether the list holds every instance that the set believes to run.
pub(super) fn covers_live(set: &ReplicaSet, listed: &[Observed]) -> bool {
    let ended = |seen: &Observed| matches!(seen.state, InstanceState::Ended(_));
    let alive: BTreeSet<_> =
        listed.iter().filter(|seen| !ended(seen)).map(|seen| (seen.replica, seen.incarnation)).collect();
    let shown = |instance| alive.contains(&instance);
    set.replicas()
        .filter(|view| view.phase.is_live() && view.phase != Phase::Starting)
        .all(|view| shown((view.replica, view.incarnation)))
        && set.stray_instances().all(shown)
}

/// Whether the list says just what the set knows: then there is nothing to tell it, nor to record.
pub(super) fn matches_set(set: &ReplicaSet, listed: &[Observed]) -> bool {
    let known = |seen: &Observed| {
        let stray = set.is_stray(seen.replica, seen.incarnation);
        match seen.state {
            InstanceState::Ended(_) => {
                let Some(view) = set.get(seen.replica) else { return false };
                let current = seen.incarnation == view.incarnation;
                !stray && (seen.incarnation < view.incarnation || (current && !view.phase.is_live()))
            }
            _ => stray || known_state(set, (seen.replica, seen.incarnation)).as_ref() == Some(seen),
        }
    };
    listed.iter().all(known) && covers_live(set, listed)
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
        assert!(matches_set(&set, std::slice::from_ref(&ready)));
        assert!(matches_set(&set, &[ready.clone(), seen(1, 1, InstanceState::Starting), seen(0, 0, ended())]));
        assert!(!matches_set(&set, &[]));
        for news in [
            seen(0, 1, InstanceState::Running),
            seen(0, 1, ended()),
            seen(0, 2, InstanceState::Ready),
            seen(1, 1, InstanceState::Running),
            seen(7, 1, InstanceState::Ready),
        ] {
            assert!(!matches_set(&set, &[ready.clone(), news.clone()]), "{news:?}");
        }
    }
}
