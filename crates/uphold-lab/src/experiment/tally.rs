//! What came of the runs so far, added up: the same size however many there are.

use std::time::Duration;

use hdrhistogram::Histogram;
use uphold::sim::Run;
use uphold::{Status, Timestamp};

use super::metric::Metric;
use super::observer::Observations;
use super::statistics::Moments;

const METRICS: usize = Metric::ALL.len();

/// A representative run is looked for among so many of the first seeds.
const MAX_CANDIDATES: u64 = 10_000;

/// The numbers of one run; `None`: it says nothing about that metric.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct RunMetrics([Option<i64>; METRICS]);

impl RunMetrics {
    pub(super) fn of(run: &Run, observations: &Observations, too_early: bool) -> Self {
        let until = run.until().since(Timestamp::ZERO);
        let share = |statuses: &[Status]| {
            let part: Duration = statuses.iter().map(|status| run.time_in(*status)).sum();
            let billionths = (part.as_nanos() * 1_000_000_000).checked_div(until.as_nanos()).unwrap_or(0);
            Some(i64::try_from(billionths).unwrap_or(1_000_000_000))
        };
        let count = |count: u64| Some(i64::try_from(count).unwrap_or(i64::MAX));
        let yes = |yes: bool| Some(if yes { 1_000_000_000 } else { 0 });
        let recoveries = u32::try_from(observations.recoveries.len()).ok().filter(|&recoveries| recoveries > 0);
        let recovered: Duration = observations.recoveries.iter().sum();
        Self(Metric::ALL.map(|metric| match metric {
            Metric::Availability => share(&[Status::Healthy, Status::Degraded]),
            Metric::Healthy => share(&[Status::Healthy]),
            Metric::Degraded => share(&[Status::Degraded]),
            Metric::Outage => share(&[Status::Outage]),
            Metric::Pending => share(&[Status::Pending]),
            Metric::Ended => share(&[Status::Terminating, Status::Terminated]),
            Metric::Completed => share(&[Status::Completed]),
            Metric::Outages => count(run.figures().outages),
            Metric::LongestOutage => Some(millis(run.figures().longest_outage)),
            Metric::MeanRecovery => recoveries.map(|recoveries| millis(recovered / recoveries)),
            Metric::Restarts => count(observations.restarts),
            Metric::WastedRestarts => count(observations.wasted_restarts),
            Metric::PeakStarts => count(observations.peak_starts.into()),
            Metric::GivenUpReplicas => count(run.set().census().given_up.into()),
            Metric::GaveUp => yes(observations.gave_up.is_some()),
            Metric::GaveUpTooEarly => yes(too_early),
        }))
    }

    fn get(&self, metric: Metric) -> Option<i64> {
        self.0[metric as usize]
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// What came of the runs of one policy.
#[derive(Clone, Debug)]
pub(super) struct Tally {
    figures: [Moments; METRICS],
    /// Less those of the first policy, seed by seed.
    differences: [Moments; METRICS],
    pub(super) recoveries: DurationHistogram,
    pub(super) unrecovered: u64,
    /// When sets were terminated.
    pub(super) gave_up: DurationHistogram,
    /// Availability and number of the seed, of the first seeds.
    candidates: Vec<(i64, u64)>,
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

    /// Adds a run under the seed of this number; `first`: what the first policy made of it.
    pub(super) fn add(&mut self, number: u64, numbers: &RunMetrics, first: &RunMetrics, observations: &Observations) {
        for metric in Metric::ALL {
            let place = metric as usize;
            if let Some(value) = numbers.get(metric) {
                self.figures[place].add(value);
                if let Some(first) = first.get(metric) {
                    self.differences[place].add(value.saturating_sub(first));
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
        if let Some(availability) = numbers.get(Metric::Availability) {
            let candidate = (availability, number);
            self.worst = Some(self.worst.map_or(candidate, |worst| worst.min(candidate)));
            if number < MAX_CANDIDATES {
                self.candidates.push(candidate);
            }
        }
    }

    pub(super) fn merge(&mut self, other: Self) {
        for (figure, more) in self.figures.iter_mut().zip(&other.figures) {
            figure.merge(more);
        }
        for (difference, more) in self.differences.iter_mut().zip(&other.differences) {
            difference.merge(more);
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

    /// The number of the seed with the median availability, and of that with the worst.
    pub(super) fn notable_seeds(&self) -> Option<(u64, u64)> {
        let mut candidates = self.candidates.clone();
        candidates.sort_unstable();
        // No seed of the first may be among those that were done, if it was stopped early.
        let (_, worst) = self.worst?;
        Some((candidates.get(candidates.len() / 2).map_or(worst, |(_, number)| *number), worst))
    }
}

/// DurationHistogram in whole milliseconds: their quantiles to three decimals, their ends exactly.
#[derive(Clone, Debug)]
pub(super) struct DurationHistogram {
    histogram: Histogram<u64>,
    min: u64,
    max: u64,
}

impl DurationHistogram {
    /// Of up to 584 years; it grows as it must.
    fn new() -> Self {
        let mut histogram = match Histogram::new(3) {
            Ok(histogram) => histogram,
            Err(_) => unreachable!("3 is a number of decimals that a histogram may have"),
        };
        histogram.auto(true);
        Self { histogram, min: u64::MAX, max: 0 }
    }

    fn add(&mut self, duration: Duration) {
        const MAX_MILLIS: u64 = 584 * 31_557_600_000;
        let millis = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).min(MAX_MILLIS);
        // It resizes itself, so that there is room.
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

    /// In seconds; `None` if there is nothing.
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
