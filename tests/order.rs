//! The order of the driver's calls, and which of contradicting reports it uses. The tests answer the calls of the
//! backend, in virtual time.
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use uphold::backend::{
    Backend, BackendError, Instance, KillRequest, ListRequest, ProbeAnswer, ProbeRequest, Reporter, StartRequest,
    StopRequest, WatchRequest,
};
use uphold::engine::InstanceState;
use uphold::policy::{Probe, ProbeCheck, TcpCheck};
use uphold::recording::{RecordedStep, RecordingHeader};
use uphold::supervisor::{NotificationKind, Notifications, Received, Recorder, SupervisorBuilder};
use uphold::{
    Cause, Event, HealthPolicy, Incarnation, Notice, Outcome, Policy, PolicyBuilder, ReplicaId, RetryPolicy, Status,
    Supervisor, SupervisorHandle,
};

const CALL_TIMEOUT: Duration = Duration::from_secs(30);
const RESYNC: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum CallKind {
    Start,
    Stop,
    Kill,
    List,
}

/// A call that waits for the test to answer it.
#[derive(Debug)]
struct Call {
    kind: CallKind,
    replica: u32,
    incarnation: u64,
    last_node: Option<String>,
    answer: oneshot::Sender<Result<Vec<Instance>, BackendError>>,
}

impl Call {
    fn is(&self, kind: CallKind, replica: u32, incarnation: u64) -> bool {
        (self.kind, self.replica, self.incarnation) == (kind, replica, incarnation)
    }

    fn succeed(self) {
        let _ = self.answer.send(Ok(Vec::new()));
    }

    fn answer_list(self, instances: &[(u32, u64, InstanceState)]) {
        assert_eq!(self.kind, CallKind::List);
        let instance = |(replica, incarnation, state): &(u32, u64, InstanceState)| {
            Instance::new((ReplicaId(*replica), Incarnation(*incarnation)), state.clone())
        };
        let _ = self.answer.send(Ok(instances.iter().map(instance).collect()));
    }
}

#[derive(Clone)]
struct ManualBackend {
    calls: mpsc::UnboundedSender<Call>,
    reporter: Arc<Mutex<Option<Reporter>>>,
    /// Receives the address of each probe.
    probed: mpsc::UnboundedSender<Option<String>>,
}

impl ManualBackend {
    async fn call(&self, kind: CallKind, replica: u32, incarnation: u64) -> Result<Vec<Instance>, BackendError> {
        self.call_on(kind, replica, incarnation, None).await
    }

    async fn call_on(
        &self,
        kind: CallKind,
        replica: u32,
        incarnation: u64,
        last_node: Option<&str>,
    ) -> Result<Vec<Instance>, BackendError> {
        let (answer, answered) = oneshot::channel();
        let last_node = last_node.map(str::to_owned);
        let _ = self.calls.send(Call { kind, replica, incarnation, last_node, answer });
        match answered.await {
            Ok(answer) => answer,
            Err(_) => std::future::pending().await,
        }
    }

    fn report_state(&self, instance: Instance) {
        assert!(self.reporter.lock().unwrap().as_ref().expect("it is watched").report_state(instance));
    }

    fn report(&self, event: Event) {
        assert!(self.reporter.lock().unwrap().as_ref().expect("it is watched").report(event));
    }
}

#[async_trait]
impl Backend for ManualBackend {
    type Workload = ();

    async fn start(&self, request: StartRequest<'_, ()>) -> Result<(), BackendError> {
        let (replica, incarnation) = (request.key.replica.0, request.key.incarnation.0);
        self.call_on(CallKind::Start, replica, incarnation, request.last_node).await.map(drop)
    }

    async fn stop(&self, request: StopRequest<'_>) -> Result<(), BackendError> {
        self.call(CallKind::Stop, request.key.replica.0, request.key.incarnation.0).await.map(drop)
    }

    async fn kill(&self, request: KillRequest<'_>) -> Result<(), BackendError> {
        self.call(CallKind::Kill, request.key.replica.0, request.key.incarnation.0).await.map(drop)
    }

