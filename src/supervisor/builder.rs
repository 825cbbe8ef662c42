//! Configures and spawns a supervisor.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, watch};

use super::calls::Calls;
use super::clock::Clock;
use super::driver::Driver;
use super::guarded_recorder::GuardedRecorder;
use super::handle::{SetStatus, SupervisorHandle, WorkloadType};
use super::list_watch;
use super::notifications::Notifications;
use super::publisher::Publisher;
use super::recorder::Recorder;
use super::revision_workloads::RevisionWorkloads;
use super::workload_source::WorkloadSource;
use crate::backend::{Backend, SetName, SetNameError};
use crate::decide::{ReplicaId, Revision, seed_of};
use crate::engine::{RecordingHeader, ReplicaSet, RestoreError, Snapshot};
use crate::policy::Policy;

/// Runs a set of replicas on a backend: executes the set's commands on it, and applies its reports to the set.
///
/// Nothing is started before the backend has listed its instances once, so that a restarted supervisor adopts instances
/// that still run. Until then the set is [`Pending`](crate::Status::Pending).
///
/// ```
/// # use std::sync::Arc;
/// # use uphold::backend::*;
/// # struct EmptyBackend;
/// # #[async_trait::async_trait]
/// # impl Backend for EmptyBackend {
/// #     type Workload = ();
/// #     async fn start(&self, _: StartRequest<'_, ()>) -> Result<(), BackendError> { Ok(()) }
/// #     async fn stop(&self, _: StopRequest<'_>) -> Result<(), BackendError> { Ok(()) }
/// #     async fn kill(&self, _: KillRequest<'_>) -> Result<(), BackendError> { Ok(()) }
/// #     async fn list(&self, _: ListRequest<'_>) -> Result<Vec<Instance>, BackendError> { Ok(Vec::new()) }
/// #     async fn watch(&self, _: WatchRequest<'_>, _: Reporter) -> Result<(), BackendError> {
/// #         std::future::pending().await
/// #     }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let backend = EmptyBackend;
/// use uphold::{Policy, Supervisor};
///
/// let policy = Policy::builder().replicas(0).build()?;
/// let mut handle = Supervisor::builder(policy, backend, ()).name("web").spawn();
/// let last = handle.shutdown().await;
/// assert!(last.status.is_final());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
#[non_exhaustive]
pub struct Supervisor;

impl Supervisor {
    /// Returns a builder for a supervisor of `policy.replicas()` replicas that all run the same workload.
    pub fn builder<B: Backend>(policy: Policy, backend: B, workload: B::Workload) -> SupervisorBuilder<B> {
        SupervisorBuilder::new(policy, backend, WorkloadSource::Shared(Arc::new(workload)))
    }

    /// Returns a builder for a supervisor that calls `make` for the workload of a replica, at each of its starts.
    pub fn builder_with<B: Backend>(
        policy: Policy,
        backend: B,
        make: impl Fn(ReplicaId) -> B::Workload + Send + Sync + 'static,
    ) -> SupervisorBuilder<B> {
        SupervisorBuilder::new(policy, backend, WorkloadSource::PerReplica(Arc::new(make)))
    }
}

