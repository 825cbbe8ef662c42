//! A supervised set of processes and its notifications.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::TEST_TIMEOUT;
use tokio::time::timeout;
use uphold::backend::process::{ProcessBackend, ProcessOutput, ProcessSpec};
use uphold::decide::StatusReason;
use uphold::supervisor::{Notification, NotificationKind, Notifications, Received};
use uphold::{
    Command, Decision, Notice, Policy, PolicyBuilder, RetryPolicy, Status, Supervisor, SupervisorHandle, Timestamp,
};

/// A supervised set, its notifications so far, and a folder for the files of its replicas.
pub(crate) struct Harness {
    pub(crate) handle: SupervisorHandle,
    pub(crate) notifications: Notifications,
    pub(crate) folder: PathBuf,
    /// The statuses so far, in order.
    pub(crate) statuses: Vec<Status>,
    pub(crate) verdicts: Vec<(u32, Decision, Timestamp)>,
    pub(crate) starts: Vec<(u32, u64, Timestamp)>,
}

impl Harness {
    pub(crate) fn new(name: &str, policy: PolicyBuilder, spec: ProcessSpec) -> Self {
        let folder = std::env::temp_dir().join(format!("uphold-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let spec = spec.env("FOLDER", folder.to_string_lossy());
        let policy: Policy = policy.build().unwrap();
        let supervisor = Supervisor::builder(policy, ProcessBackend::new(), spec).name(name);
        let (handle, notifications) = supervisor.spawn_with_notifications().unwrap();
        Self { handle, notifications, folder, statuses: Vec::new(), verdicts: Vec::new(), starts: Vec::new() }
    }

    /// Receives notifications until one satisfies `wanted`.
    pub(crate) async fn wait_for(&mut self, what: &str, wanted: impl Fn(&Self, &Notification) -> bool) -> Notification {
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

    pub(crate) async fn wait_for_status(&mut self, wanted: Status) {
        let is = |notification: &Notification| matches!(&notification.kind, NotificationKind::Notice(Notice::Status(change)) if change.status == wanted);
        self.wait_for(wanted.as_str(), |_, notification| is(notification)).await;
    }

    /// Waits until this number of replicas is available.
    pub(crate) async fn wait_until_available(&mut self, replicas: u32) {
        let up = self.handle.wait_for(|status| status.available == replicas);
        timeout(TEST_TIMEOUT, up).await.expect("they come up").expect("the supervisor goes on");
    }

    /// Waits for the process ids that replicas write to files, and returns them by replica.
    pub(crate) async fn pids(&mut self, replicas: u32, incarnation: u64) -> BTreeMap<u32, i32> {
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

    pub(crate) async fn shutdown(mut self) {
        let last = timeout(TEST_TIMEOUT, self.handle.shutdown()).await.expect("a shutdown ends");
        assert_eq!((last.status, last.reason), (Status::Terminated, StatusReason::Requested));
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

pub(crate) fn shell(script: &str) -> ProcessSpec {
    ProcessSpec::new(script).shell(true).output(ProcessOutput::Null)
}

pub(crate) fn kill(pid: i32, signal: &str) {
    let status = std::process::Command::new("kill").args([signal, &pid.to_string()]).status().unwrap();
    assert!(status.success());
}

/// Writes its process id to a file, then sleeps.
pub(crate) const SLEEPER: &str = "echo $$ > \"$FOLDER/{replica}.{incarnation}.tmp\"; \
                       mv \"$FOLDER/{replica}.{incarnation}.tmp\" \"$FOLDER/{replica}.{incarnation}\"; exec sleep 1000";

pub(crate) fn retrying(replicas: u32, interval: Duration) -> PolicyBuilder {
    Policy::builder().replicas(replicas).retry(RetryPolicy::every(interval))
}
