//! `decide`: what becomes of one replica whose incarnation ended.
//!
//! In this order: stale or duplicate news changes nothing; rules; limits; the delay. All of it comes from
//! the replica's own history: what the set has to say is asked when the restart is due, in `admit`.

use super::evaluation::{End, Evaluation, PendingNoRestart};
use super::history::{Flags, History};
use super::ids::Incarnation;
use super::limits::count_in_windows;
use super::outcome::Outcome;
use super::verdict::{DecideError, Decision};
use crate::policy::retry_schedule::FAILED_START_FLOOR;
use crate::policy::{OnSuccess, Policy};
use crate::time::Timestamp;

/// What the set knows at the moment of a failure. The default is a replica on its own.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct FailureContext {
    /// No other replica failed within `correlated.within`, the same instant included.
    pub isolated: bool,
    /// Giving this replica up would put `min_available` out of reach.
    pub indispensable: bool,
    /// An incident holds restarts back: the failure is part of it, uncharged. The number is how many of its
    /// canaries have failed, by which the delay grows.
    pub incident: Option<u32>,
    /// Another failure of this instant has its group restarted, and this replica is part of that: a restart joins it,
    /// uncharged.
    pub joins_group: bool,
}

impl Default for FailureContext {
    fn default() -> Self {
        Self { isolated: true, indispensable: false, incident: None, joins_group: false }
    }
}

impl Policy {
    /// Begins the next incarnation: the start is released now. What waited for room in the window counts from now.
    pub fn start(&self, history: &mut History, now: Timestamp) -> Incarnation {
        let now = history.clamp_time(now);
        if history.has(Flags::COUNTS_ON_START) {
            history.adapt(self);
            history.cancel_window_wait();
            let schedule =
                history.judged_by().and_then(|rule| self.compiled().rules.rule(rule)).map_or(0, |r| r.schedule);
            let stage = history.streak_of(schedule).stage.into();
            count_in_windows(history, self, schedule, stage, now);
        }
        history.begin(history.incarnation.next());
        history.mark = now;
        history.incarnation
    }

    /// It is no longer ready. What the time ready takes back of its streaks is taken back now.
    #[inline(always)]
    pub fn not_ready(&self, history: &mut History, at: Timestamp) {
        if let Some(ready_for) = history.turn_not_ready(at) {
            history.adapt(self);
            history.recover(self, ready_for);
        }
    }

    /// It is out of contact since `at`, and does not count as ready. Nothing is known to have happened to it then: news of
    /// an earlier end is not late for that.
    pub(crate) fn unknown(&self, history: &mut History, at: Timestamp) {
        let turned = history.turned;
        self.not_ready(history, at);
        history.turned = turned;
    }

