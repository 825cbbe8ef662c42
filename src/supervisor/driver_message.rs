//! The messages in the driver's inbox, which puts everything that happens into one order.

use tokio::sync::oneshot;

use super::operator_request::PendingRequest;
use crate::backend::{BackendError, Instance};
use crate::decide::InstanceId;
use crate::engine::{Ended, Event, ReplicaView, Snapshot, Summary};
use crate::policy::Policy;
use crate::time::Timestamp;

#[derive(Debug)]
pub(crate) enum DriverMessage {
    /// An event from the backend.
    Event(Event),
    /// An operator's request, to be answered.
    OperatorRequest(PendingRequest),
    /// The state of an instance, from the backend's watch.
    StateReport(Instance),
    /// A start has had no answer after its last retry and its instance is being killed: events about it are ignored.
    AbandoningStart(InstanceId),
    /// The kill has returned, so the start has failed.
    StartAbandoned(Ended),
    /// `Backend::list` has been called.
    ListStarted,
    ListCompleted(Vec<Instance>),
    /// `Backend::list` has failed; when it was called.
    ListFailed(Timestamp, BackendError),
    /// A call or the watch has failed in a way that is no event.
    BackendError(String),
    Shutdown,
    ReplacePolicy(Policy),
    LimitStarts(Option<u32>),
    Query(Query),
}

/// A question about the set and the channel that takes its answer.
#[derive(Debug)]
pub(crate) enum Query {
    Replicas(oneshot::Sender<Vec<ReplicaView>>),
    Summary(oneshot::Sender<Summary>),
    Snapshot(oneshot::Sender<Snapshot>),
    Entries(oneshot::Sender<usize>),
}
