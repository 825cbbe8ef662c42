//! One failure being judged: rules, then limits, then the delay.

use super::history::{Flags, History, Undo};
use super::jitter;
use super::judge::FailureContext;
use super::limits::count_in_windows;
use super::message::Message;
use super::outcome::Outcome;
use super::streak::Streak;
use super::verdict::{Decision, DecisionReason, Degrade, ExhaustedLimit, Hold, RemainingLimit, Restart, Verdict};
use crate::policy::retry_schedule::{CompiledStage, LONGEST_RETRY_AFTER, RetrySchedule, UNLIMITED};
use crate::policy::rule_index::{CompiledRule, Failure};
use crate::policy::{Cause, ImmediateFirst, OnEvents, OnSuccess, Policy, RuleAction};
use crate::time::{Timestamp, nanos};

/// A restart that is decided, and what it uses up.
struct PlannedRestart {
    delay: u64,
    reason: DecisionReason,
    charged: bool,
    remaining_limit: Option<RemainingLimit>,
}

/// Why a failure is not followed by a restart.
enum NoRestart {
    FailFast,
    Rule(RuleAction),
    ExhaustedLimit(ExhaustedLimit),
}

/// A failure that is not followed by a restart, as far as it is judged.
pub(crate) struct PendingNoRestart<'p> {
    matched: Option<&'p CompiledRule>,
    schedule: &'p RetrySchedule,
    lent: SwappedStreak,
    reason: NoRestart,
}

/// What is put back once a failure is judged under a policy that is not plain.
struct SwappedStreak {
    /// The policy's own streak, where that of a rule was judged in its place.
    own: Option<Streak>,
    /// The streak as it was, and for how long an incident may give that back.
    undo: Option<(Streak, u64)>,
}

/// One failure being judged. `PLAIN`: under a policy whose one `retry` has neither rules, stages nor windows beside it,
/// and on its own, in no incident and no group. It is judged as every other, in an instance of the code from which
/// everything that a plain policy has not is gone. What every failure goes through is kept in line, and what few do out
/// of it.
pub(super) struct Evaluation<'p, 'o, const PLAIN: bool> {
    pub(super) policy: &'p Policy,
    pub(super) outcome: &'o Outcome,
    pub(super) context: FailureContext,
    pub(super) end: End,
}

/// How the incarnation that is judged ended, with times that never go backwards.
#[derive(Clone, Copy)]
pub(super) struct End {
    pub(super) at: Timestamp,
    /// For how long it ran, in nanoseconds; 0 where it never started.
    pub(super) ran: u64,
    /// The least that the delay may be.
    pub(super) floor: u64,
}

