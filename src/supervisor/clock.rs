//! The one place where the clock is read.
#![expect(clippy::disallowed_methods, reason = "time enters the crate here and nowhere else")]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::time::Instant;

use crate::time::Timestamp;

/// The monotonic clock, anchored to Unix time once: timestamps are comparable with those of a database and with
/// those from before a restart, and never jump while the program runs.
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

    /// The instant of a timestamp, for a timer; far ones are cut to a day, after which is looked again.
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
