//! The workloads of the replicas at one revision.

use std::sync::Arc;

use crate::decide::ReplicaId;

/// Returns the workload of a replica.
type MakeWorkload<W> = dyn Fn(ReplicaId) -> W + Send + Sync;

/// One workload for all replicas, or a function that returns one for each.
pub(super) enum WorkloadSource<W> {
    Shared(Arc<W>),
    PerReplica(Arc<MakeWorkload<W>>),
}

impl<W> Clone for WorkloadSource<W> {
    fn clone(&self) -> Self {
        match self {
            Self::Shared(workload) => Self::Shared(workload.clone()),
            Self::PerReplica(make) => Self::PerReplica(make.clone()),
        }
    }
}

impl<W> WorkloadSource<W> {
    pub(super) fn of(&self, replica: ReplicaId) -> Arc<W> {
        match self {
            Self::Shared(workload) => workload.clone(),
            Self::PerReplica(make) => Arc::new(make(replica)),
        }
    }
}
