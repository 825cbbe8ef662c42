//! The order in which the driver makes its calls, and which of what it hears it believes: against a backend whose every
//! call is answered by the test, in virtual time.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{sleep, timeout};
use uphold::backend::{
    Backend, BackendError, Instance, KillRequest, ListRequest, ProbeAnswer, ProbeRequest, Reporter, StartRequest,
    StopRequest, WatchRequest,
};
use uphold::{
    Builder, Cause, Check, Event, Handle, Happening, HealthPolicy, Heard, Incarnation, InstanceState, Notice, Notices,
    Outcome, Policy, PolicyBuilder, Probe, Record, RecordedStep, RecordingHeader, ReplicaId, RetryPolicy, Status,
    Supervisor, TcpCheck, Timestamp,
};

const CALL_TIMEOUT: Duration = Duration::from_secs(30);
const RESYNC: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Kind {
    Start,
    Stop,
    Kill,
    List,
}

/// A call that waits for the test to answer it.
#[derive(Debug)]
struct Call {
    kind: Kind,
    replica: u32,
    incarnation: u64,
    last_node: Option<String>,
    answer: oneshot::Sender<Result<Vec<Instance>, BackendError>>,
}

impl Call {
    fn is(&self, kind: Kind, replica: u32, incarnation: u64) -> bool {
        (self.kind, self.replica, self.incarnation) == (kind, replica, incarnation)
    }

    fn done(self) {
        let _ = self.answer.send(Ok(Vec::new()));
    }

    fn list(self, instances: &[(u32, u64, InstanceState)]) {
        assert_eq!(self.kind, Kind::List);
        let instance = |(replica, incarnation, state): &(u32, u64, InstanceState)| {
            Instance::new(ReplicaId(*replica), Incarnation(*incarnation), state.clone())
        };
        let _ = self.answer.send(Ok(instances.iter().map(instance).collect()));
    }
}

#[derive(Clone)]
struct Manual {
    calls: mpsc::UnboundedSender<Call>,
    reporter: Arc<Mutex<Option<Reporter>>>,
    /// The addresses at which instances are probed.
    probed: mpsc::UnboundedSender<Option<String>>,
}

impl Manual {
    async fn call(&self, kind: Kind, replica: u32, incarnation: u64) -> Result<Vec<Instance>, BackendError> {
        self.call_on(kind, replica, incarnation, None).await
    }

    async fn call_on(
        &self,
        kind: Kind,
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

    fn saw(&self, instance: Instance) {
        assert!(self.reporter.lock().unwrap().as_ref().expect("it is watched").saw(instance));
    }

    fn report(&self, event: Event) {
        assert!(self.reporter.lock().unwrap().as_ref().expect("it is watched").report(event));
    }
}

#[async_trait]
impl Backend for Manual {
    type Workload = ();

    async fn start(&self, request: StartRequest<'_, ()>) -> Result<(), BackendError> {
        let (replica, incarnation) = (request.key.replica.0, request.key.incarnation.0);
        self.call_on(Kind::Start, replica, incarnation, request.last_node).await.map(drop)
    }

    async fn stop(&self, request: StopRequest<'_>) -> Result<(), BackendError> {
        self.call(Kind::Stop, request.key.replica.0, request.key.incarnation.0).await.map(drop)
    }

    async fn kill(&self, request: KillRequest<'_>) -> Result<(), BackendError> {
        self.call(Kind::Kill, request.key.replica.0, request.key.incarnation.0).await.map(drop)
    }

