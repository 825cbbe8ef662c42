//! Means over runs with confidence intervals, and paired comparisons.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::metric::{Metric, Unit};

/// Count, sum and sum of squares of integer samples. Integer sums are exact, so the order in which threads add samples
/// does not matter.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Moments {
    count: u64,
    sum: i128,
    squares: u128,
}

impl Moments {
    pub(super) fn add(&mut self, value: i64) {
        self.count += 1;
        self.sum += i128::from(value);
        self.squares = self.squares.saturating_add(u128::from(value.unsigned_abs()).pow(2));
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.squares = self.squares.saturating_add(other.squares);
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn mean(&self) -> f64 {
        if self.count == 0 { 0.0 } else { self.sum as f64 / self.count as f64 }
    }

    /// Returns the sample variance; 0 with fewer than two samples.
    fn variance(&self) -> f64 {
        if self.count < 2 {
            return 0.0;
        }
        let n = u128::from(self.count);
        let sum = self.sum.unsigned_abs();
        // In integers where they do not overflow: in floating point, a variance that is small compared with the mean
        // cancels out.
        let squared_deviations = match (self.squares.checked_mul(n), sum.checked_mul(sum)) {
            (Some(squares), Some(square)) => squares.saturating_sub(square) as f64,
            _ => (self.squares as f64 * n as f64 - (sum as f64) * (sum as f64)).max(0.0),
        };
        squared_deviations / (n as f64 * (n - 1) as f64)
    }

    /// Returns half the width of the 95 % confidence interval of the mean, by Student's t. `None` with fewer than two
    /// samples.
    fn half_width(&self) -> Option<f64> {
        if self.count < 2 {
            return None;
        }
        let standard_error = libm::sqrt(self.variance() / self.count as f64);
        let t = StudentsT::new(0.0, 1.0, (self.count - 1) as f64).ok()?.inverse_cdf(0.975);
        Some(t * standard_error)
    }
}

/// The mean of a metric over the runs, with its 95 % confidence interval.
///
/// The interval is Student's t; for shares of runs it is the Wilson score interval, which does not call "none in 100"
/// certain. Both are approximations: use more seeds than about 20, and more still if rare runs dominate the mean.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct Estimate {
    /// The mean. Shares are from 0 to 1, times in seconds.
    pub mean: f64,
    /// The confidence interval; `None` with fewer than two runs.
    pub interval: Option<ConfidenceInterval>,
    /// The number of runs in which the metric is defined.
    pub runs: u64,
}

/// A 95 % confidence interval, in the unit of the metric.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct ConfidenceInterval {
    /// The lower bound.
    pub low: f64,
    /// The upper bound.
    pub high: f64,
}

/// A paired comparison of a policy with the first one of the experiment: the mean over the seeds of this policy's value
/// less that of the first.
///
/// Both policies meet the same faults under one seed, so the interval is much narrower than that of a difference of two
/// independent means. It is Student's t on the differences. Of twenty comparisons of identical policies, about one is
/// significant by chance.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct PairedDifference {
    /// The mean difference, in the unit of the metric.
    pub mean: f64,
    /// The confidence interval; `None` with fewer than two runs, or with a few that all differ by the same amount.
    pub interval: Option<ConfidenceInterval>,
    /// The number of seeds for which the metric is defined under both policies.
    pub runs: u64,
    /// Whether the difference is significant, and its direction.
    pub compared: Comparison,
}

/// Whether a difference is significant at the 95 % level, and its direction.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Comparison {
    /// Significantly lower than under the first policy.
    Lower,
    /// Significantly higher than under the first policy.
    Higher,
    /// Not significant: the confidence interval contains 0, or there are too few runs for one.
    NotSignificant,
    /// Equal in every run.
    Same,
}

impl Comparison {
    /// Returns whether the difference is significant.
    pub const fn is_significant(self) -> bool {
        matches!(self, Self::Lower | Self::Higher)
    }

    /// Returns the words that reports use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lower => "lower",
            Self::Higher => "higher",
            Self::NotSignificant => "not significant",
            Self::Same => "the same",
        }
    }
}

impl std::fmt::Display for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// With fewer runs, equal differences do not count as significant: by chance, five of five coins show heads once in 32
/// throws.
const MIN_IDENTICAL_RUNS: u64 = 6;

/// The 97.5 % quantile of the standard normal distribution.
const NORMAL_QUANTILE: f64 = 1.959_963_984_540_054;

impl Estimate {
    pub(super) fn of(moments: &Moments, metric: Metric) -> Self {
        let scale = metric.scale();
        let mean = moments.mean() / scale;
        let interval = if metric.is_binary() {
            wilson(mean, moments.count)
        } else {
            let max = if metric.unit() == Unit::Share { 1.0 } else { f64::INFINITY };
            let interval = |half: f64| ConfidenceInterval { low: (mean - half).max(0.0), high: (mean + half).min(max) };
            moments.half_width().map(|half| half / scale).map(interval)
        };
        Self { mean, interval, runs: moments.count }
    }
}

