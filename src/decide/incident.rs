//! Correlated failure: when so many replicas fail together that it is one incident with one cause.
//!
//! Its life: *holding* (restarts wait; one canary is started, and if it fails the delay grows and the next is
//! tried), then *resuming* (the rest follow in batches of 1, 2, 4, ...). Restarts found overdue after downtime
//! begin with resuming.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::ids::ReplicaId;
use super::never;
use crate::time::Timestamp;

/// More failures than twice the replicas that have failed are kept up to so many.
const SPARE: usize = 64;

/// The failures that may still belong to one incident, oldest first.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Recent {
    /// In the order of (time, replica).
    failures: VecDeque<RecentFailure>,
    /// How many distinct replicas they are of.
    distinct: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
struct RecentFailure {
    at: Timestamp,
    replica: ReplicaId,
    /// The same replica has failed again since.
    again: bool,
}

impl Recent {
    /// Forgets failures that are `within` or more older than the latest: they happened in another time.
    fn forget(&mut self, latest: Timestamp, within: u64) {
        while let Some(oldest) = self.failures.front().filter(|oldest| latest.nanos_since(oldest.at) >= within) {
            self.distinct = self.distinct.saturating_sub(u32::from(!oldest.again));
            self.failures.pop_front();
        }
    }

    /// Notes a failure, by when it happened. `previous` is when the same replica failed before, or never.
    pub(crate) fn note(&mut self, replica: ReplicaId, at: Timestamp, previous: Timestamp, within: u64) {
        let latest = self.failures.back().map_or(at, |last| last.at.max(at));
        self.forget(latest, within);
        if latest.nanos_since(at) >= within {
            return;
        }
        let place = |failures: &VecDeque<RecentFailure>, at| {
            failures.partition_point(|failure| (failure.at, failure.replica) < (at, replica))
        };
        let earlier = place(&self.failures, previous);
        if let Some(earlier) = self.failures.get_mut(earlier) {
            if (earlier.at, earlier.replica, earlier.again) == (previous, replica, false) {
                earlier.again = true;
                self.distinct -= 1;
            }
        }
        self.distinct = self.distinct.saturating_add(1);
        let last = place(&self.failures, at);
        self.failures.insert(last, RecentFailure { at, replica, again: false });
        // Of a replica that fails again and again, the last failure is enough.
        if self.failures.len() > 2 * self.distinct as usize + SPARE {
            self.failures.retain(|failure| !failure.again);
        }
    }

    /// When the last failure happened.
    pub(crate) fn latest(&self) -> Option<Timestamp> {
        self.failures.back().map(|last| last.at)
    }

    /// How many distinct replicas have failed.
    pub(crate) fn replicas(&self) -> u32 {
        self.distinct
    }

    /// Every replica that has failed, in order, each once.
    pub(crate) fn take_members(&mut self) -> Vec<ReplicaId> {
        let mut members: Vec<_> = self.failures.drain(..).map(|failure| failure.replica).collect();
        self.distinct = 0;
        members.sort_unstable();
        members.dedup();
        members
    }

    pub(crate) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        self.failures.iter_mut().for_each(|failure| failure.at = by(failure.at));
    }
}

/// The last failure, and the last of another replica: enough to tell whether a failure is isolated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Lately {
    last: Option<(Timestamp, ReplicaId)>,
    other: Option<(Timestamp, ReplicaId)>,
}

impl Lately {
    pub(crate) fn note(&mut self, replica: ReplicaId, at: Timestamp) {
        match &mut self.last {
            Some((last, id)) if *id == replica => *last = at.max(*last),
            last => self.other = last.replace((at, replica)),
        }
    }

    /// Whether no other replica failed within `within` before `at`.
    pub(crate) fn isolated(&self, replica: ReplicaId, at: Timestamp, within: u64) -> bool {
        [self.last, self.other]
            .into_iter()
            .flatten()
            .all(|(other, id)| id == replica || at.nanos_since(other) >= within)
    }

    pub(crate) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        for (at, _) in [&mut self.last, &mut self.other].into_iter().flatten() {
            *at = by(*at);
        }
    }
}

