//! The decision on one failure: the verdict, its reason, and the limits.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::message::Message;
use super::status::EndReason;
use crate::policy::{Cause, Exit, MatchedRule, Placement, Scope};
use crate::time::Timestamp;

/// What happens to a replica whose incarnation ended.
///
/// The enum is exhaustive, because a match that ignores a verdict loses a replica silently.
///
/// ```
/// use std::time::Duration;
/// use uphold::decide::History;
/// use uphold::{Outcome, Policy, RetryPolicy, Timestamp, Verdict};
///
/// let policy = Policy::builder().replicas(2).retry(RetryPolicy::every(Duration::from_secs(30))).build()?;
/// let mut history = History::new(7, 0.into());
/// policy.start(&mut history, Timestamp::ZERO);
/// let next_step = match policy.decide(&mut history, &Outcome::exited(1, Timestamp::from_secs(60)))?.verdict {
///     Verdict::Restart(restart) => format!("admit a start after {:?}", restart.delay()),
///     Verdict::Hold(hold) => format!("wait for an operator or until {:?}", hold.until),
///     Verdict::Degrade(degrade) => format!("serve with the rest; trial start at {:?}", degrade.until),
///     Verdict::Terminate => "terminate the set".to_owned(),
///     Verdict::Complete => "start nothing".to_owned(),
/// };
/// assert_eq!(next_step, "admit a start after 30s");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a caller that ignores a verdict loses a replica silently")]
pub enum Verdict {
    /// Start it again once it is due and [`Policy::admit`](crate::Policy::admit) admits the start.
    Restart(Restart),
    /// Leave it down until the hold times out or an operator requests a start (`retry_now`, `restart`, `reset`).
    Hold(Hold),
    /// Give it up and keep serving with the others.
    Degrade(Degrade),
    /// Terminate the set: stop every live replica and start none. [`Decision::ends`] is the reason.
    Terminate,
    /// It has completed (exit code 0 under `success: complete`) and is not started again.
    Complete,
}

/// When and where a replica is restarted, and which others are restarted with it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Restart {
    /// The earliest start; "never" until the end of the instance is known.
    pub(crate) due: Timestamp,
    /// In nanoseconds.
    pub(crate) delay: u64,
    /// Whether it is restarted in the same place or elsewhere.
    pub placement: Placement,
    /// Which other replicas are restarted with it.
    pub scope: Scope,
}

impl Restart {
    /// Returns the earliest start; `None` if the failed instance is still alive, since the delay counts from its end.
    pub const fn due(&self) -> Option<Timestamp> {
        self.due.known()
    }

    /// Returns the delay between the end of the failed instance and the start.
    pub const fn delay(&self) -> Duration {
        Duration::from_nanos(self.delay)
    }

    /// Returns the earliest start, given the confirmed end of the failed instance. `end` is ignored if the due time is known.
    #[must_use]
    pub fn due_after(&self, end: Timestamp) -> Timestamp {
        self.due().unwrap_or_else(|| end.later_by(self.delay))
    }
}

/// How long a replica is held.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Hold {
    /// When the hold times out and the replica is started; `None`: it waits for an operator.
    pub until: Option<Timestamp>,
}

/// How long a replica is given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Degrade {
    /// When one trial start is made; `None`: it waits for an operator (`restart`, `reset`).
    pub until: Option<Timestamp>,
}

impl Verdict {
    /// Returns the word that traces use: `restart`, `hold`, `degrade`, `terminate` or `complete`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Restart(_) => "restart",
            Self::Hold(_) => "hold",
            Self::Degrade(_) => "degrade",
            Self::Terminate => "terminate",
            Self::Complete => "complete",
        }
    }

    /// Returns when the replica is started again; `None` if that is not known or never happens.
    pub const fn due(&self) -> Option<Timestamp> {
        match self {
            Self::Restart(restart) => restart.due(),
            Self::Hold(hold) => hold.until,
            Self::Degrade(degrade) => degrade.until,
            Self::Terminate | Self::Complete => None,
        }
    }
}

