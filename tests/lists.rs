//! The driver with backends that list while probe results arrive, and with starts that take effect late.
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod support;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use serde_json::json;
use support::{TEST_TIMEOUT, millis, policy};
use tokio::sync::Notify;
use tokio::time::timeout;
use uphold::backend::{
    Backend, BackendError, Instance, KillRequest, ListRequest, ProbeAnswer, ProbeRequest, Reporter, StartRequest,
    StopRequest, WatchRequest,
};
use uphold::engine::{InstanceState, ProbeResult};
use uphold::{Event, Incarnation, Status, Supervisor};

/// A backend whose lists take longer than the interval of the probe.
#[derive(Default)]
struct SlowLists {
    state: Mutex<SlowListState>,
    answered: Notify,
}

#[derive(Default)]
struct SlowListState {
    running: Option<Incarnation>,
    reporter: Option<Reporter>,
    lists: u32,
    probes: u32,
    /// Whether it reports `ready` at the start; otherwise only its lists show it.
    reports: bool,
}

struct SlowListBackend(Arc<SlowLists>);

#[async_trait]
impl Backend for SlowListBackend {
    type Workload = ();

    async fn start(&self, request: StartRequest<'_, ()>) -> Result<(), BackendError> {
        let mut state = self.0.state.lock().unwrap();
        state.running = Some(request.key.incarnation);
        let instance = (0, request.key.incarnation);
        let event = if state.reports { Event::ready(instance) } else { Event::started(instance) };
        let reporter = state.reporter.as_ref().unwrap();
        reporter.report(event);
        Ok(())
    }

    async fn stop(&self, request: StopRequest<'_>) -> Result<(), BackendError> {
        let mut state = self.0.state.lock().unwrap();
        state.running = None;
        state.reporter.as_ref().unwrap().report(Event::stopped((0, request.key.incarnation)));
        Ok(())
    }

    async fn kill(&self, request: KillRequest<'_>) -> Result<(), BackendError> {
        self.stop(StopRequest::new(request.key, Duration::ZERO)).await
    }

    async fn list(&self, _: ListRequest<'_>) -> Result<Vec<Instance>, BackendError> {
        let (list, answers) = {
            let mut state = self.0.state.lock().unwrap();
            state.lists += 1;
            (state.lists, state.probes)
        };
        if list == 2 {
            return Err(BackendError::lost_answer("one hiccup"));
        }
        // Waits until two probes have been answered.
        while list > 1 && self.0.state.lock().unwrap().probes < answers + 2 {
            self.0.answered.notified().await;
        }
        let running = self.0.state.lock().unwrap().running;
        Ok(running.map(|incarnation| Instance::new((0, incarnation), InstanceState::Ready)).into_iter().collect())
    }

    async fn watch(&self, _: WatchRequest<'_>, reporter: Reporter) -> Result<(), BackendError> {
        self.0.state.lock().unwrap().reporter = Some(reporter);
        std::future::pending().await
    }

    async fn probe(&self, _: ProbeRequest<'_>) -> ProbeAnswer {
        let mut state = self.0.state.lock().unwrap();
        state.probes += 1;
        self.0.answered.notify_one();
        if state.probes < 20 { ProbeResult::Failure.into() } else { ProbeResult::Success.into() }
    }
}

#[tokio::test(start_paused = true)]
async fn a_list_that_overlaps_with_probe_answers_does_not_undo_ready() {
    for reports in [true, false] {
        let backend = Arc::new(SlowLists::default());
        backend.state.lock().unwrap().reports = reports;
        let policy = policy(json!({"retry": true, "health": {"readiness": {"exec": ["x"], "interval": "100ms"}}}));
        let mut handle = Supervisor::builder(policy, SlowListBackend(backend.clone()), ()).resync(millis(200)).spawn();
        let healthy = timeout(TEST_TIMEOUT, handle.wait_for(|status| status.status == Status::Healthy)).await;
        assert!(healthy.is_ok(), "reports: {reports}, {:?}", handle.status());
        // It stays healthy through further lists.
        let lists = backend.state.lock().unwrap().lists;
        while backend.state.lock().unwrap().lists < lists + 5 {
            tokio::time::sleep(millis(50)).await;
            assert_eq!(handle.status().status, Status::Healthy, "reports: {reports}");
        }
        handle.shutdown().await;
    }
}

