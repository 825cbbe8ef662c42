//! The handle of a running supervisor.

use std::any::{TypeId, type_name};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::clock::Clock;
use super::driver_message::{DriverMessage, Query};
use super::notifications::{Notification, Notifications};
use super::operator_request::{OperatorRequest, PendingRequest};
use super::workload_source::WorkloadSource;
use crate::decide::{ReplicaId, Revision, Status, StatusReason};
use crate::engine::{
    Drain, Event, Rejection, ReplicaSet, ReplicaView, Role, RolloutPhase, Selection, Snapshot, Summary,
};
use crate::policy::Policy;
use crate::time::Timestamp;

/// The status of a supervised set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SetStatus {
    /// The status.
    pub status: Status,
    /// Why the set has this status.
    pub reason: StatusReason,
    /// Since when the set has this status, in Unix time.
    pub since: Timestamp,
    /// The number of available replicas: regular ones, and stand-ins up to the number of regular ones that are missing.
    pub available: u32,
    /// The number of desired replicas.
    pub desired: u32,
    /// The extra slots, which are not among the desired replicas.
    pub extras: ExtraSlots,
    /// The rollout that is under way, paused or rolling back.
    pub rollout: Option<RolloutProgress>,
    /// The number of drains that wait to stop their replicas.
    pub drains_waiting: u32,
    /// When the oldest of these drains began, in Unix time.
    pub oldest_drain: Option<Timestamp>,
}

/// The number of extra slots in each role.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct ExtraSlots {
    /// Slots that a drain or a rollout has started beside the regular ones.
    pub surge: u32,
    /// Slots that stand in for regular ones.
    pub stand_in: u32,
    /// Slots that are kept started in case a replica fails.
    pub standby: u32,
}

/// The numbers of a [`RolloutView`](crate::engine::RolloutView). [`SupervisorHandle::summary`] also has its revision.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct RolloutProgress {
    /// What the rollout is doing.
    pub phase: RolloutPhase,
    /// The number of regular slots that are still to be replaced.
    pub remaining: u32,
    /// The number of regular slots at the revision that the set is moving to.
    pub updated: u32,
    /// The number of available replicas of that revision, surge slots included.
    pub available: u32,
    /// The number of failures of the new revision that count towards `max_failures`.
    pub failures: u32,
}

impl SetStatus {
    /// Returns the status of a set.
    pub fn of(set: &ReplicaSet) -> Self {
        let (drains_waiting, oldest_drain) = set.waiting_drains();
        let rollout = set.rollout().map(|rollout| RolloutProgress {
            phase: rollout.phase,
            remaining: rollout.remaining,
            updated: rollout.updated,
            available: rollout.available,
            failures: rollout.failures,
        });
        Self {
            status: set.status(),
            reason: set.status_reason(),
            since: set.status_since(),
            available: set.census().serving(),
            desired: set.desired(),
            extras: ExtraSlots {
                surge: set.role_count(Role::Surge),
                stand_in: set.role_count(Role::StandIn),
                standby: set.role_count(Role::Standby),
            },
            rollout,
            drains_waiting,
            oldest_drain,
        }
    }
}

/// The error of calls on a supervisor that has ended, because its set is terminated or completed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the supervisor has ended")]
pub struct SupervisorClosed;

/// Why an operator's request was not carried out.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The set refuses the request.
    #[error(transparent)]
    Refused(#[from] Rejection),
    /// The workload of a rollout is not of the type that the backend runs.
    #[error("the backend of this set runs workloads of the type {expected}, and not {given}")]
    WorkloadType {
        /// The type of the backend's workloads.
        expected: &'static str,
        /// The type that was given.
        given: &'static str,
    },
    /// The supervisor has ended.
    #[error(transparent)]
    Closed(#[from] SupervisorClosed),
}

/// The type of a backend's workloads. Handles do not have it as a parameter, so that one type serves every backend.
#[derive(Clone, Copy, Debug)]
pub(super) struct WorkloadType {
    id: TypeId,
    name: &'static str,
}

impl WorkloadType {
    pub(super) fn of<W: 'static>() -> Self {
        Self { id: TypeId::of::<W>(), name: type_name::<W>() }
    }
}

