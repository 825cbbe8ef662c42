//! Times of a simulation, as people write them.

use std::time::Duration;

use super::error::SimError;
use crate::policy::read::parse_duration;
use crate::time::Timestamp;

/// A time since the start of a simulation: `"60s"`, `"1h 30m"`, a [`Duration`] or a [`Timestamp`].
pub trait SimTime {
    /// The timestamp, the start being zero.
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
