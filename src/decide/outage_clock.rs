//! The clock of `outage_deadline`.

use serde::{Deserialize, Serialize};

use super::serde_opt_timestamp;
use crate::time::Timestamp;

/// Measures how long an outage has lasted, without the time that does not count.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct OutageClock {
    #[serde(with = "serde_opt_timestamp")]
    pub(super) since: Timestamp,
    /// When the outage ended, or never. If it returns within `recover.after`, the clock continues.
    #[serde(with = "serde_opt_timestamp")]
    pub(super) over_since: Timestamp,
    /// Since when lost contact and operators' requests alone cause the outage, or never.
    #[serde(with = "serde_opt_timestamp")]
    pub(super) paused_since: Timestamp,
    /// The time that does not count, in nanoseconds, without the present pause.
    pub(super) paused: u64,
}

impl Default for OutageClock {
    fn default() -> Self {
        Self { since: Timestamp::NEVER, over_since: Timestamp::NEVER, paused_since: Timestamp::NEVER, paused: 0 }
    }
}

impl OutageClock {
    /// Advances the clock. Returns for how many nanoseconds the outage has lasted; `None` if there is none.
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
        let expired = self.over_since.known().is_some_and(|over| now.nanos_since(over) >= keeps_for);
        if self.since.is_never() || expired {
            *self = Self { since: now, ..Self::default() };
        }
        self.over_since = Timestamp::NEVER;
        if pause && self.paused_since.is_never() {
            self.paused_since = now;
        }
        let present_pause = self.paused_since.known().map_or(0, |since| now.nanos_since(since));
        Some(now.nanos_since(self.since).saturating_sub(self.paused).saturating_sub(present_pause))
    }

    pub(super) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        for at in [&mut self.since, &mut self.over_since, &mut self.paused_since] {
            *at = by(*at);
        }
    }
}
