//! The limits of a `retry`: which one is exhausted, what follows from that, and which one is nearest.
//!
//! For `PLAIN`, see [`Evaluation`](super::evaluation::Evaluation): there are no stages and no windows.

use std::time::Duration;

use super::history::History;
use super::streak::Streak;
use super::verdict::{Degrade, ExhaustedLimit, Hold, RemainingLimit, Verdict};
use crate::policy::retry_schedule::{FOREVER, Limits, RetrySchedule, UNLIMITED};
use crate::policy::{Compiled, Exhausted, Policy};
use crate::time::{Timestamp, nanos};

/// Returns the limit that a failure at `at` finds exhausted, after moving on through exhausted stages.
#[inline]
pub(super) fn exhausted_limit<const PLAIN: bool>(
    compiled: &Compiled,
    history: &mut History,
    schedule: &RetrySchedule,
    at: Timestamp,
) -> Option<ExhaustedLimit> {
    let Streak { charged, first, rounds, .. } = history.streak;
    if !PLAIN && rounds > 0 && matches!(compiled.exhausted, Exhausted::Quarantine(_)) {
        return Some(ExhaustedLimit::Trial);
    }
    if let Some(limit) = exhausted_of::<PLAIN>(&schedule.whole, history, charged, first, at) {
        return Some(limit);
    }
    if PLAIN {
        return None;
    }
    loop {
        let Streak { stage, stage_charged, stage_first, .. } = history.streak;
        let limits = &schedule.stage(stage.into()).limits;
        let limit = exhausted_of::<PLAIN>(limits, history, stage_charged, stage_first, at)?;
        if !history.streak.next_stage(schedule) {
            return Some(limit);
        }
    }
}

#[inline]
fn exhausted_of<const PLAIN: bool>(
    limits: &Limits,
    history: &History,
    charged: u32,
    first: Timestamp,
    at: Timestamp,
) -> Option<ExhaustedLimit> {
    if !limits.any {
        None
    } else if at.nanos_since(first) > limits.duration {
        Some(ExhaustedLimit::Duration)
    } else if charged >= limits.attempts {
        Some(ExhaustedLimit::Attempts)
    } else {
        let window = limits.window.filter(|_| !PLAIN)?;
        (history.room(window, at) == 0).then_some(ExhaustedLimit::Window)
    }
}

/// Returns whether a failure that finds `limit` exhausted waits for room in the window.
#[inline(never)]
pub(super) fn waits_for_room(compiled: &Compiled, limit: ExhaustedLimit, indispensable: bool) -> bool {
    limit == ExhaustedLimit::Window
        && match compiled.exhausted {
            Exhausted::Hold => true,
            Exhausted::Degrade => compiled.keep_min_available && indispensable,
            Exhausted::Terminate | Exhausted::Quarantine(_) => false,
        }
}

/// Returns when every window that the restart counts in has room; `at` if they have room now.
#[inline(never)]
pub(super) fn room_from(history: &History, schedule: &RetrySchedule, at: Timestamp) -> Timestamp {
    [schedule.whole.window, schedule.stage(history.streak.stage.into()).limits.window]
        .into_iter()
        .flatten()
        .filter_map(|limit| Some(history.window(limit.slot)?.room_from(limit, at)))
        .max()
        .unwrap_or(at)
}

/// Returns the verdict on a replica whose retry is exhausted; a quarantine uses up a round.
pub(super) fn verdict_when_exhausted(compiled: &Compiled, streak: &mut Streak, at: Timestamp) -> Verdict {
    match compiled.exhausted {
        Exhausted::Terminate => Verdict::Terminate,
        Exhausted::Degrade => Verdict::Degrade(Degrade { until: None }),
        Exhausted::Hold => Verdict::Hold(Hold { until: None }),
        Exhausted::Quarantine(quarantine) => {
            let another = quarantine.rounds.is_none_or(|rounds| u32::from(streak.rounds) < rounds);
            if another {
                streak.rounds = streak.rounds.saturating_add(1);
            }
            let until = another.then(|| at.later_by(nanos(quarantine.time)));
            Verdict::Degrade(Degrade { until })
        }
    }
}

/// Returns the limit with the smallest remaining fraction. Fractions make limits of different kinds comparable.
#[inline]
pub(super) fn nearest_limit<const PLAIN: bool>(
    history: &History,
    whole: &Limits,
    stage: &Limits,
    at: Timestamp,
) -> Option<RemainingLimit> {
    let Streak { charged, first, stage_charged, stage_first, .. } = history.streak;
    let mut nearest = None;
    if whole.any {
        update_nearest::<PLAIN>(&mut nearest, history, whole, (charged, first), at);
    }
    if stage.any && !PLAIN {
        update_nearest::<PLAIN>(&mut nearest, history, stage, (stage_charged, stage_first), at);
    }
    nearest.map(|(.., limit)| limit)
}

/// Replaces `nearest` (what is left, of how much, of which limit) by a limit with a smaller remaining fraction.
#[inline]
fn update_nearest<const PLAIN: bool>(
    nearest: &mut Option<(u64, u64, RemainingLimit)>,
    history: &History,
    limits: &Limits,
    (charged, first): (u32, Timestamp),
    at: Timestamp,
) {
    let mut offer = |left: u64, of: u64, limit: RemainingLimit| {
        let of = of.max(1);
        let nearer = |(least, most, _): (u64, u64, RemainingLimit)| {
            u128::from(left) * u128::from(most) < u128::from(least) * u128::from(of)
        };
        if nearest.is_none_or(nearer) {
            *nearest = Some((left, of, limit));
        }
    };
    if limits.attempts != UNLIMITED {
        let left = limits.attempts.saturating_sub(charged);
        offer(left.into(), limits.attempts.into(), RemainingLimit::Attempts(left));
    }
    if limits.duration != FOREVER {
        let left = limits.duration.saturating_sub(at.nanos_since(first));
        offer(left, limits.duration, RemainingLimit::Duration(Duration::from_nanos(left)));
    }
    if let Some(limit) = limits.window.filter(|_| !PLAIN) {
        let left = history.room(limit, at);
        offer(left.into(), limit.restarts.into(), RemainingLimit::Window(left));
    }
}

/// Counts a restart in the window of its schedule and that of its stage.
#[inline]
pub(super) fn count_in_windows(history: &mut History, policy: &Policy, schedule: u16, stage: u16, at: Timestamp) {
    if policy.compiled().windows > 0 {
        count_in_windows_of(history, policy, schedule, stage, at);
    }
}

fn count_in_windows_of(history: &mut History, policy: &Policy, schedule: u16, stage: u16, at: Timestamp) {
    let schedule = &policy.compiled().schedules[usize::from(schedule)];
    for limit in [schedule.whole.window, schedule.stage(stage).limits.window].into_iter().flatten() {
        history.window_mut(limit.slot, policy).count(limit, at);
    }
}
