//! Means over runs, and how sure they are.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

use super::metric::{Metric, Unit};

/// Sums of whole numbers: exact, so that the order in which threads add does not matter.
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

    /// The variance of the values, as of a sample; 0 for one.
    fn variance(&self) -> f64 {
        if self.count < 2 {
            return 0.0;
        }
        let n = u128::from(self.count);
        let sum = self.sum.unsigned_abs();
        // Exact where it fits: values that differ little from each other are not lost beside their mean.
        let spread = match (self.squares.checked_mul(n), sum.checked_mul(sum)) {
            (Some(squares), Some(square)) => squares.saturating_sub(square) as f64,
            _ => (self.squares as f64 * n as f64 - (sum as f64) * (sum as f64)).max(0.0),
        };
        spread / (n as f64 * (n - 1) as f64)
    }

    /// Half of the width of the 95 % interval about the mean: Student's t. `None` for fewer than two.
    fn half_width(&self) -> Option<f64> {
        if self.count < 2 {
            return None;
        }
        let error = libm::sqrt(self.variance() / self.count as f64);
        let t = StudentsT::new(0.0, 1.0, (self.count - 1) as f64).ok()?.inverse_cdf(0.975);
        Some(t * error)
    }
}

/// A mean over the runs, with the interval in which the true mean lies in 95 of 100 experiments.
///
/// By Student's t; for shares of runs by Wilson's score, which does not call "none in 100" certain. Both are
/// approximations: with fewer than about 20 seeds, or where one run in a hundred makes the difference, take more seeds.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct Estimate {
    /// Shares are from 0 to 1, times in seconds.
    pub mean: f64,
    /// `None` with fewer than two runs.
    pub interval: Option<ConfidenceInterval>,
    /// How many runs say something about it.
    pub runs: u64,
}

/// An interval of 95 % confidence.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct ConfidenceInterval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

/// By how much a policy differs from the first of the experiment, seed by seed: this policy's number less that of the
/// first.
///
/// Both went through the same faults, so that the difference is much surer than that of two means. The interval is
/// Student's t on the differences. Of twenty comparisons of policies that are alike, one is told apart by chance.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct PairedDifference {
    /// The mean difference, in the unit of the metric.
    pub mean: f64,
    /// `None` with fewer than two runs.
    pub interval: Option<ConfidenceInterval>,
    /// How many seeds say something about it.
    pub runs: u64,
    /// What it comes to.
    pub compared: Comparison,
}

/// What a difference comes to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Comparison {
    /// Lower than the first policy's, by more than chance explains.
    Lower,
    /// Higher than the first policy's, by more than chance explains.
    Higher,
    /// Chance explains it: the interval holds 0.
    NotSignificant,
    /// The same in every run.
    Same,
}

impl Comparison {
    /// Whether it is more than chance explains.
    pub const fn is_significant(self) -> bool {
        matches!(self, Self::Lower | Self::Higher)
    }

    /// The word that reports use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Lower => "lower",
            Self::Higher => "higher",
            Self::NotSignificant => "not told apart",
            Self::Same => "the same",
        }
    }
}

