//! Waits for the exit of a child without reaping it.
//!
//! The id of a zombie and of its group cannot be reused, so this is when the rest of the group can be signalled safely.

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use tokio::signal::unix::{SignalKind, signal};

/// Waits for the exit of a child of this process, without reaping it.
#[derive(Debug)]
pub(super) struct ExitWatcher {
    pid: Pid,
    /// A pidfd, which wakes for this child only. `None` where the kernel or a sandbox does not support it.
    #[cfg(target_os = "linux")]
    descriptor: Option<tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>>,
}

impl ExitWatcher {
    pub(super) fn new(pid: Pid) -> Self {
        Self {
            pid,
            #[cfg(target_os = "linux")]
            descriptor: None,
        }
    }

    /// Opens a pidfd if possible. Without one, [`wait`](Self::wait) checks the child at every SIGCHLD.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O.
    #[cfg(target_os = "linux")]
    #[allow(deprecated, reason = "the oldest supported tokio does not have the replacement")]
    pub(super) fn register(&mut self) {
        use rustix::process::{PidfdFlags, pidfd_open};
        use tokio::io::Interest;
        use tokio::io::unix::AsyncFd;

        let descriptor = pidfd_open(self.pid, PidfdFlags::empty()).ok();
        self.descriptor = descriptor.and_then(|it| AsyncFd::with_interest(it, Interest::READABLE).ok());
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn register(&mut self) {}

    /// Waits until the child has exited.
    pub(super) async fn wait(&self) {
        #[cfg(target_os = "linux")]
        if let Some(descriptor) = &self.descriptor
            && descriptor.readable().await.is_ok()
        {
            return;
        }
        wait_by_sigchld(self.pid).await;
    }
}

/// Checks the child at every SIGCHLD.
async fn wait_by_sigchld(pid: Pid) {
    let mut children = signal(SignalKind::child()).ok();
    while !has_exited(pid) {
        let signalled = match &mut children {
            Some(children) => children.recv().await.is_some(),
            None => false,
        };
        if !signalled {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}

/// Returns whether a child has exited, or is no longer our child.
fn has_exited(pid: Pid) -> bool {
    !matches!(peek_exit(pid), Ok(false) | Err(Errno::INTR))
}

/// Returns whether the id is that of our child, running or zombie.
pub(super) fn is_our_child(pid: Pid) -> bool {
    peek_exit(pid).is_ok()
}

/// Returns whether a child has exited, without reaping it.
fn peek_exit(pid: Pid) -> Result<bool, Errno> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(pid), options).map(|ended| ended.is_some())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn reports_exit(by_signal_only: bool) {
        let mut child = tokio::process::Command::new("sleep").arg("0.1").spawn().unwrap();
        let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
        assert!(!has_exited(pid));
        let mut exited = ExitWatcher::new(pid);
        if !by_signal_only {
            exited.register();
        }
        tokio::time::timeout(Duration::from_secs(30), exited.wait()).await.expect("the exit is reported");
        assert!(has_exited(pid));
        assert!(child.wait().await.unwrap().success(), "it was not reaped");
    }

    #[tokio::test]
    async fn an_exit_is_reported_and_not_reaped() {
        reports_exit(false).await;
    }

    #[tokio::test]
    async fn an_exit_is_reported_without_a_pidfd() {
        reports_exit(true).await;
    }
}
