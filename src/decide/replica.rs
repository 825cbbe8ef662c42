//! The operations of depth 1 on the row of one replica.
//!
//! A decision depends only on the replica's own history. Gates that depend on the set are checked in `admit`, when the
//! restart is due.

use super::evaluation::{End, Evaluation, PendingNoRestart};
use super::failure_context::FailureContext;
use super::flags::Flags;
use super::history::History;
use super::ids::Incarnation;
use super::limits::count_in_windows;
use super::outcome::Outcome;
use super::verdict::{DecideError, Decision, Degrade, Verdict};
use crate::policy::retry_schedule::MIN_FAILED_START_DELAY;
use crate::policy::{OnSuccess, Policy, Scope};
use crate::time::Timestamp;

/// Depth 1: operations on the row of one replica.
impl Policy {
    /// Begins the next incarnation and returns it. Call it once [`Policy::admit`] admits the start.
    ///
    /// A restart that waited for room in a window counts in it from now.
    pub fn start(&self, history: &mut History, now: Timestamp) -> Incarnation {
        let now = history.clamp_time(now);
        if history.has(Flags::COUNTS_ON_START) {
            history.adapt(self);
            history.cancel_window_wait();
            let schedule =
                history.matched_rule().and_then(|rule| self.compiled().rules.rule(rule)).map_or(0, |r| r.schedule);
            let stage = history.streak_of(schedule).stage.into();
            count_in_windows(history, self, schedule, stage, now);
        }
        history.begin(history.incarnation.next());
        history.instance_changed_at = now;
        history.incarnation
    }

    /// Records that the latest incarnation started at `at`. Only the first call for an incarnation has an effect.
    pub fn record_started(&self, history: &mut History, at: Timestamp) {
        history.record_started(at);
    }

    /// Records that the latest incarnation is ready, from `at` until [`Policy::record_not_ready`] or its end.
    /// Implies [`Policy::record_started`].
    pub fn record_ready(&self, history: &mut History, at: Timestamp) {
        history.record_ready(at);
    }

    /// Records that the latest incarnation is not ready from `at` on, and credits its streaks with the time that it was ready.
    #[inline]
    pub fn record_not_ready(&self, history: &mut History, at: Timestamp) {
        if let Some(ready_for) = history.record_not_ready(at) {
            history.adapt(self);
            history.recover(self, ready_for);
        }
    }

    /// Records that contact was lost at `at`: the incarnation no longer counts as ready. Keeps `readiness_changed_at`, so that
    /// an end before `at` can still be reported with its own time.
    pub(crate) fn record_unknown(&self, history: &mut History, at: Timestamp) {
        let readiness_changed_at = history.readiness_changed_at;
        self.record_not_ready(history, at);
        history.readiness_changed_at = readiness_changed_at;
    }

    /// Clears all streaks, windows and quarantine rounds, as an operator's `reset` does. The incarnation stays.
    pub fn reset(&self, history: &mut History) {
        history.reset();
    }

