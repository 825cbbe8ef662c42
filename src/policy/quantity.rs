//! A number of replicas: a count, or a share of the set.

use std::fmt;

/// A number of replicas, absolute or as a percentage of the set: `2` or `"50%"`.
///
/// If a percentage is not a whole number of replicas, `min_available` and `correlated` round up;
/// `max_concurrent_starts` and `max_probe_restarts` round down, to at least 1.
///
/// ```
/// use uphold::Quantity;
///
/// assert_eq!(Quantity::Percent(50).of_rounded_up(3), 2);
/// assert_eq!(Quantity::Percent(50).of_rounded_down(3), 1);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::exhaustive_enums, reason = "the two ways in which the document writes a number of replicas")]
pub enum Quantity {
    /// A count of replicas.
    Count(u32),
    /// A percentage of the set, 0 to 100.
    Percent(u8),
}

impl Quantity {
    /// Returns the number of replicas out of `total`, rounded up.
    pub const fn of_rounded_up(self, total: u32) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => (total as u64 * percent as u64).div_ceil(100) as u32,
        }
    }

    /// Returns the number of replicas out of `total`, rounded down.
    pub const fn of_rounded_down(self, total: u32) -> u32 {
        match self {
            Self::Count(count) => count,
            Self::Percent(percent) => (total as u64 * percent as u64 / 100) as u32,
        }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(f, "{count}"),
            Self::Percent(percent) => write!(f, "{percent}%"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_percentage_rounds_both_ways() {
        assert_eq!(Quantity::Percent(50).of_rounded_up(3), 2);
        assert_eq!(Quantity::Percent(50).of_rounded_down(3), 1);
        // k8s-nomad/106: min available 28 % of 11 is 4, of 22 is 7.
        assert_eq!(Quantity::Percent(28).of_rounded_up(11), 4);
        assert_eq!(Quantity::Percent(28).of_rounded_up(22), 7);
        assert_eq!(Quantity::Percent(100).of_rounded_up(u32::MAX), u32::MAX);
    }
}
