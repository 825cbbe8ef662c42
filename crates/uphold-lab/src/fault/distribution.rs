//! Probability distributions of durations.

use std::f64::consts::TAU;
use std::fmt;
use std::time::Duration;

use super::random::RandomStream;
use crate::format_duration::format_duration;

/// The probability distribution of a duration, sampled once per incarnation or occurrence.
///
/// Samples are computed by inverse transform (the log-normal by the Box-Muller transform) from hashes of the seed and
/// the sample's key, with logarithms in software: the same on every platform. A sample longer than 584 years means
/// "never".
///
/// In documents, and as `Display` writes it: `30s` or `{fixed: 30s}`; `{exponential: {mean: 1d}}`; `{weibull: {shape: 0.7, scale: 1d}}`;
/// `{log_normal: {median: 40s, sigma: 0.5}}`; `{list: [1m, 5m, 1h]}`, used in order and repeated; `never`.
///
/// ```
/// use std::time::Duration;
/// use uphold_lab::fault::Distribution;
///
/// let time_to_failure = Distribution::exponential(Duration::from_secs(86_400))?;
/// let load_time = Distribution::log_normal(Duration::from_secs(120), 0.3)?;
/// assert!(Distribution::weibull(f64::NAN, Duration::from_secs(1)).is_err());
/// assert_eq!(time_to_failure.to_string(), "{exponential: {mean: 1d}}");
/// assert_eq!(load_time.to_string(), "{log_normal: {median: 2m, sigma: 0.3}}");
/// # Ok::<(), uphold_lab::fault::DistributionError>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
pub struct Distribution(Family);

/// A family of distributions with its parameters. Durations are in nanoseconds.
#[derive(Clone, PartialEq, Debug)]
enum Family {
    Never,
    Fixed(u64),
    Exponential { mean: f64 },
    Weibull { shape: f64, scale: f64 },
    LogNormal { median: f64, sigma: f64 },
    List(Box<[u64]>),
}

/// An invalid parameter of a [`Distribution`].
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DistributionError {
    /// The named parameter, a duration, is 0.
    #[error("{0} is 0s; it must be longer")]
    ZeroDuration(&'static str),
    /// The shape of a Weibull distribution is out of range.
    #[error(
        "{0:?} is out of range: 0.05 to 100 (below 1: the failure rate falls with age; 1: constant; above 1: rises)"
    )]
    Shape(f64),
    /// The sigma of a log-normal distribution is out of range.
    #[error("{0:?} is out of range: 0 to 10 (0: always the median; 0.5: 68 % within a factor of 1.65 of it)")]
    Sigma(f64),
    /// A list without entries.
    #[error("is empty; give at least one duration, or 'never'")]
    Empty,
}

impl Distribution {
    /// Returns the distribution of an event that does not happen.
    pub const fn never() -> Self {
        Self(Family::Never)
    }

    /// Returns the distribution that always yields `duration`.
    pub fn fixed(duration: Duration) -> Self {
        Self(Family::Fixed(saturating_nanos(duration)))
    }

    /// Returns an exponential distribution: the failure rate does not depend on age. `mean` must be longer than 0.
    ///
    /// # Errors
    /// The mean is 0.
    pub fn exponential(mean: Duration) -> Result<Self, DistributionError> {
        Ok(Self(Family::Exponential { mean: positive_nanos("mean", mean)? }))
    }

    /// Returns a Weibull distribution: the failure rate falls with age (`shape` below 1) or rises with it (above 1).
    /// `shape` is from 0.05 to 100. 63 % of the samples are shorter than `scale`, which must be longer than 0.
    ///
    /// # Errors
    /// A parameter is out of range.
    pub fn weibull(shape: f64, scale: Duration) -> Result<Self, DistributionError> {
        if !(0.05..=100.0).contains(&shape) {
            return Err(DistributionError::Shape(shape));
        }
        Ok(Self(Family::Weibull { shape, scale: positive_nanos("scale", scale)? }))
    }

    /// Returns a log-normal distribution: a typical value with a long tail. Half of the samples are shorter than
    /// `median`, which must be longer than 0; 68 % lie within a factor of e^`sigma` of it. `sigma` is from 0 to 10.
    ///
    /// # Errors
    /// A parameter is out of range.
    pub fn log_normal(median: Duration, sigma: f64) -> Result<Self, DistributionError> {
        if !(0.0..=10.0).contains(&sigma) {
            return Err(DistributionError::Sigma(sigma));
        }
        Ok(Self(Family::LogNormal { median: positive_nanos("median", median)?, sigma }))
    }

    /// Returns a distribution that yields these durations in order and then repeats them: the first is for the first
    /// incarnation or occurrence.
    ///
    /// # Errors
    /// The list is empty.
    pub fn list(durations: impl IntoIterator<Item = Duration>) -> Result<Self, DistributionError> {
        let list: Box<[u64]> = durations.into_iter().map(saturating_nanos).collect();
        if list.is_empty() { Err(DistributionError::Empty) } else { Ok(Self(Family::List(list))) }
    }

