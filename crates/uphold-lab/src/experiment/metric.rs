//! What is measured of each run.

use serde::Serialize;

/// What is measured of each run of a policy through one history.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Metric {
    /// The share of time in which enough replicas were available: healthy or degraded.
    Availability,
    /// The share of time in which the set was healthy.
    Healthy,
    /// The share of time in which it was degraded.
    Degraded,
    /// The share of time in which it was in outage.
    Outage,
    /// The share of time in which it was coming up for the first time.
    Pending,
    /// The share of time in which it was terminating or terminated.
    Ended,
    /// The share of time in which all had done its work.
    Completed,
    /// The number of outages.
    Outages,
    /// The longest outage; 0 if there was none.
    LongestOutage,
    /// From leaving healthy until healthy again, on average in one run; of runs that had to recover.
    MeanRecovery,
    /// Starts of replicas that had been started before.
    Restarts,
    /// Restarts that achieved nothing: the incarnation failed before its replica was available.
    WastedRestarts,
    /// The most starts that were under way at once when a replica was restarted; first starts alone do not count.
    PeakStarts,
    /// Replicas that were given up at the end.
    GivenUpReplicas,
    /// The share of runs in which the set was terminated.
    GaveUp,
    /// The share of runs in which the set was terminated too early: a reference that goes through the same faults was
    /// healthy then, or was so again within `healed_within`. The reference restarts every replica elsewhere after 10 s,
    /// for ever, and has as many replicas. Where starts slow each other, it may do so itself.
    GaveUpTooEarly,
}

/// What a number of a [`Metric`] counts.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Unit {
    /// A share, 0 to 1.
    Share,
    /// A number of things.
    Count,
    /// Seconds.
    Seconds,
}

impl Metric {
    /// All of them, in the order of the report.
    pub const ALL: [Self; 16] = [
        Self::Availability,
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

    /// What its numbers count.
    pub const fn unit(self) -> Unit {
        match self {
            Self::LongestOutage | Self::MeanRecovery => Unit::Seconds,
            Self::Outages | Self::Restarts | Self::WastedRestarts | Self::PeakStarts | Self::GivenUpReplicas => {
                Unit::Count
            }
            _ => Unit::Share,
        }
    }

    /// A few words for people.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Availability => "available (healthy or degraded)",
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Outage => "in outage",
            Self::Pending => "coming up at first",
            Self::Ended => "terminated",
            Self::Completed => "completed",
            Self::Outages => "outages in a run",
            Self::LongestOutage => "longest outage of a run",
            Self::MeanRecovery => "time to recover, mean of a run",
            Self::Restarts => "restarts in a run",
            Self::WastedRestarts => "of these, achieved nothing",
            Self::PeakStarts => "most starts at once",
            Self::GivenUpReplicas => "replicas given up at the end",
            Self::GaveUp => "runs in which the set was terminated",
            Self::GaveUpTooEarly => "of all runs, terminated too early",
        }
    }

    /// Whether each run says only yes or no.
    pub(super) const fn is_binary(self) -> bool {
        matches!(self, Self::GaveUp | Self::GaveUpTooEarly)
    }

    /// What a whole number in a tally is divided by: shares are counted in parts per billion, times in milliseconds.
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
    fn every_metric_stands_in_its_place() {
        for (place, metric) in Metric::ALL.into_iter().enumerate() {
            assert_eq!(metric as usize, place);
        }
    }
}
