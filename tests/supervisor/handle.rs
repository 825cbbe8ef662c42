//! What operators do with a `SupervisorHandle`, and what they receive.

use super::fake_backend::FakeBackend;
use super::{TEST_TIMEOUT, policy, supervise, wait_for, wait_until_healthy};
use tokio::time::timeout;
use uphold::decide::StatusReason;
use uphold::engine::{Rejection, Selection};
use uphold::supervisor::{NotificationKind, Received, RequestError};
use uphold::{Event, Incarnation, Notice, ReplicaSet, Supervisor, SupervisorHandle, Timestamp};

#[tokio::test]
async fn requests_of_operators_are_executed() {
    let backend = FakeBackend::default();
    let (mut handle, mut notifications) = supervise(&backend, policy(2));
    wait_until_healthy(&mut handle).await;
    handle.scale(4).await.unwrap();
    timeout(TEST_TIMEOUT, handle.wait_for(|status| status.available == 4)).await.unwrap().unwrap();
    handle.restart(1).await.unwrap();
    wait_for(&mut notifications, |what| matches!(what, NotificationKind::Event(Event::Restart(_)))).await;
    wait_until_healthy(&mut handle).await;
    while handle.replicas().await.unwrap()[1].incarnation != Incarnation(2) {
        tokio::task::yield_now().await;
    }
    handle.reset(Selection::All).await.unwrap();
    handle.retry_now(Selection::All).await.unwrap();
    handle.stop(3).await.unwrap();
    timeout(TEST_TIMEOUT, handle.wait_for(|status| status.reason == StatusReason::ReplicaStopped))
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        handle.retry_now(Selection::Replica(3.into())).await,
        Err(RequestError::Refused(Rejection::Stopped(3.into())))
    );
    handle.start(3).await.unwrap();
    wait_until_healthy(&mut handle).await;
    assert_eq!(handle.scale(2_000_000).await, Err(RequestError::Refused(Rejection::TooManyReplicas(2_000_000))));
    assert_eq!(handle.restart(99).await, Err(RequestError::Refused(Rejection::NoSuchReplica(99.into()))));
    let refused =
        wait_for(&mut notifications, |what| matches!(what, NotificationKind::Notice(Notice::Refused(_)))).await;
    assert!(!refused.is_empty());
    let summary = handle.summary().await.unwrap();
    assert_eq!((summary.desired, summary.refused), (4, 3));
    handle.shutdown().await;
    let refused = handle.scale(1).await.unwrap_err();
    assert!(matches!(refused, RequestError::Closed(_) | RequestError::Refused(Rejection::SetEnded)), "{refused}");
}

#[tokio::test]
async fn a_slow_receiver_learns_how_much_it_missed() {
    let backend = FakeBackend::default();
    let supervisor = Supervisor::builder(policy(50).build().unwrap(), backend, ()).notification_buffer(8);
    let (mut handle, mut notifications) = supervisor.spawn_with_notifications().unwrap();
    wait_until_healthy(&mut handle).await;
    let first = timeout(TEST_TIMEOUT, notifications.next()).await.unwrap();
    assert!(matches!(first, Some(Received::Missed(missed)) if missed > 100), "{first:?}");
    handle.shutdown().await;
}

#[tokio::test]
async fn a_supervisor_continues_from_a_snapshot() {
    let backend = FakeBackend::default();
    let (mut handle, _notices) = supervise(&backend, policy(2));
    wait_until_healthy(&mut handle).await;
    let snapshot = handle.snapshot().await.unwrap();
    let next = backend.clone();
    let supervisor = Supervisor::builder(policy(2).build().unwrap(), next, ()).restore(snapshot);
    let mut restored = supervisor.spawn();
    wait_until_healthy(&mut restored).await;
    assert!(backend.with(|state| state.calls.values().all(|calls| *calls == 1)), "nothing was started again");
    restored.shutdown().await;
}

#[tokio::test]
async fn sets_with_different_names_have_different_jitter() {
    let mut seeds = Vec::new();
    for name in ["web", "db", "web"] {
        let policy = policy(1).build().unwrap();
        let handle = Supervisor::builder(policy.clone(), FakeBackend::default(), ()).name(name).spawn();
        let snapshot = handle.snapshot().await.unwrap();
        seeds.push(ReplicaSet::restore(policy, snapshot, Timestamp::ZERO).unwrap().seed());
    }
    assert_ne!(seeds[0], seeds[1]);
    assert_eq!(seeds[0], seeds[2], "the same name has the same seed");
}

#[test]
fn a_handle_can_be_sent_and_shared() {
    fn is<T: Send + Sync + Clone>() {}
    is::<SupervisorHandle>();
}

#[tokio::test]
async fn a_set_with_an_invalid_name_is_not_supervised() {
    for name in ["", "Web", "web/1", "$(touch x)"] {
        let spawned =
            Supervisor::builder(policy(1).build().unwrap(), FakeBackend::default(), ()).name(name).try_spawn();
        assert!(spawned.unwrap_err().to_string().contains("is not a valid set name"), "{name}");
    }
}
