//! Events: the input of a set.

use serde::{Deserialize, Serialize};

use crate::decide::{Incarnation, InstanceId, Message, Outcome, ReplicaId, impl_instance};
use crate::policy::{Cause, Signal};
use crate::sparse::serialize_sparse;
use crate::time::Timestamp;

/// What a set is told: news of its instances from a backend, and what an operator asks for.
///
/// News carries the incarnation it is about, and may carry when it happened (`at`, clamped to now; `None`: now).
/// News of an earlier incarnation changes nothing; one that shows an earlier incarnation alive has it stopped.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// The backend: the instance runs. Follows a start; what may follow is `Ready`, or the replica's end.
    Started(InstanceEvent),
    /// The backend: the instance can serve.
    Ready(InstanceEvent),
    /// The backend: the instance runs and cannot serve. Not a failure.
    NotReady(InstanceEvent),
    /// The backend or the driver: an answer to a probe command.
    Probed(ProbeReport),
    /// The backend: the instance has ended. Followed by a verdict, unless its stop was asked for.
    Exited(Ended),
    /// The backend: the start did not come about; there is no instance. Followed by a verdict.
    StartFailed(Ended),
    /// The backend: contact with the instance is lost. It is unknown after `unknown_after`, failed after `lost_after`.
    Lost(InstanceEvent),
    /// The backend: contact is there again.
    Found(InstanceEvent),
    /// The backend: the instance is gone as asked by a stop or kill command.
    Stopped(InstanceEvent),
    /// An operator: so many replicas from now on.
    Scale(u32),
    /// An operator: stop and start this replica at once; never charged.
    Restart(ReplicaId),
    /// An operator: stop this replica and leave it down, not failed, until `Start`, `Restart` or `Reset`.
    Stop(ReplicaId),
    /// An operator: start this replica at once if it is not up; never charged.
    Start(ReplicaId),
    /// An operator: forget streaks and windows, of one replica or all; starts what is quarantined, held or stopped.
    Reset(Selection),
    /// An operator: the dependency is back; what waits is started now. Charges nothing.
    RetryNow(Selection),
    /// An operator: move this replica elsewhere; never charged.
    Drain(ReplicaId),
    /// An operator: stop everything, for good.
    Terminate,
}

/// An event of one instance: which one, and when.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "made by backends: who, which start, when")]
pub struct InstanceEvent {
    /// Whose.
    pub replica: ReplicaId,
    /// Which start of it.
    pub incarnation: Incarnation,
    /// When it happened; `None`: now.
    #[serde(default)]
    pub at: Option<Timestamp>,
}

serialize_sparse!(InstanceEvent, |this| {
    "replica": this.replica, absent if false;
    "incarnation": this.incarnation, absent if false;
    "at": this.at, absent if this.at.is_none();
});

/// The end of one instance.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "made by backends: who, which start, how it ended")]
pub struct Ended {
    /// Whose.
    pub replica: ReplicaId,
    /// Which start of it.
    pub incarnation: Incarnation,
    /// How and when it ended.
    pub outcome: Outcome,
}

impl_instance!(InstanceEvent, Ended, ProbeReport);

impl InstanceEvent {
    /// Returns an event of an instance; `at: None` means now.
    #[inline]
    pub fn new(instance: impl Into<InstanceId>, at: Option<Timestamp>) -> Self {
        let InstanceId { replica, incarnation } = instance.into();
        Self { replica, incarnation, at }
    }
}

impl Ended {
    /// Returns the end of an instance.
    #[inline]
    pub fn new(instance: impl Into<InstanceId>, outcome: Outcome) -> Self {
        let InstanceId { replica, incarnation } = instance.into();
        Self { replica, incarnation, outcome }
    }
}

/// An answer to a probe.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "made by whoever carries out probes")]
pub struct ProbeReport {
    /// Whose.
    pub replica: ReplicaId,
    /// Which start of it.
    pub incarnation: Incarnation,
    /// Which probe.
    pub probe: ProbeKind,
    /// What came of it.
    pub result: ProbeResult,
    /// When it was answered; `None`: now.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// What a failed probe got, in a few words, such as `GET /ready answered 503`. Only the first 256 bytes are kept.
    #[serde(default)]
    pub message: Option<Message>,
}

serialize_sparse!(ProbeReport, |this| {
    "replica": this.replica, absent if false;
    "incarnation": this.incarnation, absent if false;
    "probe": this.probe, absent if false;
    "result": this.result, absent if false;
    "at": this.at, absent if this.at.is_none();
    "message": this.message, absent if this.message.is_none();
});

