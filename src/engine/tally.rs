//! Counters for dashboards and metrics. No decision reads them.

use serde::{Deserialize, Serialize};

use super::output::IgnoreReason;
use super::replica::CensusBucket;
use crate::decide::{Census, Status, Verdict};
use crate::lazy_box::LazyBox;
use crate::policy::Cause;
use crate::time::Timestamp;

/// Totals since the set began.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Tally {
    pub(crate) starts: u64,
    counts: LazyBox<EventCounts>,
    /// Nanoseconds spent pending, up to the last change of status. The other statuses are in `EventCounts`.
    pending: u64,
    status: Status,
    status_since: Timestamp,
    /// Nanoseconds that replicas were available and failed, summed over replicas, up to `as_of`. A later end adds the time
    /// since `as_of`, and a later beginning subtracts it, so the sums wrap.
    #[serde(with = "crate::decide::serde_u128")]
    available_nanos: u128,
    #[serde(with = "crate::decide::serde_u128")]
    failed_nanos: u128,
    as_of: Timestamp,
}

/// The totals that are all zero in a set that came up and stayed healthy.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct EventCounts {
    /// By built-in cause; the last entry is for all named causes.
    pub(crate) causes: [CauseCounts; 9],
    /// Nanoseconds spent in each status, up to the last change of status. Pending is in the `Tally`.
    time_in: [u64; 7],
    /// Exits with code 0.
    pub(crate) successes: u64,
    pub(crate) given_up: u64,
    pub(crate) incidents: u64,
    pub(crate) stale: u64,
    pub(crate) duplicate: u64,
    pub(crate) unheard: u64,
    pub(crate) refused: u64,
    pub(crate) clock_went_back: u64,
    pub(crate) clock_out_of_range: u64,
    pub(crate) out_of_range: u64,
}

/// The totals of one cause.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct CauseCounts {
    pub(crate) failures: u64,
    /// Restarts decided.
    pub(crate) restarts: u64,
}

impl Tally {
    /// Returns a copy of the totals.
    pub(crate) fn counts(&self) -> EventCounts {
        self.counts.get().cloned().unwrap_or_default()
    }

    /// Returns the totals, to be changed.
    #[inline]
    pub(crate) fn count(&mut self) -> &mut EventCounts {
        self.counts.get_or_init()
    }

    pub(crate) fn ignored(&mut self, why: IgnoreReason) {
        let counts = self.count();
        match why {
            IgnoreReason::Stale => bump(&mut counts.stale),
            IgnoreReason::Duplicate => bump(&mut counts.duplicate),
            IgnoreReason::Unheard => bump(&mut counts.unheard),
            IgnoreReason::OutOfRange => bump(&mut counts.out_of_range),
        }
    }

    pub(crate) fn begin(&mut self, now: Timestamp) {
        self.status_since = now;
        self.as_of = now;
    }

    /// Records that a replica changes its bucket.
    #[inline]
    pub(crate) fn bucket_changed(&mut self, from: CensusBucket, to: CensusBucket, now: Timestamp) {
        let since = u128::from(now.nanos_since(self.as_of));
        match from {
            CensusBucket::Available => self.available_nanos = self.available_nanos.wrapping_add(since),
            CensusBucket::Failed => self.failed_nanos = self.failed_nanos.wrapping_add(since),
            _ => {}
        }
        match to {
            CensusBucket::Available => self.available_nanos = self.available_nanos.wrapping_sub(since),
            CensusBucket::Failed => self.failed_nanos = self.failed_nanos.wrapping_sub(since),
            _ => {}
        }
    }

    /// Returns the nanoseconds that replicas were available and failed, summed over replicas, as of now.
    pub(crate) fn spent(&self, census: &Census, now: Timestamp) -> (u128, u128) {
        let since = u128::from(now.nanos_since(self.as_of));
        let upto = |nanos: u128, count: u32| nanos.wrapping_add(since.wrapping_mul(count.into()));
        (upto(self.available_nanos, census.available), upto(self.failed_nanos, census.failed))
    }

    /// Returns the same totals with `as_of` moved to now.
    pub(crate) fn counted_up(&self, census: &Census, now: Timestamp) -> Self {
        let (available_nanos, failed_nanos) = self.spent(census, now);
        Self { available_nanos, failed_nanos, as_of: now, ..self.clone() }
    }

    pub(crate) fn status_changed(&mut self, status: Status, now: Timestamp) {
        if self.status != status {
            let lasted = now.nanos_since(self.status_since);
            let time = match self.status {
                Status::Pending => &mut self.pending,
                left => &mut self.counts.get_or_init().time_in[left.index()],
            };
            *time = time.saturating_add(lasted);
            self.status = status;
            self.status_since = now;
        }
    }

    /// Returns the nanoseconds in each status, as of now.
    pub(crate) fn time_in(&self, now: Timestamp) -> [(Status, u64); 7] {
        let but_pending = self.counts().time_in;
        let mut times = Status::ALL.map(|status| (status, but_pending[status.index()]));
        times[Status::Pending.index()].1 = self.pending;
        let current = &mut times[self.status.index()].1;
        *current = current.saturating_add(now.nanos_since(self.status_since));
        times
    }

    /// Moves an `as_of` in the future, from a damaged snapshot, to now.
    pub(crate) fn repair(&mut self, now: Timestamp) {
        self.as_of = self.as_of.min(now);
    }

    pub(crate) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        self.status_since = by(self.status_since);
        self.as_of = by(self.as_of);
    }
}

impl EventCounts {
    #[inline]
    pub(crate) fn judged(&mut self, cause: Option<&Cause>, verdict: Verdict) {
        let restarts = matches!(verdict, Verdict::Restart(_));
        if let Some(cause) = cause {
            let counts = &mut self.causes[cause.index()];
            bump(&mut counts.failures);
            if restarts {
                bump(&mut counts.restarts);
            }
        } else {
            bump(&mut self.successes);
        }
        if !restarts && matches!(verdict, Verdict::Degrade(_)) {
            bump(&mut self.given_up);
        }
    }
}

/// Adds one. Saturates, because a damaged snapshot may contain the greatest number.
#[inline]
pub(crate) fn bump(count: &mut u64) {
    *count = count.saturating_add(1);
}
