//! Depth 3: a tokio driver that runs a [`ReplicaSet`](crate::ReplicaSet) against a [`Backend`].

mod call_queue;
mod calls;
mod catch_panic;
mod clock;
mod driver;
mod driver_message;
#[cfg(feature = "recording")]
mod file_recorder;
mod guarded_recorder;
mod handle;
mod list_watch;
mod listing;
#[cfg(feature = "metrics")]
pub mod metrics;
mod notifications;
mod readiness_monitor;
mod recorder;
mod start_token;
mod telemetry;
#[cfg(feature = "tracing")]
mod tracing;
mod workload_source;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, mpsc, watch};

#[cfg(feature = "recording")]
pub use file_recorder::FileRecorder;
pub use handle::{RequestError, SetStatus, SupervisorClosed, SupervisorHandle};
pub use notifications::{Notification, NotificationKind, Notifications, Received};
pub use recorder::Recorder;

use crate::backend::{Backend, SetName, SetNameError};
use crate::decide::{ReplicaId, seed_of};
use crate::engine::{RecordingHeader, ReplicaSet, RestoreError, Snapshot};
use crate::policy::Policy;
use calls::Calls;
use clock::Clock;
use driver::Driver;
use guarded_recorder::GuardedRecorder;
use workload_source::WorkloadSource;

/// Keeps a set of replicas up: obeys the set's commands on a backend, and tells the set what the backend reports.
///
/// Nothing is started before the backend has listed what runs already, so that a supervisor which comes back adopts
/// its instances instead of starting them twice; until the first list has come, the set is pending.
///
/// ```
/// # use std::sync::Arc;
/// # use uphold::backend::*;
/// # struct Nothing;
/// # #[async_trait::async_trait]
/// # impl Backend for Nothing {
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
/// # let backend = Nothing;
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
    /// A supervisor of `policy.replicas()` replicas that all run the same workload.
    pub fn builder<B: Backend>(policy: Policy, backend: B, workload: B::Workload) -> SupervisorBuilder<B> {
        SupervisorBuilder::new(policy, backend, WorkloadSource::Shared(Arc::new(workload)))
    }

    /// A supervisor whose replicas each run a workload made for them, at every start anew.
    pub fn builder_with<B: Backend>(
        policy: Policy,
        backend: B,
        make: impl Fn(ReplicaId) -> B::Workload + Send + Sync + 'static,
    ) -> SupervisorBuilder<B> {
        SupervisorBuilder::new(policy, backend, WorkloadSource::PerReplica(Arc::new(make)))
    }
}

/// Why a supervisor does not start.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// The set cannot have this name.
    #[error(transparent)]
    Name(#[from] SetNameError),
    /// The snapshot cannot be restored.
    #[error(transparent)]
    Restore(#[from] RestoreError),
}

/// Settings of a supervisor; made by [`Supervisor::builder`].
#[must_use]
pub struct SupervisorBuilder<B: Backend> {
    policy: Policy,
    backend: B,
    workloads: WorkloadSource<B::Workload>,
    name: String,
    seed: Option<u64>,
    call_timeout: Duration,
    resync: Duration,
    buffer: usize,
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
    fn new(policy: Policy, backend: B, workloads: WorkloadSource<B::Workload>) -> Self {
        Self {
            policy,
            backend,
            workloads,
            name: "set".to_owned(),
            seed: None,
            call_timeout: Duration::from_secs(30),
            resync: Duration::from_secs(30),
            buffer: 4096,
            snapshot: None,
            recorder: None,
        }
    }

    /// The name of the set, unique in its backend: 1 to 40 of `a-z0-9-`, beginning and ending alphanumeric. Default `set`.
    /// Another is an error of [`try_spawn`](Self::try_spawn).
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// Decides all jitter. Default: [`seed_of`] the [`name`](Self::name), so that sets of different names do not restart in
    /// step. Supervisors of sets of one name, each on its own machine, want different seeds.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// A backend call that has not returned by then is given up. Default 30 s.
    pub fn call_timeout(mut self, timeout: Duration) -> Self {
        self.call_timeout = timeout;
        self
    }

    /// How often the backend is asked what there is even while its watch holds: what a watch has missed is found
    /// then. At least 10 ms. Default 30 s.
    pub fn resync(mut self, every: Duration) -> Self {
        self.resync = every.max(Duration::from_millis(10));
        self
    }

    /// How far a listener may fall behind before it misses something, 1 to 1 000 000 things. Default 4096.
    pub fn notification_buffer(mut self, things: usize) -> Self {
        self.buffer = things.clamp(1, 1_000_000);
        self
    }

    /// Goes on from a state that was kept; the seed is the kept one.
    pub fn restore(mut self, snapshot: Snapshot) -> Self {
        self.snapshot = Some(snapshot);
        self
    }

    /// Records what the set is told.
    pub fn recorder(mut self, recorder: impl Recorder) -> Self {
        self.recorder = Some(Box::new(recorder));
        self
    }

    /// Starts supervising on the runtime it is called in.
    ///
    /// # Panics
    /// Outside a tokio runtime, if the name is not one that a set may have, and if a snapshot to restore is damaged; see
    /// [`SupervisorBuilder::try_spawn`].
    pub fn spawn(self) -> SupervisorHandle {
        match self.try_spawn() {
            Ok(handle) => handle,
            Err(error) => panic!("{error}"),
        }
    }

    /// Starts supervising on the runtime it is called in.
    ///
    /// # Errors
    /// The name is not one that a set may have, or the snapshot to restore is of an unknown version or does not hold
    /// together.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn try_spawn(self) -> Result<SupervisorHandle, SpawnError> {
        self.spawn_with_notifications().map(|(handle, _)| handle)
    }

    /// Starts supervising, with a stream of all that happens from the very beginning.
    ///
    /// # Errors
    /// The name is not one that a set may have, or the snapshot to restore is of an unknown version or does not hold
    /// together.
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
        let (notifications, receiver) = broadcast::channel(self.buffer);
        let (status, watched) = watch::channel(SetStatus::of(&set));
        let calls = Calls {
            backend: Arc::new(self.backend),
            name: self.name.into(),
            workloads: self.workloads,
            call_timeout: self.call_timeout,
            messages: messages.clone(),
            clock,
            queues: Arc::default(),
        };
        let handle = SupervisorHandle { messages, status: watched, notifications: notifications.downgrade() };
        tokio::spawn(list_watch::watch_and_list(calls.clone(), self.resync));
        tokio::spawn(Driver::new(set, recorder, calls, inbox, status, notifications).run());
        Ok((handle, Notifications { receiver }))
    }
}
