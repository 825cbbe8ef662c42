//! Depth 3 with a custom backend, whose instances are tokio tasks.
//!
//! `cargo run --example custom_backend`
//!
//! A backend carries out calls and reports what happens. Two of three replicas crash repeatedly; after three seconds the
//! set is shut down.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::AbortHandle;
use uphold::backend::{
    Backend, BackendError, Instance, KillRequest, ListRequest, Reporter, StartRequest, StopRequest, WatchRequest,
};
use uphold::engine::InstanceState;
use uphold::supervisor::{NotificationKind, Received};
use uphold::{Event, InstanceId, Notice, Policy, ReplicaId, RetryPolicy, Supervisor};

/// How long a replica's task runs before it crashes; `None` for ever.
struct Lifetime(fn(ReplicaId) -> Option<Duration>);

#[derive(Clone, Default)]
struct Tasks(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    running: BTreeMap<InstanceId, AbortHandle>,
    reporter: Option<Reporter>,
}

impl Tasks {
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn report(&self, event: Event) {
        self.with(|state| {
            if let Some(reporter) = &state.reporter {
                reporter.report(event);
            }
        });
    }

    fn end(&self, instance: InstanceId) {
        if let Some(task) = self.with(|state| state.running.remove(&instance)) {
            task.abort();
        }
        self.report(Event::stopped(instance));
    }
}

#[async_trait]
impl Backend for Tasks {
    type Workload = Lifetime;

    async fn start(&self, request: StartRequest<'_, Lifetime>) -> Result<(), BackendError> {
        let instance = request.key.instance();
        let lifetime = (request.workload.0)(instance.replica);
        let tasks = self.clone();
        let task = tokio::spawn(async move {
            match lifetime {
                Some(lifetime) => tokio::time::sleep(lifetime).await,
                None => std::future::pending().await,
            }
            tasks.with(|state| state.running.remove(&instance));
            tasks.report(Event::exited(instance, 1));
        });
        self.with(|state| state.running.insert(instance, task.abort_handle()));
        self.report(Event::ready(instance));
        Ok(())
    }

    async fn stop(&self, request: StopRequest<'_>) -> Result<(), BackendError> {
        self.end(request.key.instance());
        Ok(())
    }

    async fn kill(&self, request: KillRequest<'_>) -> Result<(), BackendError> {
        self.end(request.key.instance());
        Ok(())
    }

    async fn list(&self, _: ListRequest<'_>) -> Result<Vec<Instance>, BackendError> {
        let ready = |&instance: &InstanceId| Instance::new(instance, InstanceState::Ready);
        Ok(self.with(|state| state.running.keys().map(ready).collect()))
    }

    async fn watch(&self, _: WatchRequest<'_>, reporter: Reporter) -> Result<(), BackendError> {
        self.with(|state| state.reporter = Some(reporter));
        std::future::pending().await
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let policy = Policy::builder().replicas(3).retry(RetryPolicy::every(Duration::from_millis(200))).build()?;
    let lifetime = Lifetime(|replica| match replica.0 {
        0 => None,
        n => Some(Duration::from_millis(700 * u64::from(n))),
    });
    let mut handle = Supervisor::builder(policy, Tasks::default(), lifetime).name("tasks").spawn();
    let mut notifications = handle.notifications()?;
    let printing = tokio::spawn(async move {
        while let Some(Received::Notification(notification)) = notifications.next().await {
            if let NotificationKind::Notice(notice @ (Notice::Status(_) | Notice::Verdict(_))) = notification.kind {
                println!("{notice}");
            }
        }
    });
    tokio::time::sleep(Duration::from_secs(3)).await;
    let last = handle.shutdown().await;
    drop(handle);
    printing.await?;
    println!("ended: {} ({})", last.status, last.reason);
    Ok(())
}
