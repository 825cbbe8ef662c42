//! Rollouts, drains and standbys of real servers.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::harness::{Harness, SLEEPER, kill, retrying, shell};
use super::{TEST_TIMEOUT, millis};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::timeout;
use uphold::backend::process::{ProcessOutput, ProcessSpec};
use uphold::decide::StatusReason;
use uphold::engine::{DrainOutcome, Role, RolloutEvent, RolloutFailure};
use uphold::policy::{Probe, ProbeCheck, RolloutPolicy, ScalingPolicy};
use uphold::supervisor::{NotificationKind, Notifications, Received};
use uphold::{Event, FailurePolicy, HealthPolicy, InstanceId, Notice, Phase, Quantity, ReplicaId, Revision, Status};

/// The server of these tests, run by [`server`] in a process of its own. `broken_after` starts of its revision succeed.
fn server_spec(revision: &str, broken_after: u32) -> ProcessSpec {
    let program = std::env::current_exe().unwrap();
    ProcessSpec::new(program.to_string_lossy())
        .args(["--exact", "rollouts::server", "--nocapture"])
        .env("SERVED_REVISION", revision)
        .env("BROKEN_AFTER", broken_after.to_string())
        .output(ProcessOutput::Null)
}

fn port_file(folder: &Path, instance: InstanceId) -> PathBuf {
    folder.join(format!("{}.{}.port", instance.replica, instance.incarnation))
}

/// Answers each connection with its revision. After SIGTERM it goes on until its caller says `b`ye, as a server does that
/// waits until it is out of the load balancer. Does nothing unless started by [`server_spec`].
#[test]
fn server() {
    let Ok(revision) = std::env::var("SERVED_REVISION") else { return };
    let variable = |name: &str| std::env::var(name).unwrap();
    let folder = PathBuf::from(variable("FOLDER"));
    let mut starts = 0_u32..variable("BROKEN_AFTER").parse().unwrap();
    if !starts.any(|start| File::create_new(folder.join(format!("{revision}.{start}"))).is_ok()) {
        std::process::exit(3);
    }
    let instance = InstanceId::new(
        variable("UPHOLD_REPLICA").parse::<u32>().unwrap(),
        variable("UPHOLD_INCARNATION").parse::<u64>().unwrap(),
    );
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut asked_to_stop = signal(SignalKind::terminate()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let file = port_file(&folder, instance);
        std::fs::write(file.with_extension("tmp"), listener.local_addr().unwrap().port().to_string()).unwrap();
        std::fs::rename(file.with_extension("tmp"), file).unwrap();
        let (mut stops, mut is_released) = (false, false);
        while !(stops && is_released) {
            tokio::select! {
                _ = asked_to_stop.recv() => stops = true,
                accepted = listener.accept() => {
                    let mut stream = accepted.unwrap().0;
                    is_released |= stream.read_u8().await.is_ok_and(|byte| byte == b'b');
                    let _ = stream.write_all(revision.as_bytes()).await;
                }
            }
        }
    });
    std::process::exit(0);
}

/// Sends one byte and returns the answer.
async fn call(port: u16, byte: u8) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.write_u8(byte).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

/// What a client saw that sent requests to the ready replicas, one after the other, until the supervisor ended.
#[derive(Default)]
struct Served {
    failed: Vec<String>,
    by_revision: BTreeMap<String, u32>,
    /// The least number of available replicas, from when all were available until the set was asked to end.
    least_available: Option<u32>,
}

async fn hammer(mut notifications: Notifications, folder: PathBuf, desired: u32) -> Served {
    let mut served = Served::default();
    let mut routes: Vec<(InstanceId, u16)> = Vec::new();
    loop {
        let received = tokio::select! {
            biased;
            received = notifications.next() => received,
            () = std::future::ready(()), if !routes.is_empty() => {
                let (instance, port) = routes[0];
                routes.rotate_left(1);
                match call(port, b'?').await {
                    Ok(revision) if !revision.is_empty() => *served.by_revision.entry(revision).or_default() += 1,
                    answer => served.failed.push(format!("{instance}: {answer:?}")),
                }
                continue;
            }
        };
        let Some(Received::Notification(notification)) = received else { return served };
        match notification.kind {
            NotificationKind::Notice(Notice::Replica(change)) => {
                let port = || std::fs::read_to_string(port_file(&folder, change.instance())).ok()?.parse().ok();
                if change.phase == Phase::Ready {
                    routes.push((change.instance(), port().unwrap()));
                } else if change.phase == Phase::Stopping {
                    routes.retain(|(instance, _)| *instance != change.instance());
                    if let Some(port) = port() {
                        // It may have been killed meanwhile.
                        let _ = call(port, b'b').await;
                    }
                } else {
                    routes.retain(|(instance, _)| *instance != change.instance());
                }
            }
            NotificationKind::Notice(Notice::Status(change))
                if !matches!(change.status, Status::Terminating | Status::Terminated)
                    && (change.available == desired || served.least_available.is_some()) =>
            {
                let least = served.least_available.get_or_insert(desired);
                *least = change.available.min(*least);
            }
            _ => {}
        }
    }
}

