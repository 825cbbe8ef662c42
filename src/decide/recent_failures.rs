//! Recent failures of a set: whether they are correlated, and whether one is isolated.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};

use super::ids::ReplicaId;
use crate::time::Timestamp;

/// The number of failures that are kept beyond twice the number of distinct replicas.
const SPARE: usize = 64;

/// The failures that may belong to one incident, in the order of (noted, replica).
///
/// They expire by the time at which they were recorded (`noted`), and are correlated by the time at which they happened (`at`),
/// because reports may be late.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<RecentFailure>", into = "Vec<RecentFailure>")]
pub(crate) struct RecentFailures {
    failures: VecDeque<RecentFailure>,
    /// The number of distinct replicas.
    distinct: u32,
    /// The number of failures that were recorded later than they happened.
    late: u32,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize)]
struct RecentFailure {
    noted: Timestamp,
    replica: ReplicaId,
    at: Timestamp,
    /// Whether the same replica has failed again since.
    #[serde(skip)]
    again: bool,
}

impl RecentFailure {
    fn is_late(&self) -> bool {
        self.at < self.noted
    }
}

impl From<Vec<RecentFailure>> for RecentFailures {
    fn from(mut failures: Vec<RecentFailure>) -> Self {
        failures.sort_unstable();
        let mut seen = BTreeSet::new();
        for failure in failures.iter_mut().rev() {
            failure.again = !seen.insert(failure.replica);
        }
        let late = failures.iter().filter(|failure| failure.is_late()).count();
        let count = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Self { distinct: count(seen.len()), late: count(late), failures: failures.into() }
    }
}

impl From<RecentFailures> for Vec<RecentFailure> {
    fn from(recent_failures: RecentFailures) -> Self {
        recent_failures.failures.into()
    }
}

impl RecentFailures {
    pub(super) fn len(&self) -> usize {
        self.failures.len()
    }

    /// Records a failure. `previous` is when the replica's failure before it was recorded, or never.
    pub(crate) fn note(&mut self, replica: ReplicaId, at: Timestamp, previous: Timestamp, within: u64, now: Timestamp) {
        self.forget(now, within);
        let after = |failures: &VecDeque<RecentFailure>, noted| {
            failures.partition_point(|failure| (failure.noted, failure.replica) <= (noted, replica))
        };
        let earlier = after(&self.failures, previous).checked_sub(1);
        if let Some(earlier) = earlier.and_then(|place| self.failures.get_mut(place)) {
            if (earlier.noted, earlier.replica, earlier.again) == (previous, replica, false) {
                earlier.again = true;
                self.distinct = self.distinct.saturating_sub(1);
            }
        }
        let failure = RecentFailure { noted: now, replica, at, again: false };
        self.distinct = self.distinct.saturating_add(1);
        self.late = self.late.saturating_add(u32::from(failure.is_late()));
        let last = after(&self.failures, now);
        self.failures.insert(last, failure);
        // Keep the last failure of each replica only, to bound a replica that fails very often.
        if self.failures.len() > 2 * self.distinct as usize + SPARE {
            let kept = self.failures.drain(..).filter(|failure| !failure.again).collect::<Vec<_>>();
            *self = kept.into();
        }
    }

    /// Drops failures that were recorded `within` or more nanoseconds ago.
    fn forget(&mut self, now: Timestamp, within: u64) {
        while let Some(oldest) = self.failures.front().filter(|oldest| now.nanos_since(oldest.noted) >= within) {
            self.distinct = self.distinct.saturating_sub(u32::from(!oldest.again));
            self.late = self.late.saturating_sub(u32::from(oldest.is_late()));
            self.failures.pop_front();
        }
    }

    /// Returns whether at least `threshold` distinct replicas failed within `within` nanoseconds, and if so keeps only their
    /// failures.
    pub(crate) fn is_incident(&mut self, threshold: u32, within: u64) -> bool {
        if self.distinct < threshold {
            return false;
        }
        if self.late == 0 {
            // Failures without delay that were recorded within `within` also happened within it.
            return true;
        }
        let mut failures: Vec<_> = self.failures.iter().copied().collect();
        failures.sort_unstable_by_key(|failure| (failure.at, failure.replica));
        let mut counts: BTreeMap<ReplicaId, u32> = BTreeMap::new();
        let mut first = 0;
        let mut found = None;
        for last in 0..failures.len() {
            *counts.entry(failures[last].replica).or_default() += 1;
            while failures[last].at.nanos_since(failures[first].at) >= within {
                if let Some(count) = counts.get_mut(&failures[first].replica) {
                    *count -= 1;
                    if *count == 0 {
                        counts.remove(&failures[first].replica);
                    }
                }
                first += 1;
            }
            if counts.len() >= threshold as usize {
                found = Some((first, last));
            }
        }
        if let Some((first, last)) = found {
            *self = failures[first..=last].to_vec().into();
        }
        found.is_some()
    }

    /// Returns when the last failure happened.
    pub(crate) fn latest(&self) -> Option<Timestamp> {
        self.failures.iter().map(|failure| failure.at).max()
    }

    /// Removes all failures. Returns their distinct replicas in ascending order.
    pub(crate) fn take_members(&mut self) -> Vec<ReplicaId> {
        let mut members: Vec<_> = self.failures.drain(..).map(|failure| failure.replica).collect();
        self.distinct = 0;
        self.late = 0;
        members.sort_unstable();
        members.dedup();
        members
    }

