//! What is to be run, for each replica.

use std::sync::Arc;

use crate::decide::ReplicaId;

/// Makes the workload of one replica.
type MakeWorkload<W> = dyn Fn(ReplicaId) -> W + Send + Sync;

/// The same workload for every replica, or one made for each.
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
