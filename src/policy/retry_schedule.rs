//! The compiled form of a `retry`: stages, limits, and delays before jitter. All arithmetic is in integers.

use std::time::Duration;

use super::backoff::Backoff;
use super::jitter::Jitter;
use super::retry::{ImmediateFirst, Placement, Recover, RetryPolicy, Scope, StageSettings};
use crate::time::nanos;

/// The default of `interval`.
pub(crate) const DEFAULT_INTERVAL: Duration = Duration::from_secs(10);
/// The default of `max_interval` for a growing backoff.
pub(crate) const DEFAULT_CAP: Duration = Duration::from_secs(300);
/// The lower bound of the default of `recover.after`.
pub(crate) const MIN_RECOVERY: Duration = Duration::from_secs(60);
/// The least delay after a failed start and after a run of 0 s, in nanoseconds.
pub(crate) const MIN_FAILED_START_DELAY: u64 = 100_000_000;

/// The longest delay, in nanoseconds: 292 years. Added to a time up to [`Timestamp::LATEST`] it does not reach the
/// value that means "never".
///
/// [`Timestamp::LATEST`]: crate::Timestamp::LATEST
pub(crate) const MAX_DELAY: u64 = u64::MAX / 2 - 1;
/// The longest delay that a failure may request with `retry_after`, in nanoseconds: 10 years.
pub(crate) const MAX_RETRY_AFTER: u64 = 10 * 31_557_600 * 1_000_000_000;

/// The number of attempts that means "no limit".
pub(crate) const UNLIMITED: u32 = u32::MAX;
/// The nanoseconds that mean "no limit" and "never".
pub(crate) const FOREVER: u64 = u64::MAX;

/// One compiled `retry`, of the policy or of a rule.
#[derive(Debug)]
pub(crate) struct RetrySchedule {
    /// The key of its state: empty for the policy's own `retry`, else the name of the rule.
    pub(crate) key: String,
    pub(crate) stages: Box<[CompiledStage]>,
    /// The limits that apply to the whole streak.
    pub(crate) whole: Limits,
    pub(crate) immediate_first: ImmediateFirst,
    pub(crate) recovery: Recovery,
    pub(crate) recover_after: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Recovery {
    Reset,
    Step,
    Never,
}

#[derive(Debug)]
pub(crate) struct CompiledStage {
    pub(crate) pacing: Pacing,
    pub(crate) limits: Limits,
    pub(crate) placement: Placement,
    pub(crate) scope: Scope,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// Whether there is any limit.
    pub(crate) any: bool,
    pub(crate) attempts: u32,
    pub(crate) duration: u64,
    pub(crate) window: Option<WindowLimit>,
}

/// A sliding window; `slot` is its index among the windows of a replica.
#[derive(Clone, Copy, Debug)]
pub(crate) struct WindowLimit {
    pub(crate) slot: u16,
    pub(crate) restarts: u32,
    pub(crate) within: u64,
}

/// The delays of one stage, before jitter.
#[derive(Clone, Debug)]
pub(crate) struct Pacing {
    pub(crate) interval: u64,
    growth: Growth,
    /// The longest delay, jitter included.
    pub(crate) cap: u64,
    pub(crate) jitter: Jitter,
}

#[derive(Clone, Debug)]
enum Growth {
    Constant,
    Linear,
    /// The delay of each level; the last one repeats.
    Table(Box<[u64]>),
}

impl Pacing {
    fn new(settings: &StageSettings) -> Self {
        let interval = nanos(settings.interval.unwrap_or(DEFAULT_INTERVAL));
        let backoff = settings.backoff.as_ref().unwrap_or(&Backoff::Constant);
        let jitter = settings.jitter.unwrap_or_default();
        let grows = matches!(backoff, Backoff::Linear | Backoff::Exponential(_) | Backoff::Fibonacci)
            || jitter == Jitter::Decorrelated;
        let cap = match settings.max_interval {
            Some(cap) => nanos(cap),
            None if grows => nanos(DEFAULT_CAP).max(interval),
            None => MAX_DELAY,
        }
        .min(MAX_DELAY);
        let growth = match backoff {
            Backoff::Constant => Growth::Constant,
            Backoff::Linear => Growth::Linear,
            Backoff::Exponential(factor) => {
                let factor = u128::from(factor.hundredths());
                // Steps are kept in hundredths of a nanosecond, so that a factor of 1.05 does not round to 1 at each of
                // them.
                table(cap, u128::from(interval) * 100, move |hundredths, _| (hundredths * factor / 100, 0))
            }
            Backoff::Fibonacci => {
                let first = u128::from(interval) * 100;
                table(cap, first, move |current, before| (current + before, current))
            }
            Backoff::Schedule(delays) => Growth::Table(delays.iter().map(|delay| nanos(*delay)).collect()),
        };
        Self { interval, growth, cap, jitter }
    }

