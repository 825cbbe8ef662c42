//! The clock of the driver, the only one in the crate.
#![expect(clippy::disallowed_methods, reason = "the only clock of the crate")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::time::Timestamp;

/// The monotonic clock, anchored to Unix time once: timestamps never jump while the program runs, and are comparable
/// with those of a database and of earlier runs.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    anchor: Instant,
    unix: Timestamp,
}

impl Clock {
    pub(crate) fn new() -> Self {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
        Self { anchor: Instant::now(), unix: Timestamp::ZERO + unix }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.unix + self.anchor.elapsed()
    }

    /// Converts a timestamp for a timer. Capped to one day from now, after which the caller sets its timer again.
    pub(crate) fn instant(&self, at: Timestamp) -> Instant {
        let wait = at.since(self.now()).min(Duration::from_secs(86_400));
        Instant::now() + wait
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_unix_time_and_does_not_go_backwards() {
        let clock = Clock::new();
        let first = clock.now();
        assert!(first > Timestamp::from_secs(1_700_000_000));
        assert!(clock.now() >= first);
    }
}
