//! Rollouts, drains and notices through a `SupervisorHandle`, and the workload of each revision.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::{TEST_TIMEOUT, policy, wait_for, wait_until_healthy};
use async_trait::async_trait;
use tokio::time::timeout;
use uphold::backend::{
    Backend, BackendError, Instance, KillRequest, ListRequest, Reporter, StartRequest, StopRequest, WatchRequest,
};
use uphold::engine::{
    DrainOutcome, InstanceState, InterruptionNotice, Rejection, Role, RolloutEvent, RolloutFailure, Selection,
};
use uphold::policy::RolloutPolicy;
use uphold::recording::{RecordedLine, RecordedStep, RecordingHeader};
use uphold::sim::Recording;
use uphold::supervisor::{NotificationKind, Notifications, Recorder, RequestError};
use uphold::{
    Cause, Event, FailurePolicy, InstanceId, Notice, PolicyBuilder, Quantity, ReplicaId, Revision, Supervisor,
    SupervisorHandle, Timestamp,
};

/// What one start was asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Started {
    instance: InstanceId,
    workload: String,
    revision: Option<String>,
    role: Role,
    tied_to: Option<ReplicaId>,
}

#[derive(Default)]
struct State {
    started: Vec<Started>,
    running: Vec<(InstanceId, InstanceState)>,
    reporter: Option<Reporter>,
}

/// Runs texts: `broken` does not start, `slow` is never ready, anything else is ready at once.
#[derive(Clone, Default)]
struct TextBackend(Arc<Mutex<State>>);

impl TextBackend {
    fn report(&self, event: Event) {
        if let Some(reporter) = &self.0.lock().unwrap().reporter {
            reporter.report(event);
        }
    }

    fn started(&self) -> Vec<Started> {
        self.0.lock().unwrap().started.clone()
    }
}

#[async_trait]
impl Backend for TextBackend {
    type Workload = Arc<str>;

    async fn start(&self, request: StartRequest<'_, Arc<str>>) -> Result<(), BackendError> {
        let instance = request.key.instance();
        let workload: &str = request.workload;
        self.0.lock().unwrap().started.push(Started {
            instance,
            workload: workload.to_owned(),
            revision: request.revision.map(|revision| revision.as_str().to_owned()),
            role: request.role,
            tied_to: request.tied_to,
        });
        if workload == "broken" {
            return Err(BackendError::start_error("it is broken"));
        }
        let (state, event) = match workload {
            "slow" => (InstanceState::Running, Event::started(instance)),
            _ => (InstanceState::Ready, Event::ready(instance)),
        };
        self.0.lock().unwrap().running.push((instance, state));
        self.report(event);
        Ok(())
    }

    async fn stop(&self, request: StopRequest<'_>) -> Result<(), BackendError> {
        let instance = request.key.instance();
        self.0.lock().unwrap().running.retain(|(running, _)| *running != instance);
        self.report(Event::stopped(instance));
        Ok(())
    }

    async fn kill(&self, request: KillRequest<'_>) -> Result<(), BackendError> {
        self.stop(StopRequest::new(request.key, Duration::ZERO)).await
    }

    async fn list(&self, _: ListRequest<'_>) -> Result<Vec<Instance>, BackendError> {
        let running = self.0.lock().unwrap().running.clone();
        Ok(running.into_iter().map(|(instance, state)| Instance::new(instance, state)).collect())
    }

    async fn watch(&self, _: WatchRequest<'_>, reporter: Reporter) -> Result<(), BackendError> {
        self.0.lock().unwrap().reporter = Some(reporter);
        std::future::pending().await
    }
}

fn surging(replicas: u32) -> PolicyBuilder {
    policy(replicas).rollout(RolloutPolicy::new().max_surge(Quantity::Count(1)))
}

fn supervise(backend: &TextBackend, policy: PolicyBuilder) -> (SupervisorHandle, Notifications) {
    let supervisor = Supervisor::builder(policy.build().unwrap(), backend.clone(), "v1".into());
    supervisor.spawn_with_notifications().unwrap()
}

