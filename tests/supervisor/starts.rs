//! Starts that fail, hang, panic or lose their answer.

use super::fake_backend::{FakeBackend, Start};
use super::{TEST_TIMEOUT, policy, supervise, wait_for, wait_until_healthy};
use tokio::time::timeout;
use uphold::supervisor::NotificationKind;
use uphold::{Cause, Event, Incarnation};

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
    (ended.replica.0, ended.outcome.get_cause().cloned().unwrap())
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