    /// Returns whether this is [`never`](Self::never).
    pub fn is_never(&self) -> bool {
        self.0 == Family::Never
    }

    /// Returns the sample for occurrence `index`, counted from 0, in nanoseconds; `None`: never.
    pub(super) fn sample(&self, stream: RandomStream, index: u64) -> Option<u64> {
        // Conversions from floating point saturate.
        let nanos = match &self.0 {
            Family::Never => return None,
            Family::Fixed(nanos) => *nanos,
            Family::List(list) => list[(index % list.len() as u64) as usize],
            Family::Exponential { mean } => (-mean * libm::log(stream.substream(index).uniform())) as u64,
            Family::Weibull { shape, scale } => {
                (scale * libm::pow(-libm::log(stream.substream(index).uniform()), 1.0 / shape)) as u64
            }
            Family::LogNormal { median, sigma } => {
                let stream = stream.substream(index);
                let radius = libm::sqrt(-2.0 * libm::log(stream.substream(0).uniform()));
                let normal = radius * libm::cos(TAU * stream.substream(1).uniform());
                (median * libm::exp(sigma * normal)) as u64
            }
        };
        (nanos < u64::MAX).then_some(nanos)
    }
}

impl From<Duration> for Distribution {
    fn from(duration: Duration) -> Self {
        Self::fixed(duration)
    }
}

impl fmt::Display for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Family::Never => f.write_str("never"),
            Family::Fixed(nanos) => f.write_str(&format_duration(*nanos)),
            Family::Exponential { mean } => write!(f, "{{exponential: {{mean: {}}}}}", format_duration(*mean as u64)),
            Family::Weibull { shape, scale } => {
                write!(f, "{{weibull: {{shape: {shape}, scale: {}}}}}", format_duration(*scale as u64))
            }
            Family::LogNormal { median, sigma } => {
                write!(f, "{{log_normal: {{median: {}, sigma: {sigma}}}}}", format_duration(*median as u64))
            }
            Family::List(list) => {
                let list: Vec<String> = list.iter().map(|nanos| format_duration(*nanos)).collect();
                write!(f, "{{list: [{}]}}", list.join(", "))
            }
        }
    }
}

fn saturating_nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn positive_nanos(parameter: &'static str, duration: Duration) -> Result<f64, DistributionError> {
    if duration.is_zero() {
        Err(DistributionError::ZeroDuration(parameter))
    } else {
        Ok(saturating_nanos(duration) as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::StreamId;
    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn stream() -> RandomStream {
        RandomStream::new(7, StreamId::Failure, 0).substream(3)
    }

    fn samples(distribution: &Distribution, count: u64) -> Vec<u64> {
        (0..count).filter_map(|index| distribution.sample(stream(), index)).collect()
    }

    #[test]
    fn samples_are_the_same_on_every_platform_and_in_every_release() {
        let exponential = Distribution::exponential(DAY).unwrap();
        let weibull = Distribution::weibull(0.7, DAY).unwrap();
        let log_normal = Distribution::log_normal(DAY, 0.5).unwrap();
        let sampled = [exponential, weibull, log_normal].map(|distribution| samples(&distribution, 3));
        assert_eq!(sampled, GOLDEN);
    }

    const GOLDEN: [[u64; 3]; 3] = [
        [17_764_730_610_814, 1_746_096_190_005, 2_554_626_394_053],
        [9_018_811_097_035, 328_002_536_956, 564_887_308_499],
        [99_083_406_142_360, 97_737_348_221_844, 44_866_142_101_503],
    ];

    /// Returns the share of samples below `limit`, in parts per thousand.
    fn share_below(distribution: &Distribution, limit: Duration) -> u64 {
        let limit = saturating_nanos(limit);
        samples(distribution, 20_000).into_iter().filter(|&sample| sample < limit).count() as u64 / 20
    }

    #[test]
    fn each_family_has_its_quantiles() {
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
    fn a_list_is_used_in_order_and_repeated() {
        let list = Distribution::list([1, 2, 3].map(Duration::from_nanos)).unwrap();
        assert_eq!(samples(&list, 5), [1, 2, 3, 1, 2]);
        assert_eq!(Distribution::list([]), Err(DistributionError::Empty));
    }

    #[test]
    fn samples_beyond_the_range_of_time_are_none() {
        assert_eq!(Distribution::never().sample(stream(), 0), None);
        assert_eq!(Distribution::fixed(Duration::MAX).sample(stream(), 0), None);
        let wide = Distribution::log_normal(Duration::from_secs(u64::MAX), 10.0).unwrap();
        let steep = Distribution::weibull(0.05, Duration::MAX).unwrap();
        for index in 0..1000 {
            let _ = (wide.sample(stream(), index), steep.sample(stream(), index));
        }
    }

    #[test]
    fn invalid_parameters_are_rejected() {
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
