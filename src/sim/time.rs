//! Times of a simulation, given as texts or durations.

use std::time::Duration;

use super::error::SimError;
use crate::document::parse_duration;
use crate::time::Timestamp;

/// A time since the start of a simulation: `"60s"`, `"1h 30m"`, a [`Duration`] or a [`Timestamp`].
///
/// ```
/// use std::time::Duration;
/// use uphold::sim::SimTime;
///
/// assert_eq!("1m 30s".into_timestamp()?, Duration::from_secs(90).into_timestamp()?);
/// assert!("soon".into_timestamp().is_err());
/// # Ok::<(), uphold::sim::SimError>(())
/// ```
pub trait SimTime {
    /// Converts it to a timestamp; the simulation starts at zero.
    ///
    /// # Errors
    /// The text is not a duration.
    fn into_timestamp(self) -> Result<Timestamp, SimError>;
}

impl SimTime for &str {
    fn into_timestamp(self) -> Result<Timestamp, SimError> {
        parse_duration(self).map(|at| Timestamp::ZERO + at).map_err(|_| SimError::InvalidTime(self.to_owned()))
    }
}

impl SimTime for Duration {
    fn into_timestamp(self) -> Result<Timestamp, SimError> {
        Ok(Timestamp::ZERO + self)
    }
}

impl SimTime for Timestamp {
    fn into_timestamp(self) -> Result<Timestamp, SimError> {
        Ok(self)
    }
}