/// A handle to a running supervisor; clones refer to the same supervisor.
///
/// Dropping every handle does not stop the set, which runs until it ends or the runtime is shut down. Requests that arrive
/// before the backend's first list are carried out and answered after it.
///
/// ```
/// use uphold::SupervisorHandle;
/// use uphold::supervisor::RequestError;
///
/// async fn scale_up(handle: &mut SupervisorHandle) -> Result<(), RequestError> {
///     handle.scale(5).await?;
///     let status = handle.wait_for(|status| status.available == 5).await?;
///     println!("{} since {}", status.status, status.since);
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
pub struct SupervisorHandle {
    pub(super) messages: mpsc::UnboundedSender<DriverMessage>,
    pub(super) status: watch::Receiver<SetStatus>,
    pub(super) notifications: broadcast::WeakSender<Notification>,
    pub(super) clock: Clock,
    pub(super) workload_type: WorkloadType,
}

impl SupervisorHandle {
    /// Returns the current status.
    pub fn status(&self) -> SetStatus {
        *self.status.borrow()
    }

    /// Waits until the status differs from the one that this handle has seen last, and returns it.
    ///
    /// # Errors
    /// The supervisor has ended.
    pub async fn changed(&mut self) -> Result<SetStatus, SupervisorClosed> {
        self.status.changed().await.map_err(|_| SupervisorClosed)?;
        Ok(*self.status.borrow_and_update())
    }

    /// Waits until the status satisfies `wanted`, and returns it.
    ///
    /// # Errors
    /// The supervisor has ended, and its last status does not satisfy `wanted`.
    pub async fn wait_for(
        &mut self,
        mut wanted: impl FnMut(&SetStatus) -> bool,
    ) -> Result<SetStatus, SupervisorClosed> {
        self.status.wait_for(|status| wanted(status)).await.map(|status| *status).map_err(|_| SupervisorClosed)
    }

    /// Waits until the set has ended, and returns its last status.
    pub async fn wait(&mut self) -> SetStatus {
        let ended = self.status.wait_for(|status| status.status.is_final()).await.map(|status| *status);
        ended.unwrap_or_else(|_| *self.status.borrow())
    }

    /// Returns a stream of the notifications from now on.
    ///
    /// # Errors
    /// The supervisor has ended.
    pub fn notifications(&self) -> Result<Notifications, SupervisorClosed> {
        let sender = self.notifications.upgrade().ok_or(SupervisorClosed)?;
        Ok(Notifications { receiver: sender.subscribe() })
    }

    async fn request(&self, event: Event) -> Result<(), RequestError> {
        self.send_request(OperatorRequest::Event(event)).await
    }

    async fn send_request(&self, request: OperatorRequest) -> Result<(), RequestError> {
        let (answer, answered) = oneshot::channel();
        self.messages
            .send(DriverMessage::OperatorRequest(PendingRequest { request, answer }))
            .map_err(|_| SupervisorClosed)?;
        Ok(answered.await.map_err(|_| SupervisorClosed)??)
    }

    async fn query<T>(&self, query: impl FnOnce(oneshot::Sender<T>) -> Query) -> Result<T, SupervisorClosed> {
        let (answer, answered) = oneshot::channel();
        self.messages.send(DriverMessage::Query(query(answer))).map_err(|_| SupervisorClosed)?;
        answered.await.map_err(|_| SupervisorClosed)
    }

    /// Sets the number of desired replicas.
    ///
    /// # Errors
    /// The set refuses the request, or the supervisor has ended.
    pub async fn scale(&self, replicas: u32) -> Result<(), RequestError> {
        self.request(Event::Scale(replicas)).await
    }

    /// Stops and starts a replica at once. The restart is not charged.
    ///
    /// # Errors
    /// The set refuses the request, or the supervisor has ended.
    pub async fn restart(&self, replica: impl Into<ReplicaId>) -> Result<(), RequestError> {
        self.request(Event::Restart(replica.into())).await
    }

    /// Stops a replica, which does not count as a failure. It stays down until it is started, restarted or reset.
    ///
    /// # Errors
    /// The set refuses the request, or the supervisor has ended.
    pub async fn stop(&self, replica: impl Into<ReplicaId>) -> Result<(), RequestError> {
        self.request(Event::Stop(replica.into())).await
    }

