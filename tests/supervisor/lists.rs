//! Lists and watches: adoption, broken watches, lists that fail.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::fake_backend::FakeBackend;
use super::{TEST_TIMEOUT, policy, supervise, wait_for, wait_until_healthy};
use tokio::time::timeout;
use uphold::supervisor::NotificationKind;
use uphold::{HealthPolicy, InstanceId, Status};

#[tokio::test]
async fn a_broken_watch_is_repeated_and_followed_by_a_list() {
    let broken = Arc::new(tokio::sync::Notify::new());
    let backend = FakeBackend::default();
    backend.with(|state| state.break_watch = Some(broken.clone()));
    let (mut handle, mut notifications) = supervise(&backend, policy(3));
    wait_until_healthy(&mut handle).await;
    broken.notify_one();
    wait_for(&mut notifications, |what| matches!(what, NotificationKind::BackendError(text) if text.contains("broke")))
        .await;
    let (watches, lists) = backend.with(|state| (state.watches, state.lists));
    while backend.with(|state| state.lists) <= lists {
        tokio::task::yield_now().await;
    }
    assert!(backend.with(|state| state.watches) > watches);
    wait_until_healthy(&mut handle).await;
    assert!(backend.with(|state| state.calls.values().all(|calls| *calls == 1)), "nothing was restarted");
    handle.shutdown().await;
}

#[tokio::test]
async fn running_instances_are_adopted_and_not_started_again() {
    let backend = FakeBackend::default();
    backend.with(|state| state.running.extend([InstanceId::new(0, 5), InstanceId::new(2, 9)]));
    let (mut handle, _notices) = supervise(&backend, policy(3));
    wait_until_healthy(&mut handle).await;
    let incarnations: Vec<_> = handle.replicas().await.unwrap().iter().map(|view| view.incarnation.0).collect();
    assert_eq!(incarnations, [5, 1, 9]);
    assert_eq!(backend.with(|state| state.calls.clone()), BTreeMap::from([(1, 1)]));
    handle.shutdown().await;
}

#[tokio::test]
async fn nothing_is_started_before_the_backend_can_list() {
    let backend = FakeBackend::default();
    backend.with(|state| state.list_fails = true);
    let (mut handle, mut notifications) = supervise(&backend, policy(2));
    wait_for(
        &mut notifications,
        |what| matches!(what, NotificationKind::BackendError(text) if text.contains("cannot list")),
    )
    .await;
    assert_eq!(handle.status().status, Status::Pending);
    assert!(backend.with(|state| state.calls.is_empty()));
    backend.with(|state| state.list_fails = false);
    wait_until_healthy(&mut handle).await;
    handle.shutdown().await;
}

#[tokio::test]
async fn lists_that_fail_make_replicas_unknown_and_restart_none() {
    let broken = Arc::new(tokio::sync::Notify::new());
    let backend = FakeBackend::default();
    backend.with(|state| state.break_watch = Some(broken.clone()));
    let health = HealthPolicy::new().unknown_after(Duration::from_millis(50));
    let (mut handle, _notices) = supervise(&backend, policy(3).health(health));
    wait_until_healthy(&mut handle).await;
    backend.with(|state| state.list_fails = true);
    broken.notify_one();
    let unknown = handle.wait_for(|status| status.available == 0);
    timeout(TEST_TIMEOUT, unknown).await.expect("contact is lost").unwrap();
    assert_eq!(handle.status().status, Status::Outage);
    backend.with(|state| state.list_fails = false);
    wait_until_healthy(&mut handle).await;
    assert!(backend.with(|state| state.calls.values().all(|calls| *calls == 1)), "nothing was restarted");
    handle.shutdown().await;
}