impl std::fmt::Display for Comparison {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// With fewer runs that are all alike nothing is told apart: of five coins one in 32 throws shows five heads.
const MIN_IDENTICAL_RUNS: u64 = 6;

/// The 97.5 % quantile of the normal distribution.
const NORMAL_QUANTILE: f64 = 1.959_963_984_540_054;

impl Estimate {
    pub(super) fn of(moments: &Moments, metric: Metric) -> Self {
        let scale = metric.scale();
        let mean = moments.mean() / scale;
        let interval = if metric.is_binary() {
            wilson(mean, moments.count)
        } else {
            let most = if metric.unit() == Unit::Share { 1.0 } else { f64::INFINITY };
            let interval =
                |half: f64| ConfidenceInterval { low: (mean - half).max(0.0), high: (mean + half).min(most) };
            moments.half_width().map(|half| half / scale).map(interval)
        };
        Self { mean, interval, runs: moments.count }
    }
}

/// Wilson's score interval of a share of `count` runs.
fn wilson(share: f64, count: u64) -> Option<ConfidenceInterval> {
    if count == 0 {
        return None;
    }
    let n = count as f64;
    let z2 = NORMAL_QUANTILE * NORMAL_QUANTILE;
    let middle = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = NORMAL_QUANTILE / (1.0 + z2 / n) * libm::sqrt(share * (1.0 - share) / n + z2 / (4.0 * n * n));
    // At the ends it is exact, but for rounding.
    let low = if share <= 0.0 { 0.0 } else { (middle - half).max(0.0) };
    let high = if share >= 1.0 { 1.0 } else { (middle + half).min(1.0) };
    Some(ConfidenceInterval { low, high })
}

impl PairedDifference {
    pub(super) fn of(moments: &Moments, metric: Metric) -> Self {
        let scale = metric.scale();
        let mean = moments.mean() / scale;
        let most = if metric.unit() == Unit::Share { 1.0 } else { f64::INFINITY };
        let interval = |half: f64| ConfidenceInterval { low: (mean - half).max(-most), high: (mean + half).min(most) };
        // A few runs that happen to differ by the same say nothing of how much others would.
        let alike = moments.variance() == 0.0 && moments.count < MIN_IDENTICAL_RUNS;
        let interval = moments.half_width().filter(|_| !alike).map(|half| half / scale).map(interval);
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

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() <= 1e-3 * b.abs().max(1e-9)
    }

    #[test]
    fn the_interval_is_that_of_students_t() {
        // Five values, mean 3, sample deviation 1.581, t(4) = 2.776: 3 +- 1.963.
        let estimate = Estimate::of(&moments(&[1, 2, 3, 4, 5]), Metric::Restarts);
        let interval = estimate.interval.unwrap();
        assert!(near(interval.low, 1.037) && near(interval.high, 4.963), "{interval:?}");
        assert!(Estimate::of(&moments(&[1]), Metric::Restarts).interval.is_none());
    }

    #[test]
    fn values_that_differ_little_from_each_other_keep_their_spread() {
        // A naive sum of squares in floating point loses all of it.
        let base = 999_999_999_999_999;
        assert!(near(moments(&[base, base + 1, base + 2]).variance(), 1.0));
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
        assert!(interval.low == 0.0 && near(interval.high, 0.03699), "{interval:?}");
        let all = Estimate::of(&moments(&[1_000_000_000; 100]), Metric::GaveUp);
        assert!(all.mean == 1.0 && all.interval.unwrap().low < 0.97);
    }

    #[test]
    fn a_difference_says_whether_chance_explains_it() {
        let of = |values: &[i64]| PairedDifference::of(&moments(values), Metric::Restarts).compared;
        assert_eq!(of(&[-5, -6, -4, -5]), Comparison::Lower);
        assert_eq!(of(&[5, 6, 4, 5]), Comparison::Higher);
        assert_eq!(of(&[-5, 6, -4, 5]), Comparison::NotSignificant);
        assert_eq!(of(&[0, 0, 0]), Comparison::Same);
        assert_eq!(of(&[5]), Comparison::NotSignificant);
    }

    #[test]
    fn in_95_of_100_experiments_the_interval_holds_the_true_mean() {
        let mut state = 7u64;
        let mut draw = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as i64 % 1000
        };
        let holds = |values: &[i64]| {
            let interval = Estimate::of(&moments(values), Metric::Restarts).interval.unwrap();
            interval.low <= 499.5 && 499.5 <= interval.high
        };
        let held = (0..2000).filter(|_| holds(&std::array::from_fn::<i64, 20, _>(|_| draw()))).count();
        assert!((1870..=1930).contains(&held), "{held} of 2000");
    }

    #[test]
    fn the_order_of_adding_does_not_matter() {
        let (mut one, two) = (moments(&[1, 5, 9]), moments(&[-3, 7]));
        one.merge(&two);
        assert_eq!(one, moments(&[7, 9, -3, 1, 5]));
    }
}
