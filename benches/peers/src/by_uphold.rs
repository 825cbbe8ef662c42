//! `uphold`: the driver with a minimal backend, under `interval: 0s`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use uphold::backend::{
    Backend, BackendError, Instance, KillRequest, ListRequest, Reporter, StartRequest, StopRequest, WatchRequest,
};
use uphold::engine::InstanceState;
use uphold::{Event, Incarnation, Policy, RetryPolicy, Supervisor, SupervisorHandle};

use crate::laps::Laps;

type Run = Box<dyn Fn(Reporter, Incarnation) + Send + Sync>;

/// A backend whose instances are ready as soon as they are started.
struct Immediate {
    state: Mutex<State>,
    run: Run,
}

#[derive(Default)]
struct State {
    reporter: Option<Reporter>,
    latest: Option<Incarnation>,
}

impl Immediate {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Backend for Immediate {
    type Workload = ();

    async fn start(&self, request: StartRequest<'_, ()>) -> Result<(), BackendError> {
        let incarnation = request.key.incarnation;
        let mut state = self.state();
        state.latest = Some(incarnation);
        let reporter = state.reporter.as_ref().ok_or_else(|| BackendError::start_error("there is no watch yet"))?;
        reporter.report(Event::ready((request.key.replica, incarnation)));
        (self.run)(reporter.clone(), incarnation);
        Ok(())
    }

    async fn stop(&self, _: StopRequest<'_>) -> Result<(), BackendError> {
        Ok(())
    }

    async fn kill(&self, _: KillRequest<'_>) -> Result<(), BackendError> {
        Ok(())
    }

    async fn list(&self, _: ListRequest<'_>) -> Result<Vec<Instance>, BackendError> {
        let latest = self.state().latest;
        Ok(latest.map(|latest| Instance::new((0, latest), InstanceState::Ready)).into_iter().collect())
    }

    async fn watch(&self, _: WatchRequest<'_>, reporter: Reporter) -> Result<(), BackendError> {
        reporter.watch_established();
        self.state().reporter = Some(reporter);
        std::future::pending().await
    }
}

fn spawn(run: Run) -> SupervisorHandle {
    let retry = RetryPolicy::every(Duration::ZERO);
    let policy = Policy::builder().replicas(1).retry(retry).build().expect("a valid policy");
    let backend = Immediate { state: Mutex::default(), run };
    Supervisor::builder(policy, backend, ()).resync(Duration::from_secs(3600)).spawn()
}

/// Restarts with a task for each run, as with the other crates.
pub async fn supervise(laps: Arc<Laps>) -> SupervisorHandle {
    spawn(Box::new(move |reporter, incarnation| {
        let laps = laps.clone();
        tokio::spawn(async move {
            laps.run().await;
            reporter.report(Event::exited((0, incarnation), 1));
        });
    }))
}

/// Restarts with a backend that does nothing, so that only the supervisor is timed.
pub async fn supervise_no_op(laps: Arc<Laps>) -> SupervisorHandle {
    let (sender, mut started): (UnboundedSender<(Reporter, Incarnation)>, _) = unbounded_channel();
    tokio::spawn(async move {
        while let Some((reporter, incarnation)) = started.recv().await {
            laps.run().await;
            reporter.report(Event::exited((0, incarnation), 1));
        }
    });
    spawn(Box::new(move |reporter, incarnation| drop(sender.send((reporter, incarnation)))))
}
