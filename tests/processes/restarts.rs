//! Crashes of real processes: restarts, giving up, the end of a set.

use std::time::Duration;

use super::harness::{Harness, SLEEPER, kill, retrying, shell};
use super::{TEST_TIMEOUT, is_alive, millis};
use tokio::time::timeout;
use uphold::backend::process::{ProcessBackend, ProcessOutput, ProcessSpec};
use uphold::decide::StatusReason;
use uphold::policy::OnSuccess;
use uphold::{Backoff, Exit, Policy, RetryPolicy, Signal, Status, Supervisor, Verdict};

#[tokio::test]
async fn a_replica_killed_by_sigkill_alone_is_restarted_after_the_interval() {
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
async fn a_hundred_replicas_come_up_and_go_down() {
    let spec = ProcessSpec::new("sleep").args(["1000"]).output(ProcessOutput::Null);
    let mut harness = Harness::new("hundred", retrying(100, millis(100)), spec);
    harness.wait_until_available(100).await;
    harness.shutdown().await;
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
async fn a_set_completes_when_all_replicas_complete() {
    let policy = retrying(3, millis(100)).success(OnSuccess::Complete);
    let mut harness = Harness::new("complete", policy, ProcessSpec::new("true"));
    harness.wait_for_status(Status::Completed).await;
    assert_eq!(harness.starts.len(), 3);
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