impl<'p, const PLAIN: bool> Evaluation<'p, '_, PLAIN> {
    /// The incident that it is part of.
    #[inline]
    fn incident(&self) -> Option<u32> {
        if PLAIN { None } else { self.context.incident }
    }

    #[inline]
    fn joins_group(&self) -> bool {
        !PLAIN && self.context.joins_group
    }

    #[inline]
    fn cause(&self) -> &Cause {
        self.outcome.cause.as_ref().unwrap_or(&Cause::Error)
    }

    /// The text that came with it; a failure under a plain policy is judged in full where there is one.
    #[inline(always)]
    fn message(&self) -> Option<Message> {
        if PLAIN { None } else { self.outcome.reason().map(Message::new) }
    }

    /// A clean exit belongs to no streak, and is never charged.
    #[inline(never)]
    pub(super) fn succeeded(&self, history: &mut History) -> Decision {
        let (verdict, reason) = match self.policy.compiled().success {
            OnSuccess::Complete => (Verdict::Complete, DecisionReason::Success),
            OnSuccess::Restart | OnSuccess::Failure => {
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

    /// The first delay of the pacing, unless clean exits follow each other sooner than the delays between them: only then
    /// the delay grows. Never `immediate_first`.
    fn restart_after_clean_exit(&self, history: &mut History) -> Verdict {
        let stage = self.policy.compiled().schedules[0].stage(0);
        // `end` has taken a longer loop back already, if this run was long enough.
        let level = u32::from(history.clean_exits);
        if self.end.ran < stage.pacing.nominal(level) {
            history.clean_exits = history.clean_exits.saturating_add(1);
        }
        let delay = match self.outcome.retry_after {
            Some(asked) => asked.min(stage.pacing.cap).min(LONGEST_RETRY_AFTER),
            // All steps are steps beyond the first delay: there is no delay before it that jitter could grow from.
            None => jitter::delay(&stage.pacing, 0, level, 0, || history.draw()),
        };
        self.restart(stage, delay.max(self.end.floor))
    }

    #[inline(always)]
    fn stage<'l>(&self, schedule: &'l RetrySchedule, history: &History) -> &'l CompiledStage {
        schedule.stage(if PLAIN { 0 } else { history.streak.stage.into() })
    }

    #[inline(always)]
    fn restart(&self, stage: &CompiledStage, delay: u64) -> Verdict {
        // A due time that is known is never "never": times are at most `LATEST`, and delays at most `LONGEST_DELAY`.
        let due = if self.outcome.still_alive { Timestamp::MAX } else { self.end.at.plus_nanos(delay) };
        Verdict::Restart(Restart { due, delay, placement: stage.placement, scope: stage.scope })
    }

    #[inline(always)]
    #[expect(clippy::result_large_err, reason = "in line, it is never moved")]
    pub(super) fn judge(&self, history: &mut History) -> Result<Decision, PendingNoRestart<'p>> {
        let compiled = self.policy.compiled();
        let rule = if PLAIN || compiled.rules.is_empty() { None } else { self.matching_rule(history) };
        let matched = rule.and_then(|index| compiled.rules.rule(index));
        let repaired = self.outcome.start_failed && history.has(Flags::REPAIRING);
        if !repaired {
            history.remember_failure(self.cause(), self.outcome.exit, self.policy);
        }
        history.set_judged_by(rule, self.policy);
        history.put(Flags::REPAIRING, true);

        let place = matched.map_or(0, |matched| matched.schedule);
        let schedule = &compiled.schedules[usize::from(place)];
        let lent = self.lend(history, place);
        let attempt = history.streak.failures.saturating_add(1);
        let wanted = |events| repaired || wants(events, self.cause());
        let retried = PLAIN || (compiled.retries && compiled.on_events.is_none_or(wanted));
        let again = match matched {
            None if retried => self.retry(history, place, schedule, true),
            Some(rule) if self.is_retried_by(rule) => self.retry(history, place, schedule, rule.charge),
            None => Err(NoRestart::FailFast),
            Some(rule) => Err(NoRestart::Rule(rule.then)),
        };
        let again = match again {
            Ok(again) => again,
            Err(reason) => return Err(PendingNoRestart { matched, schedule, lent, reason }),
        };
        let restart = self.restart(self.stage(schedule, history), again.delay);
        let stage = history.streak.stage.into();
        self.give_back(history, place, lent, again.charged);
        Ok(Decision {
            verdict: restart,
            reason: again.reason,
            rule: matched.map(|matched| matched.shown.clone()),
            attempt,
            max_attempts: max_attempts(schedule),
            stage,
            charged: again.charged,
            exhausted_limit: None,
            remaining_limit: again.remaining_limit,
            ended_at: self.end.at,
            cause: Some(self.cause().clone()),
            exit: self.outcome.exit,
            message: self.message(),
        })
    }

    /// Puts the streak of a rule where the policy's own is, to be judged there, and remembers what an incident would undo.
    #[inline(always)]
    fn lend(&self, history: &mut History, place: u16) -> SwappedStreak {
        let own = (!PLAIN && place != 0).then(|| history.swap_streak(place));
        let correlated = if PLAIN || self.incident().is_some() { None } else { self.policy.compiled().correlated };
        SwappedStreak { own, undo: correlated.map(|correlated| (history.streak, correlated.within)) }
    }

    #[inline(always)]
    fn give_back(&self, history: &mut History, place: u16, lent: SwappedStreak, charged: bool) {
        if PLAIN {
            return;
        }
        if let Some(own) = lent.own {
            history.swap_back(place, own, self.policy);
        }
        if let Some((before, within)) = lent.undo {
            let undo = Undo { at: self.end.at, schedule: place, before, charged: charged.into() };
            history.remember_undo(undo, within, self.policy);
        }
    }

    /// No restart follows: a limit is used up, a rule says so, or nothing says otherwise.
    #[inline(never)]
    pub(super) fn stay_down(&self, history: &mut History, stays: PendingNoRestart<'_>) -> Decision {
        let PendingNoRestart { matched, schedule, lent, reason: why } = stays;
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
            NoRestart::ExhaustedLimit(_) => (self.exhausted(&mut history.streak), DecisionReason::Exhausted),
        };
        let exhausted_limit =
            if let NoRestart::ExhaustedLimit(exhausted_limit) = why { Some(exhausted_limit) } else { None };
        // What terminates the set by itself is no failure more in a streak.
        if exhausted_limit.is_some() || verdict != Verdict::Terminate {
            history.streak.failures = attempt;
        }
        let stage = history.streak.stage.into();
        self.give_back(history, matched.map_or(0, |matched| matched.schedule), lent, false);
        Decision {
            verdict,
            reason,
            rule: matched.map(|matched| matched.shown.clone()),
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

    /// A number of attempts is a limit, and an incident uses up no limit: what gives up after so many retries in one.
    #[inline]
    fn is_retried_by(&self, rule: &CompiledRule) -> bool {
        let pardoned = self.incident().is_some() && rule.attempts_over.is_some();
        match rule.then {
            RuleAction::Retry => true,
            RuleAction::Degrade | RuleAction::Hold(_) => pardoned,
            RuleAction::Terminate => false,
        }
    }

    /// Whether a restart counts for this replica, rather than for the set or for the group that it joins.
    fn counts(&self) -> bool {
        self.incident().is_none() && !self.joins_group()
    }

    /// A failed start is judged by the rule of the failure it repairs, unless a rule names its own cause.
    #[inline(never)]
    fn matching_rule(&self, history: &History) -> Option<u16> {
        let rules = &self.policy.compiled().rules;
        // A rule with a streak of its own is reached by the attempts of the policy's streak too.
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
        rules.first_naming(failure, attempt).or_else(|| {
            let (cause, exit) = history.last_failure()?;
            let earlier = Failure { cause: &cause, exit, reason: None, ..failure };
            rules.first_again(earlier, history.judged_by(), attempt)
        })
    }

    #[inline(always)]
    fn retry(
        &self,
        history: &mut History,
        place: u16,
        schedule: &RetrySchedule,
        charge: bool,
    ) -> Result<PlannedRestart, NoRestart> {
        let at = self.end.at;
        // A rule's own limits hold even where it charges nothing to the policy's.
        let limited = self.incident().is_none() && (charge || place != 0);
        let charged = charge && self.counts();
        let mut room = None;
        if limited {
            if let Some(exhausted_limit) = self.exhausted_limit(history, schedule) {
                if !self.waits_for_room(exhausted_limit) {
                    return Err(NoRestart::ExhaustedLimit(exhausted_limit));
                }
                room = Some(self.room_from(history, schedule));
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
                count_in_windows(history, self.policy, place, history.streak.stage.into(), at);
            }
        }
        let remaining_limit =
            if limited { self.remaining_limit(history, &schedule.whole, &stage.limits) } else { None };
        Ok(PlannedRestart { delay, reason, charged, remaining_limit })
    }

    /// The delay of the next restart, and one failure more. An incident takes no step up the schedule: its
    /// delay grows for the set as a whole; and a group takes one step together. `first`: of a streak.
    #[inline(always)]
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
            (asked.min(stage.pacing.cap).min(LONGEST_RETRY_AFTER), DecisionReason::RetryAfter)
        } else if first && at_once && !self.outcome.start_failed && self.incident().is_none() {
            (0, DecisionReason::Immediate)
        } else {
            // The first delay of a streak is the schedule's first; each canary that failed is one step more.
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

/// How many restarts a streak may have, where that is limited.
#[inline]
fn max_attempts(schedule: &RetrySchedule) -> Option<u32> {
    (schedule.whole.attempts != UNLIMITED).then_some(schedule.whole.attempts)
}

/// Whether dstack's `on_events` retries this cause.
fn wants(events: OnEvents, cause: &Cause) -> bool {
    match cause {
        Cause::NoCapacity => events.no_capacity,
        Cause::Interruption => events.interruption,
        _ => events.error,
    }
}
