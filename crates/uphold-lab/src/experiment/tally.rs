//! Accumulates the metrics of runs. The memory it uses does not grow with the number of runs, except for a bounded list
//! of candidates for a typical run.

use std::time::Duration;

use hdrhistogram::Histogram;
use uphold::sim::{Run, RunStats};
use uphold::{Status, Timestamp};

use super::metric::Metric;
use super::observations::Observations;
use super::statistics::Moments;

const METRICS: usize = Metric::ALL.len();

/// The typical run is chosen among this many of the first seeds.
const MAX_CANDIDATES: u64 = 10_000;

/// The metrics of one run, scaled to integers by [`Metric::scale`]. `None`: the metric is not defined for this run.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct RunMetrics([Option<i64>; METRICS]);

impl RunMetrics {
    pub(super) fn new(run: &Run, observations: &Observations, too_early: bool) -> Self {
        let until = run.until().since(Timestamp::ZERO);
        let share = |statuses: &[Status]| {
            let time: Duration = statuses.iter().map(|status| run.time_in(*status)).sum();
            let billionths = (time.as_nanos() * 1_000_000_000).checked_div(until.as_nanos()).unwrap_or(0);
            Some(i64::try_from(billionths).unwrap_or(1_000_000_000))
        };
        let count = |count: u64| Some(i64::try_from(count).unwrap_or(i64::MAX));
        let binary = |yes: bool| Some(if yes { 1_000_000_000 } else { 0 });
        let recoveries = u32::try_from(observations.recoveries.len()).ok().filter(|&recoveries| recoveries > 0);
        let recovered: Duration = observations.recoveries.iter().sum();
        Self(Metric::ALL.map(|metric| match metric {
            Metric::Availability => share(&[Status::Healthy, Status::Degraded]),
            Metric::Capacity => capacity(run.stats()),
            Metric::Healthy => share(&[Status::Healthy]),
            Metric::Degraded => share(&[Status::Degraded]),
            Metric::Outage => share(&[Status::Outage]),
            Metric::Pending => share(&[Status::Pending]),
            Metric::Ended => share(&[Status::Terminating, Status::Terminated]),
            Metric::Completed => share(&[Status::Completed]),
            Metric::Outages => count(run.stats().outages),
            Metric::LongestOutage => Some(millis(run.stats().longest_outage)),
            Metric::MeanRecovery => recoveries.map(|recoveries| millis(recovered / recoveries)),
            Metric::Restarts => count(observations.restarts),
            Metric::WastedRestarts => count(observations.wasted_restarts),
            Metric::PeakStarts => count(observations.peak_starts.into()),
            Metric::GivenUpReplicas => count(run.set().census().given_up.into()),
            Metric::GaveUp => binary(observations.gave_up.is_some()),
            Metric::GaveUpTooEarly => binary(too_early),
        }))
    }

    fn get(&self, metric: Metric) -> Option<i64> {
        self.0[metric as usize]
    }
}

