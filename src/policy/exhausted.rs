//! What happens to a replica whose retry is exhausted: the key `exhausted`.

use std::time::Duration;

/// What happens to a replica whose retry is exhausted.
///
/// ```
/// use std::time::Duration;
/// use uphold::policy::{Exhausted, Quarantine};
/// use uphold::FailurePolicy;
///
/// let hour = Duration::from_secs(3600);
/// let failure = FailurePolicy::new().exhausted(Exhausted::Quarantine(Quarantine::new(hour)));
/// assert_eq!(failure.get_exhausted(), Some(Exhausted::Quarantine(hour.into())));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Exhausted {
    /// Give the replica up and serve with the rest.
    #[default]
    Degrade,
    /// Terminate the set.
    Terminate,
    /// If the window limit is exhausted, wait for room in it; if attempts or duration are, wait for an operator.
    Hold,
    /// Give the replica up for a time, then make one trial start; see [`Quarantine`].
    Quarantine(Quarantine),
}

/// Gives a replica up for a time, then makes one trial start.
///
/// A trial that fails before its streak has ended is quarantined again at once. The end of the streak and `reset` start
/// the count of rounds again.
///
/// ```
/// use std::time::Duration;
/// use uphold::policy::Quarantine;
///
/// let quarantine = Quarantine::new(Duration::from_secs(3600)).rounds(15);
/// assert_eq!(quarantine.get_rounds(), Some(15));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Quarantine {
    pub(crate) time: Duration,
    pub(crate) rounds: Option<u32>,
}

impl Quarantine {
    /// Creates a quarantine of this length (above 0 s), repeated without limit.
    pub const fn new(time: Duration) -> Self {
        Self { time, rounds: None }
    }

    /// Sets the most quarantines (1 to 255), each with its trial start; then the replica is given up for good. Default
    /// unlimited.
    #[must_use]
    pub const fn rounds(mut self, rounds: u32) -> Self {
        self.rounds = Some(rounds);
        self
    }

    /// Returns how long each quarantine lasts.
    pub fn get_time(&self) -> Duration {
        self.time
    }

    /// Returns the most quarantines; `None` means unlimited.
    pub fn get_rounds(&self) -> Option<u32> {
        self.rounds
    }
}

impl From<Duration> for Quarantine {
    fn from(time: Duration) -> Self {
        Self::new(time)
    }
}
