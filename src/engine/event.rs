//! Events: the input of a set.

use serde::{Deserialize, Serialize};

use crate::decide::{Incarnation, InstanceId, Message, Outcome, ReplicaId, Revision, impl_instance};
use crate::policy::{Cause, Signal};
use crate::sparse::serialize_sparse;
use crate::time::Timestamp;

/// The input of a set: a backend's report about an instance, or an operator's request.
///
/// A report names the incarnation that it is about. It may say when the event happened (`at`; `None` and times after now
/// mean now). A report about an earlier incarnation is ignored; if it shows that the instance is alive, it is stopped.
///
/// ```
/// use uphold::{Event, InstanceId, ReplicaId};
///
/// let crash = Event::exited((1, 3), 137);
/// assert_eq!(crash.instance(), Some(InstanceId::new(1, 3)));
/// assert_eq!(crash.to_string(), "exited replica 1 incarnation 3 exit code 137");
/// assert_eq!(Event::Restart(ReplicaId(1)).instance(), None);
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event {
    /// The backend: the instance runs.
    Started(InstanceEvent),
    /// The backend: the instance is ready to serve.
    Ready(InstanceEvent),
    /// The backend: the instance runs and is not ready. Not a failure.
    NotReady(InstanceEvent),
    /// The backend or the driver: the answer to a probe command.
    Probed(ProbeReport),
    /// The backend: the instance has ended. A verdict follows, unless the set had asked it to stop.
    Exited(Ended),
    /// The backend: the start failed and there is no instance. A verdict follows.
    StartFailed(Ended),
    /// The backend: contact with the instance is lost. It is unknown after `unknown_after`, failed after `lost_after`.
    Lost(InstanceEvent),
    /// The backend: contact is restored.
    Found(InstanceEvent),
    /// The backend: the instance has ended after a stop or kill command.
    Stopped(InstanceEvent),
    /// An operator: change the number of replicas.
    Scale(u32),
    /// An operator: stop this replica if it is up, and start it at once. Never charged.
    Restart(ReplicaId),
    /// An operator: stop this replica and leave it down until `Start`, `Restart` or `Reset`. It does not count as failed.
    Stop(ReplicaId),
    /// An operator: start this replica at once if it is not up. Never charged.
    Start(ReplicaId),
    /// An operator: clear streaks and windows, and start replicas that are quarantined, held or stopped.
    Reset(Selection),
    /// An operator: start waiting replicas now, because what they depend on works again. Never charged.
    RetryNow(Selection),
    /// The platform: it will take the instance away at a known time, such as a spot instance. Handled as a drain with a
    /// deadline.
    InterruptionNotice(InterruptionNotice),
    /// An operator: move these replicas elsewhere. Never charged.
    Drain(Drain),
    /// An operator: cancel the drains of these replicas and remove their surge slots.
    Undrain(Vec<ReplicaId>),
    /// An operator: move every replica to this revision.
    RollOut(Revision),
    /// An operator: promote the canaries; the other replicas follow.
    Promote,
    /// An operator: move every replica back to the revision that was last rolled out completely.
    RollBack,
    /// An operator: stop all replicas and end the set.
    Terminate,
}

/// An event about one instance.
///
/// ```
/// use uphold::engine::InstanceEvent;
/// use uphold::{Event, Timestamp};
///
/// let lost = Event::Lost(InstanceEvent::new((0, 1), Some(Timestamp::from_secs(60))));
/// # let _ = lost;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "backends construct it")]
pub struct InstanceEvent {
    /// The replica.
    pub replica: ReplicaId,
    /// The number of its start.
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

/// A request to move replicas elsewhere.
///
/// With `rollout.max_surge` a replica is started elsewhere first; without, each is stopped and started again elsewhere as soon
/// as enough others are available.
///
/// ```
/// use uphold::engine::Drain;
/// use uphold::{Event, Timestamp};
///
/// let whole_node = Event::Drain(Drain::of([0, 1, 2]).by(Timestamp::from_secs(600)));
/// assert_eq!(whole_node.to_string(), "drain replicas 0, 1, 2 by 600s");
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Drain {
    /// The replicas.
    pub replicas: Vec<ReplicaId>,
    /// When they must be gone; `None`: each waits until enough other replicas are available.
    #[serde(default)]
    pub deadline: Option<Timestamp>,
}

impl Drain {
    /// Creates a drain of these replicas, without a deadline.
    pub fn of<I: Into<ReplicaId>>(replicas: impl IntoIterator<Item = I>) -> Self {
        Self { replicas: replicas.into_iter().map(Into::into).collect(), deadline: None }
    }

