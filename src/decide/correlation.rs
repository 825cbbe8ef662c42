//! The operations of depth 1 on incidents: record failures, detect an incident, record the results of starts.

use super::census::Census;
use super::failure_context::FailureContext;
use super::history::History;
use super::ids::ReplicaId;
use super::incident::{Incident, IncidentStage};
use super::outcome::Outcome;
use super::set_history::SetHistory;
use super::verdict::{Decision, DecisionReason, Verdict};
use crate::policy::retry_schedule::MIN_FAILED_START_DELAY;
use crate::policy::{Cause, OnSuccess, Policy};
use crate::time::Timestamp;

/// The result of a start; the argument of [`Policy::record_start_outcome`].
///
/// ```
/// use uphold::decide::{SetHistory, StartOutcome};
/// use uphold::{Policy, Timestamp};
///
/// let policy = Policy::builder().replicas(4).build()?;
/// let mut set = SetHistory::new(Timestamp::ZERO);
/// policy.resume_gradually(&mut set, Timestamp::from_secs(60)); // admits one start, then two, then four
/// policy.record_start_outcome(&mut set, 0.into(), StartOutcome::Up);
/// # Ok::<(), uphold::PolicyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a start comes up, fails, or is cancelled by an operator")]
pub enum StartOutcome {
    /// The replica is ready, or has run for `correlated.within` without a failure.
    Up,
    /// The replica failed.
    Failed {
        /// The earliest start of the next canary.
        retry: Timestamp,
    },
    /// The replica was stopped or removed before it came up or failed.
    Gone,
}

impl Policy {
    /// Records the failure of a replica, for incidents, `immediate_first: isolated` and `max_failures_before_ready`. Returns whether
    /// the outcome is a failure, so that an incident may have begun.
    ///
    /// Record every failure of one instant, then call [`Policy::detect_incident`], then decide on each failure.
    pub fn record_failure(
        &self,
        set: &mut SetHistory,
        replica: ReplicaId,
        history: &mut History,
        outcome: &Outcome,
        now: Timestamp,
    ) -> bool {
        let compiled = self.compiled();
        let now = set.advance(now);
        if outcome.is_success() && compiled.success != OnSuccess::Failure {
            // A clean exit before any replica was ready counts too, except under `success: complete`.
            if compiled.success == OnSuccess::Restart {
                set.count_before_ready(compiled.max_failures_before_ready);
            }
            return false;
        }
        let at = outcome.at.min(now);
        if compiled.watches_isolation {
            set.last_failures.get_or_init().note(replica, at);
        }
        if let Some(correlated) = compiled.correlated.filter(|_| !set.is_holding()) {
            history.adapt(self);
            set.recent_failures.get_or_init().note(replica, at, history.noted_at(), correlated.within, now);
            history.set_noted_at(now, self);
        }
        // A failure of the platform does not show that the workload cannot start.
        let own = !matches!(outcome.cause, Some(Cause::Interruption | Cause::NoCapacity | Cause::NodeLost));
        if own {
            set.count_before_ready(compiled.max_failures_before_ready);
        }
        true
    }