fn revision(name: &str) -> Revision {
    Revision::new(name).unwrap()
}

/// Waits until a rollout has come this far; returns why it failed, if it has since the last wait.
async fn wait_for_rollout(notifications: &mut Notifications, wanted: RolloutEvent) -> Option<RolloutFailure> {
    let is = |what: &NotificationKind| matches!(what, NotificationKind::Notice(Notice::Rollout(change)) if change.event == wanted);
    let received = wait_for(notifications, is).await;
    received.iter().find_map(|what| match what {
        NotificationKind::Notice(Notice::Rollout(change)) => change.reason,
        _ => None,
    })
}

async fn wait_for_drain(notifications: &mut Notifications) -> (u32, DrainOutcome) {
    let is = |what: &NotificationKind| matches!(what, NotificationKind::Notice(Notice::Drain(_)));
    match wait_for(notifications, is).await.pop() {
        Some(NotificationKind::Notice(Notice::Drain(answer))) => (answer.replica.0, answer.outcome),
        other => panic!("{other:?}"),
    }
}

async fn wait_until_dropped(workload: &Arc<str>) {
    let dropped = async {
        while Arc::strong_count(workload) > 1 {
            tokio::task::yield_now().await;
        }
    };
    timeout(TEST_TIMEOUT, dropped).await.expect("the workload is dropped");
}

async fn shut_down(mut handle: SupervisorHandle) {
    timeout(TEST_TIMEOUT, handle.shutdown()).await.expect("it shuts down");
}

#[tokio::test]
async fn a_rollout_starts_the_workload_of_its_revision_and_drops_that_of_the_one_before() {
    let backend = TextBackend::default();
    let (mut handle, mut notifications) = supervise(&backend, surging(2));
    wait_until_healthy(&mut handle).await;
    let (second, third): (Arc<str>, Arc<str>) = ("two".into(), "three".into());
    handle.roll_out(revision("v2"), second.clone()).await.unwrap();
    wait_for_rollout(&mut notifications, RolloutEvent::Completed).await;
    let started = backend.started();
    assert_eq!((started.len(), started[1].revision.clone(), started[1].role), (4, None, Role::Regular));
    for start in &started[2..] {
        assert_eq!((start.workload.as_str(), start.revision.as_deref()), ("two", Some("v2")));
        assert_eq!((start.role, start.tied_to), (Role::Surge, None));
    }
    // A later start is at the completed revision, whose workload is kept.
    handle.restart(started[3].instance.replica).await.unwrap();
    wait_until_healthy(&mut handle).await;
    handle
        .roll_out_with(revision("v3"), {
            let third = third.clone();
            move |_| third.clone()
        })
        .await
        .unwrap();
    wait_for_rollout(&mut notifications, RolloutEvent::Completed).await;
    wait_until_dropped(&second).await;
    let started = backend.started();
    assert_eq!((started[4].workload.as_str(), started.last().unwrap().workload.as_str()), ("two", "three"));
    assert!(Arc::strong_count(&third) > 1, "it is kept");
    shut_down(handle).await;
}

#[tokio::test]
async fn a_broken_revision_is_rolled_back_while_the_old_replicas_stay_available() {
    let backend = TextBackend::default();
    let (mut handle, mut notifications) = supervise(&backend, surging(2));
    wait_until_healthy(&mut handle).await;
    let broken: Arc<str> = "broken".into();
    handle.roll_out(revision("v2"), broken.clone()).await.unwrap();
    let failure = wait_for_rollout(&mut notifications, RolloutEvent::RolledBack).await;
    assert_eq!(failure, Some(RolloutFailure::MaxFailures));
    wait_until_dropped(&broken).await;
    let replicas = handle.replicas().await.unwrap();
    let regular: Vec<_> = replicas.iter().filter(|view| view.role == Some(Role::Regular)).collect();
    assert!(regular.iter().all(|view| view.incarnation.0 == 1 && view.revision.is_none()), "{regular:?}");
    assert_eq!((regular.len(), handle.status().available), (2, 2));
    shut_down(handle).await;
}