/// An incident that is not over.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Incident {
    pub(crate) since: Timestamp,
    pub(crate) stage: Stage,
    /// The one charge of the incident has been taken.
    pub(crate) charged: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Stage {
    Holding {
        /// How often a canary has failed: the rung of the ladder that the next delay stands on.
        level: u32,
        /// No canary before this.
        #[serde(with = "never")]
        not_before: Timestamp,
        canary: Option<ReplicaId>,
    },
    Resuming {
        /// The size of the present batch.
        batch: u32,
        /// Starts of the batch that are still to be released.
        to_release: u32,
        /// Starts of the batch that are released and not decided yet.
        undecided: u32,
    },
}

impl Stage {
    pub(crate) const RESUMING: Self = Self::Resuming { batch: 1, to_release: 1, undecided: 0 };

    /// One start of the present batch is decided. When all are, the next batch is twice as large.
    pub(crate) fn decided(&mut self) {
        if let Self::Resuming { batch, to_release, undecided } = self {
            *undecided = undecided.saturating_sub(1);
            if *undecided == 0 && *to_release == 0 {
                *batch = batch.saturating_mul(2);
                *to_release = *batch;
            }
        }
    }
}

impl Incident {
    pub(crate) fn new(since: Timestamp) -> Self {
        Self { since, stage: Stage::Holding { level: 0, not_before: Timestamp::ZERO, canary: None }, charged: false }
    }

    pub(crate) fn is_holding(&self) -> bool {
        matches!(self.stage, Stage::Holding { .. })
    }

    pub(crate) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        self.since = by(self.since);
        if let Stage::Holding { not_before, .. } = &mut self.stage {
            *not_before = by(*not_before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secs(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    const WITHIN: u64 = 30_000_000_000;

    fn note(recent: &mut Recent, replica: u32, at: u64, previous: Option<u64>) -> u32 {
        recent.note(ReplicaId(replica), secs(at), previous.map_or(Timestamp::MAX, secs), WITHIN);
        recent.replicas()
    }

    #[test]
    fn only_distinct_replicas_within_the_window_count() {
        let mut recent = Recent::default();
        assert_eq!(note(&mut recent, 1, 0, None), 1);
        assert_eq!(note(&mut recent, 1, 5, Some(0)), 1);
        assert_eq!(note(&mut recent, 2, 10, None), 2);
        assert_eq!(note(&mut recent, 3, 34, None), 3);
        assert_eq!(note(&mut recent, 4, 39, None), 3);
        assert_eq!(recent.take_members(), [2, 3, 4].map(ReplicaId));
    }

    #[test]
    fn failures_are_near_each_other_by_when_they_happened() {
        let mut recent = Recent::default();
        assert_eq!(note(&mut recent, 1, 100, None), 1);
        // Late news of long ago, then of just before.
        assert_eq!(note(&mut recent, 2, 70, None), 1);
        assert_eq!(note(&mut recent, 3, 71, None), 2);
        assert_eq!(note(&mut recent, 4, 130, None), 1);
    }

    #[test]
    fn a_replica_that_fails_ever_so_often_takes_little_room() {
        let mut recent = Recent::default();
        note(&mut recent, 2, 0, None);
        for milli in 0..10_000u64 {
            let previous = milli.checked_sub(1).map_or(Timestamp::MAX, Timestamp::from_millis);
            recent.note(ReplicaId(1), Timestamp::from_millis(milli), previous, WITHIN);
        }
        assert_eq!(recent.replicas(), 2);
        assert!(recent.failures.len() <= SPARE + 4, "{}", recent.failures.len());
    }

    #[test]
    fn a_failure_is_isolated_when_no_other_replica_failed_lately() {
        let within = WITHIN;
        let mut lately = Lately::default();
        lately.note(ReplicaId(1), secs(0));
        lately.note(ReplicaId(1), secs(1));
        assert!(lately.isolated(ReplicaId(1), secs(1), within));
        assert!(!lately.isolated(ReplicaId(2), secs(30), within));
        assert!(lately.isolated(ReplicaId(2), secs(31), within));
        lately.note(ReplicaId(2), secs(2));
        assert!(!lately.isolated(ReplicaId(1), secs(2), within));
    }

    #[test]
    fn batches_double_once_every_start_of_one_is_decided() {
        let mut stage = Stage::Resuming { batch: 2, to_release: 0, undecided: 2 };
        stage.decided();
        assert_eq!(stage, Stage::Resuming { batch: 2, to_release: 0, undecided: 1 });
        stage.decided();
        assert_eq!(stage, Stage::Resuming { batch: 4, to_release: 4, undecided: 0 });
    }
}
