//! Distributions of durations.

use std::f64::consts::TAU;
use std::time::Duration;

use super::draw::Draws;

/// How long something takes or lasts, drawn anew for each incarnation or occurrence.
///
/// Drawn by inverse transform (the log-normal by Box and Muller's) from hashes of the seed and of what is drawn, with
/// logarithms in software: the same on every platform. What would be longer than 584 years never happens.
///
/// In documents: `30s` or `{fixed: 30s}`; `{exponential: {mean: 1d}}`; `{weibull: {shape: 0.7, scale: 1d}}`;
/// `{log_normal: {median: 40s, sigma: 0.5}}`; `{list: [1m, 5m, 1h]}`, taken in turn and over again; `never`.
///
/// ```
/// use std::time::Duration;
/// use uphold_lab::fault::Distribution;
///
/// let to_failure = Distribution::exponential(Duration::from_secs(86_400))?;
/// let to_load = Distribution::log_normal(Duration::from_secs(120), 0.3)?;
/// assert!(Distribution::weibull(f64::NAN, Duration::from_secs(1)).is_err());
/// # let _ = (to_failure, to_load);
/// # Ok::<(), uphold_lab::fault::DistributionError>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Distribution(Shape);

/// Durations are in nanoseconds.
#[derive(Clone, PartialEq, Debug)]
enum Shape {
    Never,
    Fixed(u64),
    Exponential { mean: f64 },
    Weibull { inverse_shape: f64, scale: f64 },
    LogNormal { median: f64, sigma: f64 },
    List(Box<[u64]>),
}

/// What is wrong with the parameters of a [`Distribution`].
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DistributionError {
    /// The typical duration is no time at all.
    #[error("{0} is no time at all; it must be longer than 0s")]
    NoTime(&'static str),
    /// The shape of a Weibull distribution is out of range.
    #[error(
        "{0:?} is out of range: 0.05 to 100 (below 1: failures early in life; 1: at any age alike; above 1: with age)"
    )]
    Shape(f64),
    /// The width of a log-normal distribution is out of range.
    #[error("{0:?} is out of range: 0 to 10 (0: always the median; 0.5: two of three within a factor of 1.65)")]
    Sigma(f64),
    /// A list with nothing in it.
    #[error("is empty; give at least one duration, or 'never'")]
    Empty,
}

impl Distribution {
    /// It does not happen.
    pub const fn never() -> Self {
        Self(Shape::Never)
    }

    /// Always the same.
    pub fn fixed(duration: Duration) -> Self {
        Self(Shape::Fixed(nanos(duration)))
    }

    /// As likely at any age: the mean must be longer than 0.
    ///
    /// # Errors
    /// The mean is 0.
    pub fn exponential(mean: Duration) -> Result<Self, DistributionError> {
        Ok(Self(Shape::Exponential { mean: some_time("mean", mean)? }))
    }

    /// Rarer (`shape` above 1) or likelier (below 1) early in life than late. `shape` is from 0.05 to 100; 63 % are
    /// shorter than `scale`, which must be longer than 0.
    ///
    /// # Errors
    /// A parameter is out of range.
    pub fn weibull(shape: f64, scale: Duration) -> Result<Self, DistributionError> {
        if !(0.05..=100.0).contains(&shape) {
            return Err(DistributionError::Shape(shape));
        }
        Ok(Self(Shape::Weibull { inverse_shape: 1.0 / shape, scale: some_time("scale", scale)? }))
    }

    /// A typical value with a long tail: half are shorter than `median`, which must be longer than 0, and two of three
    /// within a factor of e to the power of `sigma`, which is from 0 to 10.
    ///
    /// # Errors
    /// A parameter is out of range.
    pub fn log_normal(median: Duration, sigma: f64) -> Result<Self, DistributionError> {
        if !(0.0..=10.0).contains(&sigma) {
            return Err(DistributionError::Sigma(sigma));
        }
        Ok(Self(Shape::LogNormal { median: some_time("median", median)?, sigma }))
    }

    /// These in turn, and over again: the first for the first incarnation or occurrence.
    ///
    /// # Errors
    /// There is none.
    pub fn list(durations: impl IntoIterator<Item = Duration>) -> Result<Self, DistributionError> {
        let list: Box<[u64]> = durations.into_iter().map(nanos).collect();
        if list.is_empty() { Err(DistributionError::Empty) } else { Ok(Self(Shape::List(list))) }
    }

    /// Whether it never happens.
    pub fn is_never(&self) -> bool {
        self.0 == Shape::Never
    }