#[tokio::test]
async fn refused_requests_have_a_reason_and_keep_nothing() {
    let backend = TextBackend::default();
    let (mut handle, mut notifications) = supervise(&backend, surging(1));
    wait_until_healthy(&mut handle).await;
    let refused = |rejection| Err(RequestError::Refused(rejection));
    assert_eq!(handle.promote().await, refused(Rejection::NoCanary));
    assert_eq!(handle.roll_back().await, refused(Rejection::NoRollout));
    assert_eq!(handle.undrain([0]).await, refused(Rejection::NotDraining(0.into())));
    assert_eq!(handle.drain([0, 7], None).await, refused(Rejection::NoSuchReplica(7.into())));
    assert_eq!(handle.notice(7, TEST_TIMEOUT).await, refused(Rejection::NoSuchReplica(7.into())));
    let other_type = handle.roll_out(revision("v2"), 2).await.unwrap_err().to_string();
    assert!(other_type.contains("alloc::sync::Arc<str>") && other_type.contains("not i32"), "{other_type}");
    assert!(Revision::new("x".repeat(1 << 20)).is_err());

    let (slow, again): (Arc<str>, Arc<str>) = ("slow".into(), "again".into());
    handle.roll_out(revision("v2"), slow.clone()).await.unwrap();
    assert_eq!(handle.roll_out(revision("v2"), again.clone()).await, refused(Rejection::RolloutUnderWay));
    wait_until_dropped(&again).await;
    handle.roll_back().await.unwrap();
    wait_for_rollout(&mut notifications, RolloutEvent::RolledBack).await;
    wait_until_dropped(&slow).await;
    assert!(backend.started().iter().all(|start| start.workload != "again"));
    handle.shutdown().await;
    let closed = handle.roll_out(revision("v3"), again.clone()).await.unwrap_err();
    assert!(matches!(closed, RequestError::Closed(_) | RequestError::Refused(Rejection::SetEnded)), "{closed}");
    wait_until_dropped(&again).await;
}

#[tokio::test]
async fn a_drained_replica_is_replaced_before_it_is_stopped() {
    let backend = TextBackend::default();
    let (mut handle, mut notifications) = supervise(&backend, surging(2));
    wait_until_healthy(&mut handle).await;
    handle.drain([0], None).await.unwrap();
    assert_eq!(wait_for_drain(&mut notifications).await, (0, DrainOutcome::Replaced));
    let started = backend.started();
    assert_eq!((started[2].role, started[2].tied_to), (Role::Surge, Some(ReplicaId(0))));
    wait_until_healthy(&mut handle).await;
    // The platform tells the operator, or the backend.
    handle.notice(1, TEST_TIMEOUT).await.unwrap();
    let told = |what: &NotificationKind| matches!(what, NotificationKind::Event(Event::InterruptionNotice(notice)) if notice.instance() == InstanceId::new(1, 1));
    wait_for(&mut notifications, told).await;
    assert_eq!(wait_for_drain(&mut notifications).await, (1, DrainOutcome::Replaced));
    wait_until_healthy(&mut handle).await;
    let last = backend.0.lock().unwrap().running[0].0;
    backend.report(Event::InterruptionNotice(InterruptionNotice::new(last, Timestamp::MAX)));
    assert_eq!(wait_for_drain(&mut notifications).await, (last.replica.0, DrainOutcome::Replaced));
    shut_down(handle).await;
}

#[tokio::test]
async fn a_drain_waits_until_its_deadline_or_until_it_is_taken_back() {
    let backend = TextBackend::default();
    let (mut handle, mut notifications) =
        supervise(&backend, policy(2).failure(FailurePolicy::new().min_available(Quantity::Count(2))));
    wait_until_healthy(&mut handle).await;
    handle.drain([0], None).await.unwrap();
    let waits = |what: &NotificationKind| matches!(what, NotificationKind::Notice(Notice::Waiting(_)));
    wait_for(&mut notifications, waits).await;
    handle.undrain([0]).await.unwrap();
    assert_eq!(handle.undrain([0]).await, Err(RequestError::Refused(Rejection::NotDraining(0.into()))));
    // Its time to stop has come already.
    handle.drain([1], Some(Duration::ZERO)).await.unwrap();
    assert_eq!(wait_for_drain(&mut notifications).await, (1, DrainOutcome::Forced));
    wait_until_healthy(&mut handle).await;
    assert_eq!(backend.started().len(), 3);
    shut_down(handle).await;
}