/// A verdict, and why it was reached. Its `Display` is one sentence for an operator.
///
/// ```
/// use std::time::Duration;
/// use uphold::decide::{DecisionReason, ExhaustedLimit, History};
/// use uphold::{Outcome, Policy, RetryPolicy, Timestamp};
///
/// let retry = RetryPolicy::every(Duration::from_secs(30)).max_attempts(1);
/// let policy = Policy::builder().replicas(2).retry(retry).build()?;
/// let mut history = History::new(7, 0.into());
/// policy.start(&mut history, Timestamp::ZERO);
/// let first = policy.decide(&mut history, &Outcome::exited(1, Timestamp::from_secs(60)))?;
/// assert_eq!(first.to_string(), "ended with exit code 1; restart in 30s (attempt 1, no attempt left)");
///
/// policy.start(&mut history, Timestamp::from_secs(90));
/// let second = policy.decide(&mut history, &Outcome::exited(1, Timestamp::from_secs(95)))?;
/// assert_eq!((second.reason, second.exhausted_limit), (DecisionReason::Exhausted, Some(ExhaustedLimit::Attempts)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Decision {
    /// What happens to the replica.
    pub verdict: Verdict,
    /// Why the verdict was reached.
    pub reason: DecisionReason,
    /// The rule that matched; `None` if none did and the policy's own `retry` applied.
    pub rule: Option<Arc<MatchedRule>>,
    /// The number of this failure in its streak, from 1; 0 for a clean exit, which belongs to no streak.
    pub attempt: u32,
    /// `max_attempts` of the `retry` that applied; `None` if it has none.
    pub max_attempts: Option<u32>,
    /// The stage of a staged `retry`, from 0.
    pub stage: u16,
    /// Whether the restart counts towards limits and takes a budget token. Pass it to
    /// [`DueStart::restart`](super::DueStart::restart).
    pub charged: bool,
    /// The limit that was exhausted; `None` if the reason is not [`DecisionReason::Exhausted`].
    pub exhausted_limit: Option<ExhaustedLimit>,
    /// The limit that is nearest to exhaustion after this decision; `None` without limits.
    pub remaining_limit: Option<RemainingLimit>,
    /// When the incarnation ended, from which delays count; when it failed, if it is still alive.
    pub ended_at: Timestamp,
    /// The cause of the failure; `None` for a clean exit.
    pub cause: Option<Cause>,
    /// The exit code or signal, if known.
    pub exit: Option<Exit>,
    /// The text reported with the failure, such as why a start failed or what a probe received.
    pub message: Option<Message>,
}

impl Decision {
    /// Returns the time from the end of the incarnation to the next automatic start; zero if there is none.
    pub fn delay(&self) -> Duration {
        match self.verdict {
            Verdict::Restart(restart) => restart.delay(),
            other => other.due().map_or(Duration::ZERO, |due| due.since(self.ended_at)),
        }
    }

    /// Returns the reason to pass to [`Policy::terminate`](crate::Policy::terminate); `None` if the verdict is not
    /// [`Verdict::Terminate`].
    pub fn ends(&self) -> Option<EndReason> {
        match (self.verdict, self.reason) {
            (Verdict::Terminate, DecisionReason::FailFast) => Some(EndReason::FailFast),
            (Verdict::Terminate, DecisionReason::Exhausted) => Some(EndReason::Exhausted),
            (Verdict::Terminate, _) => Some(EndReason::Rule),
            _ => None,
        }
    }
}

/// Why a verdict was reached.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum DecisionReason {
    /// `retry` allows a restart after its delay.
    Retry,
    /// The first restart of a streak happens at once (`immediate_first`).
    Immediate,
    /// The failure was reported with a `retry_after`, which replaces the delay.
    RetryAfter,
    /// Exit code 0 under `success: complete`.
    Success,
    /// Exit code 0 under `success: restart`.
    CompletedRun,
    /// The window is full; the restart waits for room in it.
    Window,
    /// The failure belongs to an incident; the restart is uncharged and waits for the canary.
    Incident,
    /// The restart joins that of a group, and is uncharged.
    Group,
    /// A rule decided.
    Rule,
    /// A limit of `retry` is exhausted.
    Exhausted,
    /// The failure makes the rollout of its revision fail.
    Rollout,
    /// There is no `retry` for this failure, so that it terminates the set.
    FailFast,
}

impl DecisionReason {
    /// Returns the word that traces use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Immediate => "immediate",
            Self::RetryAfter => "retry-after",
            Self::Success => "success",
            Self::CompletedRun => "completed-run",
            Self::Window => "window",
            Self::Incident => "incident",
            Self::Group => "group",
            Self::Rule => "rule",
            Self::Exhausted => "exhausted",
            Self::Rollout => "rollout",
            Self::FailFast => "fail-fast",
        }
    }
}

/// A limit of `retry` that a failure found exhausted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ExhaustedLimit {
    /// `max_attempts`.
    Attempts,
    /// `max_duration`.
    Duration,
    /// `limit`.
    Window,
    /// The single trial start after a quarantine.
    Trial,
}

impl ExhaustedLimit {
    /// Returns the key of the policy document: `max_attempts`, `max_duration`, `limit` or `quarantine`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Attempts => "max_attempts",
            Self::Duration => "max_duration",
            Self::Window => "limit",
            Self::Trial => "quarantine",
        }
    }
}

/// A limit of `retry`, and how much of it is left.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum RemainingLimit {
    /// The number of further restarts in the streak (`max_attempts`).
    Attempts(u32),
    /// The time left for the streak (`max_duration`).
    Duration(Duration),
    /// The number of further restarts in the window (`limit`).
    Window(u32),
}

impl fmt::Display for RemainingLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Attempts(0) => f.write_str("no attempt left"),
            Self::Attempts(1) => f.write_str("1 attempt left"),
            Self::Attempts(left) => write!(f, "{left} attempts left"),
            Self::Duration(left) => write!(f, "{left:?} of max_duration left"),
            Self::Window(0) => f.write_str("no restart left in the window"),
            Self::Window(1) => f.write_str("1 restart left in the window"),
            Self::Window(left) => write!(f, "{left} restarts left in the window"),
        }
    }
}

