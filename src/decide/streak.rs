//! A replica's consecutive failures since it was last healthy for long enough.

use serde::{Deserialize, Serialize};

use super::serde_opt_timestamp;
use crate::policy::retry_schedule::{Recovery, RetrySchedule};
use crate::time::Timestamp;

/// What is remembered of the failures under one `retry`. How long to wait (`level`) and whether to give up
/// (`charged`) are two counters: an uncharged failure grows the delay and uses up nothing.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Streak {
    /// Failures, charged or not.
    pub(crate) failures: u32,
    /// Failures that used up an attempt.
    pub(crate) charged: u32,
    /// The rung of the present stage's schedule that the next delay stands on; no schedule grows for longer.
    pub(crate) level: u16,
    /// Failures that used up an attempt of the present stage.
    pub(crate) stage_charged: u32,
    /// When the first charged failure happened.
    #[serde(with = "serde_opt_timestamp")]
    pub(crate) first: Timestamp,
    /// When the first charged failure of the present stage happened.
    #[serde(with = "serde_opt_timestamp")]
    pub(crate) stage_first: Timestamp,
    /// The delay given last, in nanoseconds.
    pub(crate) previous: u64,
    pub(crate) stage: u8,
    /// Quarantines so far. While there is one, the next failure is quarantined at once.
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
    /// What `ready_for` nanoseconds ready without a break take back.
    #[inline(always)]
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

    /// Whether its counts can be those of a streak.
    pub(crate) fn is_sound(&self) -> bool {
        self.charged <= self.failures && self.stage_charged <= self.charged
    }

    /// Goes on to the next stage, whose schedule begins anew. Whether there is one.
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

    /// The latest of its times.
    pub(super) fn latest(&self) -> Timestamp {
        let times = [self.first, self.stage_first].into_iter().filter_map(Timestamp::known);
        times.max().unwrap_or(Timestamp::ZERO)
    }

    pub(crate) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        self.first = by(self.first);
        self.stage_first = by(self.stage_first);
    }
}