#[tokio::test]
async fn a_restored_set_needs_the_workloads_of_its_revisions() {
    let backend = TextBackend::default();
    let (mut handle, mut notifications) = supervise(&backend, policy(1));
    wait_until_healthy(&mut handle).await;
    handle.roll_out::<Arc<str>>(revision("v2"), "two".into()).await.unwrap();
    wait_for_rollout(&mut notifications, RolloutEvent::Completed).await;
    let snapshot = handle.snapshot().await.unwrap();
    shut_down(handle).await;

    let restored = || {
        let backend = TextBackend::default();
        let policy = policy(1).build().unwrap();
        (backend.clone(), Supervisor::builder(policy, backend, "v1".into()).restore(snapshot.clone()))
    };
    let (_, unprepared) = restored();
    let (handle, mut notifications) = unprepared.spawn_with_notifications().unwrap();
    handle.restart(0).await.unwrap();
    let failed = |what: &NotificationKind| matches!(what, NotificationKind::Event(Event::StartFailed(_)));
    let Some(NotificationKind::Event(Event::StartFailed(ended))) = wait_for(&mut notifications, failed).await.pop()
    else {
        panic!("it fails")
    };
    assert_eq!(ended.outcome.get_cause(), Some(&Cause::StartError));
    let message = ended.outcome.reason().unwrap().to_owned();
    assert!(message.contains("v2") && message.contains("workload_of"), "{message}");
    shut_down(handle).await;

    let (backend, prepared) = restored();
    let mut handle = prepared.workload_of(revision("v2"), "two".into()).spawn();
    handle.reset(Selection::All).await.unwrap();
    handle.restart(0).await.unwrap();
    wait_until_healthy(&mut handle).await;
    assert!(backend.started().iter().all(|start| start.workload == "two"), "{:?}", backend.started());
    shut_down(handle).await;
}

/// Keeps the lines of a recording.
struct LineRecorder(Arc<Mutex<Vec<RecordedLine>>>);

impl Recorder for LineRecorder {
    fn begin(&mut self, header: &RecordingHeader) {
        self.0.lock().unwrap().push(RecordedLine::Begin(header.clone()));
    }

    fn step(&mut self, step: &RecordedStep) {
        self.0.lock().unwrap().push(RecordedLine::Step(step.clone()));
    }
}

#[tokio::test]
async fn a_recorded_rollout_is_replayed() {
    let lines = Arc::default();
    let supervisor = Supervisor::builder(surging(2).build().unwrap(), TextBackend::default(), "v1".into());
    let (mut handle, mut notifications) =
        supervisor.recorder(LineRecorder(Arc::clone(&lines))).spawn_with_notifications().unwrap();
    wait_until_healthy(&mut handle).await;
    handle.roll_out::<Arc<str>>(revision("v2"), "two".into()).await.unwrap();
    wait_for_rollout(&mut notifications, RolloutEvent::Completed).await;
    let replicas = handle.replicas().await.unwrap();
    // As a file would hold them.
    let text = serde_json::to_string(&*lines.lock().unwrap()).unwrap();
    let run =
        Recording::from_lines(serde_json::from_str::<Vec<RecordedLine>>(&text).unwrap()).unwrap().replay().unwrap();
    assert_eq!(run.set().revision(), Some(&revision("v2")));
    let at = |views: Vec<uphold::engine::ReplicaView>| -> Vec<_> {
        views.into_iter().map(|view| (view.instance(), view.role, view.revision)).collect()
    };
    assert_eq!(at(run.set().replicas().collect()), at(replicas));
    shut_down(handle).await;
}
