//! What reaches the driver, from everywhere, in one order.

use tokio::sync::oneshot;

use crate::backend::{BackendError, Instance};
use crate::decide::{Incarnation, ReplicaId};
use crate::engine::{Ended, Event, Rejection, ReplicaView, Snapshot, Summary};
use crate::policy::Policy;
use crate::time::Timestamp;

#[derive(Debug)]
pub(crate) enum DriverMessage {
    /// From a backend.
    Event(Event),
    /// A request of an operator, and who waits for the answer.
    OperatorRequest(Event, oneshot::Sender<Result<(), Rejection>>),
    /// How an instance is, from a backend.
    StateReport(Instance),
    /// A start has brought no answer, often enough. What there may be of it is being killed: news of it is no news.
    AbandoningStart(ReplicaId, Incarnation),
    /// That is done, and the start has failed.
    StartAbandoned(Ended),
    /// The backend is asked what there is.
    ListStarted,
    /// All that the backend lists.
    ListCompleted(Vec<Instance>),
    /// The backend could not list; when it was asked.
    ListFailed(Timestamp, BackendError),
    /// A call or the watch went wrong in a way that is no event.
    BackendError(String),
    Shutdown,
    ReplacePolicy(Policy),
    LimitStarts(Option<u32>),
    Query(Query),
}

/// A question with a way to answer it.
#[derive(Debug)]
pub(crate) enum Query {
    Replicas(oneshot::Sender<Vec<ReplicaView>>),
    Summary(oneshot::Sender<Summary>),
    Snapshot(oneshot::Sender<Snapshot>),
}
