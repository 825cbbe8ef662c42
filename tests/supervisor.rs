//! The driver with misbehaving backends: an error of a backend is at most a failure of one replica.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;
use uphold::backend::{
    Backend, BackendError, Instance, KillRequest, ListRequest, Reporter, StartRequest, StopRequest, WatchRequest,
};
use uphold::decide::StatusReason;
use uphold::engine::{InstanceState, Rejection, Selection};
use uphold::recording::{RecordedStep, RecordingHeader};
use uphold::supervisor::{NotificationKind, Notifications, Received, Recorder, RequestError};
use uphold::{
    Cause, Event, HealthPolicy, Incarnation, Notice, Policy, PolicyBuilder, ReplicaId, ReplicaSet, RetryPolicy, Status,
    Supervisor, SupervisorHandle, Timestamp,
};

const TEST_TIMEOUT: Duration = Duration::from_secs(60);

/// How a backend treats one start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Start {
    Succeeds,
    Hangs,
    Fails,
    NoCapacity,
    Panics,
    /// The instance is started, but the answer is lost.
    LosesAnswer,
}

#[derive(Default)]
struct State {
    /// The outcomes of the calls that start a replica; later calls succeed.
    script: BTreeMap<u32, Vec<Start>>,
    calls: BTreeMap<u32, usize>,
    running: BTreeSet<(ReplicaId, Incarnation)>,
    /// Instances that were started while another of their replica ran.
    duplicates: Vec<(ReplicaId, Incarnation)>,
    reporter: Option<Reporter>,
    lists: u32,
    watches: u32,
    list_fails: bool,
    stop_hangs: bool,
    break_watch: Option<Arc<tokio::sync::Notify>>,
}

#[derive(Clone, Default)]
struct FakeBackend(Arc<Mutex<State>>);

impl FakeBackend {
    fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    fn script(self, replica: u32, starts: &[Start]) -> Self {
        self.with(|state| state.script.insert(replica, starts.to_vec()));
        self
    }

    fn report(&self, event: Event) {
        self.with(|state| state.reporter.as_ref().map(|reporter| reporter.report(event)));
    }

    fn end(&self, replica: ReplicaId, incarnation: Incarnation) {
        self.with(|state| state.running.remove(&(replica, incarnation)));
        self.report(Event::stopped(replica, incarnation));
    }
}

#[async_trait]
impl Backend for FakeBackend {
    type Workload = ();