impl ProbeReport {
    /// An answer as of now, without a message.
    pub fn new(instance: impl Into<InstanceId>, probe: ProbeKind, result: ProbeResult) -> Self {
        let InstanceId { replica, incarnation } = instance.into();
        Self { replica, incarnation, probe, result, at: None, message: None }
    }

    /// Says what the probe got.
    #[must_use]
    pub fn because(mut self, message: impl Into<Message>) -> Self {
        self.message = Some(message.into());
        self
    }
}

/// Which probe of `health`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProbeKind {
    /// `health.startup`.
    Startup,
    /// `health.readiness`.
    Readiness,
    /// `health.liveness`.
    Liveness,
}

impl ProbeKind {
    /// The key of the policy document.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Readiness => "readiness",
            Self::Liveness => "liveness",
        }
    }
}

/// What came of a probe.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProbeResult {
    /// The replica answered well.
    Success,
    /// The replica answered badly, or not within the timeout.
    Failure,
    /// The prober itself could not ask: neither success nor failure.
    Unanswered,
}

/// Which replicas an operator means.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Selection {
    /// All of the set.
    All,
    /// One replica.
    Replica(ReplicaId),
    /// Those whose last failure had this cause.
    Cause(Cause),
}

impl Event {
    /// Whether it holds nothing that must be given back, as most news does not.
    #[inline]
    pub(crate) fn is_plain(&self) -> bool {
        match self {
            Self::Started(_) | Self::Ready(_) => true,
            Self::Exited(Ended { outcome, .. }) => {
                outcome.reason.is_none() && !matches!(outcome.cause, Some(Cause::Named(_)))
            }
            _ => false,
        }
    }

    /// The instance runs, as of now.
    pub fn started(instance: impl Into<InstanceId>) -> Self {
        Self::Started(InstanceEvent::new(instance, None))
    }

    /// The instance can serve, as of now.
    pub fn ready(instance: impl Into<InstanceId>) -> Self {
        Self::Ready(InstanceEvent::new(instance, None))
    }

    /// The instance cannot serve, as of now.
    pub fn not_ready(instance: impl Into<InstanceId>) -> Self {
        Self::NotReady(InstanceEvent::new(instance, None))
    }

    /// The instance ended with this exit code, now.
    pub fn exited(instance: impl Into<InstanceId>, code: i32) -> Self {
        Self::Exited(Ended::new(instance, Outcome::exited(code, None)))
    }

    /// A signal ended the instance, now.
    pub fn signalled(instance: impl Into<InstanceId>, signal: Signal) -> Self {
        Self::Exited(Ended::new(instance, Outcome::signalled(signal, None)))
    }

    /// The instance ended for this cause, now.
    pub fn failed(instance: impl Into<InstanceId>, cause: Cause) -> Self {
        Self::Exited(Ended::new(instance, Outcome::failed(cause, None)))
    }

    /// The start did not come about, as of now.
    pub fn start_failed(instance: impl Into<InstanceId>, cause: Cause) -> Self {
        Self::StartFailed(Ended::new(instance, Outcome::start_failed(cause, None)))
    }

    /// The instance is gone as asked, as of now.
    pub fn stopped(instance: impl Into<InstanceId>) -> Self {
        Self::Stopped(InstanceEvent::new(instance, None))
    }

    /// Contact is lost, as of now.
    pub fn lost(instance: impl Into<InstanceId>) -> Self {
        Self::Lost(InstanceEvent::new(instance, None))
    }

    /// Contact is there again, as of now.
    pub fn found(instance: impl Into<InstanceId>) -> Self {
        Self::Found(InstanceEvent::new(instance, None))
    }

