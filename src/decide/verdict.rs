//! The decision on one failure, and its reason.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::message::Message;
use super::status::EndReason;
use crate::policy::{Cause, Exit, MatchedRule, Placement, Scope};
use crate::time::Timestamp;

/// What becomes of a replica whose incarnation ended.
///
/// Exhaustive on purpose: a match that overlooks a verdict would lose a replica in silence.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "an ignored verdict would lose a replica in silence")]
pub enum Verdict {
    /// Start it again. Followed by a start once it is due and the set admits it.
    Restart(Restart),
    /// Leave it down until an operator acts (`retry_now`, `restart`, `reset`) or the hold times out.
    Hold(Hold),
    /// Give it up and serve on with the rest.
    Degrade(Degrade),
    /// Terminate the set. Followed by a stop of every live replica.
    Terminate,
    /// It has done its work and is not started again.
    Complete,
}

/// A restart: when, where and with whom.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Restart {
    /// Not before this; "never" as long as that is not known.
    pub(crate) due: Timestamp,
    /// Nanoseconds.
    pub(crate) delay: u64,
    /// Where.
    pub placement: Placement,
    /// Who else is restarted.
    pub scope: Scope,
}

impl Restart {
    /// When it is due; `None`: the failed instance is still alive, and the delay counts from its end.
    pub const fn due(&self) -> Option<Timestamp> {
        self.due.known()
    }

    /// How long it waits, from the end of the failed instance on.
    pub const fn delay(&self) -> Duration {
        Duration::from_nanos(self.delay)
    }

    /// When it is due, given when the failed instance was confirmed to have ended.
    #[must_use]
    pub fn due_after(&self, end: Timestamp) -> Timestamp {
        self.due().unwrap_or_else(|| end.later_by(self.delay))
    }
}

/// A wait that only an event or its own time-out ends.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Hold {
    /// When it times out and the replica is started; `None`: never.
    pub until: Option<Timestamp>,
}

/// A replica given up.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Degrade {
    /// When one trial start is made; `None`: not before an operator asks for a start (`restart`, `reset`).
    pub until: Option<Timestamp>,
}

impl Verdict {
    /// The word that traces use: `restart`, `hold`, `degrade`, `terminate` or `complete`.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Restart(_) => "restart",
            Self::Hold(_) => "hold",
            Self::Degrade(_) => "degrade",
            Self::Terminate => "terminate",
            Self::Complete => "complete",
        }
    }

    /// When it has a known time at which the replica is started again.
    pub const fn due(&self) -> Option<Timestamp> {
        match self {
            Self::Restart(restart) => restart.due(),
            Self::Hold(hold) => hold.until,
            Self::Degrade(degrade) => degrade.until,
            Self::Terminate | Self::Complete => None,
        }
    }
}

/// A verdict with what led to it.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Decision {
    /// What is decided.
    pub verdict: Verdict,
    /// Why.
    pub reason: DecisionReason,
    /// The rule that matched; `None`: no rule, the policy's own `retry` or the lack of it.
    pub rule: Option<Arc<MatchedRule>>,
    /// Which failure of its streak this is, from 1; 0 for exit code 0, which belongs to no streak.
    pub attempt: u32,
    /// How many restarts the streak may have, where that is limited.
    pub max_attempts: Option<u32>,
    /// The stage of a staged retry, from 0.
    pub stage: u16,
    /// Whether it uses up limits and budget.
    pub charged: bool,
    /// Which limit the failure found used up.
    pub exhausted_limit: Option<ExhaustedLimit>,
    /// The limit that is nearest to being used up after this decision.
    pub remaining_limit: Option<RemainingLimit>,
    /// When the incarnation ended, and delays count from then; of one that is still alive, when it failed.
    pub ended_at: Timestamp,
    /// What was judged: the cause; `None` for a clean exit, which is no failure.
    pub cause: Option<Cause>,
    /// What was judged: exit code or signal.
    pub exit: Option<Exit>,
    /// The text that came with the failure: why a start failed, what a probe got.
    pub message: Option<Message>,
}

impl Decision {
    /// From the end of the incarnation to the next start, where one follows by itself; else zero.
    pub fn delay(&self) -> Duration {
        match self.verdict {
            Verdict::Restart(restart) => restart.delay(),
            other => other.due().map_or(Duration::ZERO, |due| due.since(self.ended_at)),
        }
    }

    /// Why the set is terminated, if that is the verdict: the argument of [`Policy::terminate`](crate::Policy::terminate).
    pub fn ends(&self) -> Option<EndReason> {
        match (self.verdict, self.reason) {
            (Verdict::Terminate, DecisionReason::FailFast) => Some(EndReason::FailFast),
            (Verdict::Terminate, DecisionReason::Exhausted) => Some(EndReason::Exhausted),
            (Verdict::Terminate, _) => Some(EndReason::Rule),
            _ => None,
        }
    }
}

/// Why a decision was taken.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum DecisionReason {
    /// Paced by `retry`.
    Retry,
    /// The first restart of a streak, at once.
    Immediate,
    /// The failure itself said when to try again.
    RetryAfter,
    /// Exit code 0 under `success: complete`.
    Success,
    /// A clean exit, which is exit code 0 under `success: restart`: a run that is over, not a failure.
    CompletedRun,
    /// The window is used up; waits for room in it.
    Window,
    /// One of many failures that are one incident: uncharged, waits for the canary.
    Incident,
    /// Joins the restart of a group that is under way.
    Group,
    /// A rule says so.
    Rule,
    /// The retry is used up.
    Exhausted,
    /// There is no `retry`, or none for this cause: the set is fail-fast.
    FailFast,
}

impl DecisionReason {
    /// The word that traces use.
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
            Self::FailFast => "fail-fast",
        }
    }
}

/// Which limit a failure found used up.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum ExhaustedLimit {
    /// `max_attempts`.
    Attempts,
    /// `max_duration`.
    Duration,
    /// `limit`.
    Window,
    /// The one trial start after a quarantine.
    Trial,
}

impl ExhaustedLimit {
    /// The key of the policy document.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Attempts => "max_attempts",
            Self::Duration => "max_duration",
            Self::Window => "limit",
            Self::Trial => "quarantine",
        }
    }
}

/// How much of a limit is left.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum RemainingLimit {
    /// So many more restarts in this streak.
    Attempts(u32),
    /// The streak may go on for this long.
    Duration(Duration),
    /// So many more restarts in the window.
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
    /// What happened to the incarnation.
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

    /// What becomes of the replica.
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
            Verdict::Degrade(Degrade { until: None }) => f.write_str("; given up, not started again by itself"),
            Verdict::Terminate => f.write_str("; the set is terminated"),
            Verdict::Complete => f.write_str("; complete, not started again"),
        }
    }
}

/// One sentence for an operator.
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
        // The attempt counts failures, those that are charged nothing too: it is no share of `max_attempts`.
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

/// Why a failure is not decided on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DecideError {
    /// The incarnation is not live: it was never started, or its end was reported before.
    #[error("the incarnation is not live: it was never started, or its end was reported before")]
    NotLive,
}
