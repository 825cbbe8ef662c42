//! The clock of `outage_deadline`.

use serde::{Deserialize, Serialize};

use super::serde_opt_timestamp;
use crate::time::Timestamp;

/// For how long an outage has lasted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct OutageClock {
    #[serde(with = "serde_opt_timestamp")]
    pub(super) since: Timestamp,
    /// When it last ended, if it has: a return soon after keeps the clock.
    #[serde(with = "serde_opt_timestamp")]
    pub(super) over_since: Timestamp,
    /// Since when unknown replicas and operators' requests alone make the difference.
    #[serde(with = "serde_opt_timestamp")]
    pub(super) paused_since: Timestamp,
    /// Time that does not count, in nanoseconds.
    pub(super) paused: u64,
}

impl Default for OutageClock {
    fn default() -> Self {
        Self { since: Timestamp::NEVER, over_since: Timestamp::NEVER, paused_since: Timestamp::NEVER, paused: 0 }
    }
}

impl OutageClock {
    /// Lets the clock run or stand; how long the outage has lasted, if there is one.
    pub(super) fn run(&mut self, down: bool, pause: bool, keeps_for: u64, now: Timestamp) -> Option<u64> {
        if let Some(paused_since) = self.paused_since.known().filter(|_| !pause) {
            self.paused = self.paused.saturating_add(now.nanos_since(paused_since));
            self.paused_since = Timestamp::NEVER;
        }
        if !down {
            if !self.since.is_never() && self.over_since.is_never() {
                self.over_since = now;
            }
            return None;
        }
        let forgotten = self.over_since.known().is_some_and(|over| now.nanos_since(over) >= keeps_for);
        if self.since.is_never() || forgotten {
            *self = Self { since: now, ..Self::default() };
        }
        self.over_since = Timestamp::NEVER;
        if pause && self.paused_since.is_never() {
            self.paused_since = now;
        }
        let standing = self.paused_since.known().map_or(0, |since| now.nanos_since(since));
        Some(now.nanos_since(self.since).saturating_sub(self.paused).saturating_sub(standing))
    }

    pub(super) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        for at in [&mut self.since, &mut self.over_since, &mut self.paused_since] {
            *at = by(*at);
        }
    }
}
