//! A backend whose calls fail as a test asks for.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use uphold::backend::{
    Backend, BackendError, Instance, KillRequest, ListRequest, Reporter, StartRequest, StopRequest, WatchRequest,
};
use uphold::engine::InstanceState;
use uphold::{Cause, Event, InstanceId};

/// How a backend treats one start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Start {
    Succeeds,
    Hangs,
    Fails,
    NoCapacity,
    Panics,
    /// The instance is started, but the answer is lost.
    LosesAnswer,
}

#[derive(Default)]
pub(crate) struct State {
    /// The outcome of each start call of a replica; later calls succeed.
    pub(crate) script: BTreeMap<u32, Vec<Start>>,
    pub(crate) calls: BTreeMap<u32, usize>,
    pub(crate) running: BTreeSet<InstanceId>,
    /// Instances that were started while another of their replica ran.
    pub(crate) duplicates: Vec<InstanceId>,
    pub(crate) reporter: Option<Reporter>,
    pub(crate) lists: u32,
    pub(crate) watches: u32,
    pub(crate) list_fails: bool,
    pub(crate) stop_hangs: bool,
    pub(crate) break_watch: Option<Arc<tokio::sync::Notify>>,
}

#[derive(Clone, Default)]
pub(crate) struct FakeBackend(Arc<Mutex<State>>);

impl FakeBackend {
    pub(crate) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    pub(crate) fn script(self, replica: u32, starts: &[Start]) -> Self {
        self.with(|state| state.script.insert(replica, starts.to_vec()));
        self
    }

    pub(crate) fn report(&self, event: Event) {
        self.with(|state| state.reporter.as_ref().map(|reporter| reporter.report(event)));
    }

    pub(crate) fn end(&self, instance: InstanceId) {
        self.with(|state| state.running.remove(&instance));
        self.report(Event::stopped(instance));
    }
}

#[async_trait]
impl Backend for FakeBackend {
    type Workload = ();

    async fn start(&self, request: StartRequest<'_, ()>) -> Result<(), BackendError> {
        let instance = request.key.instance();
        let replica = instance.replica;
        let start = self.with(|state| {
            let call = state.calls.entry(replica.0).or_insert(0);
            *call += 1;
            state.script.get(&replica.0).and_then(|starts| starts.get(*call - 1)).copied().unwrap_or(Start::Succeeds)
        });
        match start {
            Start::Hangs => std::future::pending().await,
            Start::Fails => return Err(BackendError::start_error("it does not work")),
            Start::NoCapacity => return Err(BackendError::no_capacity("full").retry_after(Duration::from_millis(5))),
            Start::Panics => panic!("on purpose"),
            Start::Succeeds | Start::LosesAnswer => {}
        }
        let first = self.with(|state| state.running.insert(instance));
        if first {
            let others = self.with(|state| state.running.iter().filter(|other| other.replica == replica).count());
            if others > 1 {
                self.with(|state| state.duplicates.push(instance));
            }
            self.report(Event::ready(instance));
        }
        if start == Start::LosesAnswer {
            return Err(BackendError::lost_answer("the connection broke"));
        }
        Ok(())
    }

    async fn stop(&self, request: StopRequest<'_>) -> Result<(), BackendError> {
        if self.with(|state| state.stop_hangs) {
            std::future::pending::<()>().await;
        }
        self.end(request.key.instance());
        Ok(())
    }

    async fn kill(&self, request: KillRequest<'_>) -> Result<(), BackendError> {
        self.end(request.key.instance());
        Ok(())
    }

    async fn list(&self, _: ListRequest<'_>) -> Result<Vec<Instance>, BackendError> {
        self.with(|state| {
            state.lists += 1;
            if state.list_fails {
                return Err(BackendError::caused_by(Cause::Error, "cannot list"));
            }
            Ok(state.running.iter().map(|&instance| Instance::new(instance, InstanceState::Ready)).collect())
        })
    }

    async fn watch(&self, _: WatchRequest<'_>, reporter: Reporter) -> Result<(), BackendError> {
        let broken = self.with(|state| {
            state.watches += 1;
            state.reporter = Some(reporter);
            state.break_watch.clone()
        });
        match broken {
            Some(broken) => broken.notified().await,
            None => std::future::pending().await,
        }
        self.with(|state| state.reporter = None);
        Err(BackendError::lost_answer("the watch broke"))
    }
}