    async fn list(&self, _: ListRequest<'_>) -> Result<Vec<Instance>, BackendError> {
        self.call(Kind::List, 0, 0).await
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

/// A supervised set, and the calls that its backend gets.
struct Bench {
    backend: Manual,
    calls: mpsc::UnboundedReceiver<Call>,
    probed: mpsc::UnboundedReceiver<Option<String>>,
    handle: Handle,
    notices: Notices,
}

impl Bench {
    fn new(policy: PolicyBuilder) -> Self {
        Self::supervising(policy, |supervisor| supervisor)
    }

    fn supervising(policy: PolicyBuilder, settings: impl FnOnce(Builder<Manual>) -> Builder<Manual>) -> Self {
        let (sender, calls) = mpsc::unbounded_channel();
        let (probes, probed) = mpsc::unbounded_channel();
        let backend = Manual { calls: sender, reporter: Arc::default(), probed: probes };
        let supervisor = Supervisor::builder(policy.build().unwrap(), backend.clone(), ());
        let supervisor = supervisor.name("order").call_timeout(CALL_TIMEOUT).resync(RESYNC);
        let (handle, notices) = settings(supervisor).spawn_with_notices().unwrap();
        Self { backend, calls, probed, handle, notices }
    }

    /// The same with an empty first list.
    async fn begun(policy: PolicyBuilder) -> Self {
        let mut bench = Self::new(policy);
        bench.next(Kind::List).await.list(&[]);
        bench
    }

    /// The next call, which is of that kind; lists that come in between say nothing and are not waited for.
    async fn next(&mut self, kind: Kind) -> Call {
        loop {
            let call = timeout(10 * CALL_TIMEOUT, self.calls.recv()).await.expect("a call comes").unwrap();
            if call.kind == kind {
                return call;
            }
            assert_eq!(call.kind, Kind::List, "{call:?} comes before {kind:?}");
        }
    }

    /// That for so long no call comes but lists.
    async fn quiet(&mut self, wait: Duration) {
        let next = async {
            loop {
                let call = self.calls.recv().await.unwrap();
                if call.kind != Kind::List {
                    return call;
                }
            }
        };
        if let Ok(call) = timeout(wait, next).await {
            panic!("unexpected: {call:?}");
        }
    }

    async fn hear(&mut self, wanted: impl Fn(&Happening) -> bool) -> Happening {
        let heard = async {
            loop {
                match self.notices.next().await {
                    Some(Heard::Happened(happened)) if wanted(&happened.what) => return happened.what,
                    Some(_) => {}
                    None => panic!("the supervisor ended"),
                }
            }
        };
        timeout(10 * CALL_TIMEOUT, heard).await.expect("it is heard of")
    }

    async fn available(&mut self, replicas: u32) {
        let up = self.handle.wait_for(|status| status.available == replicas);
        timeout(10 * CALL_TIMEOUT, up).await.expect("it comes about").unwrap();
    }

    /// Starts all replicas and lets them be ready.
    async fn up(&mut self, replicas: u32) {
        for _ in 0..replicas {
            let call = self.next(Kind::Start).await;
            let (replica, incarnation) = (call.replica, call.incarnation);
            call.done();
            self.backend.report(Event::ready(replica, incarnation));
        }
        self.available(replicas).await;
    }
}

fn retrying(replicas: u32) -> PolicyBuilder {
    Policy::builder().replicas(replicas).retry(RetryPolicy::every(Duration::from_secs(5)))
}

#[tokio::test(start_paused = true)]
async fn a_stop_waits_for_the_start_that_is_under_way() {
    let mut bench = Bench::begun(retrying(1)).await;
    let start = bench.next(Kind::Start).await;
    bench.handle.terminate().await.unwrap();
    bench.quiet(Duration::from_secs(1)).await;
    start.done();
    assert!(bench.next(Kind::Stop).await.is(Kind::Stop, 0, 1));
    bench.backend.report(Event::stopped(0, 1));
    assert_eq!(bench.handle.wait().await.status, Status::Terminated);
}

#[tokio::test(start_paused = true)]
async fn a_start_that_hangs_is_not_repeated_once_it_is_to_be_stopped() {
    let policy = retrying(1).stop_grace(10 * CALL_TIMEOUT);
    let mut bench = Bench::begun(policy).await;
    let _hangs = bench.next(Kind::Start).await;
    bench.handle.terminate().await.unwrap();
    bench.quiet(CALL_TIMEOUT / 2).await;
    bench.next(Kind::Stop).await.done();
    bench.backend.report(Event::stopped(0, 1));
    assert_eq!(bench.handle.wait().await.status, Status::Terminated);
    bench.quiet(CALL_TIMEOUT).await;
}

#[tokio::test(start_paused = true)]
async fn a_kill_does_not_wait_for_a_start_that_hangs() {
    let mut bench = Bench::begun(retrying(1).stop_grace(Duration::from_secs(2))).await;
    let _hangs = bench.next(Kind::Start).await;
    bench.handle.terminate().await.unwrap();
    // The stop goes out as soon as the start is abandoned.
    let first = bench.calls.recv().await.unwrap();
    let second = bench.calls.recv().await.unwrap();
    let mut kinds = [first.kind, second.kind].map(|kind| format!("{kind:?}"));
    kinds.sort();
    assert_eq!(kinds, ["Kill", "Stop"]);
    bench.backend.report(Event::stopped(0, 1));
    assert_eq!(bench.handle.wait().await.status, Status::Terminated);
}

#[tokio::test(start_paused = true)]
async fn a_start_without_an_answer_is_a_failed_start_whatever_its_kill_reports() {
    let mut bench = Bench::begun(retrying(1)).await;
    let _first = bench.next(Kind::Start).await;
    let _second = bench.next(Kind::Start).await;
    let _third = bench.next(Kind::Start).await;
    let kill = bench.next(Kind::Kill).await;
    assert!(kill.is(Kind::Kill, 0, 1));
    // It came about after all, late, and is killed.
    bench.backend.report(Event::started(0, 1));
    bench.backend.report(Event::stopped(0, 1));
    bench.quiet(CALL_TIMEOUT / 2).await;
    kill.done();
    let judged = bench.hear(|what| matches!(what, Happening::Notice(Notice::Verdict(_)))).await;
    let Happening::Notice(Notice::Verdict(judged)) = judged else { unreachable!() };
    assert_eq!(judged.decision.cause, Some(Cause::StartError));
    assert!(bench.next(Kind::Start).await.is(Kind::Start, 0, 2));
}

#[tokio::test(start_paused = true)]
async fn a_list_that_is_older_than_the_news_changes_nothing() {
    let mut bench = Bench::begun(retrying(2)).await;
    bench.up(2).await;
    let list = bench.next(Kind::List).await;
    bench.backend.report(Event::exited(0, 1, 1));
    let start = bench.next(Kind::Start).await;
    start.done();
    bench.backend.report(Event::ready(0, 2));
    bench.available(2).await;
    // As it was when the list was asked for.
    list.list(&[(0, 1, InstanceState::Ready), (1, 1, InstanceState::Ready)]);
    bench.quiet(RESYNC / 2).await;
    let next = bench.next(Kind::List).await;
    next.list(&[(0, 2, InstanceState::Ready), (1, 1, InstanceState::Ready)]);
    bench.quiet(3 * RESYNC / 4).await;
    assert_eq!(bench.handle.status().available, 2);
}

#[tokio::test(start_paused = true)]
async fn what_one_list_leaves_out_the_next_one_finds() {
    let mut bench = Bench::begun(retrying(2)).await;
    bench.up(2).await;
    for round in 0..20 {
        let list = bench.next(Kind::List).await;
        let both = [(0, 1, InstanceState::Ready), (1, 1, InstanceState::Ready)];
        list.list(if round % 2 == 0 { &both[..1] } else { &both });
    }
    assert_eq!(bench.handle.status().status, Status::Healthy);
    assert!(bench.handle.replicas().await.unwrap().iter().all(|view| view.incarnation.0 == 1));
}

#[tokio::test(start_paused = true)]
async fn a_list_finds_the_end_that_the_watch_has_missed() {
    let mut bench = Bench::begun(retrying(2)).await;
    bench.up(2).await;
    let ended = InstanceState::Ended(Outcome::exited(3, Timestamp::MAX));
    bench.next(Kind::List).await.list(&[(0, 1, InstanceState::Ready), (1, 1, ended)]);
    assert!(bench.next(Kind::Start).await.is(Kind::Start, 1, 2));
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_comes_about_late_has_the_backend_list_again() {
    let mut bench = Bench::begun(retrying(1)).await;
    bench.up(1).await;
    let before = timeout(Duration::from_millis(10), bench.calls.recv()).await;
    assert!(before.is_err(), "{before:?}");
    bench.backend.reporter.lock().unwrap().as_ref().unwrap().watching();
    let list = timeout(Duration::from_millis(10), bench.calls.recv()).await;
    assert_eq!(list.expect("it lists at once").unwrap().kind, Kind::List);
}

#[tokio::test(start_paused = true)]
async fn what_is_heard_before_the_first_list_is_told_after_it() {
    let mut bench = Bench::new(retrying(1));
    let list = bench.next(Kind::List).await;
    bench.backend.report(Event::exited(0, 5, 1));
    bench.quiet(Duration::from_secs(1)).await;
    list.list(&[(0, 5, InstanceState::Ready)]);
    assert!(bench.next(Kind::Start).await.is(Kind::Start, 0, 6));
}

#[tokio::test(start_paused = true)]
async fn who_ends_a_set_before_its_first_list_ends_what_the_list_finds() {
    let mut bench = Bench::new(retrying(2));
    let list = bench.next(Kind::List).await;
    let handle = bench.handle.clone();
    let asked = tokio::spawn(async move { handle.terminate().await });
    sleep(Duration::from_secs(1)).await;
    assert!(!asked.is_finished(), "it is answered after the list");
    assert_eq!(bench.handle.status().status, Status::Pending);
    list.list(&[(1, 7, InstanceState::Ready)]);
    assert!(bench.next(Kind::Stop).await.is(Kind::Stop, 1, 7));
    assert_eq!(asked.await.unwrap(), Ok(()));
    bench.backend.report(Event::stopped(1, 7));
    assert_eq!(bench.handle.wait().await.status, Status::Terminated);
}

#[tokio::test(start_paused = true)]
async fn a_second_shutdown_before_the_first_list_leaves_at_once_and_says_so() {
    let mut bench = Bench::new(retrying(2));
    let _hangs = bench.next(Kind::List).await;
    let mut first = bench.handle.clone();
    let first = tokio::spawn(async move { first.shutdown().await });
    sleep(Duration::from_millis(1)).await;
    let last = timeout(Duration::from_secs(1), bench.handle.shutdown()).await.expect("it leaves at once");
    assert_eq!(last.status, Status::Pending);
    assert_eq!(first.await.unwrap().status, Status::Pending);
    bench.hear(|what| matches!(what, Happening::Trouble(text) if text.contains("has not listed"))).await;
}

#[tokio::test(start_paused = true)]
async fn a_second_shutdown_does_not_wait_for_a_backend_that_hangs() {
    let mut bench = Bench::begun(retrying(1).stop_grace(Duration::from_secs(3600))).await;
    bench.up(1).await;
    let mut first = bench.handle.clone();
    let first = tokio::spawn(async move { first.shutdown().await });
    let _stop = bench.next(Kind::Stop).await;
    let mut second = bench.handle.clone();
    let second = tokio::spawn(async move { second.shutdown().await });
    let _kill = bench.next(Kind::Kill).await;
    let last = timeout(CALL_TIMEOUT + Duration::from_secs(1), second).await.expect("it leaves").unwrap();
    assert_eq!(last.status, Status::Terminating);
    assert_eq!(first.await.unwrap().status, Status::Terminating);
    bench.hear(|what| matches!(what, Happening::Trouble(text) if text.contains("not every instance"))).await;
}

#[tokio::test(start_paused = true)]
async fn a_backend_that_sees_states_reports_states() {
    let probe = Probe::new(Check::Tcp(TcpCheck::new("80"))).interval(Duration::from_secs(1));
    let mut bench = Bench::begun(retrying(1).health(HealthPolicy::new().liveness(probe))).await;
    bench.next(Kind::Start).await.done();
    let saw = |incarnation, state| Instance::new(ReplicaId(0), Incarnation(incarnation), state);
    bench.backend.saw(saw(1, InstanceState::Starting));
    bench.backend.saw(saw(1, InstanceState::Running).node("a").address("10.0.0.1"));
    assert_eq!(bench.probed.recv().await.unwrap().as_deref(), Some("10.0.0.1"));
    // Probes come with every pulse; what was seen before is no news.
    for _ in 0..3 {
        bench.backend.saw(saw(1, InstanceState::Ready));
        bench.available(1).await;
    }
    let heard = bench.handle.summary().await.unwrap();
    assert_eq!(heard.ignored, 0);
    bench.backend.saw(saw(1, InstanceState::Running));
    bench.available(0).await;
    bench.backend.saw(saw(1, InstanceState::Ended(Outcome::exited(1, Timestamp::MAX))));
    let start = bench.next(Kind::Start).await;
    assert!(start.is(Kind::Start, 0, 2));
    assert_eq!(start.last_node.as_deref(), Some("a"));
    start.done();
    while bench.probed.try_recv().is_ok() {}
    bench.backend.saw(saw(2, InstanceState::Running));
    assert_eq!(bench.probed.recv().await.unwrap(), None, "its address is not known yet");
}

/// Counts what the set is told.
struct Count(Arc<Mutex<u32>>);

impl Record for Count {
    fn begin(&mut self, _: &RecordingHeader) {}

    fn step(&mut self, _: &RecordedStep) {
        *self.0.lock().unwrap() += 1;
    }
}

#[tokio::test(start_paused = true)]
async fn lists_that_say_nothing_new_are_not_recorded() {
    let steps = Arc::new(Mutex::new(0));
    let mut bench = Bench::supervising(retrying(1), |supervisor| supervisor.record(Count(steps.clone())));
    bench.next(Kind::List).await.list(&[]);
    bench.up(1).await;
    let ready = [(0, 1, InstanceState::Ready)];
    bench.next(Kind::List).await.list(&ready);
    bench.next(Kind::List).await.list(&ready);
    let before = *steps.lock().unwrap();
    for _ in 0..100 {
        bench.next(Kind::List).await.list(&ready);
    }
    assert_eq!(*steps.lock().unwrap(), before);
    // What is out of sight is asked for until it is found.
    bench.next(Kind::List).await.list(&[]);
    bench.next(Kind::List).await.list(&ready);
    bench.next(Kind::List).await.list(&ready);
    sleep(Duration::from_millis(1)).await;
    assert_eq!(*steps.lock().unwrap(), before + 2);
}