    /// Starts a replica at once if it is not up. The start is not charged.
    ///
    /// # Errors
    /// The set refuses the request, or the supervisor has ended.
    pub async fn start(&self, replica: impl Into<ReplicaId>) -> Result<(), RequestError> {
        self.request(Event::Start(replica.into())).await
    }

    /// Moves replicas to other nodes: replaces each one, or restarts it elsewhere, without going below what the policy
    /// allows. Returns once the drain is accepted; [`Notice::Drain`](crate::Notice::Drain) tells when each is over.
    ///
    /// With a `deadline`, counted from this call, a replica is stopped `stop_grace` before it, whatever else is available.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use uphold::SupervisorHandle;
    /// # use uphold::supervisor::RequestError;
    /// # async fn maintain(handle: &SupervisorHandle) -> Result<(), RequestError> {
    /// handle.drain([0, 1], Some(Duration::from_secs(600))).await?;
    /// handle.undrain([1]).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The set refuses the request, or the supervisor has ended.
    pub async fn drain<I: Into<ReplicaId>>(
        &self,
        replicas: impl IntoIterator<Item = I>,
        deadline: Option<Duration>,
    ) -> Result<(), RequestError> {
        let mut drain = Drain::of(replicas);
        drain.deadline = deadline.map(|after| self.clock.now() + after);
        self.request(Event::Drain(drain)).await
    }

    /// Takes drains back. What was started for them is removed.
    ///
    /// # Errors
    /// The set refuses the request, also because a replica is not being drained, or the supervisor has ended.
    pub async fn undrain<I: Into<ReplicaId>>(&self, replicas: impl IntoIterator<Item = I>) -> Result<(), RequestError> {
        self.request(Event::Undrain(replicas.into_iter().map(Into::into).collect())).await
    }

    /// Says that the platform will take away the present instance of a replica after `deadline`, counted from this call: a
    /// drain with that deadline. Does nothing if the replica has no instance.
    ///
    /// A backend that learns of it by itself reports [`Event::InterruptionNotice`] instead.
    ///
    /// # Errors
    /// The set refuses the request, or the supervisor has ended.
    pub async fn notice(&self, replica: impl Into<ReplicaId>, deadline: Duration) -> Result<(), RequestError> {
        self.send_request(OperatorRequest::Notice(replica.into(), self.clock.now() + deadline)).await
    }