    /// The draw for occurrence `index`, from 0, in nanoseconds; `None`: never.
    pub(super) fn draw(&self, draws: Draws, index: u64) -> Option<u64> {
        let drawn = match &self.0 {
            Shape::Never => return None,
            Shape::Fixed(nanos) => *nanos,
            Shape::List(list) => list[(index % list.len() as u64) as usize],
            Shape::Exponential { mean } => whole(-mean * libm::log(draws.of(index).uniform())),
            Shape::Weibull { inverse_shape, scale } => {
                whole(scale * libm::pow(-libm::log(draws.of(index).uniform()), *inverse_shape))
            }
            Shape::LogNormal { median, sigma } => {
                let draws = draws.of(index);
                let radius = libm::sqrt(-2.0 * libm::log(draws.of(0).uniform()));
                let normal = radius * libm::cos(TAU * draws.of(1).uniform());
                whole(median * libm::exp(sigma * normal))
            }
        };
        (drawn < u64::MAX).then_some(drawn)
    }
}

impl From<Duration> for Distribution {
    fn from(duration: Duration) -> Self {
        Self::fixed(duration)
    }
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn some_time(what: &'static str, duration: Duration) -> Result<f64, DistributionError> {
    if duration.is_zero() { Err(DistributionError::NoTime(what)) } else { Ok(nanos(duration) as f64) }
}

/// Whole nanoseconds; what is too long for them saturates.
fn whole(nanos: f64) -> u64 {
    nanos as u64
}

#[cfg(test)]
mod tests {
    use super::super::draw::Kind;
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn draws() -> Draws {
        Draws::new(7, Kind::Failure, 0).of(3)
    }

    fn some(distribution: &Distribution, count: u64) -> Vec<u64> {
        (0..count).filter_map(|index| distribution.draw(draws(), index)).collect()
    }

    #[test]
    fn draws_are_the_same_on_every_platform_and_in_every_release() {
        let exponential = Distribution::exponential(DAY).unwrap();
        let weibull = Distribution::weibull(0.7, DAY).unwrap();
        let log_normal = Distribution::log_normal(DAY, 0.5).unwrap();
        let drawn = [exponential, weibull, log_normal].map(|distribution| some(&distribution, 3));
        assert_eq!(drawn, GOLDEN);
    }

    const GOLDEN: [[u64; 3]; 3] = [
        [17_764_730_610_814, 1_746_096_190_005, 2_554_626_394_053],
        [9_018_811_097_035, 328_002_536_956, 564_887_308_499],
        [99_083_406_142_360, 97_737_348_221_844, 44_866_142_101_503],
    ];

    /// The share of draws below `limit`, in parts per thousand.
    fn share_below(distribution: &Distribution, limit: Duration) -> u64 {
        let limit = nanos(limit);
        some(distribution, 20_000).into_iter().filter(|&draw| draw < limit).count() as u64 / 20
    }

    #[test]
    fn each_has_the_quantiles_of_its_name() {
        let exponential = Distribution::exponential(DAY).unwrap();
        assert!((622..=642).contains(&share_below(&exponential, DAY))); // 1 - 1/e
        assert!((383..=403).contains(&share_below(&exponential, DAY / 2))); // 1 - e^-0.5
        let weibull = Distribution::weibull(2.0, DAY).unwrap();
        assert!((622..=642).contains(&share_below(&weibull, DAY)));
        assert!((211..=231).contains(&share_below(&weibull, DAY / 2))); // 1 - e^-0.25
        let log_normal = Distribution::log_normal(DAY, 0.5).unwrap();
        assert!((490..=510).contains(&share_below(&log_normal, DAY)));
        assert!((831..=851).contains(&share_below(&log_normal, DAY.mul_f64(1.648_721)))); // one sigma
    }

    #[test]
    fn a_list_is_taken_in_turn_and_over_again() {
        let list = Distribution::list([1, 2, 3].map(Duration::from_nanos)).unwrap();
        assert_eq!(some(&list, 5), [1, 2, 3, 1, 2]);
        assert_eq!(Distribution::list([]), Err(DistributionError::Empty));
    }

    #[test]
    fn what_never_happens_or_only_after_all_time_is_none() {
        assert_eq!(Distribution::never().draw(draws(), 0), None);
        assert_eq!(Distribution::fixed(Duration::MAX).draw(draws(), 0), None);
        let wide = Distribution::log_normal(Duration::from_secs(u64::MAX), 10.0).unwrap();
        let steep = Distribution::weibull(0.05, Duration::MAX).unwrap();
        for index in 0..1000 {
            let _ = (wide.draw(draws(), index), steep.draw(draws(), index));
        }
    }

    #[test]
    fn parameters_that_mean_nothing_are_refused() {
        assert!(Distribution::exponential(Duration::ZERO).is_err());
        for shape in [f64::NAN, f64::INFINITY, -1.0, 0.0, 0.04, 101.0] {
            assert!(Distribution::weibull(shape, DAY).is_err(), "{shape}");
        }
        for sigma in [f64::NAN, f64::INFINITY, -0.1, 11.0] {
            assert!(Distribution::log_normal(DAY, sigma).is_err(), "{sigma}");
        }
        assert!(Distribution::weibull(1.0, Duration::ZERO).is_err());
        assert!(Distribution::log_normal(Duration::ZERO, 1.0).is_err());
    }
}