    /// The word that traces use.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Started(_) => "started",
            Self::Ready(_) => "ready",
            Self::NotReady(_) => "not-ready",
            Self::Probed(_) => "probed",
            Self::Exited(_) => "exited",
            Self::StartFailed(_) => "start-failed",
            Self::Lost(_) => "lost",
            Self::Found(_) => "found",
            Self::Stopped(_) => "stopped",
            Self::Scale(_) => "scale",
            Self::Restart(_) => "restart",
            Self::Stop(_) => "stop",
            Self::Start(_) => "start",
            Self::Reset(_) => "reset",
            Self::RetryNow(_) => "retry-now",
            Self::Drain(_) => "drain",
            Self::Terminate => "terminate",
        }
    }

    /// Its place among the events of one instant: news by replica, then what an operator asks for, in the order in which it
    /// was asked.
    pub(crate) fn batch_order(&self) -> u64 {
        self.instance().map_or(u64::MAX, |instance| instance.replica.0.into())
    }

    /// The instance it is news of.
    pub fn instance(&self) -> Option<InstanceId> {
        match self {
            Self::Started(news)
            | Self::Ready(news)
            | Self::NotReady(news)
            | Self::Lost(news)
            | Self::Found(news)
            | Self::Stopped(news) => Some(news.instance()),
            Self::Probed(news) => Some(news.instance()),
            Self::Exited(ended) | Self::StartFailed(ended) => Some(ended.instance()),
            Self::Scale(_)
            | Self::Restart(_)
            | Self::Stop(_)
            | Self::Start(_)
            | Self::Reset(_)
            | Self::RetryNow(_)
            | Self::Drain(_)
            | Self::Terminate => None,
        }
    }

    /// Whether the instance it is news of is alive.
    pub(crate) fn shows_alive(&self) -> bool {
        match self {
            Self::Started(_) | Self::Ready(_) | Self::NotReady(_) | Self::Found(_) => true,
            // A bad answer is an answer.
            Self::Probed(news) => news.result != ProbeResult::Unanswered,
            _ => false,
        }
    }
}

/// Two reports about the end of one incarnation in one batch, whose news of one replica stands together, are one: told as
/// `Exited` (or `StartFailed`, where no report says that it ran), in the place of the first.
pub(crate) fn merge_reports(batch: &mut Vec<Event>) {
    let mut first = 0;
    while first < batch.len() {
        let same = |other: &Event| {
            other.batch_order() == batch[first].batch_order() && other.instance() == batch[first].instance()
        };
        let others: Vec<usize> = if batch[first].tells_end() {
            let beside =
                (first + 1..batch.len()).take_while(|&other| batch[other].batch_order() == batch[first].batch_order());
            beside.filter(|&other| batch[other].tells_end() && same(&batch[other])).collect()
        } else {
            Vec::new()
        };
        for other in others.into_iter().rev() {
            let other = batch.remove(other);
            let event = std::mem::replace(&mut batch[first], Event::Terminate);
            batch[first] = event.merged(other);
        }
        first += 1;
    }
}

impl Event {
    /// Whether it says that an instance is gone.
    fn tells_end(&self) -> bool {
        matches!(self, Self::Exited(_) | Self::StartFailed(_) | Self::Stopped(_))
    }

    /// Two reports of one end as one.
    fn merged(self, other: Self) -> Self {
        match (self, other) {
            (Self::StartFailed(one), Self::StartFailed(other)) => {
                Self::StartFailed(Ended { outcome: one.outcome.merged(other.outcome), ..one })
            }
            (Self::Exited(one) | Self::StartFailed(one), Self::Exited(other) | Self::StartFailed(other)) => {
                let mut outcome = one.outcome.merged(other.outcome);
                outcome.start_failed = false;
                Self::Exited(Ended { outcome, ..one })
            }
            // That it is gone as asked says nothing of how; unasked, somebody took it away.
            (Self::Exited(ended) | Self::StartFailed(ended), Self::Stopped(news))
            | (Self::Stopped(news), Self::Exited(ended) | Self::StartFailed(ended)) => {
                let at = news.at.unwrap_or(ended.outcome.at);
                let stopped = Outcome::failed(Cause::Interruption, at).because(STOPPED_BY_SOMEBODY_ELSE);
                let mut outcome = ended.outcome.merged(stopped);
                outcome.start_failed = false;
                Self::Exited(Ended { outcome, ..ended })
            }
            (one, _) => one,
        }
    }
}

/// The reason of an end that nobody asked for.
pub(super) const STOPPED_BY_SOMEBODY_ELSE: &str = "stopped by somebody else";

impl std::fmt::Display for Event {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())?;
        if let Some(instance) = self.instance() {
            write!(f, " {instance}")?;
        }
        match self {
            Self::Exited(ended) | Self::StartFailed(ended) => {
                if let Some(cause) = ended.outcome.get_cause() {
                    write!(f, " {cause}")?;
                }
                if let Some(exit) = ended.outcome.get_exit() {
                    write!(f, " {exit}")?;
                }
                Ok(())
            }
            Self::Probed(news) => {
                write!(f, " {} {:?}", news.probe.as_str(), news.result)?;
                news.message.as_ref().map_or(Ok(()), |message| write!(f, ": {message}"))
            }
            Self::Scale(replicas) => write!(f, " {replicas}"),
            Self::Restart(replica) | Self::Stop(replica) | Self::Start(replica) | Self::Drain(replica) => {
                write!(f, " replica {replica}")
            }
            _ => Ok(()),
        }
    }
}