/// Why a supervisor could not be spawned.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The name is not valid for a set.
    #[error(transparent)]
    Name(#[from] SetNameError),
    /// The snapshot cannot be restored.
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

/// Configures a supervisor. Returned by [`Supervisor::builder`].
///
/// ```
/// use std::time::Duration;
/// use uphold::backend::Backend;
/// use uphold::supervisor::SpawnError;
/// use uphold::{Policy, Supervisor, SupervisorHandle};
///
/// fn supervise<B: Backend>(policy: Policy, backend: B, workload: B::Workload) -> Result<SupervisorHandle, SpawnError> {
///     Supervisor::builder(policy, backend, workload)
///         .name("web")
///         .call_timeout(Duration::from_secs(10))
///         .resync(Duration::from_secs(60))
///         .try_spawn()
/// }
/// ```
#[must_use]
pub struct SupervisorBuilder<B: Backend> {
    policy: Policy,
    backend: B,
    workloads: RevisionWorkloads<B::Workload>,
    name: String,
    seed: Option<u64>,
    call_timeout: Duration,
    resync: Duration,
    notification_buffer: usize,
    snapshot: Option<Snapshot>,
    recorder: Option<Box<dyn Recorder>>,
}

impl<B: Backend> std::fmt::Debug for SupervisorBuilder<B> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SupervisorBuilder")
            .field("name", &self.name)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

impl<B: Backend> SupervisorBuilder<B> {
    fn new(policy: Policy, backend: B, initial: WorkloadSource<B::Workload>) -> Self {
        Self {
            policy,
            backend,
            workloads: RevisionWorkloads::new(initial),
            name: "set".to_owned(),
            seed: None,
            call_timeout: Duration::from_secs(30),
            resync: Duration::from_secs(30),
            notification_buffer: 4096,
            snapshot: None,
            recorder: None,
        }
    }

    /// Sets the name of the set, which must be unique in its backend: 1 to 40 characters of `a-z0-9-`, first and last
    /// alphanumeric. Default `set`. Any other name is an error of [`try_spawn`](Self::try_spawn).
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Sets the seed of all jitter. Default: [`seed_of`] the [`name`](Self::name), so that sets with different names do not
    /// restart in step. Give sets of one name on different machines different seeds.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Sets how long a backend call may take before it is aborted. Default 30 s.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// Sets how often the backend lists its instances, which finds what the watch has missed. At least 10 ms; shorter
    /// intervals are raised to that. Default 30 s.
    pub fn resync(mut self, interval: Duration) -> Self {
        self.resync = interval.max(Duration::from_millis(10));
        self
    }

    /// Sets how many notifications are buffered for a slow receiver before it misses the oldest. Clamped to 1 to 1,000,000.
    /// Default 4096.
    pub fn notification_buffer(mut self, capacity: usize) -> Self {
        self.notification_buffer = capacity.clamp(1, 1_000_000);
        self
    }

    /// Continues from a snapshot, with the seed in it instead of [`seed`](Self::seed).
    ///
    /// A snapshot names revisions, but does not contain their workloads. Give the workload of each revision that was rolled
    /// out with [`workload_of`](Self::workload_of); that of the builder itself belongs to the revision that the set began with.
    /// A start at a revision without a workload fails with the cause `start-error` and a message that names the revision.
    pub fn restore(mut self, snapshot: Snapshot) -> Self {
        self.snapshot = Some(snapshot);
        self
    }

    /// Sets the workload of a revision that was rolled out before the snapshot was taken. It is dropped if the set does not
    /// need it any more.
    ///
    /// ```
    /// # use uphold::backend::Backend;
    /// # use uphold::engine::Snapshot;
    /// # use uphold::{Policy, Revision, Supervisor, SupervisorHandle};
    /// # fn restore<B: Backend>(policy: Policy, backend: B, snapshot: Snapshot, first: B::Workload, second: B::Workload)
    /// #     -> Result<SupervisorHandle, Box<dyn std::error::Error>> {
    /// let supervisor = Supervisor::builder(policy, backend, first).workload_of(Revision::new("v2")?, second);
    /// let handle = supervisor.restore(snapshot).try_spawn()?;
    /// # Ok(handle)
    /// # }
    /// ```
    pub fn workload_of(mut self, revision: Revision, workload: B::Workload) -> Self {
        self.workloads.insert(revision, WorkloadSource::Shared(Arc::new(workload)));
        self
    }

    /// As [`workload_of`](Self::workload_of), with a function that is called for the workload of a replica at each of its
    /// starts.
    pub fn workload_of_with(
        mut self,
        revision: Revision,
        make: impl Fn(ReplicaId) -> B::Workload + Send + Sync + 'static,
    ) -> Self {
        self.workloads.insert(revision, WorkloadSource::PerReplica(Arc::new(make)));
        self
    }

    /// Records every input of the set. Default: no recording.
    pub fn recorder(mut self, recorder: impl Recorder) -> Self {
        self.recorder = Some(Box::new(recorder));
        self
    }

    /// Spawns the supervisor on the current runtime.
    ///
    /// # Panics
    /// Outside a tokio runtime, and where [`try_spawn`](Self::try_spawn) returns an error.
    pub fn spawn(self) -> SupervisorHandle {
        match self.try_spawn() {
            Ok(handle) => handle,
            Err(error) => panic!("{error}"),
        }
    }

    /// Spawns the supervisor on the current runtime.
    ///
    /// # Errors
    /// The name is not valid for a set, or the snapshot has an unknown version or is damaged.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn try_spawn(self) -> Result<SupervisorHandle, SpawnError> {
        self.spawn_with_notifications().map(|(handle, _)| handle)
    }

    /// Spawns the supervisor on the current runtime, and returns a stream that contains every notification from the first
    /// on.
    ///
    /// # Errors
    /// The name is not valid for a set, or the snapshot has an unknown version or is damaged.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn spawn_with_notifications(mut self) -> Result<(SupervisorHandle, Notifications), SpawnError> {
        SetName::new(self.name.as_str())?;
        let clock = Clock::new();
        let began = clock.now();
        let seed = self.seed.unwrap_or_else(|| seed_of(&self.name));
        let mut recorder = GuardedRecorder::new(self.recorder.take());
        if recorder.is_on() {
            let header =
                RecordingHeader::new(self.name.as_str(), self.policy.clone(), seed, began, self.snapshot.clone());
            recorder.begin(&header);
        }
        let set = match self.snapshot {
            Some(snapshot) => ReplicaSet::restore(self.policy, snapshot, began)?,
            None => ReplicaSet::new(self.policy, seed, began),
        };
        let (messages, inbox) = mpsc::unbounded_channel();
        let (notifications, receiver) = broadcast::channel(self.notification_buffer);
        let (status, status_receiver) = watch::channel(SetStatus::of(&set));
        let calls = Calls {
            backend: Arc::new(self.backend),
            name: self.name.into(),
            call_timeout: self.call_timeout,
            messages: messages.clone(),
            clock,
            queues: Arc::default(),
        };
        let handle = SupervisorHandle {
            messages,
            status: status_receiver,
            notifications: notifications.downgrade(),
            clock,
            workload_type: WorkloadType::of::<B::Workload>(),
        };
        let publisher = Publisher::new(calls.name.clone(), notifications, status);
        tokio::spawn(list_watch::watch_and_list(calls.clone(), self.resync));
        tokio::spawn(Driver::new(set, recorder, calls, self.workloads, inbox, publisher).run());
        Ok((handle, Notifications { receiver }))
    }
}