/// Returns the share of the desired replica-time that was served, in parts per billion; `None` if none was desired.
fn capacity(stats: &RunStats) -> Option<i64> {
    let share = (stats.served.as_nanos() * 1_000_000_000).checked_div(stats.desired.as_nanos())?;
    Some(i64::try_from(share).unwrap_or(1_000_000_000))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// The accumulated runs of one policy.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    figures: [Moments; METRICS],
    /// The differences from the first policy, seed by seed.
    differences: [Moments; METRICS],
    pub(super) recoveries: DurationHistogram,
    pub(super) unrecovered: u64,
    /// The times at which sets were terminated.
    pub(super) gave_up: DurationHistogram,
    /// Availability and index of the seed, for the first seeds.
    candidates: Vec<(i64, u64)>,
    /// Lowest availability, and index of the seed.
    worst: Option<(i64, u64)>,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self {
            figures: [Moments::default(); METRICS],
            differences: [Moments::default(); METRICS],
            recoveries: DurationHistogram::new(),
            unrecovered: 0,
            gave_up: DurationHistogram::new(),
            candidates: Vec::new(),
            worst: None,
        }
    }

    /// Adds a run. `index`: that of the seed. `first`: the metrics of the first policy under the same seed.
    pub(super) fn add(&mut self, index: u64, metrics: &RunMetrics, first: &RunMetrics, observations: &Observations) {
        for metric in Metric::ALL {
            if let Some(value) = metrics.get(metric) {
                self.figures[metric as usize].add(value);
                if let Some(first) = first.get(metric) {
                    self.differences[metric as usize].add(value.saturating_sub(first));
                }
            }
        }
        for recovery in &observations.recoveries {
            self.recoveries.add(*recovery);
        }
        self.unrecovered += u64::from(observations.unrecovered);
        if let Some(at) = observations.gave_up {
            self.gave_up.add(at.since(Timestamp::ZERO));
        }
        if let Some(availability) = metrics.get(Metric::Availability) {
            let candidate = (availability, index);
            self.worst = Some(self.worst.map_or(candidate, |worst| worst.min(candidate)));
            if index < MAX_CANDIDATES {
                self.candidates.push(candidate);
            }
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (figure, other) in self.figures.iter_mut().zip(&other.figures) {
            figure.merge(other);
        }
        for (difference, other) in self.differences.iter_mut().zip(&other.differences) {
            difference.merge(other);
        }
        self.recoveries.merge(&other.recoveries);
        self.unrecovered += other.unrecovered;
        self.gave_up.merge(&other.gave_up);
        self.candidates.extend(other.candidates);
        self.worst = [self.worst, other.worst].into_iter().flatten().min();
    }

    pub(super) fn figure(&self, metric: Metric) -> &Moments {
        &self.figures[metric as usize]
    }

    pub(super) fn difference(&self, metric: Metric) -> &Moments {
        &self.differences[metric as usize]
    }

    /// Returns the indices of the seeds with the median and with the lowest availability.
    pub(super) fn typical_and_worst(&self) -> Option<(u64, u64)> {
        let mut candidates = self.candidates.clone();
        candidates.sort_unstable();
        let (_, worst) = self.worst?;
        // If the experiment was stopped early, perhaps none of the first seeds is complete.
        let typical = candidates.get(candidates.len() / 2).map_or(worst, |(_, index)| *index);
        Some((typical, worst))
    }
}

/// A histogram of durations in milliseconds. Minimum and maximum are exact; other quantiles have three significant
/// digits.
#[derive(Clone, Debug)]
pub(super) struct DurationHistogram {
    histogram: Histogram<u64>,
    min: u64,
    max: u64,
}

impl DurationHistogram {
    fn new() -> Self {
        let mut histogram = match Histogram::new(3) {
            Ok(histogram) => histogram,
            Err(_) => unreachable!("a histogram accepts 3 significant digits"),
        };
        histogram.auto(true);
        Self { histogram, min: u64::MAX, max: 0 }
    }

    fn add(&mut self, duration: Duration) {
        const MAX_MILLIS: u64 = 584 * 31_557_600_000; // 584 years
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).min(MAX_MILLIS);
        // Fails only for values out of range, and the histogram resizes itself.
        let _ = self.histogram.record(millis);
        self.min = self.min.min(millis);
        self.max = self.max.max(millis);
    }

    fn merge(&mut self, other: &Self) {
        let _ = self.histogram.add(&other.histogram);
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    pub(super) fn len(&self) -> u64 {
        self.histogram.len()
    }

    /// Returns a quantile in seconds; `None` if the histogram is empty.
    pub(super) fn quantile(&self, quantile: f64) -> Option<f64> {
        if self.histogram.is_empty() {
            return None;
        }
        let value = match quantile {
            quantile if quantile <= 0.0 => self.min,
            quantile if quantile >= 1.0 => self.max,
            quantile => self.histogram.value_at_quantile(quantile).clamp(self.min, self.max),
        };
        Some(value as f64 / 1e3)
    }
}