impl Decision {
    /// Writes how the incarnation ended.
    fn write_end(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.cause, &self.exit) {
            (None, Some(exit)) => return write!(f, "completed its run with {exit}"),
            (None, None) => return f.write_str("completed its run"),
            (Some(Cause::Error), Some(exit)) => return write!(f, "ended with {exit}"),
            (Some(Cause::Error), None) => f.write_str("failed")?,
            (Some(Cause::Interruption), _) => f.write_str("was interrupted")?,
            (Some(Cause::NoCapacity), _) => f.write_str("found no capacity to start")?,
            (Some(Cause::OutOfMemory), _) => f.write_str("ran out of memory")?,
            (Some(Cause::StartTimeout), _) => f.write_str("did not start in time")?,
            (Some(Cause::Unhealthy), _) => f.write_str("is unhealthy")?,
            (Some(Cause::NodeLost), _) => f.write_str("was lost with its node")?,
            (Some(Cause::StartError), _) => f.write_str("could not be started")?,
            (Some(Cause::Named(name)), _) => write!(f, "failed with cause {}", name.as_str())?,
        }
        match self.exit {
            Some(exit) => write!(f, " ({exit})"),
            None => Ok(()),
        }
    }

    /// Writes what happens to the replica.
    fn write_verdict(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Restart(restart) => {
                if restart.due().is_none() && restart.delay == 0 {
                    f.write_str("; restart once it has ended")?;
                } else if restart.due().is_none() {
                    write!(f, "; restart {:?} after its end", self.delay())?;
                } else if self.delay().is_zero() {
                    f.write_str("; restart at once")?;
                } else {
                    write!(f, "; restart in {:?}", self.delay())?;
                }
                match restart.scope {
                    Scope::Replica => {}
                    Scope::All => f.write_str(" with the whole set")?,
                    Scope::Rest => f.write_str(" with those after it")?,
                }
                if restart.placement == Placement::Elsewhere {
                    f.write_str(", elsewhere")?;
                }
                Ok(())
            }
            Verdict::Hold(Hold { until: Some(_) }) => write!(f, "; held for {:?}", self.delay()),
            Verdict::Hold(Hold { until: None }) => f.write_str("; held until an operator acts"),
            Verdict::Degrade(Degrade { until: Some(_) }) => {
                write!(f, "; quarantined for {:?}, then one trial start", self.delay())
            }
            Verdict::Degrade(_) if self.reason == DecisionReason::Rollout => {
                f.write_str("; not started again at this revision")
            }
            Verdict::Degrade(Degrade { until: None }) => f.write_str("; given up, not started again by itself"),
            Verdict::Terminate => f.write_str("; the set is terminated"),
            Verdict::Complete => f.write_str("; complete, not started again"),
        }
    }
}

impl fmt::Display for Decision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_end(f)?;
        if let Some(message) = &self.message {
            write!(f, ": {message}")?;
        }
        self.write_verdict(f)?;
        if self.attempt == 0 {
            return Ok(());
        }
        // Not "attempt 3 of 5": the attempt counts uncharged failures too, `max_attempts` does not.
        write!(f, " (attempt {}", self.attempt)?;
        if self.stage > 0 {
            write!(f, ", stage {}", self.stage)?;
        }
        if let Some(rule) = &self.rule {
            write!(f, ", rule {rule}")?;
        }
        match self.reason {
            DecisionReason::FailFast => f.write_str(", no retry for it: fail-fast")?,
            DecisionReason::Immediate => f.write_str(", the first of its streak")?,
            DecisionReason::Window => f.write_str(", waits for room in the window")?,
            DecisionReason::Incident => f.write_str(", one of an incident")?,
            DecisionReason::Group => f.write_str(", joins the restart of its group")?,
            DecisionReason::Rollout => f.write_str(", the rollout has failed")?,
            DecisionReason::RetryAfter => f.write_str(", as the failure asked")?,
            DecisionReason::Retry
            | DecisionReason::Success
            | DecisionReason::CompletedRun
            | DecisionReason::Rule
            | DecisionReason::Exhausted => {}
        }
        match (self.exhausted_limit, self.max_attempts) {
            (Some(ExhaustedLimit::Attempts), Some(max)) => write!(f, ", max_attempts: {max} used up")?,
            (Some(ExhaustedLimit::Trial), _) => f.write_str(", the trial start failed")?,
            (Some(exhausted_limit), _) => write!(f, ", {} used up", exhausted_limit.as_str())?,
            (None, _) => {}
        }
        if !self.charged && matches!(self.verdict, Verdict::Restart(_)) {
            f.write_str(", not charged")?;
        }
        if let Some(remaining_limit) = self.remaining_limit {
            write!(f, ", {remaining_limit}")?;
        }
        f.write_str(")")
    }
}

/// The error of [`Policy::decide`](crate::Policy::decide).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecideError {
    /// The incarnation is not live: it was never started, or its end was reported before.
    #[error("the incarnation is not live: it was never started, or its end was reported before")]
    NotLive,
}