    /// Decides what happens to a replica whose latest incarnation ended, from its own row alone.
    ///
    /// Rules are matched first, then limits are checked, then the delay is computed. Incidents, groups and the rest of the set are
    /// taken into account by [`Policy::decide_with`].
    ///
    /// # Errors
    /// [`DecideError::NotLive`] if the incarnation is not live: it was never started, or its end was reported before. The row is not
    /// changed.
    ///
    /// ```
    /// use uphold::decide::History;
    /// use uphold::{Outcome, Policy, Timestamp, Verdict};
    ///
    /// let fail_fast = Policy::builder().replicas(3).build()?;
    /// let mut history = History::new(0, 0.into());
    /// fail_fast.start(&mut history, Timestamp::ZERO);
    /// let decision = fail_fast.decide(&mut history, &Outcome::exited(1, Timestamp::from_secs(5)))?;
    /// assert_eq!(decision.verdict, Verdict::Terminate);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn decide(&self, history: &mut History, outcome: &Outcome) -> Result<Decision, DecideError> {
        self.decide_with(history, outcome, FailureContext::default())
    }

    /// Decides like [`Policy::decide`], in the context of the set that [`Policy::failure_context`] returns.
    ///
    /// # Errors
    /// [`DecideError::NotLive`] if the incarnation is not live. The row is not changed.
    pub fn decide_with(
        &self,
        history: &mut History,
        outcome: &Outcome,
        context: FailureContext,
    ) -> Result<Decision, DecideError> {
        if !history.is_live() {
            return Err(DecideError::NotLive);
        }
        let on_its_own = context.incident.is_none() && !context.joins_group && !context.exempt && !context.unlimited;
        if !on_its_own || !self.is_plain(outcome) {
            return Ok(self.decide_in_full(history, outcome, context));
        }
        Ok(match self.decide_plain(history, outcome) {
            Ok(decision) => decision,
            Err(pending) => self.decide_no_restart(history, outcome, pending),
        })
    }

    /// Whether [`decide_plain`](Self::decide_plain) may evaluate a failure that is in no incident and no group.
    #[inline]
    pub(crate) fn is_plain(&self, outcome: &Outcome) -> bool {
        self.compiled().plain && !outcome.is_success() && outcome.reason.is_none()
    }

    /// Evaluates a failure of a live incarnation under a plain policy, inlined into the engine's hot path. On `Err`, no
    /// restart follows, and [`decide_no_restart`](Self::decide_no_restart) completes the decision.
    // Inlined into `decide()`, which takes 17 ns instead of 21 (benches/README.md).
    #[inline(always)]
    #[expect(clippy::result_large_err, reason = "inlined, so never moved")]
    pub(crate) fn decide_plain<'p>(
        &'p self,
        history: &mut History,
        outcome: &Outcome,
    ) -> Result<Decision, PendingNoRestart<'p>> {
        let end = self.end_incarnation(history, outcome);
        Evaluation::<true> { policy: self, outcome, context: FailureContext::default(), end }.failed(history)
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn decide_no_restart(
        &self,
        history: &mut History,
        outcome: &Outcome,
        pending: PendingNoRestart<'_>,
    ) -> Decision {
        let context = FailureContext::default();
        // Only `at` is read from here on.
        let end = End { at: history.as_of(), ran: 0, floor: 0 };
        Evaluation::<true> { policy: self, outcome, context, end }.no_restart(history, pending)
    }

    /// Evaluates the end of a live incarnation under any policy and in any context.
    #[inline(never)]
    pub(crate) fn decide_in_full(
        &self,
        history: &mut History,
        outcome: &Outcome,
        mut context: FailureContext,
    ) -> Decision {
        if context.exempt {
            context.incident = None;
            context.joins_group = false;
        }
        let mut decision = self.evaluate_in_full(history, outcome, context);
        if context.exempt {
            match &mut decision.verdict {
                verdict @ Verdict::Terminate => *verdict = Verdict::Degrade(Degrade { until: None }),
                Verdict::Restart(restart) => restart.scope = Scope::Replica,
                _ => {}
            }
        }
        decision
    }

    fn evaluate_in_full(&self, history: &mut History, outcome: &Outcome, context: FailureContext) -> Decision {
        let end = self.end_incarnation(history, outcome);
        let evaluation = Evaluation::<false> { policy: self, outcome, context, end };
        if outcome.is_success() && self.compiled().success != OnSuccess::Failure {
            return evaluation.clean_exit(history);
        }
        match evaluation.failed(history) {
            Ok(decision) => decision,
            Err(pending) => evaluation.no_restart(history, pending),
        }
    }

    /// Marks the incarnation as ended and credits its streaks with the time it was ready.
    #[inline]
    fn end_incarnation(&self, history: &mut History, outcome: &Outcome) -> End {
        let at = history.clamp_time(outcome.at);
        let ran = if history.has(Flags::STARTED) { at.nanos_since(history.instance_changed_at) } else { 0 };
        if history.has_more() {
            self.end_uncommon(history, ran);
        }
        if history.has(Flags::READY) {
            history.recover(self, at.nanos_since(history.readiness_changed_at));
        }
        history.put(Flags::LIVE.and(Flags::STARTED).and(Flags::READY), false);
        history.instance_changed_at = at;
        End { at, ran, floor: if outcome.start_failed || ran == 0 { MIN_FAILED_START_DELAY } else { 0 } }
    }

    /// Handles the rare cases of [`end_incarnation`](Self::end_incarnation).
    #[inline(never)]
    fn end_uncommon(&self, history: &mut History, ran: u64) {
        history.adapt(self);
        if history.clean_exits > 0 {
            self.end_clean_exit_loop(history, ran);
        }
    }

    /// A run at least as long as the delay of the next clean exit ends the loop of clean exits, however the run ended.
    fn end_clean_exit_loop(&self, history: &mut History, ran: u64) {
        let pacing = &self.compiled().schedules[0].stage(0).pacing;
        if ran >= pacing.nominal(history.clean_exits.into()) {
            history.clean_exits = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::policy::{Backoff, Cause, FailurePolicy, Jitter, Recover, RetryPolicy};

    /// Both instances of `Evaluation` decide the same on the same failures.
    fn assert_same(policy: &Policy) {
        assert!(policy.compiled().plain);
        let mut plain = History::new(7, 3.into());
        let mut now = Timestamp::ZERO;
        let mut state = 1u64;
        for _ in 0..2000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            policy.start(&mut plain, now);
            let (starts, runs) = (state >> 60 < 12, state >> 40 & 0xff);
            if starts {
                plain.record_ready(now);
            }
            now = now + Duration::from_secs(runs);
            let outcome = match state >> 37 & 3 {
                _ if !starts => Outcome::start_failed(Cause::NoCapacity, now),
                0 => Outcome::failed(Cause::Interruption, now).retry_after(Duration::from_secs(runs / 2)),
                _ => Outcome::exited(1, now),
            };
            let mut full = plain.clone();
            let in_full = policy.decide_in_full(&mut full, &outcome, FailureContext::default());
            assert_eq!(policy.decide(&mut plain, &outcome), Ok(in_full));
            assert_eq!(plain, full);
        }
    }

    #[test]
    fn a_plain_policy_decides_like_any_other() {
        let every = RetryPolicy::every(Duration::from_secs(10));
        let growing = every.clone().backoff(Backoff::exponential()).max_interval(Duration::from_secs(60));
        for retry in [
            every.clone(),
            every.max_duration(Duration::from_secs(600)).max_attempts(5),
            growing.clone().jitter(Jitter::Decorrelated).recover(Recover::Never).max_attempts(50),
            growing.jitter(Jitter::Equal).recover(Recover::Step(Some(Duration::from_secs(60)))),
        ] {
            assert_same(&Policy::builder().replicas(3).retry(retry).failure(FailurePolicy::new()).build().unwrap());
        }
    }
}
