//! Timestamps. The pure part reads no clock: the caller passes the time.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A point in time: nanoseconds since an epoch of the caller's choice, which must stay the same for as long as the state is kept.
///
/// A program that keeps its state in memory may count from its own start; one that stores it uses Unix time. The range is 584
/// years, and arithmetic saturates at its ends.
///
/// ```
/// use std::time::Duration;
/// use uphold::Timestamp;
///
/// let crash = Timestamp::from_secs(60);
/// assert_eq!(crash + Duration::from_secs(30), Timestamp::from_secs(90));
/// assert_eq!(Timestamp::from_secs(90).since(crash), Duration::from_secs(30));
/// assert_eq!(crash.since(Timestamp::from_secs(90)), Duration::ZERO); // a negative age counts as zero
/// ```
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(u64);

impl Timestamp {
    /// The epoch itself.
    pub const ZERO: Self = Self(0);
    /// The last representable instant, at which arithmetic saturates. As the time of a call it is out of range: see
    /// [`Timestamp::LATEST`].
    pub const MAX: Self = Self(u64::MAX);
    /// The latest instant that is accepted as the time of a call: half of the range, the year 2262 in Unix time. A later one is
    /// replaced by the time of the last call. A due time up to 292 years after it is still a known time.
    pub const LATEST: Self = Self(u64::MAX / 2);
    /// No time: the `None` of fields that hold an `Option<Timestamp>` in 8 bytes and compare as later than every time.
    /// Public signatures and serialised forms have the `Option`.
    pub(crate) const NEVER: Self = Self::MAX;

    /// Creates a timestamp from nanoseconds since the epoch.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// Creates a timestamp from milliseconds since the epoch. Saturates.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000_000))
    }

    /// Creates a timestamp from seconds since the epoch. Saturates.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000_000))
    }

    /// Returns the nanoseconds since the epoch.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// Returns the whole milliseconds since the epoch, rounded down.
    pub const fn as_millis(self) -> u64 {
        self.0 / 1_000_000
    }

    /// Returns the time from `earlier` to `self`; zero if `earlier` is later.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    pub(crate) const fn nanos_since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    pub(crate) const fn plus_nanos(self, nanos: u64) -> Self {
        Self(self.0.saturating_add(nanos))
    }

    /// Adds nanoseconds, saturating one below [`Timestamp::NEVER`], so that the result is a known time.
    #[inline]
    pub(crate) const fn later_by(self, nanos: u64) -> Self {
        let later = self.0.saturating_add(nanos);
        Self(if later == u64::MAX { u64::MAX - 1 } else { later })
    }

    pub(crate) const fn minus_nanos(self, nanos: u64) -> Self {
        Self(self.0.saturating_sub(nanos))
    }

    pub(crate) const fn is_never(self) -> bool {
        self.0 == Self::NEVER.0
    }

    /// Returns `None` for [`Timestamp::NEVER`].
    pub(crate) const fn known(self) -> Option<Self> {
        if self.is_never() { None } else { Some(self) }
    }
}

impl std::ops::Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        self.plus_nanos(nanos(duration))
    }
}

impl std::ops::Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        self.minus_nanos(nanos(duration))
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_never() { f.write_str("never") } else { write!(f, "{:?}", Duration::from_nanos(self.0)) }
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// Converts a duration to nanoseconds. Saturates at 584 years.
pub(crate) const fn nanos(duration: Duration) -> u64 {
    let nanos = duration.as_nanos();
    if nanos > u64::MAX as u128 { u64::MAX } else { nanos as u64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arithmetic_saturates_at_both_ends() {
        assert_eq!(Timestamp::MAX + Duration::MAX, Timestamp::MAX);
        assert_eq!(Timestamp::ZERO - Duration::from_nanos(1), Timestamp::ZERO);
        assert_eq!(Timestamp::from_secs(u64::MAX), Timestamp::MAX);
    }

    #[test]
    fn a_negative_age_counts_as_zero() {
        assert_eq!(Timestamp::from_secs(1).since(Timestamp::from_secs(2)), Duration::ZERO);
    }

    #[test]
    fn it_serialises_as_plain_nanoseconds() {
        let text = serde_json::to_string(&Timestamp::from_millis(5)).unwrap();
        assert_eq!(text, "5000000");
        assert_eq!(serde_json::from_str::<Timestamp>(&text).unwrap(), Timestamp::from_millis(5));
    }
}
