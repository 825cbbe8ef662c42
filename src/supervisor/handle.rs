//! The handle of a running supervisor.

use tokio::sync::{broadcast, mpsc, oneshot, watch};

use super::driver_message::{DriverMessage, Query};
use super::notifications::{Notification, Notifications};
use crate::decide::{ReplicaId, Status, StatusReason};
use crate::engine::{Event, Rejection, ReplicaSet, ReplicaView, Selection, Snapshot, Summary};
use crate::policy::Policy;
use crate::time::Timestamp;

/// The status of a supervised set.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct SetStatus {
    /// What the set is.
    pub status: Status,
    /// Why.
    pub reason: StatusReason,
    /// Since when, in Unix time.
    pub since: Timestamp,
    /// Replicas that are available.
    pub available: u32,
    /// Replicas that are asked for.
    pub desired: u32,
}

impl SetStatus {
    /// The status of a set.
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

/// The supervisor has ended: the set is terminated or completed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the supervisor has ended")]
pub struct SupervisorClosed;

/// Why an operator's request is not met.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The set refuses it.
    #[error(transparent)]
    Refused(#[from] Rejection),
    /// The supervisor has ended.
    #[error(transparent)]
    Closed(#[from] SupervisorClosed),
}

/// A handle to a running supervisor; clones are handles to the same.
///
/// Dropping every handle stops nothing: the set is kept up until it ends, or until the runtime is shut down.
#[derive(Clone, Debug)]
pub struct SupervisorHandle {
    pub(super) messages: mpsc::UnboundedSender<DriverMessage>,
    pub(super) status: watch::Receiver<SetStatus>,
    pub(super) notifications: broadcast::WeakSender<Notification>,
}

impl SupervisorHandle {
    /// The status as it is.
    pub fn status(&self) -> SetStatus {
        *self.status.borrow()
    }

    /// Waits until the status is another than the one that was seen last through this handle.
    ///
    /// # Errors
    /// The supervisor has ended.
    pub async fn changed(&mut self) -> Result<SetStatus, SupervisorClosed> {
        self.status.changed().await.map_err(|_| SupervisorClosed)?;
        Ok(*self.status.borrow_and_update())
    }

    /// Waits until the status satisfies `wanted`.
    ///
    /// # Errors
    /// The supervisor has ended and its last status does not.
    pub async fn wait_for(
        &mut self,
        mut wanted: impl FnMut(&SetStatus) -> bool,
    ) -> Result<SetStatus, SupervisorClosed> {
        self.status.wait_for(|status| wanted(status)).await.map(|status| *status).map_err(|_| SupervisorClosed)
    }

    /// Waits for the end of the set; its last status.
    pub async fn wait(&mut self) -> SetStatus {
        let ended = self.status.wait_for(|status| status.status.is_final()).await.map(|status| *status);
        ended.unwrap_or_else(|_| *self.status.borrow())
    }

    /// A stream of what happens from now on.
    ///
    /// # Errors
    /// The supervisor has ended.
    pub fn notifications(&self) -> Result<Notifications, SupervisorClosed> {
        let sender = self.notifications.upgrade().ok_or(SupervisorClosed)?;
        Ok(Notifications { receiver: sender.subscribe() })
    }

    async fn request(&self, event: Event) -> Result<(), RequestError> {
        let (answer, answered) = oneshot::channel();
        self.messages.send(DriverMessage::OperatorRequest(event, answer)).map_err(|_| SupervisorClosed)?;
        Ok(answered.await.map_err(|_| SupervisorClosed)??)
    }

    async fn query<T>(&self, query: impl FnOnce(oneshot::Sender<T>) -> Query) -> Result<T, SupervisorClosed> {
        let (answer, answered) = oneshot::channel();
        self.messages.send(DriverMessage::Query(query(answer))).map_err(|_| SupervisorClosed)?;
        answered.await.map_err(|_| SupervisorClosed)
    }

    /// Asks for so many replicas. Requests from before the backend has listed what there is are answered after that.
    ///
    /// # Errors
    /// The set refuses it, or the supervisor has ended.
    pub async fn scale(&self, replicas: u32) -> Result<(), RequestError> {
        self.request(Event::Scale(replicas)).await
    }

    /// Stops and starts a replica at once, uncharged.
    ///
    /// # Errors
    /// The set refuses it, or the supervisor has ended.
    pub async fn restart(&self, replica: impl Into<ReplicaId>) -> Result<(), RequestError> {
        self.request(Event::Restart(replica.into())).await
    }

    /// Stops a replica and leaves it down, not failed, until it is started, restarted or reset.
    ///
    /// # Errors
    /// The set refuses it, or the supervisor has ended.
    pub async fn stop(&self, replica: impl Into<ReplicaId>) -> Result<(), RequestError> {
        self.request(Event::Stop(replica.into())).await
    }

    /// Starts a replica at once, uncharged, if it is not up.
    ///
    /// # Errors
    /// The set refuses it, or the supervisor has ended.
    pub async fn start(&self, replica: impl Into<ReplicaId>) -> Result<(), RequestError> {
        self.request(Event::Start(replica.into())).await
    }

    /// Moves a replica elsewhere, uncharged.
    ///
    /// # Errors
    /// The set refuses it, or the supervisor has ended.
    pub async fn drain(&self, replica: impl Into<ReplicaId>) -> Result<(), RequestError> {
        self.request(Event::Drain(replica.into())).await
    }

    /// Forgets streaks and windows; starts what is quarantined, held or stopped.
    ///
    /// # Errors
    /// The set refuses it, or the supervisor has ended.
    pub async fn reset(&self, selection: Selection) -> Result<(), RequestError> {
        self.request(Event::Reset(selection)).await
    }

    /// The dependency is back: starts what waits now.
    ///
    /// # Errors
    /// The set refuses it, or the supervisor has ended.
    pub async fn retry_now(&self, selection: Selection) -> Result<(), RequestError> {
        self.request(Event::RetryNow(selection)).await
    }

    /// Stops every replica, for good, without waiting for that.
    ///
    /// # Errors
    /// The set refuses it, or the supervisor has ended.
    pub async fn terminate(&self) -> Result<(), RequestError> {
        self.request(Event::Terminate).await
    }

    /// Stops every replica and waits until all have stopped. Before the backend has listed what there is, it waits for
    /// that.
    ///
    /// Called again, by this or another handle, it kills what is still there at once, and returns after `call_timeout`
    /// at the latest: the status then is not final if the backend did not confirm every end.
    pub async fn shutdown(&mut self) -> SetStatus {
        // Ended already is as good as ended now.
        let _ = self.messages.send(DriverMessage::Shutdown);
        self.wait().await
    }

    /// Goes on under another policy.
    ///
    /// # Errors
    /// The supervisor has ended.
    pub fn replace_policy(&self, policy: Policy) -> Result<(), SupervisorClosed> {
        self.messages.send(DriverMessage::ReplacePolicy(policy)).map_err(|_| SupervisorClosed)
    }

    /// The owner's cap on starts under way; `None`: no cap.
    ///
    /// # Errors
    /// The supervisor has ended.
    pub fn limit_starts(&self, at_most: Option<u32>) -> Result<(), SupervisorClosed> {
        self.messages.send(DriverMessage::LimitStarts(at_most)).map_err(|_| SupervisorClosed)
    }

    /// Every replica at a glance.
    ///
    /// # Errors
    /// The supervisor has ended.
    pub async fn replicas(&self) -> Result<Vec<ReplicaView>, SupervisorClosed> {
        self.query(Query::Replicas).await
    }

    /// The set at a glance.
    ///
    /// # Errors
    /// The supervisor has ended.
    pub async fn summary(&self) -> Result<Summary, SupervisorClosed> {
        self.query(Query::Summary).await
    }

    /// The whole state, to be kept and restored with [`SupervisorBuilder::restore`](super::SupervisorBuilder::restore).
    ///
    /// # Errors
    /// The supervisor has ended.
    pub async fn snapshot(&self) -> Result<Snapshot, SupervisorClosed> {
        self.query(Query::Snapshot).await
    }
}