    /// Sets when the replicas must be gone. They are stopped `stop_grace` before, even if too few others are available.
    #[must_use]
    pub fn by(mut self, deadline: Timestamp) -> Self {
        self.deadline = Some(deadline);
        self
    }
}

/// The platform's notice that it will take an instance away.
///
/// ```
/// use uphold::engine::InterruptionNotice;
/// use uphold::{Event, Timestamp};
///
/// let reclaim = Event::InterruptionNotice(InterruptionNotice::new((0, 1), Timestamp::from_secs(120)));
/// # let _ = reclaim;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "made by backends: who, which start, until when")]
pub struct InterruptionNotice {
    /// The replica.
    pub replica: ReplicaId,
    /// The number of its start.
    pub incarnation: Incarnation,
    /// When the instance is taken away.
    pub deadline: Timestamp,
}

/// The end of one instance.
///
/// ```
/// use uphold::engine::Ended;
/// use uphold::{Event, Outcome, Timestamp};
///
/// let crash = Outcome::exited(1, Timestamp::from_secs(60)).because("cannot bind to port 80");
/// let event = Event::Exited(Ended::new((0, 1), crash));
/// # let _ = event;
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "backends construct it")]
pub struct Ended {
    /// The replica.
    pub replica: ReplicaId,
    /// The number of its start.
    pub incarnation: Incarnation,
    /// How and when it ended.
    pub outcome: Outcome,
}

impl_instance!(InstanceEvent, Ended, ProbeReport, InterruptionNotice);

impl InstanceEvent {
    /// Returns an event of an instance; `at: None` means now.
    #[inline]
    pub fn new(instance: impl Into<InstanceId>, at: Option<Timestamp>) -> Self {
        let InstanceId { replica, incarnation } = instance.into();
        Self { replica, incarnation, at }
    }
}

impl InterruptionNotice {
    /// Returns the notice that an instance will be taken away at `deadline`.
    pub fn new(instance: impl Into<InstanceId>, deadline: Timestamp) -> Self {
        let InstanceId { replica, incarnation } = instance.into();
        Self { replica, incarnation, deadline }
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

/// The answer to a probe.
///
/// ```
/// use uphold::Event;
/// use uphold::engine::{ProbeKind, ProbeReport, ProbeResult};
///
/// let report = ProbeReport::new((0, 1), ProbeKind::Liveness, ProbeResult::Failure);
/// let event = Event::Probed(report.because("GET /live answered 503"));
/// # let _ = event;
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "backends construct it")]
pub struct ProbeReport {
    /// The replica.
    pub replica: ReplicaId,
    /// The number of its start.
    pub incarnation: Incarnation,
    /// The kind of the probe.
    pub probe: ProbeKind,
    /// The result.
    pub result: ProbeResult,
    /// When the answer arrived; `None`: now.
    #[serde(default)]
    pub at: Option<Timestamp>,
    /// What a failed probe received, such as `GET /ready answered 503`. Cut to 256 bytes.
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
    /// Returns an answer as of now, without a message.
    pub fn new(instance: impl Into<InstanceId>, probe: ProbeKind, result: ProbeResult) -> Self {
        let InstanceId { replica, incarnation } = instance.into();
        Self { replica, incarnation, probe, result, at: None, message: None }
    }

