//! The output of a set: commands to carry out, and notices.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cause_counts::CauseCode;
use super::event::ProbeKind;
use super::replica::Phase;
use crate::decide::{Decision, Gate, Incarnation, InstanceId, ReplicaId, Status, StatusReason, impl_instance};
use crate::policy::{Cause, MAX_REPLICAS, Placement};
use crate::time::Timestamp;

/// What a set hands out, by [`poll_output`](crate::ReplicaSet::poll_output) or
/// [`for_each_output`](crate::ReplicaSet::for_each_output).
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "an ignored kind of output would lose a replica in silence")]
pub enum Output {
    /// Obey it.
    Command(Command),
    /// May be ignored.
    Notice(Notice),
}

impl Output {
    /// Whether it holds nothing that must be given back, as most outputs do not.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        match self {
            Self::Notice(Notice::Verdict(DecisionMade { decision, .. })) => {
                decision.rule.is_none()
                    && decision.message.is_none()
                    && !matches!(decision.cause, Some(Cause::Named(_)))
            }
            Self::Notice(Notice::Status(change)) => !matches!(change.cause, Some(Cause::Named(_))),
            Self::Notice(Notice::Dropped(_)) => false,
            Self::Command(_)
            | Self::Notice(
                Notice::Replica(_) | Notice::Waiting(_) | Notice::Ignored(_) | Notice::Refused(_) | Notice::Incident(_),
            ) => true,
        }
    }
}

/// What the set asks of its backend. All of it is about one instance, and may be carried out in any order with
/// respect to other replicas.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "an ignored command would lose a replica in silence")]
pub enum Command {
    /// Start an instance. May be repeated by whoever lost the answer: it is identified by replica and incarnation.
    /// What may follow is `Started`, `StartFailed` or `Exited`; nothing by `start_timeout` is a failure.
    Start(Start),
    /// Ask the instance to stop. What should follow is `Stopped` or `Exited`; if nothing does, a kill.
    Stop(Stop),
    /// End the instance whatever it does. Repeated with growing gaps until `Stopped` or `Exited` follows.
    Kill(Kill),
    /// Ask the instance how it is; answered by `Probed`.
    Probe(ProbeCommand),
}

/// Start an instance.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Start {
    /// Whose.
    pub replica: ReplicaId,
    /// Which start.
    pub incarnation: Incarnation,
    /// Where: in place, or anywhere but where it was.
    pub placement: Placement,
}

/// Ask an instance to stop.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stop {
    /// Whose.
    pub replica: ReplicaId,
    /// Which start.
    pub incarnation: Incarnation,
    /// How long it may take before it is killed.
    pub grace: Duration,
}

/// End an instance.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Kill {
    /// Whose.
    pub replica: ReplicaId,
    /// Which start.
    pub incarnation: Incarnation,
}

/// Ask an instance how it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProbeCommand {
    /// Whose.
    pub replica: ReplicaId,
    /// Which start.
    pub incarnation: Incarnation,
    /// Which probe of `health`.
    pub probe: ProbeKind,
    /// When no answer counts as a failure.
    pub timeout: Duration,
}

impl_instance!(Start, Stop, Kill, ProbeCommand, DecisionMade, ReplicaChange, IgnoredEvent);

impl Command {
    /// Returns the instance that the command is about.
    pub const fn instance(&self) -> InstanceId {
        match self {
            Self::Start(start) => start.instance(),
            Self::Stop(stop) => stop.instance(),
            Self::Kill(kill) => kill.instance(),
            Self::Probe(probe) => probe.instance(),
        }
    }

    /// The word that traces use.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Start(_) => "start",
            Self::Stop(_) => "stop",
            Self::Kill(_) => "kill",
            Self::Probe(_) => "probe",
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.as_str(), self.instance())?;
        match self {
            Self::Start(start) if start.placement != Placement::Same => write!(f, " {}", start.placement.as_str()),
            Self::Probe(probe) => write!(f, " {}", probe.probe.as_str()),
            Self::Start(_) | Self::Stop(_) | Self::Kill(_) => Ok(()),
        }
    }
}

/// What happened, for logs, dashboards and tests. May be ignored.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Notice {
    /// The status, its reason, or the number of available or desired replicas changed.
    Status(StatusChange),
    /// A failure, or an exit 0, was judged.
    Verdict(DecisionMade),
    /// A replica changed its phase.
    Replica(ReplicaChange),
    /// A start that is due waits behind a gate.
    Waiting(Waiting),
    /// News was ignored: it is counted, and changes nothing.
    Ignored(IgnoredEvent),
    /// What an operator asked for cannot be done, and why.
    Refused(Rejection),
    /// So many replicas failed together that it is one incident.
    Incident(IncidentNotice),
    /// State that a new policy has no place for was dropped: the streaks and windows of these rules.
    Dropped(Vec<String>),
}