    /// Opens an incident if enough distinct replicas failed within `correlated.within`, and returns whether it did. Restarts then
    /// wait for a canary.
    ///
    /// The threshold is the share of `correlated`, rounded up: at least 2 replicas, and at least 3 in a set of 5 or more.
    ///
    /// ```
    /// use std::time::Duration;
    /// use uphold::decide::{Census, DecisionReason, History, SetHistory};
    /// use uphold::policy::Correlated;
    /// use uphold::{FailurePolicy, Outcome, Policy, Quantity, RetryPolicy, Timestamp};
    ///
    /// let policy = Policy::builder()
    ///     .replicas(2)
    ///     .retry(RetryPolicy::every(Duration::from_secs(30)))
    ///     .failure(FailurePolicy::new().correlated(Correlated::new(Quantity::Percent(100), Duration::from_secs(10))))
    ///     .build()?;
    /// let mut set = SetHistory::new(Timestamp::ZERO);
    /// let mut rows = [History::new(7, 0.into()), History::new(7, 1.into())];
    /// let now = Timestamp::from_secs(60);
    /// let crash = Outcome::exited(1, now);
    /// for (id, row) in (0..).zip(&mut rows) {
    ///     policy.start(row, Timestamp::ZERO);
    ///     policy.record_failure(&mut set, id.into(), row, &crash, now);
    /// }
    /// assert!(policy.detect_incident(&mut set, &Census { failed: 2, ..Census::default() }, now));
    ///
    /// let context = policy.failure_context(&set, 0.into(), now, false);
    /// let decision = policy.decide_with(&mut rows[0], &crash, context)?;
    /// assert_eq!((decision.reason, decision.charged), (DecisionReason::Incident, false));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn detect_incident(&self, set: &mut SetHistory, census: &Census, now: Timestamp) -> bool {
        let Some(correlated) = self.compiled().correlated else { return false };
        let threshold = correlated.threshold(census.desired());
        let recognised = !set.is_holding()
            && set
                .recent_failures
                .get_mut()
                .is_some_and(|recent_failures| recent_failures.is_incident(threshold, correlated.within));
        if recognised {
            let now = set.advance(now);
            set.incident = Some(Box::new(Incident::new(now)));
        }
        recognised
    }

    /// Returns the context of a failure at `at`, for [`Policy::decide_with`]. Pass `indispensable: true` if the set could not
    /// reach `min_available` without the replica.
    #[inline]
    pub fn failure_context(
        &self,
        set: &SetHistory,
        replica: ReplicaId,
        at: Timestamp,
        indispensable: bool,
    ) -> FailureContext {
        let incident = match set.incident.as_deref() {
            Some(&Incident { stage: IncidentStage::Holding { level, canary, .. }, .. }) => {
                Some(level.saturating_add(u32::from(canary == Some(replica))))
            }
            Some(_) | None => None,
        };
        let compiled = self.compiled();
        let isolated = !compiled.watches_isolation
            || set
                .last_failures
                .get()
                .is_none_or(|last_failures| last_failures.isolated(replica, at, compiled.isolation));
        FailureContext { isolated, indispensable, incident, ..FailureContext::default() }
    }

    /// Returns the result of a start whose incarnation ended with `decision`, for [`Policy::record_start_outcome`].
    ///
    /// A clean exit counts as up. After a failure, the next canary may start when this one would be restarted; if it is not
    /// restarted, after the next delay of the policy's own `retry`.
    pub fn start_outcome(&self, set: &SetHistory, decision: &Decision) -> StartOutcome {
        self.start_outcome_of(set, decision.verdict, decision.ended_at, decision.reason)
    }

    pub(crate) fn start_outcome_of(
        &self,
        set: &SetHistory,
        verdict: Verdict,
        ended_at: Timestamp,
        reason: DecisionReason,
    ) -> StartOutcome {
        let failed_canaries = match set.incident.as_deref() {
            Some(Incident { stage: IncidentStage::Holding { level, .. }, .. }) => level.saturating_add(1),
            _ => 0,
        };
        match verdict {
            Verdict::Complete => StartOutcome::Up,
            Verdict::Restart(_) if reason == DecisionReason::CompletedRun => StartOutcome::Up,
            Verdict::Restart(restart) => StartOutcome::Failed { retry: restart.due_after(ended_at) },
            Verdict::Hold(_) | Verdict::Degrade(_) | Verdict::Terminate => {
                let delay =
                    self.compiled().schedules[0].stage(0).pacing.nominal(failed_canaries).max(MIN_FAILED_START_DELAY);
                StartOutcome::Failed { retry: ended_at.later_by(delay) }
            }
        }
    }

    /// Records the result of a start that [`Policy::admit`] admitted. It has an effect only during an incident.
    pub fn record_start_outcome(&self, set: &mut SetHistory, replica: ReplicaId, outcome: StartOutcome) {
        let Some(incident) = &mut set.incident else { return };
        match &mut incident.stage {
            IncidentStage::Holding { level, not_before, canary } => {
                let was_canary = *canary == Some(replica);
                if was_canary {
                    *canary = None;
                }
                match outcome {
                    // Any replica that comes up shows that the common cause is gone.
                    StartOutcome::Up => incident.stage = IncidentStage::RESUMING,
                    StartOutcome::Failed { retry } if was_canary => {
                        *level = level.saturating_add(1);
                        *not_before = retry;
                    }
                    StartOutcome::Failed { .. } | StartOutcome::Gone => {}
                }
            }
            stage @ IncidentStage::Resuming { .. } => stage.decided(),
        }
    }

    /// Returns the nanoseconds without a failure after which a canary that is never ready counts as up.
    pub(crate) fn canary_trial(&self) -> u64 {
        self.compiled().isolation
    }
}

impl SetHistory {
    /// Records that a start was admitted during an incident.
    pub(super) fn release(&mut self, replica: ReplicaId, paid: bool) {
        let Some(incident) = &mut self.incident else { return };
        incident.charged |= paid;
        match &mut incident.stage {
            IncidentStage::Holding { canary, .. } => {
                *canary = Some(replica);
                incident.charged = true;
            }
            IncidentStage::Resuming { to_release, undecided, .. } => {
                *to_release = to_release.saturating_sub(1);
                *undecided = undecided.saturating_add(1);
            }
        }
    }

    /// Makes `replica` the canary if there is none: a member that was started before the incident was detected.
    pub(crate) fn adopt_canary(&mut self, replica: ReplicaId) {
        if let Some(Incident { stage: IncidentStage::Holding { canary, .. }, .. }) = self.incident.as_deref_mut() {
            canary.get_or_insert(replica);
        }
    }

    /// Refunds the tokens that members of the incident took before its detection, because an incident is charged once.
    pub(crate) fn refund(&mut self, policy: &Policy, tokens: u32) {
        if let Some(budget) = policy.compiled().budget {
            self.bucket.get_or_init().refund(budget, tokens);
        }
    }

    /// Removes and returns the replicas of the incident, with the time of the last failure.
    pub(crate) fn take_members(&mut self) -> (Vec<ReplicaId>, Option<Timestamp>) {
        let recent_failures = self.recent_failures.get_or_init();
        let latest = recent_failures.latest();
        (recent_failures.take_members(), latest)
    }

    /// Lets the next canary start at once.
    pub(crate) fn expedite_canary(&mut self, now: Timestamp) {
        if let Some(Incident { stage: IncidentStage::Holding { not_before, .. }, .. }) = self.incident.as_deref_mut() {
            *not_before = now.min(*not_before);
        }
    }
}
