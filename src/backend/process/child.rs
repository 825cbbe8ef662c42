//! A child process: it leads a group of its own, and is reaped whatever happens.

use std::io;
use std::process::{Command, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal};

use super::command::signal_group;
use super::exited::exited;

/// A child that was not reaped yet. Dropped before it is, it is killed with its group.
///
/// Not tokio's: that waits for the end in a way of its own and reaps at once, and to hear of the end before, as must be,
/// would take each system call twice.
#[derive(Debug)]
pub(super) struct Child {
    child: Option<std::process::Child>,
    leader: Pid,
}

impl Child {
    /// Starts a command that makes a group of its own.
    pub(super) fn spawn(command: &mut Command) -> io::Result<Self> {
        let child = command.spawn()?;
        let leader = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let leader = leader.ok_or_else(|| io::Error::other("the process has no id"))?;
        Ok(Self { child: Some(child), leader })
    }

    /// Its id, which is that of its group.
    pub(super) fn leader(&self) -> Pid {
        self.leader
    }

    /// The ends of its pipes, if it has any that were not taken.
    pub(super) fn take_pipes(&mut self) -> (Option<std::process::ChildStdout>, Option<std::process::ChildStderr>) {
        let Some(child) = &mut self.child else { return (None, None) };
        (child.stdout.take(), child.stderr.take())
    }

    /// Waits until it has ended. It is left to be reaped, and until it is its group cannot be another's.
    pub(super) async fn ended(&self) {
        exited(self.leader).await;
    }

    /// Waits for its end as well, and how that was. From then on its id may be another's.
    pub(super) async fn reap(&mut self) -> io::Result<ExitStatus> {
        loop {
            let Some(child) = &mut self.child else { return Err(io::Error::other("it was reaped before")) };
            if let Some(reaped) = child.try_wait().transpose() {
                // If that is an error, somebody else has reaped it.
                self.child = None;
                return reaped;
            }
            self.ended().await;
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let _ = signal_group(self.leader, Signal::KILL);
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        // Its end is near, but not here.
        let mut orphans = orphans();
        orphans.waiting.push(child);
        // Where there is no thread to be had they stay unreaped until the next try, or until this program ends.
        if !orphans.are_reaped {
            orphans.are_reaped = std::thread::Builder::new().name("reaper".to_owned()).spawn(reap_orphans).is_ok();
        }
    }
}

/// Killed children whose tasks are gone.
struct Orphans {
    waiting: Vec<std::process::Child>,
    /// There is a thread that does it.
    are_reaped: bool,
}

static ORPHANS: Mutex<Orphans> = Mutex::new(Orphans { waiting: Vec::new(), are_reaped: false });

fn orphans() -> MutexGuard<'static, Orphans> {
    ORPHANS.lock().unwrap_or_else(PoisonError::into_inner)
}

fn reap_orphans() {
    loop {
        let mut orphans = orphans();
        let Some(mut child) = orphans.waiting.pop() else {
            orphans.are_reaped = false;
            return;
        };
        drop(orphans);
        let _ = child.wait();
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::{kill_process, test_kill_process};
    use std::os::unix::process::CommandExt;

    use super::*;

    fn sleeping() -> Child {
        Child::spawn(Command::new("sleep").arg("1000").process_group(0)).expect("it starts")
    }

    #[tokio::test]
    async fn a_child_is_there_until_it_is_reaped_and_only_once() {
        let mut child = sleeping();
        kill_process(child.leader(), Signal::TERM).expect("it is there");
        child.ended().await;
        test_kill_process(child.leader()).expect("it is left to be reaped");
        assert!(!child.reap().await.expect("it is ours").success());
        assert!(test_kill_process(child.leader()).is_err());
        assert!(child.reap().await.is_err(), "it was reaped before");
    }

    #[test]
    fn children_that_nobody_waits_for_are_killed_and_reaped() {
        let children: Vec<Child> = (0..20).map(|_| sleeping()).collect();
        let leaders: Vec<Pid> = children.iter().map(Child::leader).collect();
        drop(children);
        for leader in leaders {
            while test_kill_process(leader).is_ok() {
                std::thread::yield_now();
            }
        }
    }
}