/// A backend whose starts take effect only after the driver has given them up, and whose instances ignore stops.
#[derive(Default)]
struct LateStartState {
    running: BTreeSet<Incarnation>,
    starts: u32,
    max_running: usize,
    prompt: bool,
    reporter: Option<Reporter>,
}

#[derive(Clone, Default)]
struct LateStartBackend(Arc<Mutex<LateStartState>>);

#[async_trait]
impl Backend for LateStartBackend {
    type Workload = ();

    async fn start(&self, request: StartRequest<'_, ()>) -> Result<(), BackendError> {
        let (this, incarnation) = (self.clone(), request.key.incarnation);
        let prompt = this.0.lock().unwrap().prompt;
        this.0.lock().unwrap().starts += 1;
        let late = tokio::spawn(async move {
            if !prompt {
                tokio::time::sleep(millis(1500)).await;
            }
            let mut state = this.0.lock().unwrap();
            state.running.insert(incarnation);
            state.max_running = state.max_running.max(state.running.len());
            if prompt {
                state.reporter.as_ref().unwrap().report(Event::ready((0, incarnation)));
            }
        });
        if !prompt {
            std::future::pending::<()>().await;
        }
        late.await.unwrap();
        Ok(())
    }

    async fn stop(&self, _: StopRequest<'_>) -> Result<(), BackendError> {
        Ok(())
    }

    async fn kill(&self, request: KillRequest<'_>) -> Result<(), BackendError> {
        let mut state = self.0.lock().unwrap();
        if state.running.remove(&request.key.incarnation) {
            state.reporter.as_ref().unwrap().report(Event::stopped((0, request.key.incarnation)));
        }
        Ok(())
    }

    async fn list(&self, _: ListRequest<'_>) -> Result<Vec<Instance>, BackendError> {
        let state = self.0.lock().unwrap();
        let instance = |incarnation: &Incarnation| Instance::new((0, *incarnation), InstanceState::Ready);
        Ok(state.running.iter().map(instance).collect())
    }

    async fn watch(&self, _: WatchRequest<'_>, reporter: Reporter) -> Result<(), BackendError> {
        self.0.lock().unwrap().reporter = Some(reporter);
        std::future::pending().await
    }

    async fn probe(&self, _: ProbeRequest<'_>) -> ProbeAnswer {
        ProbeResult::Success.into()
    }
}

#[tokio::test(start_paused = true)]
async fn starts_that_take_effect_late_do_not_accumulate() {
    let late = LateStartBackend::default();
    let policy = policy(json!({"retry": {"interval": "200ms"}, "stop_grace": "200ms", "start_timeout": "30s"}));
    let builder = Supervisor::builder(policy, late.clone(), ()).call_timeout(millis(300)).resync(millis(200));
    let mut handle = builder.spawn();
    while late.0.lock().unwrap().starts < 60 {
        tokio::time::sleep(millis(100)).await;
    }
    // Each start is attempted three times. Two attempts may take effect after the kill of the first.
    let max_running = late.0.lock().unwrap().max_running;
    assert!(max_running <= 2, "{max_running} alive of a set of one");
    late.0.lock().unwrap().prompt = true;
    timeout(TEST_TIMEOUT, handle.wait_for(|status| status.status == Status::Healthy))
        .await
        .expect("it recovers")
        .unwrap();
    let ended = timeout(TEST_TIMEOUT, handle.shutdown()).await.expect("it ends");
    assert_eq!(ended.status, Status::Terminated);
    assert!(late.0.lock().unwrap().running.is_empty());
}