    /// Returns the capped delay of this backoff level, from 0, before jitter.
    #[inline]
    pub(crate) fn nominal(&self, level: u32) -> u64 {
        let delay = match &self.growth {
            Growth::Constant => self.interval,
            Growth::Linear => self.interval.saturating_mul(u64::from(level).saturating_add(1)),
            Growth::Table(delays) => {
                let last = delays.len() - 1;
                delays[(level as usize).min(last)]
            }
        };
        delay.min(self.cap)
    }

    /// Returns the longest delay that the stage can have, jitter included.
    pub(crate) fn longest(&self) -> u64 {
        let longest = match &self.growth {
            _ if self.jitter == Jitter::Decorrelated => self.cap,
            Growth::Constant => self.interval,
            Growth::Linear => {
                if self.interval == 0 {
                    0
                } else {
                    self.cap
                }
            }
            Growth::Table(delays) => delays.iter().copied().max().unwrap_or(0),
        };
        match self.jitter {
            Jitter::Spread(percent) => longest.saturating_add(share(longest, percent)),
            Jitter::None | Jitter::Equal | Jitter::Full | Jitter::Decorrelated => longest,
        }
        .min(self.cap)
    }
}

/// Returns the longest delay that still fits under the cap after a percentage is added.
pub(crate) fn with_room_for(cap: u64, percent: u8) -> u64 {
    (u128::from(cap) * 100 / (100 + u128::from(percent))) as u64
}

/// Returns a percentage of a delay.
pub(crate) fn share(delay: u64, percent: u8) -> u64 {
    (u128::from(delay) * u128::from(percent) / 100) as u64
}

/// Computes the delays of a growing backoff up to its cap, in hundredths of a nanosecond.
fn table(cap: u64, first: u128, next: impl Fn(u128, u128) -> (u128, u128)) -> Growth {
    let ceiling = u128::from(cap) * 100;
    let (mut current, mut before) = (first, 0);
    let mut delays = vec![(current.min(ceiling) / 100) as u64];
    while current < ceiling && current > 0 {
        let step = next(current, before);
        // A factor close to 1 on a tiny interval rounds to no growth; the least step is one hundredth.
        let grown = if step.0 == current && delays.len() > 1 { current + 1 } else { step.0 };
        (current, before) = (grown, step.1);
        delays.push((current.min(ceiling) / 100) as u64);
    }
    Growth::Table(delays.into())
}

impl RetrySchedule {
    /// Compiles a `retry`. `slots` counts the windows of a replica so far; `scope` is `failure.scope`.
    pub(crate) fn new(key: &str, retry: &RetryPolicy, scope: Scope, slots: &mut u16) -> Self {
        let whole = Limits::new(&retry.settings, slots);
        let stages: Box<[CompiledStage]> = if retry.stages.is_empty() {
            [CompiledStage::new(&retry.settings, Limits::NONE, scope)].into()
        } else {
            retry
                .stages
                .iter()
                .map(|stage| {
                    let settings = stage.settings.inheriting(&retry.settings);
                    CompiledStage::new(&settings, Limits::new(&stage.settings, slots), scope)
                })
                .collect()
        };
        let longest = stages.iter().map(|stage| stage.pacing.longest()).max().unwrap_or(0);
        let derived = longest.saturating_mul(2).max(nanos(MIN_RECOVERY));
        let (recovery, after) = match retry.recover {
            None => (Recovery::Reset, derived),
            Some(Recover::Reset(after)) => (Recovery::Reset, after.map_or(derived, nanos)),
            Some(Recover::Step(after)) => (Recovery::Step, after.map_or(derived, nanos)),
            Some(Recover::Never) => (Recovery::Never, FOREVER),
        };
        Self {
            key: key.to_owned(),
            stages,
            whole,
            immediate_first: retry.immediate_first.unwrap_or_default(),
            recovery,
            recover_after: after,
        }
    }

    /// Returns whether a replica that was ready for this long without a break recovers.
    #[inline]
    pub(crate) fn recovers_in(&self, ready_for: u64) -> bool {
        ready_for >= self.recover_after && self.recovery != Recovery::Never
    }

    /// Returns the stage of that index, or the last one.
    #[inline]
    pub(crate) fn stage(&self, index: u16) -> &CompiledStage {
        &self.stages[usize::from(index).min(self.stages.len() - 1)]
    }
}

impl CompiledStage {
    fn new(settings: &StageSettings, limits: Limits, scope: Scope) -> Self {
        Self {
            pacing: Pacing::new(settings),
            limits,
            placement: settings.placement.unwrap_or_default(),
            scope: settings.scope.unwrap_or(scope),
        }
    }
}

impl Limits {
    pub(crate) const NONE: Self = Self { any: false, attempts: UNLIMITED, duration: FOREVER, window: None };