    async fn list(&self, _: ListRequest<'_>) -> Result<Vec<Instance>, BackendError> {
        self.call(CallKind::List, 0, 0).await
    }

    async fn probe(&self, request: ProbeRequest<'_>) -> ProbeAnswer {
        let _ = self.probed.send(request.address.map(str::to_owned));
        ProbeAnswer::success()
    }

    async fn watch(&self, _: WatchRequest<'_>, reporter: Reporter) -> Result<(), BackendError> {
        *self.reporter.lock().unwrap() = Some(reporter);
        std::future::pending().await
    }
}

/// A supervised set and the calls to its backend.
struct Harness {
    backend: ManualBackend,
    calls: mpsc::UnboundedReceiver<Call>,
    probed: mpsc::UnboundedReceiver<Option<String>>,
    handle: SupervisorHandle,
    notifications: Notifications,
}

impl Harness {
    fn new(policy: PolicyBuilder) -> Self {
        Self::with_settings(policy, |supervisor| supervisor)
    }

    fn with_settings(
        policy: PolicyBuilder,
        settings: impl FnOnce(SupervisorBuilder<ManualBackend>) -> SupervisorBuilder<ManualBackend>,
    ) -> Self {
        let (sender, calls) = mpsc::unbounded_channel();
        let (probes, probed) = mpsc::unbounded_channel();
        let backend = ManualBackend { calls: sender, reporter: Arc::default(), probed: probes };
        let supervisor = Supervisor::builder(policy.build().unwrap(), backend.clone(), ());
        let supervisor = supervisor.name("order").call_timeout(CALL_TIMEOUT).resync(RESYNC);
        let (handle, notifications) = settings(supervisor).spawn_with_notifications().unwrap();
        Self { backend, calls, probed, handle, notifications }
    }

    /// Answers the first list with no instances.
    async fn with_empty_list(policy: PolicyBuilder) -> Self {
        let mut harness = Self::new(policy);
        harness.next_call(CallKind::List).await.answer_list(&[]);
        harness
    }

    /// Returns the next call, which must be of this kind. Lists in between are skipped.
    async fn next_call(&mut self, kind: CallKind) -> Call {
        loop {
            let call = timeout(10 * CALL_TIMEOUT, self.calls.recv()).await.expect("a call comes").unwrap();
            if call.kind == kind {
                return call;
            }
            assert_eq!(call.kind, CallKind::List, "{call:?} comes before {kind:?}");
        }
    }

    /// Asserts that no call except lists is made for this long.
    async fn expect_no_call(&mut self, wait: Duration) {
        let next = async {
            loop {
                let call = self.calls.recv().await.unwrap();
                if call.kind != CallKind::List {
                    return call;
                }
            }
        };
        if let Ok(call) = timeout(wait, next).await {
            panic!("unexpected: {call:?}");
        }
    }

    async fn wait_for(&mut self, wanted: impl Fn(&NotificationKind) -> bool) -> NotificationKind {
        let received = async {
            loop {
                match self.notifications.next().await {
                    Some(Received::Notification(notification)) if wanted(&notification.kind) => {
                        return notification.kind;
                    }
                    Some(_) => {}
                    None => panic!("the supervisor ended"),
                }
            }
        };
        timeout(10 * CALL_TIMEOUT, received).await.expect("it is received")
    }

    async fn wait_until_available(&mut self, replicas: u32) {
        let up = self.handle.wait_for(|status| status.available == replicas);
        timeout(10 * CALL_TIMEOUT, up).await.expect("they are available").unwrap();
    }

    /// Answers the starts of all replicas and reports them ready.
    async fn start_all(&mut self, replicas: u32) {
        for _ in 0..replicas {
            let call = self.next_call(CallKind::Start).await;
            let (replica, incarnation) = (call.replica, call.incarnation);
            call.succeed();
            self.backend.report(Event::ready((replica, incarnation)));
        }
        self.wait_until_available(replicas).await;
    }
}

