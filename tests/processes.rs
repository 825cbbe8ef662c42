//! The supervisor with real processes. Tests wait for notifications, never for a time.
#![cfg(unix)]

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::time::timeout;
use uphold::backend::process::{ProcessBackend, ProcessOutput, ProcessSpec};
use uphold::backend::{Backend, InstanceKey, ListRequest, StartRequest};
use uphold::decide::StatusReason;
use uphold::engine::InstanceState;
use uphold::policy::{Exhausted, OnSuccess};
use uphold::supervisor::{Notification, NotificationKind, Notifications, Received};
use uphold::{
    Backoff, Cause, Command, Decision, Event, Exit, FailurePolicy, Notice, Policy, PolicyBuilder, RetryPolicy, Signal,
    Status, Supervisor, SupervisorHandle, Timestamp, Verdict,
};
use uphold_tests::{TEST_TIMEOUT, is_alive, millis, wait_until_gone};

fn shell(script: &str) -> ProcessSpec {
    ProcessSpec::new(script).shell(true).output(ProcessOutput::Null)
}

/// A supervised set, its notifications so far, and a folder for the files of its replicas.
struct Harness {
    handle: SupervisorHandle,
    notifications: Notifications,
    folder: PathBuf,
    /// The statuses so far, in order.
    statuses: Vec<Status>,
    verdicts: Vec<(u32, Decision, Timestamp)>,
    starts: Vec<(u32, u64, Timestamp)>,
}

