//! The evaluation of one failure: rules, then limits, then the delay.

use super::failure_context::FailureContext;
use super::flags::Flags;
use super::history::History;
use super::jitter;
use super::limits;
use super::message::Message;
use super::outcome::Outcome;
use super::streak::Streak;
use super::undo::Undo;
use super::verdict::{Decision, DecisionReason, Degrade, ExhaustedLimit, Hold, RemainingLimit, Restart, Verdict};
use crate::policy::compiled_rule::CompiledRule;
use crate::policy::retry_schedule::{CompiledStage, MAX_RETRY_AFTER, RetrySchedule, UNLIMITED};
use crate::policy::rule_index::Failure;
use crate::policy::{Cause, ImmediateFirst, OnSuccess, Policy, RuleAction};
use crate::time::{Timestamp, nanos};

/// A restart that was decided, and what it is charged.
struct PlannedRestart {
    delay: u64,
    reason: DecisionReason,
    charged: bool,
    remaining_limit: Option<RemainingLimit>,
}

/// Why no restart follows a failure.
enum NoRestart {
    FailFast,
    Rule(RuleAction),
    ExhaustedLimit(ExhaustedLimit),
}

/// A failure without a restart; [`Evaluation::no_restart`] completes its decision.
pub(crate) struct PendingNoRestart<'p> {
    matched: Option<&'p CompiledRule>,
    schedule: &'p RetrySchedule,
    swapped: SwappedStreak,
    reason: NoRestart,
}

/// The state that [`Evaluation::swap_out`] restores.
struct SwappedStreak {
    /// The policy's own streak, if that of a rule took its place.
    own: Option<Streak>,
    /// The streak before the failure, and for how long an incident may restore it.
    undo: Option<(Streak, u64)>,
}

/// The evaluation of one failure.
///
/// Monomorphised twice. With `PLAIN`, the policy has one `retry` without rules, stages and windows, and the failure is in
/// no incident and no group: the code for those is compiled away. `Compiled::plain` says which policies qualify.
pub(super) struct Evaluation<'p, 'o, const PLAIN: bool> {
    pub(super) policy: &'p Policy,
    pub(super) outcome: &'o Outcome,
    pub(super) context: FailureContext,
    pub(super) end: End,
}

/// How the incarnation ended, with times that never go backwards.
#[derive(Clone, Copy)]
pub(super) struct End {
    pub(super) at: Timestamp,
    /// The length of the run in nanoseconds; 0 if it never started.
    pub(super) ran: u64,
    /// The minimum delay in nanoseconds.
    pub(super) floor: u64,
}