fn retrying(replicas: u32) -> PolicyBuilder {
    Policy::builder().replicas(replicas).retry(RetryPolicy::every(Duration::from_secs(5)))
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_the_start_that_is_under_way() {
    let mut harness = Harness::with_empty_list(retrying(1)).await;
    let start = harness.next_call(CallKind::Start).await;
    harness.handle.terminate().await.unwrap();
    harness.expect_no_call(Duration::from_secs(1)).await;
    start.succeed();
    assert!(harness.next_call(CallKind::Stop).await.is(CallKind::Stop, 0, 1));
    harness.backend.report(Event::stopped((0, 1)));
    assert_eq!(harness.handle.wait().await.status, Status::Terminated);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_hangs_is_not_repeated_after_a_stop_request() {
    let policy = retrying(1).stop_grace(10 * CALL_TIMEOUT);
    let mut harness = Harness::with_empty_list(policy).await;
    let _hangs = harness.next_call(CallKind::Start).await;
    harness.handle.terminate().await.unwrap();
    harness.expect_no_call(CALL_TIMEOUT / 2).await;
    harness.next_call(CallKind::Stop).await.succeed();
    harness.backend.report(Event::stopped((0, 1)));
    assert_eq!(harness.handle.wait().await.status, Status::Terminated);
    harness.expect_no_call(CALL_TIMEOUT).await;
}

#[tokio::test(start_paused = true)]
async fn a_kill_does_not_wait_for_a_start_that_hangs() {
    let mut harness = Harness::with_empty_list(retrying(1).stop_grace(Duration::from_secs(2))).await;
    let _hangs = harness.next_call(CallKind::Start).await;
    harness.handle.terminate().await.unwrap();
    // The stop is sent as soon as the start is abandoned.
    let first = harness.calls.recv().await.unwrap();
    let second = harness.calls.recv().await.unwrap();
    let mut kinds = [first.kind, second.kind].map(|kind| format!("{kind:?}"));
    kinds.sort();
    assert_eq!(kinds, ["Kill", "Stop"]);
    harness.backend.report(Event::stopped((0, 1)));
    assert_eq!(harness.handle.wait().await.status, Status::Terminated);
}

#[tokio::test(start_paused = true)]
async fn a_start_without_an_answer_is_a_start_error_whatever_its_kill_reports() {
    let mut harness = Harness::with_empty_list(retrying(1)).await;
    let _first = harness.next_call(CallKind::Start).await;
    let _second = harness.next_call(CallKind::Start).await;
    let _third = harness.next_call(CallKind::Start).await;
    let kill = harness.next_call(CallKind::Kill).await;
    assert!(kill.is(CallKind::Kill, 0, 1));
    // The start succeeds late, and the instance is killed.
    harness.backend.report(Event::started((0, 1)));
    harness.backend.report(Event::stopped((0, 1)));
    harness.expect_no_call(CALL_TIMEOUT / 2).await;
    kill.succeed();
    let judged = harness.wait_for(|what| matches!(what, NotificationKind::Notice(Notice::Verdict(_)))).await;
    let NotificationKind::Notice(Notice::Verdict(judged)) = judged else { unreachable!() };
    assert_eq!(judged.decision.cause, Some(Cause::StartError));
    assert!(harness.next_call(CallKind::Start).await.is(CallKind::Start, 0, 2));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_older_than_reports_changes_nothing() {
    let mut harness = Harness::with_empty_list(retrying(2)).await;
    harness.start_all(2).await;
    let list = harness.next_call(CallKind::List).await;
    harness.backend.report(Event::exited((0, 1), 1));
    let start = harness.next_call(CallKind::Start).await;
    start.succeed();
    harness.backend.report(Event::ready((0, 2)));
    harness.wait_until_available(2).await;
    // The state at the time of the request for the list.
    list.answer_list(&[(0, 1, InstanceState::Ready), (1, 1, InstanceState::Ready)]);
    harness.expect_no_call(RESYNC / 2).await;
    let next = harness.next_call(CallKind::List).await;
    next.answer_list(&[(0, 2, InstanceState::Ready), (1, 1, InstanceState::Ready)]);
    harness.expect_no_call(3 * RESYNC / 4).await;
    assert_eq!(harness.handle.status().available, 2);
}

#[tokio::test(start_paused = true)]
async fn an_instance_that_one_list_omits_is_found_by_the_next() {
    let mut harness = Harness::with_empty_list(retrying(2)).await;
    harness.start_all(2).await;
    for round in 0..20 {
        let list = harness.next_call(CallKind::List).await;
        let both = [(0, 1, InstanceState::Ready), (1, 1, InstanceState::Ready)];
        list.answer_list(if round % 2 == 0 { &both[..1] } else { &both });
    }
    assert_eq!(harness.handle.status().status, Status::Healthy);
    assert!(harness.handle.replicas().await.unwrap().iter().all(|view| view.incarnation.0 == 1));
}

#[tokio::test(start_paused = true)]
async fn a_list_finds_an_end_that_the_watch_has_missed() {
    let mut harness = Harness::with_empty_list(retrying(2)).await;
    harness.start_all(2).await;
    let ended = InstanceState::Ended(Outcome::exited(3, None));
    harness.next_call(CallKind::List).await.answer_list(&[(0, 1, InstanceState::Ready), (1, 1, ended)]);
    assert!(harness.next_call(CallKind::Start).await.is(CallKind::Start, 1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_is_established_late_triggers_a_list() {
    let mut harness = Harness::with_empty_list(retrying(1)).await;
    harness.start_all(1).await;
    let before = timeout(Duration::from_millis(10), harness.calls.recv()).await;
    assert!(before.is_err(), "{before:?}");
    harness.backend.reporter.lock().unwrap().as_ref().unwrap().watch_established();
    let list = timeout(Duration::from_millis(10), harness.calls.recv()).await;
    assert_eq!(list.expect("it lists immediately").unwrap().kind, CallKind::List);
}

#[tokio::test(start_paused = true)]
async fn events_before_the_first_list_are_applied_after_it() {
    let mut harness = Harness::new(retrying(1));
    let list = harness.next_call(CallKind::List).await;
    harness.backend.report(Event::exited((0, 5), 1));
    harness.expect_no_call(Duration::from_secs(1)).await;
    list.answer_list(&[(0, 5, InstanceState::Ready)]);
    assert!(harness.next_call(CallKind::Start).await.is(CallKind::Start, 0, 6));
}

#[tokio::test(start_paused = true)]
async fn a_termination_before_the_first_list_stops_the_listed_instances() {
    let mut harness = Harness::new(retrying(2));
    let list = harness.next_call(CallKind::List).await;
    let handle = harness.handle.clone();
    let asked = tokio::spawn(async move { handle.terminate().await });
    sleep(Duration::from_secs(1)).await;
    assert!(!asked.is_finished(), "it is answered after the list");
    assert_eq!(harness.handle.status().status, Status::Pending);
    list.answer_list(&[(1, 7, InstanceState::Ready)]);
    assert!(harness.next_call(CallKind::Stop).await.is(CallKind::Stop, 1, 7));
    assert_eq!(asked.await.unwrap(), Ok(()));
    harness.backend.report(Event::stopped((1, 7)));
    assert_eq!(harness.handle.wait().await.status, Status::Terminated);
}

#[tokio::test(start_paused = true)]
async fn a_second_shutdown_before_the_first_list_returns_immediately_with_a_warning() {
    let mut harness = Harness::new(retrying(2));
    let _hangs = harness.next_call(CallKind::List).await;
    let mut first = harness.handle.clone();
    let first = tokio::spawn(async move { first.shutdown().await });
    sleep(Duration::from_millis(1)).await;
    let last = timeout(Duration::from_secs(1), harness.handle.shutdown()).await.expect("it returns immediately");
    assert_eq!(last.status, Status::Pending);
    assert_eq!(first.await.unwrap().status, Status::Pending);
    harness.wait_for(|what| matches!(what, NotificationKind::Warning(text) if text.contains("has not listed"))).await;
}

#[tokio::test(start_paused = true)]
async fn a_second_shutdown_does_not_wait_for_a_backend_that_hangs() {
    let mut harness = Harness::with_empty_list(retrying(1).stop_grace(Duration::from_secs(3600))).await;
    harness.start_all(1).await;
    let mut first = harness.handle.clone();
    let first = tokio::spawn(async move { first.shutdown().await });
    let _stop = harness.next_call(CallKind::Stop).await;
    let mut second = harness.handle.clone();
    let second = tokio::spawn(async move { second.shutdown().await });
    let _kill = harness.next_call(CallKind::Kill).await;
    let last = timeout(CALL_TIMEOUT + Duration::from_secs(1), second).await.expect("it returns").unwrap();
    assert_eq!(last.status, Status::Terminating);
    assert_eq!(first.await.unwrap().status, Status::Terminating);
    harness
        .wait_for(
            |what| matches!(what, NotificationKind::Warning(text) if text.contains("not every instance is confirmed")),
        )
        .await;
}

#[tokio::test(start_paused = true)]
async fn a_backend_can_report_states_instead_of_events() {
    let probe = Probe::new(ProbeCheck::Tcp(TcpCheck::new("80"))).interval(Duration::from_secs(1));
    let mut harness = Harness::with_empty_list(retrying(1).health(HealthPolicy::new().liveness(probe))).await;
    harness.next_call(CallKind::Start).await.succeed();
    let saw = |incarnation, state| Instance::new((ReplicaId(0), Incarnation(incarnation)), state);
    harness.backend.report_state(saw(1, InstanceState::Starting));
    harness.backend.report_state(saw(1, InstanceState::Running).node("a").address("10.0.0.1"));
    assert_eq!(harness.probed.recv().await.unwrap().as_deref(), Some("10.0.0.1"));
    // Repeated reports are not ignored events.
    for _ in 0..3 {
        harness.backend.report_state(saw(1, InstanceState::Ready));
        harness.wait_until_available(1).await;
    }
    let summary = harness.handle.summary().await.unwrap();
    assert_eq!(summary.ignored, 0);
    harness.backend.report_state(saw(1, InstanceState::Running));
    harness.wait_until_available(0).await;
    harness.backend.report_state(saw(1, InstanceState::Ended(Outcome::exited(1, None))));
    let start = harness.next_call(CallKind::Start).await;
    assert!(start.is(CallKind::Start, 0, 2));
    assert_eq!(start.last_node.as_deref(), Some("a"));
    start.succeed();
    while harness.probed.try_recv().is_ok() {}
    harness.backend.report_state(saw(2, InstanceState::Running));
    assert_eq!(harness.probed.recv().await.unwrap(), None, "its address is not known yet");
}

/// Counts the inputs of the set.
struct StepCounter(Arc<Mutex<u32>>);

impl Recorder for StepCounter {
    fn begin(&mut self, _: &RecordingHeader) {}

    fn step(&mut self, _: &RecordedStep) {
        *self.0.lock().unwrap() += 1;
    }
}

#[tokio::test(start_paused = true)]
async fn lists_without_changes_are_not_recorded() {
    let steps = Arc::new(Mutex::new(0));
    let mut harness = Harness::with_settings(retrying(1), |supervisor| supervisor.recorder(StepCounter(steps.clone())));
    harness.next_call(CallKind::List).await.answer_list(&[]);
    harness.start_all(1).await;
    let ready = [(0, 1, InstanceState::Ready)];
    harness.next_call(CallKind::List).await.answer_list(&ready);
    harness.next_call(CallKind::List).await.answer_list(&ready);
    let before = *steps.lock().unwrap();
    for _ in 0..100 {
        harness.next_call(CallKind::List).await.answer_list(&ready);
    }
    assert_eq!(*steps.lock().unwrap(), before);
    // A list without the instance changes contact with it, and so does the next one with it.
    harness.next_call(CallKind::List).await.answer_list(&[]);
    harness.next_call(CallKind::List).await.answer_list(&ready);
    harness.next_call(CallKind::List).await.answer_list(&ready);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(*steps.lock().unwrap(), before + 2);
}
