//! The driver against backends that misbehave: whatever a backend does, it is a failure of one replica, or nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::time::timeout;
use uphold::backend::{
    Backend, BackendError, Instance, KillRequest, ListRequest, Reporter, StartRequest, StopRequest, WatchRequest,
};
use uphold::{
    Cause, Event, Handle, Happening, HealthPolicy, Heard, Incarnation, InstanceState, Notice, Notices, Policy,
    PolicyBuilder, Record, RecordedStep, RecordingHeader, Refused, ReplicaId, ReplicaSet, RequestError, RetryPolicy,
    Selection, Status, StatusReason, Supervisor, Timestamp,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// How a backend treats one start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Start {
    Works,
    Hangs,
    Errs,
    NoCapacity,
    Panics,
    /// It is done, and the answer is lost.
    LosesAnswer,
}

#[derive(Default)]
struct State {
    /// How the n-th call to start a replica goes; those after the last work.
    script: BTreeMap<u32, Vec<Start>>,
    calls: BTreeMap<u32, usize>,
    running: BTreeSet<(ReplicaId, Incarnation)>,
    /// Instances that were started twice: never.
    doubled: Vec<(ReplicaId, Incarnation)>,
    reporter: Option<Reporter>,
    lists: u32,
    watches: u32,
    list_fails: bool,
    stop_hangs: bool,
    break_watch: Option<Arc<tokio::sync::Notify>>,
}

#[derive(Clone, Default)]
struct Fake(Arc<Mutex<State>>);

impl Fake {
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
impl Backend for Fake {
    type Workload = ();