impl<'p, const PLAIN: bool> Evaluation<'p, '_, PLAIN> {
    #[inline]
    fn incident(&self) -> Option<u32> {
        if PLAIN { None } else { self.context.incident }
    }

    #[inline]
    fn joins_group(&self) -> bool {
        !PLAIN && self.context.joins_group
    }

    #[inline]
    fn unlimited(&self) -> bool {
        !PLAIN && self.context.unlimited
    }

    #[inline]
    fn cause(&self) -> &Cause {
        self.outcome.cause.as_ref().unwrap_or(&Cause::Error)
    }

    /// Returns the message of the failure. There is none with `PLAIN`, because a failure with a reason is evaluated in full.
    #[inline]
    fn message(&self) -> Option<Message> {
        if PLAIN { None } else { self.outcome.reason().map(Message::new) }
    }

    /// Decides on a clean exit, which belongs to no streak and is never charged.
    #[inline(never)]
    pub(super) fn clean_exit(&self, history: &mut History) -> Decision {
        let (verdict, reason) = match self.policy.compiled().success {
            OnSuccess::Complete if !self.unlimited() => (Verdict::Complete, DecisionReason::Success),
            OnSuccess::Complete | OnSuccess::Restart | OnSuccess::Failure => {
                (self.restart_after_clean_exit(history), DecisionReason::CompletedRun)
            }
        };
        Decision {
            ended_at: self.end.at,
            verdict,
            reason,
            rule: None,
            attempt: 0,
            max_attempts: None,
            stage: 0,
            charged: false,
            exhausted_limit: None,
            remaining_limit: None,
            cause: None,
            exit: self.outcome.exit,
            message: self.message(),
        }
    }

    /// Restarts after the first delay of the pacing. The delay grows only while runs are shorter than the delay before
    /// them. `immediate_first` does not apply.
    fn restart_after_clean_exit(&self, history: &mut History) -> Verdict {
        let stage = self.policy.compiled().schedules[0].stage(0);
        // `end_incarnation` has reset `clean_exits` if this run was long enough.
        let level = u32::from(history.clean_exits);
        if self.end.ran < stage.pacing.nominal(level) {
            history.clean_exits = history.clean_exits.saturating_add(1);
        }
        let delay = match self.outcome.retry_after {
            Some(asked) => asked.min(stage.pacing.cap).min(MAX_RETRY_AFTER),
            // The level is passed as `more`: there is no previous delay that decorrelated jitter could grow from.
            None => jitter::delay(&stage.pacing, 0, level, 0, || history.draw()),
        };
        self.restart(stage, delay.max(self.end.floor))
    }

    #[inline]
    fn stage<'l>(&self, schedule: &'l RetrySchedule, history: &History) -> &'l CompiledStage {
        schedule.stage(if PLAIN { 0 } else { history.streak.stage.into() })
    }

    #[inline]
    fn restart(&self, stage: &CompiledStage, delay: u64) -> Verdict {
        // The sum stays below `MAX`: times are at most `LATEST`, and delays at most `MAX_DELAY`.
        let due = if self.outcome.still_alive { Timestamp::NEVER } else { self.end.at.plus_nanos(delay) };
        Verdict::Restart(Restart { due, delay, placement: stage.placement, scope: stage.scope })
    }

    // Inlined into `decide()`, which takes 17 ns instead of 21 (benches/README.md).
    #[inline(always)]
    #[expect(clippy::result_large_err, reason = "inlined, so never moved")]
    pub(super) fn failed(&self, history: &mut History) -> Result<Decision, PendingNoRestart<'p>> {
        let compiled = self.policy.compiled();
        let rule = if PLAIN || compiled.rules.is_empty() { None } else { self.matching_rule(history) };
        let matched = rule.and_then(|index| compiled.rules.rule(index));
        let repaired = self.outcome.start_failed && history.has(Flags::REPAIRING);
        if !repaired {
            history.remember_failure(self.cause(), self.outcome.exit, self.policy);
        }
        history.set_matched_rule(rule, self.policy);
        history.put(Flags::REPAIRING, true);

        let place = matched.map_or(0, |matched| matched.schedule);
        let schedule = &compiled.schedules[usize::from(place)];
        let swapped = self.swap_in(history, place);
        let attempt = history.streak.failures.saturating_add(1);
        let retried = PLAIN || compiled.retried.contains(self.cause()) || (repaired && compiled.retried.any());
        let planned = match matched {
            None if retried || self.unlimited() => self.retry(history, place, schedule, true),
            Some(rule) if self.is_retried_by(rule) || self.unlimited() => {
                self.retry(history, place, schedule, rule.charge)
            }
            None => Err(NoRestart::FailFast),
            Some(rule) => Err(NoRestart::Rule(rule.then)),
        };
        let planned = match planned {
            Ok(planned) => planned,
            Err(reason) => return Err(PendingNoRestart { matched, schedule, swapped, reason }),
        };
        let restart = self.restart(self.stage(schedule, history), planned.delay);
        let stage = history.streak.stage.into();
        self.swap_out(history, place, swapped, planned.charged);
        Ok(Decision {
            verdict: restart,
            reason: planned.reason,
            rule: matched.map(|rule| rule.matched.clone()),
            attempt,
            max_attempts: max_attempts(schedule),
            stage,
            charged: planned.charged,
            exhausted_limit: None,
            remaining_limit: planned.remaining_limit,
            ended_at: self.end.at,
            cause: Some(self.cause().clone()),
            exit: self.outcome.exit,
            message: self.message(),
        })
    }

    /// Moves the streak of a rule into `history.streak`, where it is evaluated, and saves what an incident would restore.
    #[inline]
    fn swap_in(&self, history: &mut History, place: u16) -> SwappedStreak {
        let own = (!PLAIN && place != 0).then(|| history.swap_streak(place));
        let correlated = if PLAIN || self.incident().is_some() { None } else { self.policy.compiled().correlated };
        SwappedStreak { own, undo: correlated.map(|correlated| (history.streak, correlated.within)) }
    }

    #[inline]
    fn swap_out(&self, history: &mut History, place: u16, swapped: SwappedStreak, charged: bool) {
        if PLAIN {
            return;
        }
        if let Some(own) = swapped.own {
            history.swap_back(place, own, self.policy);
        }
        if let Some((before, within)) = swapped.undo {
            let undo = Undo { at: self.end.at, schedule: place, before, charged: charged.into() };
            history.remember_undo(undo, within, self.policy);
        }
    }

    /// Completes the decision on a failure that no restart follows.
    #[inline(never)]
    pub(super) fn no_restart(&self, history: &mut History, pending: PendingNoRestart<'_>) -> Decision {
        let PendingNoRestart { matched, schedule, swapped, reason: why } = pending;
        let at = self.end.at;
        let attempt = history.streak.failures.saturating_add(1);
        let (verdict, reason) = match why {
            NoRestart::FailFast => (Verdict::Terminate, DecisionReason::FailFast),
            NoRestart::Rule(RuleAction::Terminate | RuleAction::Retry) => (Verdict::Terminate, DecisionReason::Rule),
            NoRestart::Rule(RuleAction::Degrade) => (Verdict::Degrade(Degrade { until: None }), DecisionReason::Rule),
            NoRestart::Rule(RuleAction::Hold(duration)) => (
                Verdict::Hold(Hold { until: duration.map(|duration| at.later_by(nanos(duration))) }),
                DecisionReason::Rule,
            ),
            NoRestart::ExhaustedLimit(_) => (
                limits::verdict_when_exhausted(self.policy.compiled(), &mut history.streak, at),
                DecisionReason::Exhausted,
            ),
        };
        let exhausted_limit =
            if let NoRestart::ExhaustedLimit(exhausted_limit) = why { Some(exhausted_limit) } else { None };
        // A failure that terminates the set without an exhausted limit is not counted in the streak.
        if exhausted_limit.is_some() || verdict != Verdict::Terminate {
            history.streak.failures = attempt;
        }
        let stage = history.streak.stage.into();
        self.swap_out(history, matched.map_or(0, |matched| matched.schedule), swapped, false);
        Decision {
            verdict,
            reason,
            rule: matched.map(|rule| rule.matched.clone()),
            attempt,
            max_attempts: max_attempts(schedule),
            stage,
            charged: false,
            exhausted_limit,
            remaining_limit: None,
            ended_at: at,
            cause: Some(self.cause().clone()),
            exit: self.outcome.exit,
            message: self.message(),
        }
    }

    /// Returns whether a rule restarts the replica. A rule with `attempts_over` is a limit, and no limit applies in an incident, so
    /// that such a rule retries there instead of giving up.
    #[inline]
    fn is_retried_by(&self, rule: &CompiledRule) -> bool {
        let exempt = self.incident().is_some() && rule.attempts_over.is_some();
        match rule.then {
            RuleAction::Retry => true,
            RuleAction::Degrade | RuleAction::Hold(_) => exempt,
            RuleAction::Terminate => false,
        }
    }

    /// Returns whether the restart counts for this replica, not for its incident or group.
    fn counts(&self) -> bool {
        self.incident().is_none() && !self.joins_group()
    }

    /// Returns the index of the rule that matches. A failed start keeps the rule of the failure that it follows, unless a rule
    /// names the cause of the failed start.
    #[inline(never)]
    fn matching_rule(&self, history: &History) -> Option<u16> {
        let rules = &self.policy.compiled().rules;
        // `attempts_over` of a rule with its own streak also counts the attempts of the policy's streak.
        let attempt = |schedule| history.streak_of(schedule).failures.max(history.streak.failures).saturating_add(1);
        let failure = Failure {
            cause: self.cause(),
            exit: self.outcome.exit,
            reason: self.outcome.reason(),
            replica: history.replica.0,
            ran: self.end.ran,
            was_ready: history.has(Flags::WAS_READY),
        };
        if !(self.outcome.start_failed && history.has(Flags::REPAIRING)) {
            return rules.first(failure, attempt);
        }
        rules.first_naming_cause(failure, attempt).or_else(|| {
            let (cause, exit) = history.last_failure()?;
            let earlier = Failure { cause: &cause, exit, reason: None, ..failure };
            rules.first_for_earlier(earlier, history.matched_rule(), attempt)
        })
    }

    // Inlined into `decide()`, which takes 17 ns instead of 21 (benches/README.md).
    #[inline(always)]
    fn retry(
        &self,
        history: &mut History,
        place: u16,
        schedule: &RetrySchedule,
        charge: bool,
    ) -> Result<PlannedRestart, NoRestart> {
        let at = self.end.at;
        // `charge: false` skips the policy's limits, not those of the rule's own `retry`.
        let limited = self.incident().is_none() && (charge || place != 0) && !self.unlimited();
        let charged = charge && self.counts();
        let mut room = None;
        if limited {
            let compiled = self.policy.compiled();
            if let Some(limit) = limits::exhausted_limit::<PLAIN>(compiled, history, schedule, at) {
                if !limits::waits_for_room(compiled, limit, self.context.indispensable) {
                    return Err(NoRestart::ExhaustedLimit(limit));
                }
                room = Some(limits::room_from(history, schedule, at));
            }
        }

        let stage = self.stage(schedule, history);
        let (delay, why) = self.next_delay(schedule, stage, history, history.streak.failures == 0);
        let delay = room.map_or(delay, |room| delay.max(room.nanos_since(at)));
        let reason = if room.is_some() {
            DecisionReason::Window
        } else if self.joins_group() {
            DecisionReason::Group
        } else if self.incident().is_some() {
            DecisionReason::Incident
        } else {
            why
        };
        if limited && self.counts() {
            let streak = &mut history.streak;
            streak.charged = streak.charged.saturating_add(1);
            streak.stage_charged = streak.stage_charged.saturating_add(1);
            streak.first = streak.first.min(at);
            streak.stage_first = streak.stage_first.min(at);
            history.put(Flags::COUNTS_ON_START, room.is_some());
            if room.is_none() && !PLAIN {
                limits::count_in_windows(history, self.policy, place, history.streak.stage.into(), at);
            }
        }
        let remaining_limit =
            if limited { limits::nearest_limit::<PLAIN>(history, &schedule.whole, &stage.limits, at) } else { None };
        Ok(PlannedRestart { delay, reason, charged, remaining_limit })
    }

    /// Returns the delay and its reason, and counts the failure in the streak. It does not count in an incident, whose delay grows
    /// for the whole set, or when it joins a group, which counts only its first failure.
    #[inline]
    fn next_delay(
        &self,
        schedule: &RetrySchedule,
        stage: &CompiledStage,
        history: &mut History,
        first: bool,
    ) -> (u64, DecisionReason) {
        let at_once = match schedule.immediate_first {
            _ if PLAIN => false,
            ImmediateFirst::Never => false,
            ImmediateFirst::Always => true,
            ImmediateFirst::Isolated => self.context.isolated,
        };
        let (delay, reason) = if let Some(asked) = self.outcome.retry_after {
            (asked.min(stage.pacing.cap).min(MAX_RETRY_AFTER), DecisionReason::RetryAfter)
        } else if first && at_once && !self.outcome.start_failed && self.incident().is_none() {
            (0, DecisionReason::Immediate)
        } else {
            let more = self.incident().unwrap_or(0);
            let Streak { level, previous, .. } = history.streak;
            (jitter::delay(&stage.pacing, level.into(), more, previous, || history.draw()), DecisionReason::Retry)
        };
        let delay = delay.max(self.end.floor);
        if self.counts() {
            let streak = &mut history.streak;
            if reason != DecisionReason::Immediate {
                streak.level = streak.level.saturating_add(1);
                streak.previous = delay;
            }
            streak.failures = streak.failures.saturating_add(1);
        }
        (delay, reason)
    }
}

#[inline]
fn max_attempts(schedule: &RetrySchedule) -> Option<u32> {
    (schedule.whole.attempts != UNLIMITED).then_some(schedule.whole.attempts)
}