    /// What becomes of a replica whose latest incarnation ended.
    ///
    /// Depth 1 of embedding: a pure function of one row. It needs no set; see [`Policy::decide_in`] for what a
    /// set can add.
    ///
    /// # Errors
    /// The incarnation is not live: its end has been told before. Nothing is changed.
    ///
    /// ```
    /// use uphold::{History, Outcome, Policy, Timestamp, Verdict};
    ///
    /// let fail_fast = Policy::builder().replicas(3).build()?;
    /// let mut history = History::new(0, 0.into());
    /// fail_fast.start(&mut history, Timestamp::ZERO);
    /// let decision = fail_fast.decide(&mut history, &Outcome::exited(1, Timestamp::from_secs(5)))?;
    /// assert_eq!(decision.verdict, Verdict::Terminate);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn decide(&self, history: &mut History, outcome: &Outcome) -> Result<Decision, DecideError> {
        self.decide_in(history, outcome, FailureContext::default())
    }

    /// [`Policy::decide`] with what the set knows.
    ///
    /// # Errors
    /// The incarnation is not live: its end has been told before. Nothing is changed.
    pub fn decide_in(
        &self,
        history: &mut History,
        outcome: &Outcome,
        context: FailureContext,
    ) -> Result<Decision, DecideError> {
        if history.is_live() { Ok(self.decide_live(history, outcome, context)) } else { Err(DecideError::NotLive) }
    }

    /// [`Policy::decide_in`] of an incarnation that is live.
    #[inline(always)]
    fn decide_live(&self, history: &mut History, outcome: &Outcome, context: FailureContext) -> Decision {
        let alone = context.incident.is_none() && !context.joins_group;
        if !alone || !self.is_plain(outcome) {
            return self.decide_in_full(history, outcome, context);
        }
        match self.decide_plain(history, outcome) {
            Ok(decision) => decision,
            Err(stays) => self.decide_to_stay_down(history, outcome, stays),
        }
    }

    /// Whether a failure that is no part of an incident or a group is judged by [`decide_plain`](Self::decide_plain).
    #[inline(always)]
    pub(crate) fn is_plain(&self, outcome: &Outcome) -> bool {
        self.compiled().plain && !outcome.is_success() && outcome.reason.is_none()
    }

    /// Judges a failure of a live incarnation under a plain policy. In line, for that is what most come to; `Err`: it is
    /// not followed by a restart, as [`decide_to_stay_down`](Self::decide_to_stay_down) has it.
    #[inline(always)]
    #[expect(clippy::result_large_err, reason = "in line, it is never moved")]
    pub(crate) fn decide_plain<'p>(
        &'p self,
        history: &mut History,
        outcome: &Outcome,
    ) -> Result<Decision, PendingNoRestart<'p>> {
        let end = self.end(history, outcome);
        Evaluation::<true> { policy: self, outcome, context: FailureContext::default(), end }.judge(history)
    }

    #[cold]
    #[inline(never)]
    pub(crate) fn decide_to_stay_down(
        &self,
        history: &mut History,
        outcome: &Outcome,
        stays: PendingNoRestart<'_>,
    ) -> Decision {
        let context = FailureContext::default();
        // Only its time is still asked for.
        let end = End { at: history.as_of(), ran: 0, floor: 0 };
        Evaluation::<true> { policy: self, outcome, context, end }.stay_down(history, stays)
    }

    /// Judges the end of a live incarnation, whatever the policy and the context.
    #[inline(never)]
    pub(crate) fn decide_in_full(&self, history: &mut History, outcome: &Outcome, context: FailureContext) -> Decision {
        let end = self.end(history, outcome);
        let case = Evaluation::<false> { policy: self, outcome, context, end };
        if outcome.is_success() && self.compiled().success != OnSuccess::Failure {
            return case.succeeded(history);
        }
        match case.judge(history) {
            Ok(decision) => decision,
            Err(stays) => case.stay_down(history, stays),
        }
    }

    /// The incarnation is not live any more.
    #[inline(always)]
    fn end(&self, history: &mut History, outcome: &Outcome) -> End {
        let at = history.clamp_time(outcome.at);
        let ran = if history.has(Flags::STARTED) { at.nanos_since(history.mark) } else { 0 };
        if history.has_more() {
            self.end_with_more(history, ran);
        }
        if history.has(Flags::READY) {
            history.recover(self, at.nanos_since(history.turned));
        }
        history.put(Flags::LIVE.and(Flags::STARTED).and(Flags::READY), false);
        history.mark = at;
        End { at, ran, floor: if outcome.start_failed || ran == 0 { FAILED_START_FLOOR } else { 0 } }
    }

    /// Of a replica that has more than its own streak.
    #[inline(never)]
    fn end_with_more(&self, history: &mut History, ran: u64) {
        history.adapt(self);
        if history.clean_exits > 0 {
            self.end_clean_exits(history, ran);
        }
    }

    /// A run as long as the delay that the next clean exit would be given ends the loop of clean exits, however it ended.
    fn end_clean_exits(&self, history: &mut History, ran: u64) {
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

    /// Both instances of the code judge the same failures of the same replica.
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
                plain.ready(now);
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
    fn a_plain_policy_is_judged_as_every_other() {
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
