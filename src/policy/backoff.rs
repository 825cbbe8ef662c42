//! How delays grow: the key `backoff`.

use std::time::Duration;

/// How delays grow from failure to failure.
///
/// The variants give the delay after failure n of a streak, counted from 0, before the cap and jitter.
///
/// ```
/// use std::time::Duration;
/// use uphold::policy::Factor;
/// use uphold::{Backoff, RetryPolicy};
///
/// // 10 s, 30 s, 90 s, 270 s, then 300 s, the default cap.
/// let factor = Factor::from_hundredths(300).ok_or("out of range")?;
/// let retry = RetryPolicy::every(Duration::from_secs(10)).backoff(Backoff::Exponential(factor));
///
/// let schedule = Backoff::Schedule([1, 1, 30].map(Duration::from_secs).to_vec());
/// assert_ne!(retry.get_backoff(), Some(&schedule));
/// # Ok::<(), &str>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Backoff {
    /// `interval`.
    #[default]
    Constant,
    /// `interval` × (n + 1).
    Linear,
    /// `interval` × factorⁿ.
    Exponential(Factor),
    /// `interval` × 1, 1, 2, 3, 5, 8, ...
    Fibonacci,
    /// These delays (1 to 1000); the last one repeats. `interval` is not used.
    Schedule(Vec<Duration>),
}

impl Backoff {
    /// Returns an exponential backoff that doubles the delay.
    pub const fn exponential() -> Self {
        Self::Exponential(Factor::DOUBLE)
    }
}

/// The factor of an exponential backoff, 1.01 to 100, in hundredths.
///
/// ```
/// use uphold::policy::Factor;
///
/// assert_eq!(Factor::from_hundredths(150).map(Factor::hundredths), Some(150));
/// assert_eq!(Factor::from_hundredths(100), None);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Factor(u16);

impl Factor {
    /// 2, the default.
    pub const DOUBLE: Self = Self(200);

    /// Returns the factor of that many hundredths; `None` outside 101 to 10 000.
    pub const fn from_hundredths(hundredths: u32) -> Option<Self> {
        if hundredths >= 101 && hundredths <= 10_000 { Some(Self(hundredths as u16)) } else { None }
    }

    /// Returns the factor in hundredths.
    pub const fn hundredths(self) -> u16 {
        self.0
    }
}