    async fn start(&self, request: StartRequest<'_, ()>) -> Result<(), BackendError> {
        let (replica, incarnation) = (request.key.replica, request.key.incarnation);
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
        let first = self.with(|state| state.running.insert((replica, incarnation)));
        if first {
            let others = self.with(|state| state.running.iter().filter(|(other, _)| *other == replica).count());
            if others > 1 {
                self.with(|state| state.duplicates.push((replica, incarnation)));
            }
            self.report(Event::ready(replica, incarnation));
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
        self.end(request.key.replica, request.key.incarnation);
        Ok(())
    }

    async fn kill(&self, request: KillRequest<'_>) -> Result<(), BackendError> {
        self.end(request.key.replica, request.key.incarnation);
        Ok(())
    }

    async fn list(&self, _: ListRequest<'_>) -> Result<Vec<Instance>, BackendError> {
        self.with(|state| {
            state.lists += 1;
            if state.list_fails {
                return Err(BackendError::caused_by(Cause::Error, "cannot list"));
            }
            Ok(state.running.iter().map(|&(r, i)| Instance::new(r, i, InstanceState::Ready)).collect())
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

fn policy(replicas: u32) -> PolicyBuilder {
    Policy::builder().replicas(replicas).retry(RetryPolicy::every(Duration::from_millis(10)))
}

fn supervise(backend: &FakeBackend, policy: PolicyBuilder) -> (SupervisorHandle, Notifications) {
    Supervisor::builder(policy.build().unwrap(), backend.clone(), ())
        .name("fake")
        .call_timeout(Duration::from_millis(100))
        .spawn_with_notifications()
        .unwrap()
}

async fn wait_until_healthy(handle: &mut SupervisorHandle) {
    let up = handle.wait_for(|status| status.status == Status::Healthy && status.available == status.desired);
    timeout(TEST_TIMEOUT, up).await.expect("it is healthy").expect("the supervisor goes on");
}

/// Receives notifications up to the first that satisfies `wanted`.
async fn wait_for(
    notifications: &mut Notifications,
    wanted: impl Fn(&NotificationKind) -> bool,
) -> Vec<NotificationKind> {
    let received = async {
        let mut all = Vec::new();
        while let Some(Received::Notification(notification)) = notifications.next().await {
            let found = wanted(&notification.kind);
            all.push(notification.kind);
            if found {
                break;
            }
        }
        all
    };
    timeout(TEST_TIMEOUT, received).await.expect("it is received")
}

async fn start_outcome(start: Start) -> (FakeBackend, Vec<NotificationKind>) {
    // Three times, because a start whose answer is lost is retried twice.
    let backend = FakeBackend::default().script(1, &[start; 3]);
    let (mut handle, mut notifications) = supervise(&backend, policy(3));
    let received =
        wait_for(&mut notifications, |what| matches!(what, NotificationKind::Event(Event::StartFailed(_)))).await;
    wait_until_healthy(&mut handle).await;
    timeout(TEST_TIMEOUT, handle.shutdown()).await.expect("it shuts down");
    assert_eq!(backend.with(|state| state.duplicates.clone()), []);
    (backend, received)
}

fn cause_of(received: &[NotificationKind]) -> (u32, Cause) {
    let Some(NotificationKind::Event(Event::StartFailed(ended))) = received.last() else { panic!("{received:?}") };
    (ended.replica.0, ended.outcome.named_cause().cloned().unwrap())
}

#[tokio::test]
async fn a_start_that_fails_is_a_failure_of_its_replica() {
    let (_, received) = start_outcome(Start::Fails).await;
    assert_eq!(cause_of(&received), (1, Cause::StartError));
}

#[tokio::test]
async fn a_start_without_capacity_has_the_cause_no_capacity() {
    let (_, received) = start_outcome(Start::NoCapacity).await;
    assert_eq!(cause_of(&received), (1, Cause::NoCapacity));
}

#[tokio::test]
async fn a_start_that_panics_is_a_failure_of_its_replica() {
    let (_, received) = start_outcome(Start::Panics).await;
    assert_eq!(cause_of(&received), (1, Cause::StartError));
}

#[tokio::test]
async fn a_start_that_hangs_is_given_up_after_a_bounded_time() {
    let (backend, received) = start_outcome(Start::Hangs).await;
    assert_eq!(cause_of(&received), (1, Cause::StartError));
    assert!(backend.with(|state| state.calls[&1]) >= 4, "repeated, then the next incarnation");
}

#[tokio::test]
async fn a_start_with_a_lost_answer_is_retried_and_nothing_runs_twice() {
    let backend = FakeBackend::default().script(1, &[Start::LosesAnswer, Start::LosesAnswer]);
    let (mut handle, _notices) = supervise(&backend, policy(2));
    wait_until_healthy(&mut handle).await;
    while backend.with(|state| state.calls[&1]) < 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(handle.replicas().await.unwrap()[1].incarnation, Incarnation(1));
    assert_eq!(backend.with(|state| state.duplicates.clone()), []);
    handle.shutdown().await;
}

#[tokio::test]
async fn a_broken_watch_is_repeated_and_followed_by_a_list() {
    let broken = Arc::new(tokio::sync::Notify::new());
    let backend = FakeBackend::default();
    backend.with(|state| state.break_watch = Some(broken.clone()));
    let (mut handle, mut notifications) = supervise(&backend, policy(3));
    wait_until_healthy(&mut handle).await;
    broken.notify_one();
    wait_for(&mut notifications, |what| matches!(what, NotificationKind::BackendError(text) if text.contains("broke")))
        .await;
    let (watches, lists) = backend.with(|state| (state.watches, state.lists));
    while backend.with(|state| state.lists) <= lists {
        tokio::task::yield_now().await;
    }
    assert!(backend.with(|state| state.watches) > watches);
    wait_until_healthy(&mut handle).await;
    assert!(backend.with(|state| state.calls.values().all(|calls| *calls == 1)), "nothing was restarted");
    handle.shutdown().await;
}

#[tokio::test]
async fn running_instances_are_adopted_and_not_started_again() {
    let backend = FakeBackend::default();
    backend.with(|state| state.running.extend([(ReplicaId(0), Incarnation(5)), (ReplicaId(2), Incarnation(9))]));
    let (mut handle, _notices) = supervise(&backend, policy(3));
    wait_until_healthy(&mut handle).await;
    let incarnations: Vec<_> = handle.replicas().await.unwrap().iter().map(|view| view.incarnation.0).collect();
    assert_eq!(incarnations, [5, 1, 9]);
    assert_eq!(backend.with(|state| state.calls.clone()), BTreeMap::from([(1, 1)]));
    handle.shutdown().await;
}

#[tokio::test]
async fn nothing_is_started_before_the_backend_can_list() {
    let backend = FakeBackend::default();
    backend.with(|state| state.list_fails = true);
    let (mut handle, mut notifications) = supervise(&backend, policy(2));
    wait_for(
        &mut notifications,
        |what| matches!(what, NotificationKind::BackendError(text) if text.contains("cannot list")),
    )
    .await;
    assert_eq!(handle.status().status, Status::Pending);
    assert!(backend.with(|state| state.calls.is_empty()));
    backend.with(|state| state.list_fails = false);
    wait_until_healthy(&mut handle).await;
    handle.shutdown().await;
}

#[tokio::test]
async fn lists_that_fail_make_replicas_unknown_and_restart_none() {
    let broken = Arc::new(tokio::sync::Notify::new());
    let backend = FakeBackend::default();
    backend.with(|state| state.break_watch = Some(broken.clone()));
    let health = HealthPolicy::new().unknown_after(Duration::from_millis(50));
    let (mut handle, _notices) = supervise(&backend, policy(3).health(health));
    wait_until_healthy(&mut handle).await;
    backend.with(|state| state.list_fails = true);
    broken.notify_one();
    let unknown = handle.wait_for(|status| status.available == 0);
    timeout(TEST_TIMEOUT, unknown).await.expect("sight is lost").unwrap();
    assert_eq!(handle.status().status, Status::Outage);
    backend.with(|state| state.list_fails = false);
    wait_until_healthy(&mut handle).await;
    assert!(backend.with(|state| state.calls.values().all(|calls| *calls == 1)), "nothing was restarted");
    handle.shutdown().await;
}

#[tokio::test]
async fn a_stop_that_hangs_ends_in_a_kill() {
    let backend = FakeBackend::default();
    let (mut handle, _notices) = supervise(&backend, policy(2).stop_grace(Duration::from_millis(50)));
    wait_until_healthy(&mut handle).await;
    backend.with(|state| state.stop_hangs = true);
    let last = timeout(TEST_TIMEOUT, handle.shutdown()).await.expect("it shuts down all the same");
    assert_eq!(last.status, Status::Terminated);
}

#[tokio::test]
async fn a_slow_receiver_learns_how_much_it_missed() {
    let backend = FakeBackend::default();
    let supervisor = Supervisor::builder(policy(50).build().unwrap(), backend, ()).notification_buffer(8);
    let (mut handle, mut notifications) = supervisor.spawn_with_notifications().unwrap();
    wait_until_healthy(&mut handle).await;
    let first = timeout(TEST_TIMEOUT, notifications.next()).await.unwrap();
    assert!(matches!(first, Some(Received::Missed(missed)) if missed > 100), "{first:?}");
    handle.shutdown().await;
}

#[tokio::test]
async fn operators_requests_are_carried_out() {
    let backend = FakeBackend::default();
    let (mut handle, mut notifications) = supervise(&backend, policy(2));
    wait_until_healthy(&mut handle).await;
    handle.scale(4).await.unwrap();
    timeout(TEST_TIMEOUT, handle.wait_for(|status| status.available == 4)).await.unwrap().unwrap();
    handle.restart(1).await.unwrap();
    wait_for(&mut notifications, |what| matches!(what, NotificationKind::Event(Event::Restart(_)))).await;
    wait_until_healthy(&mut handle).await;
    while handle.replicas().await.unwrap()[1].incarnation != Incarnation(2) {
        tokio::task::yield_now().await;
    }
    handle.reset(Selection::All).await.unwrap();
    handle.retry_now(Selection::All).await.unwrap();
    handle.stop(3).await.unwrap();
    timeout(TEST_TIMEOUT, handle.wait_for(|status| status.reason == StatusReason::ReplicaStopped))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        handle.retry_now(Selection::Replica(3.into())).await,
        Err(RequestError::Refused(Rejection::Stopped(3.into())))
    );
    handle.start(3).await.unwrap();
    wait_until_healthy(&mut handle).await;
    assert_eq!(handle.scale(2_000_000).await, Err(RequestError::Refused(Rejection::TooManyReplicas(2_000_000))));
    assert_eq!(handle.restart(99).await, Err(RequestError::Refused(Rejection::NoSuchReplica(99.into()))));
    let refused =
        wait_for(&mut notifications, |what| matches!(what, NotificationKind::Notice(Notice::Refused(_)))).await;
    assert!(!refused.is_empty());
    let summary = handle.summary().await.unwrap();
    assert_eq!((summary.desired, summary.refused), (4, 3));
    handle.shutdown().await;
    let refused = handle.scale(1).await.unwrap_err();
    assert!(matches!(refused, RequestError::Closed(_) | RequestError::Refused(Rejection::SetEnded)), "{refused}");
}

#[tokio::test]
async fn a_supervisor_continues_from_a_snapshot() {
    let backend = FakeBackend::default();
    let (mut handle, _notices) = supervise(&backend, policy(2));
    wait_until_healthy(&mut handle).await;
    let snapshot = handle.snapshot().await.unwrap();
    let next = backend.clone();
    let supervisor = Supervisor::builder(policy(2).build().unwrap(), next, ()).restore(snapshot);
    let mut restored = supervisor.spawn();
    wait_until_healthy(&mut restored).await;
    assert!(backend.with(|state| state.calls.values().all(|calls| *calls == 1)), "nothing was started again");
    restored.shutdown().await;
}

#[tokio::test]
async fn sets_with_different_names_have_different_jitter() {
    let mut seeds = Vec::new();
    for name in ["web", "db", "web"] {
        let policy = policy(1).build().unwrap();
        let handle = Supervisor::builder(policy.clone(), FakeBackend::default(), ()).name(name).spawn();
        let snapshot = handle.snapshot().await.unwrap();
        seeds.push(ReplicaSet::restore(policy, snapshot, Timestamp::ZERO).unwrap().seed());
    }
    assert_ne!(seeds[0], seeds[1]);
    assert_eq!(seeds[0], seeds[2], "and each as it was before");
}

#[test]
fn a_handle_can_be_sent_and_shared() {
    fn is<T: Send + Sync + Clone>() {}
    is::<SupervisorHandle>();
}

/// Panics at its third step.
struct PanickingRecorder(u32);

impl Recorder for PanickingRecorder {
    fn begin(&mut self, _: &RecordingHeader) {}

    fn step(&mut self, _: &RecordedStep) {
        self.0 += 1;
        assert!(self.0 < 3, "on purpose");
    }
}

impl Drop for PanickingRecorder {
    fn drop(&mut self) {
        assert!(std::thread::panicking() || self.0 < 3, "on purpose, once more");
    }
}

#[tokio::test]
async fn a_recorder_that_panics_ends_the_recording_and_nothing_else() {
    let backend = FakeBackend::default();
    let supervisor =
        Supervisor::builder(policy(3).build().unwrap(), backend.clone(), ()).recorder(PanickingRecorder(0));
    let (mut handle, mut notifications) = supervisor.spawn_with_notifications().unwrap();
    let told =
        |what: &NotificationKind| matches!(what, NotificationKind::Warning(text) if text.contains("recording ends"));
    wait_for(&mut notifications, told).await;
    wait_until_healthy(&mut handle).await;
    backend.report(Event::exited(1, 1, 1));
    backend.with(|state| state.running.remove(&(1.into(), 1.into())));
    let again = |what: &NotificationKind| matches!(what, NotificationKind::Event(Event::Ready(news)) if news.incarnation.0 == 2);
    wait_for(&mut notifications, again).await;
    timeout(TEST_TIMEOUT, handle.shutdown()).await.expect("it shuts down");
}

#[tokio::test]
async fn a_set_with_an_invalid_name_is_not_supervised() {
    for name in ["", "Web", "web/1", "$(touch x)"] {
        let spawned =
            Supervisor::builder(policy(1).build().unwrap(), FakeBackend::default(), ()).name(name).try_spawn();
        assert!(spawned.unwrap_err().to_string().contains("is not a valid set name"), "{name}");
    }
}

/// A backend that lists strays, which stop slowly, and whose replicas are never reported ready.
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
            reporter.report(Event::started(request.key.replica, request.key.incarnation));
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
            reporter.report(Event::stopped(request.key.replica, request.key.incarnation));
        }
        self.stopping.fetch_sub(1, SeqCst);
        Ok(())
    }

    async fn kill(&self, request: KillRequest<'_>) -> Result<(), BackendError> {
        self.stop(StopRequest::new(request.key, Duration::ZERO)).await
    }

    async fn list(&self, _: ListRequest<'_>) -> Result<Vec<Instance>, BackendError> {
        let strays = self.strays.lock().unwrap();
        Ok(strays.iter().map(|&id| Instance::new(id.into(), 1.into(), InstanceState::Ready)).collect())
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
async fn operators_are_warned_of_instances_that_are_never_ready() {
    let policy = policy(2).start_timeout(Duration::from_secs(1)).build().unwrap();
    let supervisor = Supervisor::builder(policy, Arc::new(StrayBackend::default()), ());
    let (mut handle, mut notifications) = supervisor.spawn_with_notifications().unwrap();
    let told = |what: &NotificationKind| matches!(what, NotificationKind::Warning(text) if text.starts_with("replica 0, 1: running for 250ms, but the backend has never"));
    wait_for(&mut notifications, told).await;
    assert_eq!(handle.status().status, Status::Pending);
    timeout(TEST_TIMEOUT, handle.shutdown()).await.expect("it shuts down");
}

/// No call of it is ever answered but lists.
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
    // To drop one after the other within each other's destructors would overflow the stack.
    drop(runtime);
    drop(handle);
}
