//! Counters for dashboards and metrics. No decision reads them.

use serde::{Deserialize, Serialize};

use super::output::IgnoreReason;
use super::replica::CensusBucket;
use crate::decide::{Census, Status, Verdict};
use crate::lazy_box::LazyBox;
use crate::policy::Cause;
use crate::time::Timestamp;

/// EventCounts since the set began.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Tally {
    pub(crate) starts: u64,
    counts: LazyBox<EventCounts>,
    /// Time spent pending until that was left last, in nanoseconds. A set that came up and stayed healthy has no other.
    pending: u64,
    status: Status,
    status_since: Timestamp,
    /// Time that replicas spent available, and failed, summed over replicas, in nanoseconds: up to `as_of`, plus where
    /// they ceased to since, minus where they began to. So it wraps.
    #[serde(with = "crate::decide::serde_u128")]
    available_nanos: u128,
    #[serde(with = "crate::decide::serde_u128")]
    failed_nanos: u128,
    as_of: Timestamp,
}

/// What has gone wrong, counted, and what else a set that came up and stayed healthy has none of.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct EventCounts {
    /// By built-in cause, those of the user's own together in the last.
    pub(crate) causes: [CauseCounts; 9],
    /// Time spent in each status until it was left last, in nanoseconds; of pending, it stands in the tally itself.
    time_in: [u64; 7],
    /// Exits with code 0 that were restarted or completed.
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

/// What has failed for one cause: what is counted together stands together.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(crate) struct CauseCounts {
    pub(crate) failures: u64,
    /// Restarts decided.
    pub(crate) restarts: u64,
}

impl Tally {
    /// What has gone wrong so far.
    pub(crate) fn counts(&self) -> EventCounts {
        self.counts.get().cloned().unwrap_or_default()
    }

    /// To count what goes wrong.
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

    /// A replica stands otherwise from now on.
    #[inline(always)]
    pub(crate) fn bucket_changed(&mut self, stood: CensusBucket, stands: CensusBucket, now: Timestamp) {
        let since = u128::from(now.nanos_since(self.as_of));
        match stood {
            CensusBucket::Available => self.available_nanos = self.available_nanos.wrapping_add(since),
            CensusBucket::Failed => self.failed_nanos = self.failed_nanos.wrapping_add(since),
            _ => {}
        }
        match stands {
            CensusBucket::Available => self.available_nanos = self.available_nanos.wrapping_sub(since),
            CensusBucket::Failed => self.failed_nanos = self.failed_nanos.wrapping_sub(since),
            _ => {}
        }
    }

    /// Time that replicas spent available, and failed, summed over replicas, in nanoseconds, as of now.
    pub(crate) fn spent(&self, census: &Census, now: Timestamp) -> (u128, u128) {
        let since = u128::from(now.nanos_since(self.as_of));
        let upto = |nanos: u128, count: u32| nanos.wrapping_add(since.wrapping_mul(count.into()));
        (upto(self.available_nanos, census.available), upto(self.failed_nanos, census.failed))
    }

    /// The same, counted from now on.
    pub(crate) fn counted_up(&self, census: &Census, now: Timestamp) -> Self {
        let (available_nanos, failed_nanos) = self.spent(census, now);
        Self { available_nanos, failed_nanos, as_of: now, ..self.clone() }
    }

    pub(crate) fn status_changed(&mut self, status: Status, now: Timestamp) {
        if self.status != status {
            let lasted = now.nanos_since(self.status_since);
            let time = match self.status {
                Status::Pending => &mut self.pending,
                left => &mut self.counts.get_or_init().time_in[left.place()],
            };
            *time = time.saturating_add(lasted);
            self.status = status;
            self.status_since = now;
        }
    }

    /// Time in each status as of now, in nanoseconds.
    pub(crate) fn time_in(&self, now: Timestamp) -> [(Status, u64); 7] {
        let but_pending = self.counts().time_in;
        let mut times = Status::ALL.map(|status| (status, but_pending[status.place()]));
        times[Status::Pending.place()].1 = self.pending;
        let current = &mut times[self.status.place()].1;
        *current = current.saturating_add(now.nanos_since(self.status_since));
        times
    }

    /// Mends what a damaged snapshot may hold: nothing is counted from the future on.
    pub(crate) fn repair(&mut self, now: Timestamp) {
        self.as_of = self.as_of.min(now);
    }

    pub(crate) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        self.status_since = by(self.status_since);
        self.as_of = by(self.as_of);
    }
}

impl EventCounts {
    #[inline(always)]
    pub(crate) fn judged(&mut self, cause: Option<&Cause>, verdict: Verdict) {
        let restarts = matches!(verdict, Verdict::Restart(_));
        if let Some(cause) = cause {
            let counts = &mut self.causes[cause.place()];
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

/// One more. A count read from a damaged snapshot may be as large as there are numbers.
#[inline]
pub(crate) fn bump(count: &mut u64) {
    *count = count.saturating_add(1);
}
