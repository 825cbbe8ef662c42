//! What happens to a replica whose retry is exhausted: the key `exhausted`.

use std::time::Duration;

/// What happens to a replica whose retry is exhausted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Exhausted {
    /// Give the replica up and serve with the rest.
    #[default]
    Degrade,
    /// Terminate the set.
    Terminate,
    /// Exhausted by the window: wait for room. By attempts or duration: wait for an operator.
    Hold,
    /// Give it up for a time, then one trial start: see [`Quarantine`].
    Quarantine(Quarantine),
}

/// Gives a replica up for a time, then makes one trial start.
///
/// A trial that fails before its streak has ended is quarantined again at once. The end of the streak and `reset` give the
/// rounds back.
///
/// ```
/// use std::time::Duration;
/// use uphold::policy::{Exhausted, Quarantine};
///
/// let hour = Duration::from_secs(3600);
/// let exhausted = Exhausted::Quarantine(Quarantine::new(hour).rounds(15));
/// # let _ = exhausted;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Quarantine {
    pub(crate) time: Duration,
    pub(crate) rounds: Option<u32>,
}

impl Quarantine {
    /// Each quarantine lasts this long; any number of them.
    pub const fn new(time: Duration) -> Self {
        Self { time, rounds: None }
    }

    /// At most so many quarantines (1 to 255), each with its trial start; then the replica is given up for good.
    #[must_use]
    pub const fn rounds(mut self, rounds: u32) -> Self {
        self.rounds = Some(rounds);
        self
    }

    /// Returns how long each quarantine lasts.
    pub fn get_time(&self) -> Duration {
        self.time
    }

    /// Returns the most quarantines; `None` is unlimited.
    pub fn get_rounds(&self) -> Option<u32> {
        self.rounds
    }
}

impl From<Duration> for Quarantine {
    fn from(time: Duration) -> Self {
        Self::new(time)
    }
}