    /// Sets what the probe received.
    #[must_use]
    pub fn because(mut self, message: impl Into<Message>) -> Self {
        self.message = Some(message.into());
        self
    }
}

/// A probe of the policy's `health`.
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
    /// Returns the key in the policy document.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Startup => "startup",
            Self::Readiness => "readiness",
            Self::Liveness => "liveness",
        }
    }
}

/// The result of a probe.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProbeResult {
    /// The check passed.
    Success,
    /// The check failed, or its timeout passed.
    Failure,
    /// The prober could not run the check. Counts as neither success nor failure; contact with the instance is lost.
    Unanswered,
}

/// The replicas that an operator's request applies to.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Selection {
    /// All replicas.
    All,
    /// One replica.
    Replica(ReplicaId),
    /// The replicas whose last failure had this cause.
    Cause(Cause),
}

impl Event {
    /// Returns `Started`, as of now.
    pub fn started(instance: impl Into<InstanceId>) -> Self {
        Self::Started(InstanceEvent::new(instance, None))
    }

    /// Returns `Ready`, as of now.
    pub fn ready(instance: impl Into<InstanceId>) -> Self {
        Self::Ready(InstanceEvent::new(instance, None))
    }

    /// Returns `NotReady`, as of now.
    pub fn not_ready(instance: impl Into<InstanceId>) -> Self {
        Self::NotReady(InstanceEvent::new(instance, None))
    }

    /// Returns `Exited` with an exit code, as of now.
    pub fn exited(instance: impl Into<InstanceId>, code: i32) -> Self {
        Self::Exited(Ended::new(instance, Outcome::exited(code, None)))
    }

    /// Returns `Exited` by a signal, as of now.
    pub fn signalled(instance: impl Into<InstanceId>, signal: Signal) -> Self {
        Self::Exited(Ended::new(instance, Outcome::signalled(signal, None)))
    }

    /// Returns `Exited` with a named cause, as of now.
    pub fn failed(instance: impl Into<InstanceId>, cause: Cause) -> Self {
        Self::Exited(Ended::new(instance, Outcome::failed(cause, None)))
    }

    /// Returns `StartFailed`, as of now.
    pub fn start_failed(instance: impl Into<InstanceId>, cause: Cause) -> Self {
        Self::StartFailed(Ended::new(instance, Outcome::start_failed(cause, None)))
    }

    /// Returns `Stopped`, as of now.
    pub fn stopped(instance: impl Into<InstanceId>) -> Self {
        Self::Stopped(InstanceEvent::new(instance, None))
    }

    /// Returns `Lost`, as of now.
    pub fn lost(instance: impl Into<InstanceId>) -> Self {
        Self::Lost(InstanceEvent::new(instance, None))
    }

    /// Returns `Found`, as of now.
    pub fn found(instance: impl Into<InstanceId>) -> Self {
        Self::Found(InstanceEvent::new(instance, None))
    }

