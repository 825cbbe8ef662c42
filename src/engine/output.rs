//! The output of a set: commands to carry out, and notices.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::cause_counts::CauseCode;
use super::event::ProbeKind;
use super::replica::Phase;
use super::slots::{DrainAnswer, Role, RolloutChange};
use crate::decide::{
    Decision, Gate, Incarnation, InstanceId, ReplicaId, Revision, Status, StatusReason, impl_instance,
};
use crate::policy::{Cause, MAX_REPLICAS, Placement};
use crate::time::Timestamp;

/// The output of a set, taken by [`poll_output`](crate::ReplicaSet::poll_output) or
/// [`for_each_output`](crate::ReplicaSet::for_each_output).
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "an ignored kind of output would lose a replica in silence")]
pub enum Output {
    /// Must be executed.
    Command(Command),
    /// May be ignored.
    Notice(Notice),
}

/// A request to the backend about one instance. Commands about different replicas may be executed in any order.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::exhaustive_enums, reason = "an ignored command would lose a replica in silence")]
pub enum Command {
    /// Start an instance. Idempotent: the same replica and incarnation are the same instance. Expects `Started`,
    /// `StartFailed` or `Exited`; without any of these within `start_timeout`, the start has failed.
    Start(Start),
    /// Ask the instance to stop. Expects `Stopped` or `Exited`; without either within `grace`, a kill follows.
    Stop(Stop),
    /// Kill the instance. Repeated with growing gaps until `Stopped` or `Exited` is reported.
    Kill(Kill),
    /// Probe the instance. Expects `Probed`.
    Probe(ProbeCommand),
}

/// The command to start an instance.
///
/// ```
/// use uphold::engine::Role;
/// use uphold::{Command, Output, Policy, ReplicaSet, Timestamp};
///
/// let policy: Policy = serde_json::from_str(r#"{"replicas": 1, "retry": true, "scaling": {"standby": 1}}"#)?;
/// let mut set = ReplicaSet::new(policy, 7, Timestamp::ZERO);
/// set.handle_timeout(Timestamp::ZERO);
/// let mut standbys = 0;
/// while let Some(output) = set.poll_output() {
///     if let Output::Command(Command::Start(start)) = output {
///         // Start the workload of `start.revision` as `start.instance()`; `elsewhere` is not where it last ran.
///         standbys += u32::from(start.role == Role::Standby);
///     }
/// }
/// assert_eq!(standbys, 1);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Start {
    /// The replica.
    pub replica: ReplicaId,
    /// The number of the start.
    pub incarnation: Incarnation,
    /// Where to start it, relative to the replica's last instance.
    pub placement: Placement,
    /// The role of its slot. A backend may ignore it.
    pub role: Role,
    /// The regular slot that its slot is tied to: the one that it stands in for, or will replace.
    pub tied_to: Option<ReplicaId>,
    /// The revision of the workload to start; `None`: the one that the set began with.
    pub revision: Option<Revision>,
}

/// The command to stop an instance.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Stop {
    /// The replica.
    pub replica: ReplicaId,
    /// The number of the start.
    pub incarnation: Incarnation,
    /// How long the stop may take before the set kills the instance.
    pub grace: Duration,
}

/// The command to kill an instance.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Kill {
    /// The replica.
    pub replica: ReplicaId,
    /// The number of the start.
    pub incarnation: Incarnation,
}

/// The command to probe an instance.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProbeCommand {
    /// The replica.
    pub replica: ReplicaId,
    /// The number of the start.
    pub incarnation: Incarnation,
    /// The probe of the policy's `health`.
    pub probe: ProbeKind,
    /// How long the answer may take before the probe has failed.
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

    /// Returns the name that traces use.
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
            Self::Start(start) => {
                if start.role != Role::Regular {
                    write!(f, " as {}", start.role)?;
                }
                if let Some(regular) = start.tied_to {
                    write!(f, " for replica {regular}")?;
                }
                if let Some(revision) = &start.revision {
                    write!(f, " revision {revision}")?;
                }
                if start.placement != Placement::Same { write!(f, " {}", start.placement.as_str()) } else { Ok(()) }
            }
            Self::Probe(probe) => write!(f, " {}", probe.probe.as_str()),
            Self::Stop(_) | Self::Kill(_) => Ok(()),
        }
    }
}

/// What happened in the set, for logs, dashboards and tests.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Notice {
    /// The status, its reason, or the number of available or desired replicas changed.
    Status(StatusChange),
    /// A verdict on an instance that has ended or failed.
    Verdict(DecisionMade),
    /// A replica changed its phase.
    Replica(ReplicaChange),
    /// A start that is due waits behind a gate.
    Waiting(Waiting),
    /// An event was ignored.
    Ignored(IgnoredEvent),
    /// An operator's request was refused.
    Refused(Rejection),
    /// The drain of one replica is over.
    Drain(DrainAnswer),
    /// A rollout started, advanced, failed, or ended.
    Rollout(RolloutChange),
    /// An extra slot took the place of a regular one, or a standby became a stand-in.
    Role(RoleChange),
    /// A request to scale was clipped to `scaling.min` or `scaling.max`.
    ScaleClipped(ScaleClipped),
    /// An incident began, is resuming, or is over.
    Incident(IncidentNotice),
    /// A new policy lacks these rules, so their streaks and windows were dropped.
    Dropped(Vec<String>),
}

/// The status of a set and the counts that are reported with it.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct StatusChange {
    /// The status.
    pub status: Status,
    /// The reason of the status.
    pub reason: StatusReason,
    /// The cause, if all missing replicas failed by the same one.
    #[serde(default)]
    pub cause: Option<Cause>,
    /// The number of available replicas.
    pub available: u32,
    /// The number of desired replicas.
    pub desired: u32,
    /// When the status began.
    pub since: Timestamp,
}

