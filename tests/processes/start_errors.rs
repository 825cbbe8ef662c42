//! Commands that cannot be started, and the reasons that are reported.

use super::harness::{Harness, retrying};
use super::{TEST_TIMEOUT, millis};
use tokio::time::timeout;
use uphold::backend::process::{ProcessOutput, ProcessSpec};
use uphold::decide::StatusReason;
use uphold::policy::Exhausted;
use uphold::supervisor::NotificationKind;
use uphold::{Cause, Event, FailurePolicy, Policy, RetryPolicy, Status};

/// Waits for a failed start and returns its reason.
async fn start_error(harness: &mut Harness) -> String {
    let failed = harness
        .wait_for("its start fails", |_, notification| {
            matches!(notification.kind, NotificationKind::Event(Event::StartFailed(_)))
        })
        .await;
    let NotificationKind::Event(Event::StartFailed(ended)) = failed.kind else { unreachable!() };
    assert_eq!(ended.outcome.get_cause(), Some(&Cause::StartError));
    ended.outcome.reason().unwrap_or_default().to_owned()
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
    assert_eq!(ended.outcome.get_cause(), Some(&Cause::StartError));
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

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_port_in_use_is_a_start_error_that_names_the_process_and_is_retried() {
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