    async fn start(&self, request: StartRequest<'_, ()>) -> Result<(), BackendError> {
        let (replica, incarnation) = (request.key.replica, request.key.incarnation);
        let start = self.with(|state| {
            let call = state.calls.entry(replica.0).or_insert(0);
            *call += 1;
            state.script.get(&replica.0).and_then(|starts| starts.get(*call - 1)).copied().unwrap_or(Start::Works)
        });
        match start {
            Start::Hangs => std::future::pending().await,
            Start::Errs => return Err(BackendError::start_error("it does not work")),
            Start::NoCapacity => return Err(BackendError::no_capacity("full").retry_after(Duration::from_millis(5))),
            Start::Panics => panic!("on purpose"),
            Start::Works | Start::LosesAnswer => {}
        }
        let first = self.with(|state| state.running.insert((replica, incarnation)));
        if first {
            let others = self.with(|state| state.running.iter().filter(|(other, _)| *other == replica).count());
            if others > 1 {
                self.with(|state| state.doubled.push((replica, incarnation)));
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

fn supervise(fake: &Fake, policy: PolicyBuilder) -> (Handle, Notices) {
    Supervisor::builder(policy.build().unwrap(), fake.clone(), ())
        .name("fake")
        .call_timeout(Duration::from_millis(100))
        .spawn_with_notices()
        .unwrap()
}

async fn healthy(handle: &mut Handle) {
    let up = handle.wait_for(|status| status.status == Status::Healthy && status.available == status.desired);
    timeout(PATIENCE, up).await.expect("it is healthy").expect("the supervisor goes on");
}

/// The events up to the first that is wanted.
async fn hear(notices: &mut Notices, wanted: impl Fn(&Happening) -> bool) -> Vec<Happening> {
    let heard = async {
        let mut all = Vec::new();
        while let Some(Heard::Happened(happened)) = notices.next().await {
            let found = wanted(&happened.what);
            all.push(happened.what);
            if found {
                break;
            }
        }
        all
    };
    timeout(PATIENCE, heard).await.expect("it is heard of")
}

async fn start_that(start: Start) -> (Fake, Vec<Happening>) {
    // Three times, because a start whose answer is lost is repeated twice.
    let fake = Fake::default().script(1, &[start; 3]);
    let (mut handle, mut notices) = supervise(&fake, policy(3));
    let heard = hear(&mut notices, |what| matches!(what, Happening::Event(Event::StartFailed(_)))).await;
    healthy(&mut handle).await;
    timeout(PATIENCE, handle.shutdown()).await.expect("it shuts down");
    assert_eq!(fake.with(|state| state.doubled.clone()), []);
    (fake, heard)
}

fn cause_of(heard: &[Happening]) -> (u32, Cause) {
    let Some(Happening::Event(Event::StartFailed(ended))) = heard.last() else { panic!("{heard:?}") };
    (ended.replica.0, ended.outcome.named_cause().cloned().unwrap())
}

#[tokio::test]
async fn a_start_that_errs_is_a_failure_of_its_replica() {
    let (_, heard) = start_that(Start::Errs).await;
    assert_eq!(cause_of(&heard), (1, Cause::StartError));
}

#[tokio::test]
async fn a_start_for_which_there_is_no_room_says_so() {
    let (_, heard) = start_that(Start::NoCapacity).await;
    assert_eq!(cause_of(&heard), (1, Cause::NoCapacity));
}

#[tokio::test]
async fn a_start_that_panics_is_a_failure_of_its_replica() {
    let (_, heard) = start_that(Start::Panics).await;
    assert_eq!(cause_of(&heard), (1, Cause::StartError));
}

#[tokio::test]
async fn a_start_that_hangs_is_given_up_after_a_bounded_time() {
    let (fake, heard) = start_that(Start::Hangs).await;
    assert_eq!(cause_of(&heard), (1, Cause::StartError));
    assert!(fake.with(|state| state.calls[&1]) >= 4, "repeated, then the next incarnation");
}

#[tokio::test]
async fn a_lost_answer_is_asked_again_and_nothing_runs_twice() {
    let fake = Fake::default().script(1, &[Start::LosesAnswer, Start::LosesAnswer]);
    let (mut handle, _notices) = supervise(&fake, policy(2));
    healthy(&mut handle).await;
    while fake.with(|state| state.calls[&1]) < 3 {
        tokio::task::yield_now().await;
    }
    assert_eq!(handle.replicas().await.unwrap()[1].incarnation, Incarnation(1));
    assert_eq!(fake.with(|state| state.doubled.clone()), []);
    handle.shutdown().await;
}

#[tokio::test]
async fn a_watch_that_breaks_is_begun_again_and_what_was_missed_is_listed() {
    let broken = Arc::new(tokio::sync::Notify::new());
    let fake = Fake::default();
    fake.with(|state| state.break_watch = Some(broken.clone()));
    let (mut handle, mut notices) = supervise(&fake, policy(3));
    healthy(&mut handle).await;
    broken.notify_one();
    hear(&mut notices, |what| matches!(what, Happening::Trouble(text) if text.contains("broke"))).await;
    let (watches, lists) = fake.with(|state| (state.watches, state.lists));
    while fake.with(|state| state.lists) <= lists {
        tokio::task::yield_now().await;
    }
    assert!(fake.with(|state| state.watches) > watches);
    healthy(&mut handle).await;
    assert!(fake.with(|state| state.calls.values().all(|calls| *calls == 1)), "nothing was restarted");
    handle.shutdown().await;
}

#[tokio::test]
async fn what_ran_before_is_adopted_and_not_started_again() {
    let fake = Fake::default();
    fake.with(|state| state.running.extend([(ReplicaId(0), Incarnation(5)), (ReplicaId(2), Incarnation(9))]));
    let (mut handle, _notices) = supervise(&fake, policy(3));
    healthy(&mut handle).await;
    let incarnations: Vec<_> = handle.replicas().await.unwrap().iter().map(|view| view.incarnation.0).collect();
    assert_eq!(incarnations, [5, 1, 9]);
    assert_eq!(fake.with(|state| state.calls.clone()), BTreeMap::from([(1, 1)]));
    handle.shutdown().await;
}

#[tokio::test]
async fn nothing_is_started_before_the_backend_can_list() {
    let fake = Fake::default();
    fake.with(|state| state.list_fails = true);
    let (mut handle, mut notices) = supervise(&fake, policy(2));
    hear(&mut notices, |what| matches!(what, Happening::Trouble(text) if text.contains("cannot list"))).await;
    assert_eq!(handle.status().status, Status::Pending);
    assert!(fake.with(|state| state.calls.is_empty()));
    fake.with(|state| state.list_fails = false);
    healthy(&mut handle).await;
    handle.shutdown().await;
}

#[tokio::test]
async fn lists_that_fail_make_replicas_unknown_and_restart_none() {
    let broken = Arc::new(tokio::sync::Notify::new());
    let fake = Fake::default();
    fake.with(|state| state.break_watch = Some(broken.clone()));
    let health = HealthPolicy::new().unknown_after(Duration::from_millis(50));
    let (mut handle, _notices) = supervise(&fake, policy(3).health(health));
    healthy(&mut handle).await;
    fake.with(|state| state.list_fails = true);
    broken.notify_one();
    let unknown = handle.wait_for(|status| status.available == 0);
    timeout(PATIENCE, unknown).await.expect("sight is lost").unwrap();
    assert_eq!(handle.status().status, Status::Outage);
    fake.with(|state| state.list_fails = false);
    healthy(&mut handle).await;
    assert!(fake.with(|state| state.calls.values().all(|calls| *calls == 1)), "nothing was restarted");
    handle.shutdown().await;
}

#[tokio::test]
async fn a_stop_that_hangs_ends_in_a_kill() {
    let fake = Fake::default();
    let (mut handle, _notices) = supervise(&fake, policy(2).stop_grace(Duration::from_millis(50)));
    healthy(&mut handle).await;
    fake.with(|state| state.stop_hangs = true);
    let last = timeout(PATIENCE, handle.shutdown()).await.expect("it shuts down all the same");
    assert_eq!(last.status, Status::Terminated);
}

#[tokio::test]
async fn a_slow_listener_is_told_how_much_it_missed() {
    let fake = Fake::default();
    let supervisor = Supervisor::builder(policy(50).build().unwrap(), fake, ()).notices_buffer(8);
    let (mut handle, mut notices) = supervisor.spawn_with_notices().unwrap();
    healthy(&mut handle).await;
    let first = timeout(PATIENCE, notices.next()).await.unwrap();
    assert!(matches!(first, Some(Heard::Missed(missed)) if missed > 100), "{first:?}");
    handle.shutdown().await;
}

#[tokio::test]
async fn what_an_operator_asks_for_is_done() {
    let fake = Fake::default();
    let (mut handle, mut notices) = supervise(&fake, policy(2));
    healthy(&mut handle).await;
    handle.scale(4).await.unwrap();
    timeout(PATIENCE, handle.wait_for(|status| status.available == 4)).await.unwrap().unwrap();
    handle.restart(1).await.unwrap();
    hear(&mut notices, |what| matches!(what, Happening::Event(Event::Restart(_)))).await;
    healthy(&mut handle).await;
    while handle.replicas().await.unwrap()[1].incarnation != Incarnation(2) {
        tokio::task::yield_now().await;
    }
    handle.reset(Selection::All).await.unwrap();
    handle.retry_now(Selection::All).await.unwrap();
    handle.stop(3).await.unwrap();
    timeout(PATIENCE, handle.wait_for(|status| status.reason == StatusReason::ReplicaStopped)).await.unwrap().unwrap();
    assert_eq!(
        handle.retry_now(Selection::Replica(3.into())).await,
        Err(RequestError::Refused(Refused::Stopped(3.into())))
    );
    handle.start(3).await.unwrap();
    healthy(&mut handle).await;
    assert_eq!(handle.scale(2_000_000).await, Err(RequestError::Refused(Refused::TooManyReplicas(2_000_000))));
    assert_eq!(handle.restart(99).await, Err(RequestError::Refused(Refused::NoSuchReplica(99.into()))));
    let refused = hear(&mut notices, |what| matches!(what, Happening::Notice(Notice::Refused(_)))).await;
    assert!(!refused.is_empty());
    let summary = handle.summary().await.unwrap();
    assert_eq!((summary.desired, summary.refused), (4, 3));
    handle.shutdown().await;
    let refused = handle.scale(1).await.unwrap_err();
    assert!(matches!(refused, RequestError::Ended(_) | RequestError::Refused(Refused::SetEnded)), "{refused}");
}

#[tokio::test]
async fn a_supervisor_goes_on_from_a_snapshot() {
    let fake = Fake::default();
    let (mut handle, _notices) = supervise(&fake, policy(2));
    healthy(&mut handle).await;
    let snapshot = handle.snapshot().await.unwrap();
    let next = fake.clone();
    let supervisor = Supervisor::builder(policy(2).build().unwrap(), next, ()).restore(snapshot);
    let mut restored = supervisor.spawn();
    healthy(&mut restored).await;
    assert!(fake.with(|state| state.calls.values().all(|calls| *calls == 1)), "nothing was started again");
    restored.shutdown().await;
}

#[tokio::test]
async fn sets_of_different_names_are_not_paced_alike() {
    let mut seeds = Vec::new();
    for name in ["web", "db", "web"] {
        let policy = policy(1).build().unwrap();
        let handle = Supervisor::builder(policy.clone(), Fake::default(), ()).name(name).spawn();
        let snapshot = handle.snapshot().await.unwrap();
        seeds.push(ReplicaSet::restore(policy, snapshot, Timestamp::ZERO).unwrap().seed());
    }
    assert_ne!(seeds[0], seeds[1]);
    assert_eq!(seeds[0], seeds[2], "and each as it was before");
}

#[test]
fn a_handle_can_be_sent_and_shared() {
    fn is<T: Send + Sync + Clone>() {}
    is::<Handle>();
}

/// Panics at its third step.
struct Panicking(u32);

impl Record for Panicking {
    fn begin(&mut self, _: &RecordingHeader) {}

    fn step(&mut self, _: &RecordedStep) {
        self.0 += 1;
        assert!(self.0 < 3, "on purpose");
    }
}

impl Drop for Panicking {
    fn drop(&mut self) {
        assert!(std::thread::panicking() || self.0 < 3, "on purpose, once more");
    }
}

#[tokio::test]
async fn a_recorder_that_panics_ends_the_recording_and_nothing_else() {
    let fake = Fake::default();
    let supervisor = Supervisor::builder(policy(3).build().unwrap(), fake.clone(), ()).record(Panicking(0));
    let (mut handle, mut notices) = supervisor.spawn_with_notices().unwrap();
    let told = |what: &Happening| matches!(what, Happening::Trouble(text) if text.contains("recording ends"));
    hear(&mut notices, told).await;
    healthy(&mut handle).await;
    fake.report(Event::exited(1, 1, 1));
    fake.with(|state| state.running.remove(&(1.into(), 1.into())));
    let again = |what: &Happening| matches!(what, Happening::Event(Event::Ready(news)) if news.incarnation.0 == 2);
    hear(&mut notices, again).await;
    timeout(PATIENCE, handle.shutdown()).await.expect("it shuts down");
}

#[tokio::test]
async fn a_set_of_another_name_than_sets_may_have_is_not_supervised() {
    for name in ["", "Web", "web/1", "$(touch x)"] {
        let spawned = Supervisor::builder(policy(1).build().unwrap(), Fake::default(), ()).name(name).try_spawn();
        assert!(spawned.unwrap_err().to_string().contains("is no name of a set"), "{name}");
    }
}

/// Instances of nobody's, which take their time to stop; and replicas that run and are never called ready.
#[derive(Default)]
struct Crowd {
    strangers: Mutex<BTreeSet<u32>>,
    stopping: std::sync::atomic::AtomicUsize,
    most: std::sync::atomic::AtomicUsize,
    reporter: Mutex<Option<Reporter>>,
}

#[async_trait]
impl Backend for Crowd {
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
        self.most.fetch_max(now, SeqCst);
        for _ in 0..5 {
            tokio::task::yield_now().await;
        }
        self.strangers.lock().unwrap().remove(&request.key.replica.0);
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
        let strangers = self.strangers.lock().unwrap();
        Ok(strangers.iter().map(|&id| Instance::new(id.into(), 1.into(), InstanceState::Ready)).collect())
    }

    async fn watch(&self, _: WatchRequest<'_>, reporter: Reporter) -> Result<(), BackendError> {
        *self.reporter.lock().unwrap() = Some(reporter);
        std::future::pending().await
    }
}

#[tokio::test]
async fn strangers_that_are_listed_are_stopped_so_many_at_once() {
    let crowd = Arc::new(Crowd { strangers: Mutex::new((1_000..21_000).collect()), ..Crowd::default() });
    let supervisor = Supervisor::builder(policy(1).build().unwrap(), crowd.clone(), ());
    let mut handle = supervisor.resync(Duration::from_millis(50)).spawn();
    let gone = async {
        while !crowd.strangers.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, gone).await.expect("they are stopped");
    let most = crowd.most.load(std::sync::atomic::Ordering::SeqCst);
    assert!(most <= 512, "{most} at once");
    timeout(PATIENCE, handle.shutdown()).await.expect("it shuts down");
}

#[tokio::test]
async fn a_backend_that_never_calls_its_instances_ready_is_told_of() {
    let policy = policy(2).start_timeout(Duration::from_secs(1)).build().unwrap();
    let supervisor = Supervisor::builder(policy, Arc::new(Crowd::default()), ());
    let (mut handle, mut notices) = supervisor.spawn_with_notices().unwrap();
    let told = |what: &Happening| matches!(what, Happening::Trouble(text) if text.starts_with("replica 0, 1: running for 250ms, and the backend has never"));
    hear(&mut notices, told).await;
    assert_eq!(handle.status().status, Status::Pending);
    timeout(PATIENCE, handle.shutdown()).await.expect("it shuts down");
}
