//! Instances that the backend lists and the set does not know, and instances that are never ready.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{TEST_TIMEOUT, policy, wait_for};
use async_trait::async_trait;
use tokio::time::timeout;
use uphold::backend::{
    Backend, BackendError, Instance, KillRequest, ListRequest, Reporter, StartRequest, StopRequest, WatchRequest,
};
use uphold::engine::InstanceState;
use uphold::supervisor::NotificationKind;
use uphold::{Event, Status, Supervisor};

/// A backend that lists strays, which stop slowly, and never reports a replica ready.
#[derive(Default)]
struct StrayBackend {
    strays: Mutex<BTreeSet<u32>>,
    stopping: std::sync::atomic::AtomicUsize,
    max_concurrent: std::sync::atomic::AtomicUsize,
    reporter: Mutex<Option<Reporter>>,
}

#[async_trait]
impl Backend for StrayBackend {
    type Workload = ();

    async fn start(&self, request: StartRequest<'_, ()>) -> Result<(), BackendError> {
        let reporter = self.reporter.lock().unwrap().clone();
        if let Some(reporter) = reporter {
            reporter.report(Event::started(request.key.instance()));
        }
        Ok(())
    }

    async fn stop(&self, request: StopRequest<'_>) -> Result<(), BackendError> {
        use std::sync::atomic::Ordering::SeqCst;
        let now = self.stopping.fetch_add(1, SeqCst) + 1;
        self.max_concurrent.fetch_max(now, SeqCst);
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        self.strays.lock().unwrap().remove(&request.key.replica.0);
        let reporter = self.reporter.lock().unwrap().clone();
        if let Some(reporter) = reporter {
            reporter.report(Event::stopped(request.key.instance()));
        }
        self.stopping.fetch_sub(1, SeqCst);
        Ok(())
    }

    async fn kill(&self, request: KillRequest<'_>) -> Result<(), BackendError> {
        self.stop(StopRequest::new(request.key, Duration::ZERO)).await
    }

    async fn list(&self, _: ListRequest<'_>) -> Result<Vec<Instance>, BackendError> {
        let strays = self.strays.lock().unwrap();
        Ok(strays.iter().map(|&id| Instance::new((id, 1), InstanceState::Ready)).collect())
    }

    async fn watch(&self, _: WatchRequest<'_>, reporter: Reporter) -> Result<(), BackendError> {
        *self.reporter.lock().unwrap() = Some(reporter);
        std::future::pending().await
    }
}

#[tokio::test]
async fn strays_are_stopped_with_bounded_concurrency() {
    let backend = Arc::new(StrayBackend { strays: Mutex::new((1_000..21_000).collect()), ..StrayBackend::default() });
    let supervisor = Supervisor::builder(policy(1).build().unwrap(), backend.clone(), ());
    let mut handle = supervisor.resync(Duration::from_millis(50)).spawn();
    let gone = async {
        while !backend.strays.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(TEST_TIMEOUT, gone).await.expect("they are stopped");
    let max_concurrent = backend.max_concurrent.load(std::sync::atomic::Ordering::SeqCst);
    assert!(max_concurrent <= 512, "{max_concurrent} at once");
    timeout(TEST_TIMEOUT, handle.shutdown()).await.expect("it shuts down");
}

#[tokio::test]
async fn a_warning_names_instances_that_are_never_ready() {
    let policy = policy(2).start_timeout(Duration::from_secs(1)).build().unwrap();
    let supervisor = Supervisor::builder(policy, Arc::new(StrayBackend::default()), ());
    let (mut handle, mut notifications) = supervisor.spawn_with_notifications().unwrap();
    let warned = |what: &NotificationKind| matches!(what, NotificationKind::Warning(text) if text.starts_with("replica 0, 1: running for 250ms, but the backend has never"));
    wait_for(&mut notifications, warned).await;
    assert_eq!(handle.status().status, Status::Pending);
    timeout(TEST_TIMEOUT, handle.shutdown()).await.expect("it shuts down");
}
