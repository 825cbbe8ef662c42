//! The driver with misbehaving backends: an error of a backend is at most a failure of one replica.
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod fake_backend;
mod handle;
mod lists;
mod recorder;
mod revisions;
mod shutdown;
mod starts;
mod strays;
#[path = "../support/mod.rs"]
mod support;

use std::time::Duration;

use fake_backend::FakeBackend;
use support::TEST_TIMEOUT;
use tokio::time::timeout;
use uphold::supervisor::{NotificationKind, Notifications, Received};
use uphold::{Policy, PolicyBuilder, RetryPolicy, Status, Supervisor, SupervisorHandle};

fn policy(replicas: u32) -> PolicyBuilder {
    Policy::builder().replicas(replicas).retry(RetryPolicy::every(Duration::from_millis(10)))
}

fn supervise(backend: &FakeBackend, policy: PolicyBuilder) -> (SupervisorHandle, Notifications) {
    Supervisor::builder(policy.build().unwrap(), backend.clone(), ())
        .name("fake")
        .call_timeout(Duration::from_millis(100))
        .spawn_with_notifications()
        .unwrap()
}

async fn wait_until_healthy(handle: &mut SupervisorHandle) {
    let up = handle.wait_for(|status| status.status == Status::Healthy && status.available == status.desired);
    timeout(TEST_TIMEOUT, up).await.expect("it is healthy").expect("the supervisor goes on");
}

/// Receives notifications up to the first that satisfies `wanted`.
async fn wait_for(
    notifications: &mut Notifications,
    wanted: impl Fn(&NotificationKind) -> bool,
) -> Vec<NotificationKind> {
    let received = async {
        let mut all = Vec::new();
        while let Some(Received::Notification(notification)) = notifications.next().await {
            let found = wanted(&notification.kind);
            all.push(notification.kind);
            if found {
                break;
            }
        }
        all
    };
    timeout(TEST_TIMEOUT, received).await.expect("it is received")
}