/// The set's status, as of now.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StatusChange {
    /// What the set is.
    pub status: Status,
    /// Why.
    pub reason: StatusReason,
    /// The cause by which every replica that is missing failed, if all failed by one.
    #[serde(default)]
    pub cause: Option<Cause>,
    /// Replicas that are available.
    pub available: u32,
    /// Replicas that are asked for.
    pub desired: u32,
    /// Since when the status has been this.
    pub since: Timestamp,
}

/// What the last notice of the status said, but for its time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct StatusShown {
    pub(crate) status: Status,
    pub(crate) reason: StatusReason,
    #[serde(default)]
    pub(crate) cause: CauseCode,
    pub(crate) available: u32,
    pub(crate) desired: u32,
}

impl StatusShown {
    #[inline]
    pub(crate) fn with_since(self, since: Timestamp, cause: Option<Cause>) -> StatusChange {
        let Self { status, reason, cause: _, available, desired } = self;
        StatusChange { status, reason, cause, available, desired, since }
    }
}

/// A decision about a replica.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct DecisionMade {
    /// Whose.
    pub replica: ReplicaId,
    /// Which start ended.
    pub incarnation: Incarnation,
    /// What was decided, and why.
    pub decision: Decision,
}

/// A replica's new phase.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReplicaChange {
    /// Whose.
    pub replica: ReplicaId,
    /// Its latest start.
    pub incarnation: Incarnation,
    /// What it is now.
    pub phase: Phase,
}

/// A start that waits behind a gate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Waiting {
    /// Whose.
    pub replica: ReplicaId,
    /// Behind which gate.
    pub gate: Gate,
}

/// An event that changed nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IgnoredEvent {
    /// Whose.
    pub replica: ReplicaId,
    /// Which start it was about.
    pub incarnation: Incarnation,
    /// Why it changed nothing.
    pub why: IgnoreReason,
}

/// Why news changed nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum IgnoreReason {
    /// It is about an earlier incarnation.
    Stale,
    /// It has been told before.
    Duplicate,
    /// It is about a replica or an incarnation that was never started.
    Unheard,
    /// Its incarnation is above [`Incarnation::LAST_ADOPTED`]: no start has such a number.
    OutOfRange,
}

impl IgnoreReason {
    /// Why news of an instance that the set has not started changes nothing.
    pub(crate) fn of_unstarted(incarnation: Incarnation) -> Self {
        if incarnation > Incarnation::LAST_ADOPTED { Self::OutOfRange } else { Self::Unheard }
    }

    /// The word that traces use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::Duplicate => "duplicate",
            Self::Unheard => "unheard",
            Self::OutOfRange => "out-of-range",
        }
    }
}

/// Why a request was refused.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Rejection {
    /// The set is terminating, terminated or completed.
    #[error("the set has ended")]
    SetEnded,
    /// There is no such replica.
    #[error("there is no replica {0}")]
    NoSuchReplica(ReplicaId),
    /// A set has at most 1 000 000 replicas.
    #[error("{0} replicas are asked for; a set has at most {MAX_REPLICAS}")]
    TooManyReplicas(u32),
    /// The replica does not wait for a retry: it was stopped.
    #[error("replica {0} is stopped: start, restart or reset it")]
    Stopped(ReplicaId),
    /// The replica does not wait for a retry: it was given up.
    #[error("replica {0} is given up: reset or restart it")]
    GivenUp(ReplicaId),
}

impl Rejection {
    /// The word that traces use.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::SetEnded => "set-ended",
            Self::NoSuchReplica(_) => "no-such-replica",
            Self::TooManyReplicas(_) => "too-many-replicas",
            Self::Stopped(_) => "stopped",
            Self::GivenUp(_) => "given-up",
        }
    }
}

/// What happened to an incident.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum IncidentNotice {
    /// It was recognised; so many replicas are part of it.
    Recognised(u32),
    /// Its canary is up: the rest follow.
    Resuming,
    /// It is over.
    Over,
}

/// One stable line, for logs and tests.
impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(command) => command.fmt(f),
            Self::Notice(notice) => notice.fmt(f),
        }
    }
}

/// One stable line, for logs and tests.
impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(change) => write!(
                f,
                "status {} ({}), {} of {} available",
                change.status, change.reason, change.available, change.desired
            ),
            Self::Verdict(judged) => write!(f, "{} {}", judged.instance(), judged.decision),
            Self::Replica(change) => write!(f, "{} is {}", change.instance(), change.phase),
            Self::Waiting(waiting) => write!(f, "replica {} waits: {}", waiting.replica, waiting.gate),
            Self::Ignored(event) => write!(f, "ignored: {} news of {}", event.why.as_str(), event.instance()),
            Self::Refused(refused) => write!(f, "refused: {refused}"),
            Self::Incident(IncidentNotice::Recognised(replicas)) => {
                write!(f, "incident: {replicas} replicas failed together")
            }
            Self::Incident(IncidentNotice::Resuming) => f.write_str("incident: the canary is up, the rest follow"),
            Self::Incident(IncidentNotice::Over) => f.write_str("incident: over"),
            Self::Dropped(keys) => write!(f, "dropped: state of {}", keys.join(", ")),
        }
    }
}
