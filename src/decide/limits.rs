//! The limits of a `retry`: which is used up, what follows from that, and which is nearest.

use std::time::Duration;

use super::evaluation::Evaluation;
use super::history::History;
use super::streak::Streak;
use super::verdict::{Degrade, ExhaustedLimit, Hold, RemainingLimit, Verdict};
use crate::policy::retry_schedule::{FOREVER, Limits, RetrySchedule, UNLIMITED};
use crate::policy::{Exhausted, Policy};
use crate::time::{Timestamp, nanos};

impl<const PLAIN: bool> Evaluation<'_, '_, PLAIN> {
    /// Which limit this failure finds used up, going on from stage to stage.
    #[inline(always)]
    pub(super) fn exhausted_limit(&self, history: &mut History, schedule: &RetrySchedule) -> Option<ExhaustedLimit> {
        let Streak { charged, first, rounds, .. } = history.streak;
        if !PLAIN && rounds > 0 && matches!(self.policy.compiled().exhausted, Exhausted::Quarantine(_)) {
            return Some(ExhaustedLimit::Trial);
        }
        if let Some(exhausted_limit) = self.over(&schedule.whole, history, charged, first) {
            return Some(exhausted_limit);
        }
        if PLAIN {
            return None;
        }
        loop {
            let Streak { stage, stage_charged, stage_first, .. } = history.streak;
            let limits = &schedule.stage(stage.into()).limits;
            let exhausted_limit = self.over(limits, history, stage_charged, stage_first)?;
            if !history.streak.next_stage(schedule) {
                return Some(exhausted_limit);
            }
        }
    }

    /// Which of these limits is used up.
    #[inline(always)]
    fn over(&self, limits: &Limits, history: &History, charged: u32, first: Timestamp) -> Option<ExhaustedLimit> {
        if !limits.any {
            None
        } else if self.end.at.nanos_since(first) > limits.duration {
            Some(ExhaustedLimit::Duration)
        } else if charged >= limits.attempts {
            Some(ExhaustedLimit::Attempts)
        } else {
            let window = limits.window.filter(|_| !PLAIN)?;
            (history.room(window, self.end.at) == 0).then_some(ExhaustedLimit::Window)
        }
    }

    /// Whether a failure that finds this limit used up waits until it is not.
    #[inline(never)]
    pub(super) fn waits_for_room(&self, exhausted_limit: ExhaustedLimit) -> bool {
        let compiled = self.policy.compiled();
        exhausted_limit == ExhaustedLimit::Window
            && match compiled.exhausted {
                Exhausted::Hold => true,
                Exhausted::Degrade => compiled.keep_min_available && self.context.indispensable,
                Exhausted::Terminate | Exhausted::Quarantine(_) => false,
            }
    }

    /// When every window that the restart would count in has room.
    #[inline(never)]
    pub(super) fn room_from(&self, history: &History, schedule: &RetrySchedule) -> Timestamp {
        [schedule.whole.window, schedule.stage(history.streak.stage.into()).limits.window]
            .into_iter()
            .flatten()
            .filter_map(|limit| Some(history.window(limit.slot)?.room_from(limit, self.end.at)))
            .max()
            .unwrap_or(self.end.at)
    }

    /// What becomes of a replica whose retry is used up.
    pub(super) fn exhausted(&self, streak: &mut Streak) -> Verdict {
        match self.policy.compiled().exhausted {
            Exhausted::Terminate => Verdict::Terminate,
            Exhausted::Degrade => Verdict::Degrade(Degrade { until: None }),
            Exhausted::Hold => Verdict::Hold(Hold { until: None }),
            Exhausted::Quarantine(quarantine) => {
                let another = quarantine.rounds.is_none_or(|rounds| u32::from(streak.rounds) < rounds);
                if another {
                    streak.rounds = streak.rounds.saturating_add(1);
                }
                let until = another.then(|| self.end.at.later_by(nanos(quarantine.time)));
                Verdict::Degrade(Degrade { until })
            }
        }
    }

    /// The limit of which the smallest part is left.
    #[inline(always)]
    pub(super) fn remaining_limit(&self, history: &History, whole: &Limits, stage: &Limits) -> Option<RemainingLimit> {
        let Streak { charged, first, stage_charged, stage_first, .. } = history.streak;
        let mut nearest = None;
        if whole.any {
            self.nearer(&mut nearest, history, whole, charged, first);
        }
        if stage.any && !PLAIN {
            self.nearer(&mut nearest, history, stage, stage_charged, stage_first);
        }
        nearest.map(|(.., what)| what)
    }

    /// Takes whichever of these limits is nearer: how much is left of how much. As fractions, limits of different kinds
    /// compare.
    #[inline(always)]
    fn nearer(
        &self,
        nearest: &mut Option<(u64, u64, RemainingLimit)>,
        history: &History,
        limits: &Limits,
        charged: u32,
        first: Timestamp,
    ) {
        let at = self.end.at;
        let mut offer = |left: u64, of: u64, what: RemainingLimit| {
            let of = of.max(1);
            let nearer = |(least, most, _): (u64, u64, RemainingLimit)| {
                u128::from(left) * u128::from(most) < u128::from(least) * u128::from(of)
            };
            if nearest.is_none_or(nearer) {
                *nearest = Some((left, of, what));
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
}

/// Counts a restart in every window that it counts in.
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
