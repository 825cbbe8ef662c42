//! What is to be run, for each replica.

use std::sync::Arc;

use crate::decide::ReplicaId;

/// Makes the workload of one replica.
type Make<W> = dyn Fn(ReplicaId) -> W + Send + Sync;

/// The same workload for every replica, or one made for each.
pub(super) enum Workloads<W> {
    Same(Arc<W>),
    Each(Arc<Make<W>>),
}

impl<W> Clone for Workloads<W> {
    fn clone(&self) -> Self {
        match self {
            Self::Same(workload) => Self::Same(workload.clone()),
            Self::Each(make) => Self::Each(make.clone()),
        }
    }
}

impl<W> Workloads<W> {
    pub(super) fn of(&self, replica: ReplicaId) -> Arc<W> {
        match self {
            Self::Same(workload) => workload.clone(),
            Self::Each(make) => Arc::new(make(replica)),
        }
    }
}
