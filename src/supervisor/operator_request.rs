//! The requests of operators, on their way from a handle to the driver.

use std::any::Any;

use tokio::sync::oneshot;

use crate::decide::{ReplicaId, Revision};
use crate::engine::{Event, Rejection};
use crate::time::Timestamp;

/// A `WorkloadSource` of the backend's type, which a handle does not know. The handle has checked the type.
pub(super) type ErasedWorkload = Box<dyn Any + Send>;

/// What an operator asks for.
#[derive(Debug)]
pub(crate) enum OperatorRequest {
    /// A request that the set carries out as it is.
    Event(Event),
    /// Move to a revision, with its workload.
    RollOut(Revision, ErasedWorkload),
    /// The present instance of a replica will be taken away at this time.
    Notice(ReplicaId, Timestamp),
}

/// An operator's request and the channel that takes its answer.
#[derive(Debug)]
pub(crate) struct PendingRequest {
    pub(super) request: OperatorRequest,
    pub(super) answer: oneshot::Sender<Result<(), Rejection>>,
}
