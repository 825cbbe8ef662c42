//! A child process: it leads a group of its own, and is reaped whatever happens.

use std::io;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::command::signal;
use super::exit_watcher::ExitWatcher;
use super::orphans::{self, OnReaped, Orphan};

/// A child that was not reaped yet. Dropped before it is, it is killed with its group.
///
/// Not tokio's: that waits for the end in a way of its own and reaps at once, and to hear of the end before, as must be,
/// would take each system call twice.
pub(super) struct Child {
    child: Option<std::process::Child>,
    leader: Pid,
    exited: ExitWatcher,
    on_reaped: Option<OnReaped>,
}

impl Child {
    /// Starts a command that makes a group of its own.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O; then nothing is left of it.
    pub(super) fn spawn(command: &mut Command) -> io::Result<Self> {
        let child = command.spawn()?;
        let leader = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let leader = leader.ok_or_else(|| io::Error::other("the process has no id"))?;
        let mut child = Self { child: Some(child), leader, exited: ExitWatcher::new(leader), on_reaped: None };
        child.exited.register();
        Ok(child)
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
        self.exited.wait().await;
    }

    /// Waits for its end as well, and how that was. From then on its id may be another's.
    pub(super) async fn reap(&mut self) -> io::Result<ExitStatus> {
        self.ended().await;
        loop {
            if let Some(reaped) = self.try_reap()? {
                return Ok(reaped);
            }
            // Somebody who traces it has not seen its end yet.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn try_reap(&mut self) -> io::Result<Option<ExitStatus>> {
        let Some(child) = &mut self.child else { return Err(io::Error::other("it was reaped before")) };
        let reaped = child.try_wait();
        if !matches!(reaped, Ok(None)) {
            // If that is an error, somebody else has reaped it.
            self.child = None;
        }
        reaped
    }

    /// What on_reaped of its end if nobody waits for it any more.
    pub(super) fn on_orphan_reaped(&mut self, on_reaped: impl FnOnce(io::Result<ExitStatus>) + Send + Sync + 'static) {
        self.on_reaped = Some(Box::new(on_reaped));
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            let _ = signal(self.leader, Signal::KILL);
            orphans::adopt(Orphan { child, leader: self.leader, on_reaped: self.on_reaped.take() });
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::UnixStream;
    use std::os::unix::process::CommandExt;
    use std::process::Stdio;
    use std::sync::mpsc;

    use rustix::process::test_kill_process;

    use super::*;

    const PATIENCE: Duration = Duration::from_secs(60);

    fn sleeping() -> Child {
        Child::spawn(Command::new("sleep").arg("1000").process_group(0)).expect("it starts")
    }

    #[tokio::test]
    async fn a_child_is_there_until_it_is_reaped_and_only_once() {
        let mut child = sleeping();
        signal(child.leader(), Signal::TERM).expect("it is there");
        child.ended().await;
        test_kill_process(child.leader()).expect("it is left to be reaped");
        assert!(!child.reap().await.expect("it is ours").success());
        assert!(test_kill_process(child.leader()).is_err());
        assert!(child.reap().await.is_err(), "it was reaped before");
    }

    #[tokio::test]
    async fn children_that_nobody_waits_for_are_killed_and_reaped() {
        let (tell, heard) = mpsc::channel();
        for _ in 0..20 {
            let mut child = sleeping();
            let (tell, leader) = (tell.clone(), child.leader());
            child.on_orphan_reaped(move |ended| tell.send((leader, ended)).expect("it is heard"));
        }
        for _ in 0..20 {
            let (leader, ended) = heard.recv_timeout(PATIENCE).expect("it ends");
            assert!(!ended.expect("it is ours").success());
            assert!(test_kill_process(leader).is_err());
        }
    }

    /// Somebody else is left in the group: a signal to that alone would reach somebody, and miss the child.
    #[tokio::test]
    async fn a_child_that_has_left_its_group_is_killed_as_well() {
        let leave = "import os, time\nif os.fork(): os.setpgid(0, os.getpgid(os.getppid())); print('left', flush=True)\n\
                     time.sleep(1000)";
        let mut command = Command::new("python3");
        command.args(["-c", leave]).process_group(0).stdout(Stdio::piped());
        let mut child = Child::spawn(&mut command).expect("it starts");
        let mut said = [0; 5];
        let mut stdout = child.take_pipes().0.expect("it has one");
        stdout.read_exact(&mut said).expect("it says when it has left");
        assert_eq!(rustix::process::getpgid(Some(child.leader())), rustix::process::getpgid(None));
        let (tell, heard) = mpsc::channel();
        child.on_orphan_reaped(move |ended| tell.send(ended).expect("it is heard"));
        drop(child);
        assert!(!heard.recv_timeout(PATIENCE).expect("it ends").expect("it is ours").success());
        assert_eq!(stdout.read(&mut said).expect("it can be read"), 0, "nobody of its group is left either");
    }

    #[test]
    fn a_child_that_nobody_could_wait_for_is_not_left_running() {
        let (mut ours, theirs) = UnixStream::pair().expect("a pair");
        ours.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let spawned = std::panic::catch_unwind(|| {
            let mut command = Command::new("sleep");
            Child::spawn(command.arg("1000").process_group(0).stdout(OwnedFd::from(theirs)))
        });
        assert!(spawned.is_err(), "there is no runtime");
        // A signal, such as that another test's child has ended, interrupts a read with a timeout: this one goes on.
        assert_eq!(ours.read_to_end(&mut Vec::new()).expect("it ends"), 0);
    }
}
