//! Stopping a replica: its command, its signal, the kill.

use std::time::Duration;

use super::harness::{Harness, retrying, shell};
use super::{TEST_TIMEOUT, is_alive, millis, wait_until_gone};
use tokio::time::timeout;
use uphold::supervisor::NotificationKind;
use uphold::{Command, Signal, Status};

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
async fn a_replica_reads_its_env_file_and_is_stopped_by_its_command_and_its_signal() {
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