/// Returns the Wilson score interval of a share of `count` runs.
fn wilson(share: f64, count: u64) -> Option<ConfidenceInterval> {
    if count == 0 {
        return None;
    }
    let n = count as f64;
    let z2 = NORMAL_QUANTILE * NORMAL_QUANTILE;
    let centre = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = NORMAL_QUANTILE / (1.0 + z2 / n) * libm::sqrt(share * (1.0 - share) / n + z2 / (4.0 * n * n));
    // At 0 and 1 the bound is exact; set it so, without rounding errors.
    let low = if share <= 0.0 { 0.0 } else { (centre - half).max(0.0) };
    let high = if share >= 1.0 { 1.0 } else { (centre + half).min(1.0) };
    Some(ConfidenceInterval { low, high })
}

impl PairedDifference {
    pub(super) fn of(moments: &Moments, metric: Metric) -> Self {
        let scale = metric.scale();
        let mean = moments.mean() / scale;
        let max = if metric.unit() == Unit::Share { 1.0 } else { f64::INFINITY };
        let interval = |half: f64| ConfidenceInterval { low: (mean - half).max(-max), high: (mean + half).min(max) };
        let too_few_equal = moments.variance() == 0.0 && moments.count < MIN_IDENTICAL_RUNS;
        let interval = moments.half_width().filter(|_| !too_few_equal).map(|half| half / scale).map(interval);
        let compared = match interval {
            _ if moments.sum == 0 && moments.squares == 0 => Comparison::Same,
            Some(interval) if interval.high < 0.0 => Comparison::Lower,
            Some(interval) if interval.low > 0.0 => Comparison::Higher,
            _ => Comparison::NotSignificant,
        };
        Self { mean, interval, runs: moments.count, compared }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(values: &[i64]) -> Moments {
        let mut moments = Moments::default();
        values.iter().for_each(|value| moments.add(*value));
        moments
    }

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-3 * b.abs().max(1e-9)
    }

    #[test]
    fn the_interval_is_students_t() {
        // Five values, mean 3, sample standard deviation 1.581, t(4) = 2.776: 3 +- 1.963.
        let estimate = Estimate::of(&moments(&[1, 2, 3, 4, 5]), Metric::Restarts);
        let interval = estimate.interval.unwrap();
        assert!(close(interval.low, 1.037) && close(interval.high, 4.963), "{interval:?}");
        assert!(Estimate::of(&moments(&[1]), Metric::Restarts).interval.is_none());
    }

    #[test]
    fn a_small_variance_of_large_values_does_not_cancel_out() {
        let base = 999_999_999_999_999;
        assert!(close(moments(&[base, base + 1, base + 2]).variance(), 1.0));
    }

    #[test]
    fn the_largest_values_do_not_overflow() {
        let mut all = moments(&[i64::MIN, i64::MAX, i64::MIN]);
        all.merge(&all.clone());
        assert!(Estimate::of(&all, Metric::Restarts).interval.is_some());
    }

    #[test]
    fn none_in_a_hundred_is_not_certain() {
        let interval = Estimate::of(&moments(&[0; 100]), Metric::GaveUp).interval.unwrap();
        assert!(interval.low == 0.0 && close(interval.high, 0.03699), "{interval:?}");
        let all = Estimate::of(&moments(&[1_000_000_000; 100]), Metric::GaveUp);
        assert!(all.mean == 1.0 && all.interval.unwrap().low < 0.97);
    }

    #[test]
    fn a_difference_is_significant_if_its_interval_excludes_0() {
        let of = |values: &[i64]| PairedDifference::of(&moments(values), Metric::Restarts).compared;
        assert_eq!(of(&[-5, -6, -4, -5]), Comparison::Lower);
        assert_eq!(of(&[5, 6, 4, 5]), Comparison::Higher);
        assert_eq!(of(&[-5, 6, -4, 5]), Comparison::NotSignificant);
        assert_eq!(of(&[0, 0, 0]), Comparison::Same);
        assert_eq!(of(&[5]), Comparison::NotSignificant);
    }

    #[test]
    fn the_interval_contains_the_true_mean_in_95_of_100_experiments() {
        let mut state = 7u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as i64 % 1000
        };
        let contains_mean = |values: &[i64]| {
            let interval = Estimate::of(&moments(values), Metric::Restarts).interval.unwrap();
            interval.low <= 499.5 && 499.5 <= interval.high
        };
        let contained = (0..2000).filter(|_| contains_mean(&std::array::from_fn::<i64, 20, _>(|_| draw()))).count();
        assert!((1870..=1930).contains(&contained), "{contained} of 2000");
    }

    #[test]
    fn the_order_of_adding_does_not_matter() {
        let (mut one, two) = (moments(&[1, 5, 9]), moments(&[-3, 7]));
        one.merge(&two);
        assert_eq!(one, moments(&[7, 9, -3, 1, 5]));
    }
}