#[tokio::test]
async fn a_rollout_that_fails_halfway_is_rolled_back_without_a_failed_request() {
    let folder = std::env::temp_dir().join(format!("uphold-{}-rollout", std::process::id()));
    let is_listening = format!("{}/{{replica}}.{{incarnation}}.port", folder.display());
    let ready = Probe::new(ProbeCheck::Exec(vec!["test".into(), "-f".into(), is_listening]))
        .interval(millis(20))
        .timeout(TEST_TIMEOUT);
    let policy = retrying(3, millis(20))
        .health(HealthPolicy::new().readiness(ready))
        .rollout(RolloutPolicy::new().max_surge(Quantity::Count(1)));
    let mut harness = Harness::new("rollout", policy, server_spec("v1", 100));
    assert_eq!(harness.folder, folder);
    let client = tokio::spawn(hammer(harness.handle.notifications().unwrap(), folder.clone(), 3));
    harness.wait_until_available(3).await;

    // Two replicas of the new revision come up, and no third.
    let broken = server_spec("v2", 2).env("FOLDER", folder.to_string_lossy());
    harness.handle.roll_out(Revision::new("v2").unwrap(), broken).await.unwrap();
    let mut events = Vec::new();
    while events.last() != Some(&(RolloutEvent::RolledBack, None)) {
        let next = |notification: &uphold::supervisor::Notification| match &notification.kind {
            NotificationKind::Notice(Notice::Rollout(change)) => Some((change.event, change.reason)),
            _ => None,
        };
        let notification = harness.wait_for("the rollback", |_, notification| next(notification).is_some()).await;
        events.extend(next(&notification));
    }
    let progress = (RolloutEvent::Progress, None);
    let failed = (RolloutEvent::Failed, Some(RolloutFailure::MaxFailures));
    let back = [(RolloutEvent::RollingBack, None), (RolloutEvent::RolledBack, None)];
    assert_eq!(events, [&[(RolloutEvent::Started, None), progress, progress, failed][..], &back].concat());
    // It is over when every slot has been started; the last of them becomes available.
    let replicas = harness.handle.replicas().await.unwrap();
    assert!(replicas.iter().all(|view| view.role.is_none() || view.revision.is_none()), "{replicas:?}");
    harness.shutdown().await;
    let served = timeout(TEST_TIMEOUT, client).await.expect("the client ends").unwrap();
    assert_eq!(served.failed, Vec::<String>::new());
    assert!(served.by_revision["v1"] > 0 && served.by_revision["v2"] > 0, "{:?}", served.by_revision);
    assert_eq!(served.least_available, Some(3));
}

#[tokio::test]
async fn a_drain_that_may_not_begin_is_forced_at_its_deadline() {
    let policy = retrying(2, Duration::from_secs(3600))
        .failure(FailurePolicy::new().min_available(Quantity::Count(2)))
        .stop_grace(TEST_TIMEOUT);
    let mut harness = Harness::new("drain", policy, shell(SLEEPER));
    harness.wait_until_available(2).await;
    harness.handle.drain([0], None).await.unwrap();
    harness
        .wait_for("it waits", |_, notification| {
            matches!(&notification.kind, NotificationKind::Notice(Notice::Waiting(waiting)) if waiting.replica.0 == 0)
        })
        .await;
    assert_eq!(harness.handle.status().available, 2);
    // `stop_grace` before the deadline is now.
    harness.handle.drain([0], Some(TEST_TIMEOUT)).await.unwrap();
    let drained = |kind: &NotificationKind| match kind {
        NotificationKind::Notice(Notice::Drain(answer)) => Some((answer.replica.0, answer.outcome)),
        _ => None,
    };
    let answer = harness.wait_for("the answer", |_, notification| drained(&notification.kind).is_some()).await.kind;
    assert_eq!(drained(&answer), Some((0, DrainOutcome::Forced)));
    harness.wait_for_status(Status::Healthy).await;
    assert_eq!(harness.starts.last().map(|start| (start.0, start.1)), Some((0, 2)));
    harness.shutdown().await;
}

#[tokio::test]
async fn a_standby_takes_over_within_the_event_that_reports_the_crash() {
    let policy = retrying(2, Duration::from_secs(3600)).scaling(ScalingPolicy::new().standby(1));
    let mut harness = Harness::new("standby", policy, shell(SLEEPER));
    let pids = harness.pids(3, 1).await;
    let is_ready = |kind: &NotificationKind| matches!(kind, NotificationKind::Notice(Notice::Replica(change)) if change.phase == Phase::Ready);
    for _ in 0..3 {
        harness.wait_for("they are ready", |_, notification| is_ready(&notification.kind)).await;
    }
    kill(pids[&0], "-KILL");
    let is_exit = |kind: &NotificationKind| matches!(kind, NotificationKind::Event(Event::Exited(_)));
    harness.wait_for("the exit", |_, notification| is_exit(&notification.kind)).await;
    let first_starts = harness.starts.len();
    let is_status = |kind: &NotificationKind| matches!(kind, NotificationKind::Notice(Notice::Status(_)));
    let status = harness.wait_for("the status", |_, notification| is_status(&notification.kind)).await.kind;
    let NotificationKind::Notice(Notice::Status(status)) = status else { panic!("{status:?}") };
    assert_eq!((status.status, status.reason), (Status::Healthy, StatusReason::CoveredByStandIns));
    assert_eq!(status.available, 2);
    let replicas = harness.handle.replicas().await.unwrap();
    let stand_in = replicas.iter().find(|view| view.role == Some(Role::StandIn)).unwrap();
    assert_eq!((stand_in.replica.0, stand_in.incarnation.0, stand_in.tied_to), (2, 1, Some(ReplicaId(0))));
    // The next standby is the only start.
    harness.wait_for("the next standby", |harness, _| harness.starts.len() > first_starts).await;
    harness.shutdown().await;
}
