//! A streak: a replica's consecutive failures since it was last ready for `recover.after`.

use serde::{Deserialize, Serialize};

use super::serde_opt_timestamp;
use crate::policy::retry_schedule::{Recovery, RetrySchedule};
use crate::time::Timestamp;

/// The failures of a replica under one `retry`. `level` determines the delay and `charged` the limits: an uncharged failure
/// increases only the delay.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Streak {
    /// Failures, charged or not.
    pub(crate) failures: u32,
    /// Failures that counted towards the limits.
    pub(crate) charged: u32,
    /// The number of delays so far in the present stage, which determines the next delay. No delay grows for more than 2^16
    /// steps.
    pub(crate) level: u16,
    /// Failures that counted towards the limits of the present stage.
    pub(crate) stage_charged: u32,
    /// When the first charged failure happened, or never.
    #[serde(with = "serde_opt_timestamp")]
    pub(crate) first: Timestamp,
    /// When the first charged failure of the present stage happened, or never.
    #[serde(with = "serde_opt_timestamp")]
    pub(crate) stage_first: Timestamp,
    /// The previous delay in nanoseconds, from which decorrelated jitter grows.
    pub(crate) previous: u64,
    pub(crate) stage: u8,
    /// Quarantines so far. After the first, every failure of the streak leads to the next quarantine.
    pub(crate) rounds: u8,
}

impl Default for Streak {
    fn default() -> Self {
        Self {
            failures: 0,
            charged: 0,
            level: 0,
            stage_charged: 0,
            first: Timestamp::NEVER,
            stage_first: Timestamp::NEVER,
            previous: 0,
            stage: 0,
            rounds: 0,
        }
    }
}

impl Streak {
    /// Resets the streak, or steps it back, after `ready_for` nanoseconds of readiness without a break.
    #[inline]
    pub(crate) fn recover(&mut self, schedule: &RetrySchedule, ready_for: u64) {
        if !schedule.recovers_in(ready_for) {
            return;
        }
        match schedule.recovery {
            Recovery::Never => {}
            Recovery::Reset => *self = Self::default(),
            Recovery::Step => self.step_back(schedule, ready_for),
        }
    }

    fn step_back(&mut self, schedule: &RetrySchedule, ready_for: u64) {
        let steps = ready_for.checked_div(schedule.recover_after).unwrap_or(u64::MAX);
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        if steps >= self.failures && steps >= u32::from(self.level) {
            *self = Self::default();
        } else {
            self.failures = self.failures.saturating_sub(steps);
            self.charged = self.charged.saturating_sub(steps);
            self.level = self.level.saturating_sub(u16::try_from(steps).unwrap_or(u16::MAX));
            self.stage_charged = self.stage_charged.saturating_sub(steps);
            if self.failures == 0 {
                *self = Self::default();
            }
        }
    }

    /// Returns whether the counts are consistent.
    pub(crate) fn is_sound(&self) -> bool {
        self.charged <= self.failures && self.stage_charged <= self.charged
    }

    /// Begins the next stage with its first delay and no charges. Returns whether there is one.
    pub(crate) fn next_stage(&mut self, schedule: &RetrySchedule) -> bool {
        let Some(next) = self.stage.checked_add(1).filter(|next| usize::from(*next) < schedule.stages.len()) else {
            return false;
        };
        self.stage = next;
        self.level = 0;
        self.stage_charged = 0;
        self.stage_first = Timestamp::NEVER;
        self.previous = 0;
        true
    }

    /// Returns the latest of its times; zero if there is none.
    pub(super) fn latest(&self) -> Timestamp {
        let times = [self.first, self.stage_first].into_iter().filter_map(Timestamp::known);
        times.max().unwrap_or(Timestamp::ZERO)
    }

    pub(crate) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        self.first = by(self.first);
        self.stage_first = by(self.stage_first);
    }
}