    pub(crate) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        for failure in &mut self.failures {
            failure.at = by(failure.at);
            failure.noted = by(failure.noted);
        }
    }
}

/// The last failure, and the last one of another replica. These two suffice to tell whether a failure is isolated.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct LastFailures {
    last: Option<(Timestamp, ReplicaId)>,
    other: Option<(Timestamp, ReplicaId)>,
}

impl LastFailures {
    pub(crate) fn note(&mut self, replica: ReplicaId, at: Timestamp) {
        let other = self.other.filter(|(_, id)| *id != replica);
        match &mut self.last {
            Some((last, id)) if *id == replica => *last = at.max(*last),
            // A late report of a failure before the last one.
            Some((last, _)) if at < *last => self.other = other.max(Some((at, replica))),
            last => self.other = last.replace((at, replica)),
        }
    }

    /// Returns whether no other replica failed less than `within` nanoseconds before or after `at`.
    pub(crate) fn isolated(&self, replica: ReplicaId, at: Timestamp, within: u64) -> bool {
        [self.last, self.other]
            .into_iter()
            .flatten()
            .all(|(other, id)| id == replica || at.nanos_since(other).max(other.nanos_since(at)) >= within)
    }

    pub(crate) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        for (at, _) in [&mut self.last, &mut self.other].into_iter().flatten() {
            *at = by(*at);
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

    /// Records a failure at `noted`. Returns how many distinct replicas then failed together.
    fn note(recent_failures: &mut RecentFailures, replica: u32, at: u64, previous: Option<u64>, noted: u64) -> u32 {
        let previous = previous.map_or(Timestamp::NEVER, secs);
        recent_failures.note(ReplicaId(replica), secs(at), previous, WITHIN, secs(noted));
        (1..).take_while(|&replicas| recent_failures.clone().is_incident(replicas, WITHIN)).last().unwrap_or(0)
    }

    #[test]
    fn only_distinct_replicas_within_the_window_count() {
        let mut recent_failures = RecentFailures::default();
        assert_eq!(note(&mut recent_failures, 1, 0, None, 0), 1);
        assert_eq!(note(&mut recent_failures, 1, 5, Some(0), 5), 1);
        assert_eq!(note(&mut recent_failures, 2, 10, None, 10), 2);
        assert_eq!(note(&mut recent_failures, 3, 34, None, 34), 3);
        assert_eq!(note(&mut recent_failures, 4, 39, None, 39), 3);
        assert_eq!(recent_failures.take_members(), [2, 3, 4].map(ReplicaId));
    }

    #[test]
    fn failures_are_correlated_by_when_they_happened() {
        let mut recent_failures = RecentFailures::default();
        assert_eq!(note(&mut recent_failures, 1, 150, None, 150), 1);
        // Late reports of a minute ago: three failed together then, without the one at 150.
        assert_eq!(note(&mut recent_failures, 2, 100, None, 160), 1);
        assert_eq!(note(&mut recent_failures, 3, 101, None, 160), 2);
        assert_eq!(note(&mut recent_failures, 4, 129, None, 161), 3);
        assert_eq!(note(&mut recent_failures, 5, 160, None, 162), 3);
        assert!(recent_failures.is_incident(3, WITHIN));
        assert_eq!(recent_failures.take_members(), [2, 3, 4].map(ReplicaId));
    }

    #[test]
    fn a_replica_that_fails_very_often_takes_bounded_memory() {
        let mut recent_failures = RecentFailures::default();
        note(&mut recent_failures, 2, 0, None, 0);
        for milli in 0..10_000u64 {
            let previous = milli.checked_sub(1).map_or(Timestamp::NEVER, Timestamp::from_millis);
            let at = Timestamp::from_millis(milli);
            recent_failures.note(ReplicaId(1), at, previous, WITHIN, at);
        }
        assert_eq!(recent_failures.distinct, 2);
        assert!(recent_failures.failures.len() <= SPARE + 4, "{}", recent_failures.failures.len());
    }

    #[test]
    fn counts_are_recomputed_when_deserialised() {
        let mut recent_failures = RecentFailures::default();
        note(&mut recent_failures, 1, 0, None, 0);
        note(&mut recent_failures, 1, 5, Some(0), 5);
        note(&mut recent_failures, 2, 3, None, 6);
        let text = serde_json::to_string(&recent_failures).unwrap();
        assert_eq!(serde_json::from_str::<RecentFailures>(&text).unwrap(), recent_failures);
    }

    #[test]
    fn a_failure_is_isolated_if_no_other_replica_failed_around_it() {
        let within = WITHIN;
        let mut last_failures = LastFailures::default();
        last_failures.note(ReplicaId(1), secs(0));
        last_failures.note(ReplicaId(1), secs(1));
        assert!(last_failures.isolated(ReplicaId(1), secs(1), within));
        assert!(!last_failures.isolated(ReplicaId(2), secs(30), within));
        assert!(last_failures.isolated(ReplicaId(2), secs(31), within));
        last_failures.note(ReplicaId(2), secs(2));
        assert!(!last_failures.isolated(ReplicaId(1), secs(2), within));
        // A late report of a much earlier failure is isolated from later failures, and does not replace them.
        last_failures.note(ReplicaId(3), secs(500));
        last_failures.note(ReplicaId(4), secs(100));
        assert!(last_failures.isolated(ReplicaId(4), secs(100), within));
        assert!(!last_failures.isolated(ReplicaId(5), secs(510), within));
    }
}
