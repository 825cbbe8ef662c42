//! The handle of a running supervisor.

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::driver_message::{DriverMessage, Query};
use super::notifications::{Notification, Notifications};
use crate::decide::{ReplicaId, Status, StatusReason};
use crate::engine::{Drain, Event, Rejection, ReplicaSet, ReplicaView, Selection, Snapshot, Summary};
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
    /// The number of available replicas.
    pub available: u32,
    /// The number of desired replicas.
    pub desired: u32,
}

impl SetStatus {
    /// Returns the status of a set.
    pub fn of(set: &ReplicaSet) -> Self {
        Self {
            status: set.status(),
            reason: set.status_reason(),
            since: set.status_since(),
            available: set.census().available,
            desired: set.desired(),
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
    /// The supervisor has ended.
    #[error(transparent)]
    Closed(#[from] SupervisorClosed),
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
        let (answer, answered) = oneshot::channel();
        self.messages.send(DriverMessage::OperatorRequest((event, answer))).map_err(|_| SupervisorClosed)?;
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

    /// Stops a replica and starts it on another node. The restart is not charged.
    ///
    /// # Errors
    /// The set refuses the request, or the supervisor has ended.
    pub async fn drain(&self, replica: impl Into<ReplicaId>) -> Result<(), RequestError> {
        self.request(Event::Drain(Drain::of([replica]))).await
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
