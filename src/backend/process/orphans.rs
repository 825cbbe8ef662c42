//! Reaps children whose task is gone because its runtime was shut down or a probe was aborted, in a thread that ends with
//! the last of them.

use std::io;
use std::process::{Child, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::exit_watcher::is_our_child;
use super::signal::signal_group;

/// Called with the exit status of an orphan.
pub(super) type OnReaped = Box<dyn FnOnce(io::Result<ExitStatus>) + Send + Sync>;

/// A child that was sent SIGKILL and is not reaped yet.
pub(super) struct Orphan {
    pub(super) child: Child,
    /// The id of the process and of its group.
    pub(super) leader: Pid,
    pub(super) on_reaped: Option<OnReaped>,
}

impl Orphan {
    fn notify(self, status: io::Result<ExitStatus>) {
        if let Some(on_reaped) = self.on_reaped {
            on_reaped(status);
        }
    }
}

struct Orphans {
    waiting: Vec<Orphan>,
    /// The process that runs the reaper thread; a process that was forked from it has no such thread.
    reaper_process: Option<u32>,
}

static ORPHANS: Mutex<Orphans> = Mutex::new(Orphans { waiting: Vec::new(), reaper_process: None });

fn orphans() -> MutexGuard<'static, Orphans> {
    ORPHANS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reaps an orphan, now or in the reaper thread.
pub(super) fn adopt(mut orphan: Orphan) {
    match orphan.child.try_wait().transpose() {
        Some(status) => orphan.notify(status),
        None => {
            orphans().waiting.push(orphan);
            ensure_reaper();
        }
    }
}

/// Spawns the reaper thread if it is needed and does not run. Called periodically, because spawning can fail.
pub(super) fn ensure_reaper() {
    let mut orphans = orphans();
    let here = Some(std::process::id());
    if !orphans.waiting.is_empty() && orphans.reaper_process != here {
        let reaper = std::thread::Builder::new().name("reaper".to_owned()).spawn(reap);
        orphans.reaper_process = here.filter(|_| reaper.is_ok());
    }
}

/// Polls all orphans; never blocks on one, which may be unkillable or traced. The lock is not held meanwhile.
fn reap() {
    let mut pause = Duration::from_millis(1);
    loop {
        let mut left = Vec::new();
        let waiting = std::mem::take(&mut orphans().waiting);
        for mut orphan in waiting {
            // The first SIGKILL may have failed, or other processes may have joined the group since.
            if is_our_child(orphan.leader) {
                let _ = signal_group(orphan.leader, Signal::KILL);
            }
            match orphan.child.try_wait().transpose() {
                Some(status) => orphan.notify(status),
                None => left.push(orphan),
            }
        }
        let mut orphans = orphans();
        orphans.waiting.append(&mut left);
        if orphans.waiting.is_empty() {
            orphans.reaper_process = None;
            return;
        }
        drop(orphans);
        std::thread::sleep(pause);
        pause = (2 * pause).min(Duration::from_millis(64));
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::CommandExt;
    use std::process::Command;
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn an_orphan_that_still_runs_is_killed_and_reaped() {
        let (sender, receiver) = mpsc::channel();
        let child = Command::new("sleep").arg("1000").process_group(0).spawn().expect("it starts");
        let leader = Pid::from_raw(child.id().try_into().expect("an id")).expect("an id");
        let on_reaped: OnReaped = Box::new(move |status| sender.send(status).expect("the receiver exists"));
        adopt(Orphan { child, leader, on_reaped: Some(on_reaped) });
        let status = receiver.recv_timeout(Duration::from_secs(60)).expect("it ends");
        assert!(!status.expect("it is ours").success());
    }
}
