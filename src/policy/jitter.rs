//! How delays are spread over time: the key `jitter`.

/// How a delay d is spread over time, so that replicas that failed together do not start together.
///
/// The random number is a hash of (seed, replica, incarnation), so a replay gives the same delays. No delay is longer
/// than `max_interval`. Full, equal and decorrelated jitter follow the formulas of the AWS Architecture Blog.
///
/// ```
/// use std::time::Duration;
/// use uphold::{Jitter, RetryPolicy};
///
/// // 30 s to 45 s.
/// let retry = RetryPolicy::every(Duration::from_secs(30)).jitter(Jitter::Spread(50));
/// assert_eq!(retry.get_jitter(), Some(Jitter::Spread(50)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Jitter {
    /// Exactly d.
    #[default]
    None,
    /// Between d/2 and d.
    Equal,
    /// Between 0 and d.
    Full,
    /// Between `interval` and three times the previous delay, capped. Replaces the backoff.
    Decorrelated,
    /// Between d and d plus this percentage, 1 to 100. At the cap, d is lowered so that the result fits.
    Spread(u8),
}