impl Harness {
    fn new(name: &str, policy: PolicyBuilder, spec: ProcessSpec) -> Self {
        let folder = std::env::temp_dir().join(format!("uphold-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let spec = spec.env("FOLDER", folder.to_string_lossy());
        let policy: Policy = policy.build().unwrap();
        let supervisor = Supervisor::builder(policy, ProcessBackend::new(), spec).name(name);
        let (handle, notifications) = supervisor.spawn_with_notifications().unwrap();
        Self { handle, notifications, folder, statuses: Vec::new(), verdicts: Vec::new(), starts: Vec::new() }
    }

    /// Receives notifications until one satisfies `wanted`.
    async fn wait_for(&mut self, what: &str, wanted: impl Fn(&Self, &Notification) -> bool) -> Notification {
        let received = async {
            while let Some(received) = self.notifications.next().await {
                let Received::Notification(notification) = received else { panic!("missed something") };
                match &notification.kind {
                    NotificationKind::Notice(Notice::Status(change))
                        if self.statuses.last() != Some(&change.status) =>
                    {
                        self.statuses.push(change.status);
                    }
                    NotificationKind::Notice(Notice::Verdict(judged)) => {
                        self.verdicts.push((judged.replica.0, judged.decision.clone(), notification.at));
                    }
                    NotificationKind::Command(Command::Start(start)) => {
                        self.starts.push((start.replica.0, start.incarnation.0, notification.at));
                    }
                    _ => {}
                }
                if wanted(self, &notification) {
                    return notification;
                }
            }
            panic!("the supervisor ended before {what}; statuses {:?}", self.statuses)
        };
        let received = timeout(TEST_TIMEOUT, received).await;
        received.unwrap_or_else(|_| panic!("timed out waiting for {what}"))
    }

    async fn wait_for_status(&mut self, wanted: Status) {
        let is = |notification: &Notification| matches!(&notification.kind, NotificationKind::Notice(Notice::Status(change)) if change.status == wanted);
        self.wait_for(wanted.as_str(), |_, notification| is(notification)).await;
    }

    /// Waits until this number of replicas is available.
    async fn wait_until_available(&mut self, replicas: u32) {
        let up = self.handle.wait_for(|status| status.available == replicas);
        timeout(TEST_TIMEOUT, up).await.expect("they come up").expect("the supervisor goes on");
    }

    /// Waits for the process ids that replicas write to files, and returns them by replica.
    async fn pids(&mut self, replicas: u32, incarnation: u64) -> BTreeMap<u32, i32> {
        let read = |folder: &PathBuf, replica| {
            let text = std::fs::read_to_string(folder.join(format!("{replica}.{incarnation}"))).ok()?;
            text.trim().parse::<i32>().ok()
        };
        let all = async {
            loop {
                let pids: BTreeMap<_, _> =
                    (0..replicas).filter_map(|replica| Some((replica, read(&self.folder, replica)?))).collect();
                if pids.len() == replicas as usize {
                    return pids;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(TEST_TIMEOUT, all).await.expect("replicas write their process ids")
    }

    async fn shutdown(mut self) {
        let last = timeout(TEST_TIMEOUT, self.handle.shutdown()).await.expect("a shutdown ends");
        assert_eq!((last.status, last.reason), (Status::Terminated, StatusReason::Requested));
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn kill(pid: i32, signal: &str) {
    let status = std::process::Command::new("kill").args([signal, &pid.to_string()]).status().unwrap();
    assert!(status.success());
}

/// Writes its process id to a file, then sleeps.
const SLEEPER: &str = "echo $$ > \"$FOLDER/{replica}.{incarnation}.tmp\"; \
                       mv \"$FOLDER/{replica}.{incarnation}.tmp\" \"$FOLDER/{replica}.{incarnation}\"; exec sleep 1000";

fn retrying(replicas: u32, interval: Duration) -> PolicyBuilder {
    Policy::builder().replicas(replicas).retry(RetryPolicy::every(interval))
}

#[tokio::test]
async fn kill_9_of_one_of_three_leaves_the_others_alone_and_restarts_it_at_the_interval() {
    let mut harness = Harness::new("one-of-three", retrying(3, millis(300)), shell(SLEEPER));
    harness.wait_for_status(Status::Healthy).await;
    let pids = harness.pids(3, 1).await;
    harness.wait_until_available(3).await;
    kill(pids[&1], "-9");
    harness.wait_for("it is judged", |harness, _| !harness.verdicts.is_empty()).await;
    harness.wait_for("it is started again", |harness, _| harness.starts.len() == 4).await;
    harness.wait_for_status(Status::Healthy).await;
    assert!(
        harness.statuses.ends_with(&[Status::Healthy, Status::Degraded, Status::Healthy]),
        "{:?}",
        harness.statuses
    );
    let (replica, decision, _) = harness.verdicts.pop().unwrap();
    assert_eq!((replica, decision.exit), (1, Some(Exit::Signal(Signal::KILL))));
    let Verdict::Restart(restart) = decision.verdict else { panic!("{decision}") };
    assert_eq!(restart.delay(), millis(300));
    let (_, incarnation, started) = *harness.starts.last().unwrap();
    assert_eq!(incarnation, 2);
    assert!(Some(started) >= restart.due(), "it is not restarted before it is due");
    assert!(is_alive(pids[&0]) && is_alive(pids[&2]), "the others keep their processes");
    assert_eq!(harness.starts.iter().filter(|(replica, ..)| *replica != 1).count(), 2);
    assert_eq!(harness.statuses.iter().filter(|status| **status == Status::Outage).count(), 0);
    let again = harness.pids(1, 1).await;
    assert_eq!(again[&0], pids[&0]);
    harness.shutdown().await;
    assert!(!is_alive(pids[&0]) && !is_alive(pids[&2]));
}

#[tokio::test]
async fn a_replica_that_always_crashes_is_given_up_and_the_others_stay_up() {
    let script = format!("if [ {{replica}} = 1 ]; then exit 3; fi; {SLEEPER}");
    let policy = Policy::builder().replicas(3).retry(RetryPolicy::every(millis(100)).max_attempts(3));
    let mut harness = Harness::new("always-crashes", policy, shell(&script));
    harness
        .wait_for("it is given up", |harness, _| {
            harness.verdicts.last().is_some_and(|(_, decision, _)| matches!(decision.verdict, Verdict::Degrade(_)))
        })
        .await;
    assert_eq!(harness.verdicts.len(), 4, "three restarts, then given up");
    harness
        .wait_for("it is degraded", |harness, _| {
            harness.handle.status().status == Status::Degraded
                && harness.handle.status().reason == StatusReason::ReplicaGivenUp
        })
        .await;
    harness.shutdown().await;
}

#[tokio::test]
async fn fail_fast_stops_everything_and_leaves_no_process_behind() {
    let script = format!(
        "if [ {{replica}} = 2 ]; then while [ ! -e \"$FOLDER/go\" ]; do sleep 0.05; done; exit 1; fi; {SLEEPER}"
    );
    let mut harness = Harness::new("fail-fast", Policy::builder().replicas(3), shell(&script));
    let pids = harness.pids(2, 1).await;
    std::fs::write(harness.folder.join("go"), "").unwrap();
    harness.wait_for_status(Status::Terminated).await;
    assert_eq!(harness.handle.status().reason, StatusReason::FailFast);
    assert!(pids.values().all(|&pid| !is_alive(pid)), "every process is gone");
}

#[tokio::test]
async fn a_child_that_ignores_sigterm_is_gone_with_its_grandchildren_after_stop_grace() {
    let script = "trap '' TERM; sleep 1000 & echo $! > \"$FOLDER/grandchild\"; echo $$ > \"$FOLDER/0.1\"; \
                  while :; do wait; sleep 0.1; done";
    let policy = retrying(1, millis(100)).stop_grace(millis(300));
    let mut harness = Harness::new("ignores-sigterm", policy, shell(script));
    let pids = harness.pids(1, 1).await;
    let grandchild: i32 = std::fs::read_to_string(harness.folder.join("grandchild")).unwrap().trim().parse().unwrap();
    assert!(is_alive(grandchild));
    harness.handle.terminate().await.unwrap();
    let kill = harness
        .wait_for("it is killed", |_, notification| {
            matches!(notification.kind, NotificationKind::Command(Command::Kill(_)))
        })
        .await;
    harness.wait_for_status(Status::Terminated).await;
    let stopped = harness.handle.status();
    assert!(kill.at <= stopped.since);
    assert!(!is_alive(pids[&0]));
    wait_until_gone(grandchild).await;
}

#[tokio::test]
async fn grandchildren_of_a_crashed_replica_do_not_live_into_its_next_incarnation() {
    let script = "if [ {incarnation} = 1 ]; then sleep 1000 & echo $! > \"$FOLDER/0.1\"; exit 1; fi; exec sleep 1000";
    let mut harness = Harness::new("grandchildren", retrying(1, millis(100)), shell(script));
    let pids = harness.pids(1, 1).await;
    harness.wait_for("it is started again", |harness, _| harness.starts.len() == 2).await;
    wait_until_gone(pids[&0]).await;
    harness.shutdown().await;
}

#[tokio::test]
async fn a_hundred_replicas_come_up_and_go_down() {
    let spec = ProcessSpec::new("sleep").args(["1000"]).output(ProcessOutput::Null);
    let mut harness = Harness::new("hundred", retrying(100, millis(100)), spec);
    harness.wait_until_available(100).await;
    harness.shutdown().await;
}

#[tokio::test]
async fn a_command_that_does_not_exist_is_a_start_error_that_names_it() {
    let policy = Policy::builder()
        .replicas(1)
        .retry(RetryPolicy::every(millis(100)).max_attempts(1))
        .failure(FailurePolicy::new().exhausted(Exhausted::Terminate));
    let mut harness = Harness::new("missing", policy, ProcessSpec::new("no-such-command-anywhere"));
    let failed = harness
        .wait_for("its start fails", |_, notification| {
            matches!(notification.kind, NotificationKind::Event(Event::StartFailed(_)))
        })
        .await;
    let NotificationKind::Event(Event::StartFailed(ended)) = failed.kind else { unreachable!() };
    assert_eq!(ended.outcome.named_cause(), Some(&Cause::StartError));
    assert_eq!(ended.outcome.reason(), Some("the command 'no-such-command-anywhere' does not exist"));
    harness.wait_for_status(Status::Terminated).await;
    assert_eq!(harness.handle.status().reason, StatusReason::Exhausted);
}

#[tokio::test]
async fn a_missing_working_directory_is_named() {
    let spec = ProcessSpec::new("sleep").args(["1"]).cwd("/no/such/folder");
    let mut harness = Harness::new("cwd", Policy::builder().replicas(1), spec);
    let failed = harness
        .wait_for("its start fails", |_, notification| {
            matches!(notification.kind, NotificationKind::Event(Event::StartFailed(_)))
        })
        .await;
    let NotificationKind::Event(Event::StartFailed(ended)) = failed.kind else { unreachable!() };
    assert_eq!(ended.outcome.reason(), Some("the working directory '/no/such/folder' does not exist"));
}

/// Waits for a failed start and returns its reason.
async fn start_error(harness: &mut Harness) -> String {
    let failed = harness
        .wait_for("its start fails", |_, notification| {
            matches!(notification.kind, NotificationKind::Event(Event::StartFailed(_)))
        })
        .await;
    let NotificationKind::Event(Event::StartFailed(ended)) = failed.kind else { unreachable!() };
    assert_eq!(ended.outcome.named_cause(), Some(&Cause::StartError));
    ended.outcome.reason().unwrap_or_default().to_owned()
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_port_that_is_in_use_is_a_start_error_that_says_by_whom_and_is_retried() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let spec = ProcessSpec::new("python3")
        .args(["-m", "http.server", "--bind", "127.0.0.1", "{port}"])
        .port(port)
        .output(ProcessOutput::Null);
    let mut harness = Harness::new("port", retrying(1, millis(200)), spec);
    let reason = start_error(&mut harness).await;
    assert!(reason.starts_with(&format!("port {port} is in use by pid {} (", std::process::id())), "{reason}");
    harness.wait_for("it is judged", |harness, _| !harness.verdicts.is_empty()).await;
    assert!(harness.verdicts[0].1.to_string().contains(&reason), "the verdict says why");
    let views = harness.handle.replicas().await.unwrap();
    assert_eq!(views[0].failure_message.as_deref(), Some(&*reason));
    drop(taken);
    let answers = async {
        while tokio::net::TcpStream::connect(("127.0.0.1", port)).await.is_err() {
            tokio::task::yield_now().await;
        }
    };
    // Once the port is free, the next incarnation serves on it.
    timeout(TEST_TIMEOUT, answers).await.expect("it serves");
    harness.shutdown().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn servers_that_share_a_port_are_started_without_a_port_check() {
    let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = taken.local_addr().unwrap().port();
    let spec = ProcessSpec::new("sleep").args(["1000"]).env("PORT", "{port}").port(port).port_check(false);
    let mut harness = Harness::new("shared-port", retrying(1, millis(100)), spec.output(ProcessOutput::Null));
    harness.wait_until_available(1).await;
    harness.shutdown().await;
}

#[tokio::test]
async fn a_pipe_as_log_file_is_a_start_error_and_blocks_nothing() {
    let fifo = std::env::temp_dir().join(format!("uphold-{}-fifo-file", std::process::id()));
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let spec = ProcessSpec::new("sleep").args(["1000"]).output(ProcessOutput::File(fifo.clone()));
    let mut harness = Harness::new("fifo", retrying(1, millis(100)), spec);
    let reason = start_error(&mut harness).await;
    assert!(reason.ends_with("it is not a regular file"), "{reason}");
    harness.shutdown().await;
    std::fs::remove_file(fifo).unwrap();
}

#[tokio::test]
async fn a_replica_is_stopped_by_its_command_and_its_signal_and_reads_its_file_of_variables() {
    let folder = std::env::temp_dir().join(format!("uphold-{}-stop-signal", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let env_file = folder.join("variables");
    std::fs::write(&env_file, "# made by a test\nNAME='from the file'\nFOLDER=hidden\n").unwrap();
    let script = "trap 'echo interrupted >> \"$FOLDER/log\"; exit 0' INT; trap '' TERM; \
                  echo \"$NAME $UPHOLD_SET $UPHOLD_REPLICA $UPHOLD_INCARNATION\" > \"$FOLDER/log\"; \
                  echo $$ > \"$FOLDER/0.1\"; while :; do sleep 0.05; done";
    let spec = shell(script)
        .env_file(env_file.to_string_lossy())
        .stop_signal(Signal::from_name("SIGINT").unwrap())
        .stop_command(["sh", "-c", "echo \"command $1\" >> \"$FOLDER/log\"", "sh", "{pid}"]);
    let mut harness = Harness::new("stop-signal", retrying(1, millis(100)).stop_grace(TEST_TIMEOUT), spec);
    let pid = harness.pids(1, 1).await[&0];
    let log = folder.join("log");
    assert_eq!(harness.folder, folder, "the spec's own variable comes before the file's");
    timeout(TEST_TIMEOUT, harness.handle.shutdown()).await.expect("a shutdown ends");
    let text = std::fs::read_to_string(log).unwrap();
    assert_eq!(text, format!("from the file stop-signal 0 1\ncommand {pid}\ninterrupted\n"));
    std::fs::remove_dir_all(folder).unwrap();
}

/// Our ends of the pipes are closed, although a process that left the group keeps the other ends open.
#[tokio::test]
async fn a_grandchild_that_left_its_group_does_not_keep_the_pipes_of_its_replica_open() {
    let grandchild =
        "trap '' PIPE; while echo x; do sleep 0.05; done 2> \"$FOLDER/said\"; mv \"$FOLDER/said\" \"$FOLDER/closed\"";
    let script = format!("setsid sh -c '{}' & exec sleep 0.1", grandchild.replace('\'', "'\\''"));
    let policy = Policy::builder().replicas(1).success(OnSuccess::Complete);
    let mut harness = Harness::new("daemon", policy, ProcessSpec::new(script).shell(true));
    harness.wait_for_status(Status::Completed).await;
    let closed = async {
        while !harness.folder.join("closed").exists() {
            tokio::task::yield_now().await;
        }
    };
    timeout(TEST_TIMEOUT, closed).await.expect("its writes fail");
    std::fs::remove_dir_all(&harness.folder).unwrap();
}

#[tokio::test]
async fn a_process_stopped_by_sigstop_is_out_of_contact_until_it_continues() {
    let policy = retrying(2, millis(100)).health(uphold::HealthPolicy::new().unknown_after(millis(200)));
    let mut harness = Harness::new("sigstop", policy, shell(SLEEPER));
    let pids = harness.pids(2, 1).await;
    harness.wait_until_available(2).await;
    kill(pids[&1], "-STOP");
    harness.wait_for_status(Status::Degraded).await;
    assert_eq!(harness.handle.status().reason, StatusReason::ReplicaUnknown);
    kill(pids[&1], "-CONT");
    harness.wait_for_status(Status::Healthy).await;
    assert_eq!(harness.starts.len(), 2, "nothing was restarted");
    assert!(is_alive(pids[&1]));
    harness.shutdown().await;
}

#[tokio::test]
async fn a_set_completes_when_all_replicas_complete() {
    let policy = retrying(3, millis(100)).success(OnSuccess::Complete);
    let mut harness = Harness::new("complete", policy, ProcessSpec::new("true"));
    harness.wait_for_status(Status::Completed).await;
    assert_eq!(harness.starts.len(), 3);
}

#[tokio::test]
async fn delays_grow_between_real_restarts() {
    let retry = RetryPolicy::every(millis(50)).backoff(Backoff::exponential()).max_attempts(4);
    let policy = Policy::builder().replicas(2).retry(retry);
    let mut harness =
        Harness::new("grow", policy, shell(&format!("if [ {{replica}} = 1 ]; then exit 1; fi; {SLEEPER}")));
    harness.wait_for("it is given up", |harness, _| harness.verdicts.len() == 5).await;
    let delays: Vec<_> = harness.verdicts.iter().map(|(_, decision, _)| decision.delay()).collect();
    assert_eq!(delays, [millis(50), millis(100), millis(200), millis(400), Duration::ZERO]);
    harness.shutdown().await;
}

#[tokio::test]
async fn a_second_shutdown_kills_at_once() {
    let script = "trap '' TERM; echo $$ > \"$FOLDER/0.1\"; while :; do sleep 0.1; done";
    let policy = retrying(1, millis(100)).stop_grace(Duration::from_secs(3600));
    let mut harness = Harness::new("twice", policy, shell(script));
    let pids = harness.pids(1, 1).await;
    let mut first = harness.handle.clone();
    let stopping = tokio::spawn(async move { first.shutdown().await });
    harness.wait_for_status(Status::Terminating).await;
    harness.shutdown().await;
    stopping.await.unwrap();
    assert!(!is_alive(pids[&0]));
}

#[tokio::test]
async fn a_set_on_the_same_backend_continues_its_incarnations() {
    let backend = std::sync::Arc::new(ProcessBackend::new());
    let spec = ProcessSpec::new("sleep").args(["1000"]).output(ProcessOutput::Null);
    for incarnation in 1..=3 {
        let policy = retrying(2, millis(100)).build().unwrap();
        let mut handle = Supervisor::builder(policy, backend.clone(), spec.clone()).name("again").spawn();
        timeout(TEST_TIMEOUT, handle.wait_for(|status| status.available == 2)).await.expect("they come up").unwrap();
        let views = handle.replicas().await.unwrap();
        assert!(views.iter().all(|view| view.incarnation.0 == incarnation), "{views:?}");
        timeout(TEST_TIMEOUT, handle.shutdown()).await.expect("a shutdown ends");
    }
}

#[tokio::test]
async fn children_die_with_their_backend() {
    let spec = shell("sleep 1000 & echo $! > \"$FOLDER/1.1\"; echo $$ > \"$FOLDER/0.1\"; wait");
    let mut harness = Harness::new("dropped", retrying(1, millis(100)), spec.clone());
    let first = harness.pids(2, 1).await;
    harness.shutdown().await;
    for pid in first.into_values() {
        wait_until_gone(pid).await;
    }
    // Neither a shutdown nor a supervisor: the backend alone is dropped while its child runs.
    let folder = std::env::temp_dir().join(format!("uphold-{}-dropped-alone", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let spec = spec.env("FOLDER", folder.to_string_lossy());
    let backend = ProcessBackend::new();
    let key = InstanceKey::new("alone", 0.into(), 1.into());
    backend.start(StartRequest::new(key, &spec)).await.unwrap();
    backend.start(StartRequest::new(key, &spec)).await.unwrap();
    assert_eq!(backend.list(ListRequest::new("alone")).await.unwrap().len(), 1, "a repeated start starts nothing");
    let pid = |replica: u32| {
        let file = folder.join(format!("{replica}.1"));
        async move {
            let written = async {
                loop {
                    let text = std::fs::read_to_string(&file).unwrap_or_default();
                    if let Ok(pid) = text.trim().parse::<i32>() {
                        return pid;
                    }
                    tokio::task::yield_now().await;
                }
            };
            timeout(TEST_TIMEOUT, written).await.expect("it writes its process id")
        }
    };
    let (leader, grandchild) = (pid(0).await, pid(1).await);
    drop(backend);
    wait_until_gone(leader).await;
    wait_until_gone(grandchild).await;
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn children_die_with_their_runtime() {
    let folder = std::env::temp_dir().join(format!("uphold-{}-runtime", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let pids = runtime.block_on(async {
        let script = "sleep 1000 & echo $! > \"$FOLDER/1.1\"; echo $$ > \"$FOLDER/0.1\"; wait";
        Harness::new("runtime", retrying(1, millis(100)), shell(script)).pids(2, 1).await
    });
    runtime.shutdown_timeout(TEST_TIMEOUT);
    let waited = tokio::runtime::Runtime::new().unwrap();
    waited.block_on(async {
        for pid in pids.into_values() {
            wait_until_gone(pid).await;
        }
    });
    let _ = std::fs::remove_dir_all(&folder);
}

#[test]
fn the_end_of_a_child_is_known_after_its_runtime_is_shut_down() {
    let backend = ProcessBackend::new();
    let key = InstanceKey::new("left", 0.into(), 1.into());
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(backend.start(StartRequest::new(key, &shell("exec sleep 1000")))).unwrap();
    runtime.shutdown_timeout(TEST_TIMEOUT);
    let next = tokio::runtime::Runtime::new().unwrap();
    let listed = next.block_on(async {
        let ends = async {
            loop {
                let listed = backend.list(ListRequest::new("left")).await.unwrap().remove(0);
                if let InstanceState::Ended(outcome) = listed.state {
                    return outcome;
                }
                tokio::task::yield_now().await;
            }
        };
        timeout(TEST_TIMEOUT, ends).await.expect("it was killed, and that is known")
    });
    assert_eq!(listed.exit_status(), Some(Exit::Signal(Signal::KILL)));
}