    /// Moves every replica to a revision, which runs `workload`. Returns once the rollout is accepted;
    /// [`Notice::Rollout`](crate::Notice::Rollout) tells how it goes on.
    ///
    /// The workload is kept for as long as a slot, the rollout or the revision that was last completed names the revision,
    /// and is used for every later start at it. Giving a known revision another workload does not restart what runs; use
    /// another revision for that. A refused request keeps nothing.
    ///
    /// ```
    /// # use uphold::backend::process::ProcessSpec;
    /// # use uphold::{Revision, SupervisorHandle};
    /// # async fn deploy(handle: &SupervisorHandle) -> Result<(), Box<dyn std::error::Error>> {
    /// handle.roll_out(Revision::new("v2")?, ProcessSpec::new("server-v2")).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// The set refuses the request, the workload is not of the type that the backend runs, or the supervisor has ended.
    pub async fn roll_out<W: Send + Sync + 'static>(
        &self,
        revision: Revision,
        workload: W,
    ) -> Result<(), RequestError> {
        self.roll_out_source(revision, WorkloadSource::Shared(Arc::new(workload))).await
    }

    /// As [`roll_out`](Self::roll_out), with a function that is called for the workload of a replica at each of its starts.
    ///
    /// # Errors
    /// As for [`roll_out`](Self::roll_out).
    pub async fn roll_out_with<W: Send + Sync + 'static>(
        &self,
        revision: Revision,
        make: impl Fn(ReplicaId) -> W + Send + Sync + 'static,
    ) -> Result<(), RequestError> {
        self.roll_out_source(revision, WorkloadSource::PerReplica(Arc::new(make))).await
    }

    async fn roll_out_source<W: Send + Sync + 'static>(
        &self,
        revision: Revision,
        workload: WorkloadSource<W>,
    ) -> Result<(), RequestError> {
        let (expected, given) = (self.workload_type, WorkloadType::of::<W>());
        if expected.id != given.id {
            return Err(RequestError::WorkloadType { expected: expected.name, given: given.name });
        }
        self.send_request(OperatorRequest::RollOut(revision, Box::new(workload))).await
    }

    /// Lets a rollout go on after its canaries.
    ///
    /// # Errors
    /// The set refuses the request, also because no canary waits, or the supervisor has ended.
    pub async fn promote(&self) -> Result<(), RequestError> {
        self.request(Event::Promote).await
    }

    /// Takes a rollout back: every replica returns to the revision that was last rolled out completely.
    ///
    /// # Errors
    /// The set refuses the request, also because no rollout is under way, paused or failed, or the supervisor has ended.
    pub async fn roll_back(&self) -> Result<(), RequestError> {
        self.request(Event::RollBack).await
    }

    /// Clears streaks and windows of failures, and starts replicas that are quarantined, held or stopped.
    ///
    /// # Errors
    /// The set refuses the request, or the supervisor has ended.
    pub async fn reset(&self, selection: Selection) -> Result<(), RequestError> {
        self.request(Event::Reset(selection)).await
    }

    /// Ends the delays of waiting replicas, for instance because a dependency is back.
    ///
    /// # Errors
    /// The set refuses the request, or the supervisor has ended.
    pub async fn retry_now(&self, selection: Selection) -> Result<(), RequestError> {
        self.request(Event::RetryNow(selection)).await
    }

    /// Terminates the set. Returns before its replicas have stopped; see [`shutdown`](Self::shutdown).
    ///
    /// # Errors
    /// The set refuses the request, or the supervisor has ended.
    pub async fn terminate(&self) -> Result<(), RequestError> {
        self.request(Event::Terminate).await
    }

    /// Terminates the set, waits until every replica has stopped, and returns the last status.
    ///
    /// A second call, through any handle, kills all instances at once and bounds the wait of both calls by `call_timeout`.
    /// The returned status is not final if the backend has not confirmed every end by then.
    pub async fn shutdown(&mut self) -> SetStatus {
        // An error means that the set has ended already.
        let _ = self.messages.send(DriverMessage::Shutdown);
        self.wait().await
    }

    /// Replaces the policy; streaks, windows and running instances are kept.
    ///
    /// # Errors
    /// The supervisor has ended.
    pub fn replace_policy(&self, policy: Policy) -> Result<(), SupervisorClosed> {
        self.messages.send(DriverMessage::ReplacePolicy(policy)).map_err(|_| SupervisorClosed)
    }

    /// Caps the number of concurrent starts, in addition to the policy. `None` removes the cap.
    ///
    /// # Errors
    /// The supervisor has ended.
    pub fn limit_starts(&self, at_most: Option<u32>) -> Result<(), SupervisorClosed> {
        self.messages.send(DriverMessage::LimitStarts(at_most)).map_err(|_| SupervisorClosed)
    }

    /// Returns a view of every replica.
    ///
    /// # Errors
    /// The supervisor has ended.
    pub async fn replicas(&self) -> Result<Vec<ReplicaView>, SupervisorClosed> {
        self.query(Query::Replicas).await
    }

    /// Returns a summary of the set.
    ///
    /// # Errors
    /// The supervisor has ended.
    pub async fn summary(&self) -> Result<Summary, SupervisorClosed> {
        self.query(Query::Summary).await
    }

    /// Returns the whole state of the set, for [`SupervisorBuilder::restore`](super::SupervisorBuilder::restore).
    ///
    /// # Errors
    /// The supervisor has ended.
    pub async fn snapshot(&self) -> Result<Snapshot, SupervisorClosed> {
        self.query(Query::Snapshot).await
    }

    /// Returns the number of entries in the supervisor's collections, for tests that its memory is bounded.
    ///
    /// # Errors
    /// The supervisor has ended.
    #[doc(hidden)]
    pub async fn entries(&self) -> Result<usize, SupervisorClosed> {
        self.query(Query::Entries).await
    }
}