    fn new(settings: &StageSettings, slots: &mut u16) -> Self {
        let window = settings.limit.map(|limit| {
            let slot = *slots;
            *slots = slots.saturating_add(1);
            WindowLimit { slot, restarts: limit.restarts, within: nanos(limit.within) }
        });
        let attempts = settings.max_attempts.unwrap_or(UNLIMITED);
        let duration = settings.max_duration.map_or(FOREVER, nanos);
        let any = attempts != UNLIMITED || duration != FOREVER || window.is_some();
        Self { any, attempts, duration, window }
    }
}

impl StageSettings {
    /// Returns the settings of a stage with those of its `retry` filled in. Limits are not inherited.
    fn inheriting(&self, parent: &Self) -> Self {
        Self {
            interval: self.interval.or(parent.interval),
            backoff: self.backoff.clone().or_else(|| parent.backoff.clone()),
            max_interval: self.max_interval.or(parent.max_interval),
            jitter: self.jitter.or(parent.jitter),
            max_attempts: None,
            max_duration: None,
            limit: None,
            placement: self.placement.or(parent.placement),
            scope: self.scope.or(parent.scope),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::backoff::Factor;

    const SEC: u64 = 1_000_000_000;

    fn delays(retry: &RetryPolicy, count: u32) -> Vec<u64> {
        let pacing = Pacing::new(&retry.settings);
        (0..count).map(|level| pacing.nominal(level) / SEC).collect()
    }

    fn every(secs: u64) -> RetryPolicy {
        RetryPolicy::every(Duration::from_secs(secs))
    }

    #[test]
    fn each_backoff_grows_as_documented_and_stops_at_the_cap() {
        let capped = |backoff| every(1).backoff(backoff).max_interval(Duration::from_secs(9));
        assert_eq!(delays(&capped(Backoff::Constant), 4), [1, 1, 1, 1]);
        assert_eq!(delays(&capped(Backoff::Linear), 10), [1, 2, 3, 4, 5, 6, 7, 8, 9, 9]);
        assert_eq!(delays(&capped(Backoff::exponential()), 6), [1, 2, 4, 8, 9, 9]);
        assert_eq!(delays(&capped(Backoff::Fibonacci), 8), [1, 1, 2, 3, 5, 8, 9, 9]);
        let schedule = [1, 1, 30].map(Duration::from_secs).to_vec();
        assert_eq!(delays(&every(5).backoff(Backoff::Schedule(schedule)), 5), [1, 1, 30, 30, 30]);
        let tripling = Backoff::Exponential(Factor::from_hundredths(300).unwrap());
        assert_eq!(delays(&every(1).backoff(tripling), 7), [1, 3, 9, 27, 81, 243, 300]);
    }

    #[test]
    fn delays_do_not_overflow_at_the_limits_of_their_range() {
        // supervisors/P1: the row with the largest number of restarts.
        let longest = every(u64::MAX).backoff(Backoff::exponential()).max_interval(Duration::MAX);
        assert_eq!(Pacing::new(&longest.settings).nominal(u32::MAX), MAX_DELAY);
        for backoff in [Backoff::Linear, Backoff::Fibonacci, Backoff::exponential()] {
            let tiny = RetryPolicy::every(Duration::from_nanos(1)).backoff(backoff).max_interval(Duration::MAX);
            let pacing = Pacing::new(&tiny.settings);
            assert_eq!(pacing.nominal(0), 1);
            assert!(pacing.nominal(u32::MAX) >= u64::from(u32::MAX));
            let zero = RetryPolicy::every(Duration::ZERO).backoff(Backoff::exponential());
            assert_eq!(Pacing::new(&zero.settings).nominal(u32::MAX), 0);
        }
        let slow = Backoff::Exponential(Factor::from_hundredths(101).unwrap());
        let pacing = Pacing::new(&RetryPolicy::every(Duration::from_nanos(1)).backoff(slow).settings);
        assert_eq!(pacing.nominal(u32::MAX), nanos(DEFAULT_CAP));
    }

    #[test]
    fn the_default_of_recover_after_is_twice_the_longest_delay_and_at_least_a_minute() {
        let after = |retry: &RetryPolicy| RetrySchedule::new("", retry, Scope::Replica, &mut 0).recover_after / SEC;
        assert_eq!(after(&every(1)), 60);
        assert_eq!(after(&every(45)), 90);
        assert_eq!(after(&every(1).backoff(Backoff::exponential())), 600);
        let staged = every(1).stages([RetryStage::new(), RetryStage::new().interval(Duration::from_secs(100))]);
        assert_eq!(after(&staged), 200);
    }

    #[test]
    fn a_stage_inherits_pacing_and_placement_but_no_limit() {
        let retry =
            every(5).max_attempts(9).placement(Placement::Elsewhere).stages([RetryStage::new().max_attempts(2)]);
        let schedule = RetrySchedule::new("", &retry, Scope::Replica, &mut 0);
        assert_eq!(schedule.whole.attempts, 9);
        assert_eq!(schedule.stages[0].limits.attempts, 2);
        assert_eq!(schedule.stages[0].pacing.nominal(0), 5 * SEC);
        assert_eq!(schedule.stages[0].placement, Placement::Elsewhere);
    }

    use crate::policy::retry::RetryStage;
}