    /// Returns the name that traces use.
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
            Self::InterruptionNotice(_) => "interruption-notice",
            Self::Drain(_) => "drain",
            Self::Undrain(_) => "undrain",
            Self::RollOut(_) => "roll-out",
            Self::Promote => "promote",
            Self::RollBack => "roll-back",
            Self::Terminate => "terminate",
        }
    }

    /// The sort key within a batch: reports by replica, then requests. The sort is stable, so requests keep their order.
    pub(crate) fn batch_order(&self) -> u64 {
        self.instance().map_or(u64::MAX, |instance| instance.replica.0.into())
    }

    /// Returns the instance that the event is about; `None` for an operator's request.
    pub fn instance(&self) -> Option<InstanceId> {
        match self {
            Self::Started(event)
            | Self::Ready(event)
            | Self::NotReady(event)
            | Self::Lost(event)
            | Self::Found(event)
            | Self::Stopped(event) => Some(event.instance()),
            Self::Probed(event) => Some(event.instance()),
            Self::Exited(ended) | Self::StartFailed(ended) => Some(ended.instance()),
            Self::Scale(_)
            | Self::Restart(_)
            | Self::Stop(_)
            | Self::Start(_)
            | Self::Reset(_)
            | Self::RetryNow(_)
            | Self::Drain(_)
            | Self::Undrain(_)
            | Self::RollOut(_)
            | Self::Promote
            | Self::RollBack
            | Self::Terminate => None,
            Self::InterruptionNotice(notice) => Some(notice.instance()),
        }
    }

    /// Whether the event shows that its instance is alive.
    pub(crate) fn shows_alive(&self) -> bool {
        match self {
            Self::Started(_) | Self::Ready(_) | Self::NotReady(_) | Self::Found(_) => true,
            // A failed probe is an answer too.
            Self::Probed(event) => event.result != ProbeResult::Unanswered,
            _ => false,
        }
    }
}

/// Merges reports of one end within a sorted batch into the first of them: `StartFailed` if all say so, else `Exited`.
pub(crate) fn merge_reports(batch: &mut Vec<Event>) {
    let mut first = 0;
    while first < batch.len() {
        let same = |other: &Event| {
            other.batch_order() == batch[first].batch_order() && other.instance() == batch[first].instance()
        };
        let others: Vec<usize> = if batch[first].reports_end() {
            let beside =
                (first + 1..batch.len()).take_while(|&other| batch[other].batch_order() == batch[first].batch_order());
            beside.filter(|&other| batch[other].reports_end() && same(&batch[other])).collect()
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
    /// Whether it reports the end of an instance.
    fn reports_end(&self) -> bool {
        matches!(self, Self::Exited(_) | Self::StartFailed(_) | Self::Stopped(_))
    }

    /// Merges two reports of one end.
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
            // `Stopped` does not say how the instance ended. Without a request by the set, the platform stopped it.
            (Self::Exited(ended) | Self::StartFailed(ended), Self::Stopped(event))
            | (Self::Stopped(event), Self::Exited(ended) | Self::StartFailed(ended)) => {
                let at = event.at.unwrap_or(ended.outcome.at);
                let stopped = Outcome::failed(Cause::Interruption, at).because(STOPPED_BY_SOMEBODY_ELSE);
                let mut outcome = ended.outcome.merged(stopped);
                outcome.start_failed = false;
                Self::Exited(Ended { outcome, ..ended })
            }
            (one, _) => one,
        }
    }
}

/// The reason of a stop that the set did not ask for.
pub(super) const STOPPED_BY_SOMEBODY_ELSE: &str = "stopped by somebody else";

fn write_replicas(f: &mut std::fmt::Formatter<'_>, replicas: &[ReplicaId]) -> std::fmt::Result {
    f.write_str(if replicas.len() == 1 { " replica" } else { " replicas" })?;
    for (place, replica) in replicas.iter().enumerate() {
        write!(f, "{} {replica}", if place > 0 { "," } else { "" })?;
    }
    Ok(())
}

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
            Self::Probed(event) => {
                write!(f, " {} {:?}", event.probe.as_str(), event.result)?;
                event.message.as_ref().map_or(Ok(()), |message| write!(f, ": {message}"))
            }
            Self::Scale(replicas) => write!(f, " {replicas}"),
            Self::Restart(replica) | Self::Stop(replica) | Self::Start(replica) => write!(f, " replica {replica}"),
            Self::Drain(drain) => {
                write_replicas(f, &drain.replicas)?;
                drain.deadline.map_or(Ok(()), |deadline| write!(f, " by {deadline}"))
            }
            Self::Undrain(replicas) => write_replicas(f, replicas),
            Self::InterruptionNotice(notice) => write!(f, " by {}", notice.deadline),
            Self::RollOut(revision) => write!(f, " {revision}"),
            _ => Ok(()),
        }
    }
}
