//! The metrics of a run.

use serde::Serialize;

/// A quantity that is measured in each run: one policy simulated through one history.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Metric {
    /// The share of time in which enough replicas were available: status `healthy` or `degraded`.
    Availability,
    /// The share of the desired replica-time that was served, as [`Run::capacity_ppm`](uphold::sim::Run::capacity_ppm) counts it.
    /// Each policy is measured by its own number of replicas.
    Capacity,
    /// The share of time in status `healthy`.
    Healthy,
    /// The share of time in status `degraded`.
    Degraded,
    /// The share of time in status `outage`.
    Outage,
    /// The share of time in status `pending`: before the set was first available.
    Pending,
    /// The share of time in status `terminating` or `terminated`.
    Ended,
    /// The share of time in status `completed`.
    Completed,
    /// The number of outages.
    Outages,
    /// The duration of the longest outage; 0 if there was none.
    LongestOutage,
    /// The mean time from leaving `healthy` until being healthy again. Undefined for runs without a recovery.
    MeanRecovery,
    /// The number of starts of replicas that had been started before.
    Restarts,
    /// The number of restarts whose incarnation failed before it was available.
    WastedRestarts,
    /// The most concurrent starts, measured whenever a replica is restarted. First starts alone do not count.
    PeakStarts,
    /// The number of replicas that were given up by the end.
    GivenUpReplicas,
    /// The share of runs in which the set was terminated.
    GaveUp,
    /// The share of runs in which the set was terminated too early: a reference set that meets the same faults was healthy
    /// then, or became healthy within `healed_within`. The reference has as many replicas, and restarts each of them
    /// elsewhere after 10 s without limit. Where concurrent starts slow each other down, its own starts do so too.
    GaveUpTooEarly,
}

/// The unit of a [`Metric`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Unit {
    /// A share, from 0 to 1.
    Share,
    /// A count.
    Count,
    /// Seconds.
    Seconds,
}

impl Metric {
    /// All metrics, in the order of the report.
    pub const ALL: [Self; 17] = [
        Self::Availability,
        Self::Capacity,
        Self::Healthy,
        Self::Degraded,
        Self::Outage,
        Self::Pending,
        Self::Ended,
        Self::Completed,
        Self::Outages,
        Self::LongestOutage,
        Self::MeanRecovery,
        Self::Restarts,
        Self::WastedRestarts,
        Self::PeakStarts,
        Self::GivenUpReplicas,
        Self::GaveUp,
        Self::GaveUpTooEarly,
    ];

    /// Returns the unit.
    pub const fn unit(self) -> Unit {
        match self {
            Self::LongestOutage | Self::MeanRecovery => Unit::Seconds,
            Self::Outages | Self::Restarts | Self::WastedRestarts | Self::PeakStarts | Self::GivenUpReplicas => {
                Unit::Count
            }
            _ => Unit::Share,
        }
    }

    /// Returns the label that reports use.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Availability => "available (healthy or degraded)",
            Self::Capacity => "capacity (of desired)",
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Outage => "in outage",
            Self::Pending => "pending (first start)",
            Self::Ended => "terminated",
            Self::Completed => "completed",
            Self::Outages => "outages per run",
            Self::LongestOutage => "longest outage",
            Self::MeanRecovery => "mean time to recovery",
            Self::Restarts => "restarts per run",
            Self::WastedRestarts => "wasted restarts (never available)",
            Self::PeakStarts => "peak concurrent starts",
            Self::GivenUpReplicas => "replicas given up at the end",
            Self::GaveUp => "runs terminated",
            Self::GaveUpTooEarly => "runs terminated too early",
        }
    }

    /// Returns whether the value for a single run is 0 or 1.
    pub(super) const fn is_binary(self) -> bool {
        matches!(self, Self::GaveUp | Self::GaveUpTooEarly)
    }

    /// Returns the factor by which values are scaled to integers: shares are kept in parts per billion, times in
    /// milliseconds.
    pub(super) const fn scale(self) -> f64 {
        match self.unit() {
            Unit::Share => 1e9,
            Unit::Count => 1.0,
            Unit::Seconds => 1e3,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_lists_every_metric_in_the_order_of_declaration() {
        for (index, metric) in Metric::ALL.into_iter().enumerate() {
            assert_eq!(metric as usize, index);
        }
    }
}
