//! Learns that a process has ended while it is still a zombie.
//!
//! Until a dead process is reaped its id, and with it the id of its group, cannot be given to anybody else: that is the
//! time to signal what is left of the group.

use rustix::io::Errno;
use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use tokio::signal::unix::{SignalKind, signal};

/// Hears that a process, a child of this one, has ended. It is left to be reaped.
#[derive(Debug)]
pub(super) struct ExitWatcher {
    pid: Pid,
    /// Wakes for this process only, however many there are. `None` where the kernel or a sandbox does not have it.
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

    /// Makes it hear of this process alone, where that can be.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O.
    #[cfg(target_os = "linux")]
    #[allow(deprecated, reason = "its successor is younger than the oldest tokio that is supported")]
    pub(super) fn register(&mut self) {
        use rustix::process::{PidfdFlags, pidfd_open};
        use tokio::io::Interest;
        use tokio::io::unix::AsyncFd;

        let descriptor = pidfd_open(self.pid, PidfdFlags::empty()).ok();
        self.descriptor = descriptor.and_then(|it| AsyncFd::with_interest(it, Interest::READABLE).ok());
    }

    #[cfg(not(target_os = "linux"))]
    pub(super) fn register(&mut self) {}

    /// Waits until it has ended.
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

/// Looks again at every SIGCHLD.
async fn wait_by_sigchld(pid: Pid) {
    let mut children = signal(SignalKind::child()).ok();
    while !has_exited(pid) {
        let heard = match &mut children {
            Some(children) => children.recv().await.is_some(),
            None => false,
        };
        if !heard {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }
}

/// A child that is no longer ours to wait for has ended too.
fn has_exited(pid: Pid) -> bool {
    !matches!(peek_exit(pid), Ok(false) | Err(Errno::INTR))
}

/// Whether the id is still that of a child of ours, dead or alive.
pub(super) fn is_our_child(pid: Pid) -> bool {
    peek_exit(pid).is_ok()
}

/// Whether a child has ended; it is left as it is.
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
        tokio::time::timeout(Duration::from_secs(30), exited.wait()).await.expect("it is told");
        assert!(has_exited(pid));
        assert!(child.wait().await.unwrap().success(), "it was left to be reaped");
    }

    #[tokio::test]
    async fn an_end_is_told_and_left_to_be_reaped() {
        reports_exit(false).await;
    }

    #[tokio::test]
    async fn an_end_is_told_without_process_descriptors() {
        reports_exit(true).await;
    }
}
