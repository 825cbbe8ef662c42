//! Learns that a process has ended while it is still a zombie.
//!
//! Until a dead process is reaped its id, and with it the id of its group, cannot be given to anybody else: that is the
//! time to signal what is left of the group.

use rustix::process::{Pid, WaitId, WaitIdOptions, waitid};
use tokio::signal::unix::{SignalKind, signal};

/// Waits until the process, a child of this one, has ended. It is left to be reaped.
pub(super) async fn exited(pid: Pid) {
    #[cfg(target_os = "linux")]
    if by_descriptor(pid).await.is_some() {
        return;
    }
    by_signal(pid).await;
}

/// Wakes for this process only, however many there are. `None` where the kernel or a sandbox does not have it.
#[cfg(target_os = "linux")]
#[allow(deprecated, reason = "its successor is younger than the oldest tokio that is supported")]
async fn by_descriptor(pid: Pid) -> Option<()> {
    use rustix::process::{PidfdFlags, pidfd_open};
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    let descriptor = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    let descriptor = AsyncFd::with_interest(descriptor, Interest::READABLE).ok()?;
    descriptor.readable().await.ok().map(drop)
}

/// Looks again at every SIGCHLD.
async fn by_signal(pid: Pid) {
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
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::Pid(pid), options), Ok(None) | Err(rustix::io::Errno::INTR))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    async fn is_told(by_signal_only: bool) {
        let mut child = tokio::process::Command::new("sleep").arg("0.1").spawn().unwrap();
        let pid = Pid::from_raw(child.id().unwrap().try_into().unwrap()).unwrap();
        assert!(!has_exited(pid));
        let ended = async { if by_signal_only { by_signal(pid).await } else { exited(pid).await } };
        tokio::time::timeout(Duration::from_secs(30), ended).await.expect("it is told");
        assert!(has_exited(pid));
        assert!(child.wait().await.unwrap().success(), "it was left to be reaped");
    }

    #[tokio::test]
    async fn an_end_is_told_and_left_to_be_reaped() {
        is_told(false).await;
    }

    #[tokio::test]
    async fn an_end_is_told_without_process_descriptors() {
        is_told(true).await;
    }
}
