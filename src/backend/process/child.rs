//! A child process that leads a process group and is always reaped.

use std::io;
use std::process::{Command, ExitStatus};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::exit_watcher::ExitWatcher;
use super::orphans::{self, OnReaped, Orphan};
use super::signal::signal_group;

/// A child that may not be reaped yet. If it is dropped before, its group is killed and the child is reaped in a thread.
///
/// Not `tokio::process::Child`, which reaps as soon as the process exits: the group must be killed before that.
pub(super) struct Child {
    child: Option<std::process::Child>,
    leader: Pid,
    exited: ExitWatcher,
    on_reaped: Option<OnReaped>,
}

impl Child {
    /// Spawns a command, which must create a process group.
    ///
    /// # Panics
    /// Outside a tokio runtime with I/O, after killing the child.
    pub(super) fn spawn(command: &mut Command) -> io::Result<Self> {
        let child = command.spawn()?;
        let leader = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let leader = leader.ok_or_else(|| io::Error::other("the process has no id"))?;
        let mut child = Self { child: Some(child), leader, exited: ExitWatcher::new(leader), on_reaped: None };
        child.exited.register();
        Ok(child)
    }

    /// Returns the id of the process, which is also that of its group.
    pub(super) fn leader(&self) -> Pid {
        self.leader
    }

    /// Takes our ends of its pipes.
    pub(super) fn take_pipes(&mut self) -> (Option<std::process::ChildStdout>, Option<std::process::ChildStderr>) {
        let Some(child) = &mut self.child else { return (None, None) };
        (child.stdout.take(), child.stderr.take())
    }

    /// Waits until the process has exited. It is not reaped, so its id and that of its group are not reused yet.
    pub(super) async fn ended(&self) {
        self.exited.wait().await;
    }

    /// Waits until the process has exited and reaps it. Afterwards its id may be reused.
    pub(super) async fn reap(&mut self) -> io::Result<ExitStatus> {
        self.ended().await;
        loop {
            if let Some(reaped) = self.try_reap()? {
                return Ok(reaped);
            }
            // A tracer has not collected its exit yet.
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    fn try_reap(&mut self) -> io::Result<Option<ExitStatus>> {
        let Some(child) = &mut self.child else { return Err(io::Error::other("the process was reaped before")) };
        let reaped = child.try_wait();
        if !matches!(reaped, Ok(None)) {
            // An error means that it was reaped elsewhere.
            self.child = None;
        }
        reaped
    }

    /// Sets what is called with the exit status if the child is dropped before it is reaped.
    pub(super) fn on_orphan_reaped(&mut self, on_reaped: impl FnOnce(io::Result<ExitStatus>) + Send + Sync + 'static) {
        self.on_reaped = Some(Box::new(on_reaped));
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            let _ = signal_group(self.leader, Signal::KILL);
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

    const TEST_TIMEOUT: Duration = Duration::from_secs(60);

    fn sleeping() -> Child {
        Child::spawn(Command::new("sleep").arg("1000").process_group(0)).expect("it starts")
    }

    #[tokio::test]
    async fn a_child_is_reaped_once() {
        let mut child = sleeping();
        signal_group(child.leader(), Signal::TERM).expect("it is there");
        child.ended().await;
        test_kill_process(child.leader()).expect("it is left to be reaped");
        assert!(!child.reap().await.expect("it is ours").success());
        assert!(test_kill_process(child.leader()).is_err());
        assert!(child.reap().await.is_err(), "the process was reaped before");
    }

    #[tokio::test]
    async fn dropped_children_are_killed_and_reaped() {
        let (sender, receiver) = mpsc::channel();
        for _ in 0..20 {
            let mut child = sleeping();
            let (sender, leader) = (sender.clone(), child.leader());
            child.on_orphan_reaped(move |ended| sender.send((leader, ended)).expect("the receiver exists"));
        }
        for _ in 0..20 {
            let (leader, ended) = receiver.recv_timeout(TEST_TIMEOUT).expect("it ends");
            assert!(!ended.expect("it is ours").success());
            assert!(test_kill_process(leader).is_err());
        }
    }

    /// Another process remains in the group, so that a signal to the group succeeds although it misses the child.
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
        let (sender, receiver) = mpsc::channel();
        child.on_orphan_reaped(move |ended| sender.send(ended).expect("the receiver exists"));
        drop(child);
        assert!(!receiver.recv_timeout(TEST_TIMEOUT).expect("it ends").expect("it is ours").success());
        assert_eq!(stdout.read(&mut said).expect("it can be read"), 0, "nobody of its group is left either");
    }

    #[test]
    fn a_child_that_is_spawned_without_a_runtime_is_killed() {
        let (mut ours, theirs) = UnixStream::pair().expect("a pair");
        ours.set_read_timeout(Some(TEST_TIMEOUT)).expect("a timeout");
        let spawned = std::panic::catch_unwind(|| {
            let mut command = Command::new("sleep");
            Child::spawn(command.arg("1000").process_group(0).stdout(OwnedFd::from(theirs)))
        });
        assert!(spawned.is_err(), "there is no runtime");
        // `read_to_end` retries when SIGCHLD for another test's child interrupts the read.
        assert_eq!(ours.read_to_end(&mut Vec::new()).expect("it ends"), 0);
    }
}
