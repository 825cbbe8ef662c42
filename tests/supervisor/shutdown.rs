//! Shutting down while the backend does not answer.

use std::sync::Arc;
use std::time::Duration;

use super::fake_backend::FakeBackend;
use super::{TEST_TIMEOUT, policy, supervise, wait_until_healthy};
use async_trait::async_trait;
use tokio::time::timeout;
use uphold::backend::{
    Backend, BackendError, Instance, KillRequest, ListRequest, Reporter, StartRequest, StopRequest, WatchRequest,
};
use uphold::{Status, Supervisor};

#[tokio::test]
async fn a_stop_that_hangs_ends_in_a_kill() {
    let backend = FakeBackend::default();
    let (mut handle, _notices) = supervise(&backend, policy(2).stop_grace(Duration::from_millis(50)));
    wait_until_healthy(&mut handle).await;
    backend.with(|state| state.stop_hangs = true);
    let last = timeout(TEST_TIMEOUT, handle.shutdown()).await.expect("it shuts down all the same");
    assert_eq!(last.status, Status::Terminated);
}

/// A backend that answers no call except lists.
struct SilentBackend(Arc<tokio::sync::Notify>);

#[async_trait]
impl Backend for SilentBackend {
    type Workload = ();

    async fn start(&self, _: StartRequest<'_, ()>) -> Result<(), BackendError> {
        self.0.notify_one();
        std::future::pending().await
    }

    async fn stop(&self, _: StopRequest<'_>) -> Result<(), BackendError> {
        std::future::pending().await
    }

    async fn kill(&self, _: KillRequest<'_>) -> Result<(), BackendError> {
        std::future::pending().await
    }

    async fn list(&self, _: ListRequest<'_>) -> Result<Vec<Instance>, BackendError> {
        Ok(Vec::new())
    }

    async fn watch(&self, _: WatchRequest<'_>, _: Reporter) -> Result<(), BackendError> {
        std::future::pending().await
    }
}

#[test]
fn a_runtime_that_is_shut_down_while_calls_wait_drops_them() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let started = Arc::new(tokio::sync::Notify::new());
    let backend = SilentBackend(started.clone());
    let handle = runtime.block_on(async {
        let handle = Supervisor::builder(policy(50_000).build().unwrap(), backend, ()).spawn();
        timeout(TEST_TIMEOUT, started.notified()).await.expect("a start is asked for");
        handle
    });
    // Dropping each call within the destructor of another would overflow the stack.
    drop(runtime);
    drop(handle);
}