/// The last status that was reported, without its time.
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

/// The decision about a replica whose instance has ended or failed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct DecisionMade {
    /// The replica.
    pub replica: ReplicaId,
    /// The number of the start that ended.
    pub incarnation: Incarnation,
    /// The verdict and its reasons.
    pub decision: Decision,
}

/// A replica's new phase.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReplicaChange {
    /// The replica.
    pub replica: ReplicaId,
    /// The number of its latest start.
    pub incarnation: Incarnation,
    /// The new phase.
    pub phase: Phase,
}

/// A slot's new role.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RoleChange {
    /// The replica.
    pub replica: ReplicaId,
    /// What its slot is for from now on.
    pub role: Role,
    /// The regular slot that it is there for, if it is a stand-in.
    pub tied_to: Option<ReplicaId>,
}

/// A request to scale to a number of replicas outside of `scaling.min` and `scaling.max`, and the bound that it was clipped to.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ScaleClipped {
    /// The number of replicas that was asked for.
    pub asked: u32,
    /// The number of replicas that is desired now.
    pub desired: u32,
}

impl fmt::Display for ScaleClipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { asked, desired } = self;
        let bound = if asked > desired { "max" } else { "min" };
        write!(f, "scaled to {desired} replicas, which is `scaling.{bound}`; {asked} were asked for")
    }
}

/// A start that waits behind a gate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Waiting {
    /// The replica.
    pub replica: ReplicaId,
    /// The gate.
    pub gate: Gate,
}

/// An event that was ignored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct IgnoredEvent {
    /// The replica.
    pub replica: ReplicaId,
    /// The number of the start that the event is about.
    pub incarnation: Incarnation,
    /// Why it was ignored.
    pub why: IgnoreReason,
}

/// Why an event was ignored.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum IgnoreReason {
    /// It is about an earlier incarnation.
    Stale,
    /// It was reported before.
    Duplicate,
    /// It is about a replica or an incarnation that the set never started.
    Unheard,
    /// Its incarnation is above [`Incarnation::LAST_ADOPTED`], which no start reaches.
    OutOfRange,
}

impl IgnoreReason {
    /// Why an event about an instance that the set never started is ignored.
    pub(crate) fn of_unstarted(incarnation: Incarnation) -> Self {
        if incarnation > Incarnation::LAST_ADOPTED { Self::OutOfRange } else { Self::Unheard }
    }

    /// Returns the name that traces use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Stale => "stale",
            Self::Duplicate => "duplicate",
            Self::Unheard => "unheard",
            Self::OutOfRange => "out-of-range",
        }
    }
}

/// Why an operator's request was refused.
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
    /// The replica was stopped by an operator, so it waits for no retry.
    #[error("replica {0} is stopped: start, restart or reset it")]
    Stopped(ReplicaId),
    /// The replica was given up, so it waits for no retry.
    #[error("replica {0} is given up: reset or restart it")]
    GivenUp(ReplicaId),
    /// The slot is not regular: the set starts and removes it by itself.
    #[error("replica {0} is an extra one (surge, stand-in or standby), which the set starts and removes by itself")]
    NotRegular(ReplicaId),
    /// The replica is not being drained, or has been asked to stop already.
    #[error("replica {0} is not being drained, or has been asked to stop already")]
    NotDraining(ReplicaId),
    /// This revision is being rolled out.
    #[error("this revision is being rolled out already")]
    RolloutUnderWay,
    /// No canary waits to be promoted.
    #[error("there is no canary to promote")]
    NoCanary,
    /// No rollout is under way, paused or failed.
    #[error("no rollout is under way or paused, so there is nothing to roll back")]
    NoRollout,
}

impl Rejection {
    /// Returns the name that traces use.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::SetEnded => "set-ended",
            Self::NoSuchReplica(_) => "no-such-replica",
            Self::TooManyReplicas(_) => "too-many-replicas",
            Self::Stopped(_) => "stopped",
            Self::GivenUp(_) => "given-up",
            Self::NotRegular(_) => "not-regular",
            Self::NotDraining(_) => "not-draining",
            Self::RolloutUnderWay => "rollout-under-way",
            Self::NoCanary => "no-canary",
            Self::NoRollout => "no-rollout",
        }
    }
}

/// A step in the course of an incident.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum IncidentNotice {
    /// It began with this many failed replicas.
    Recognised(u32),
    /// Its canary is up, and the other restarts follow.
    Resuming,
    /// It is over.
    Over,
}

/// One line in a stable format, for logs and tests.
impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(command) => command.fmt(f),
            Self::Notice(notice) => notice.fmt(f),
        }
    }
}

/// One line in a stable format, for logs and tests.
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
            Self::Ignored(event) => write!(f, "ignored: {} event about {}", event.why.as_str(), event.instance()),
            Self::Refused(refused) => write!(f, "refused: {refused}"),
            Self::Drain(answer) => answer.fmt(f),
            Self::Rollout(change) => change.fmt(f),
            Self::Role(change) => {
                write!(f, "replica {} is {} now", change.replica, change.role)?;
                change.tied_to.map_or(Ok(()), |regular| write!(f, ", for replica {regular}"))
            }
            Self::ScaleClipped(clipped) => clipped.fmt(f),
            Self::Incident(IncidentNotice::Recognised(replicas)) => {
                write!(f, "incident: {replicas} replicas failed together")
            }
            Self::Incident(IncidentNotice::Resuming) => f.write_str("incident: the canary is up, the rest follow"),
            Self::Incident(IncidentNotice::Over) => f.write_str("incident: over"),
            Self::Dropped(keys) => write!(f, "dropped: state of {}", keys.join(", ")),
        }
    }
}
