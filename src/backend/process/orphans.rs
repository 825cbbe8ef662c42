//! Killed children that nobody waits for any more, because a runtime was shut down or a probe given up. They are reaped in
//! a thread that ends with the last of them.

use std::io;
use std::process::{Child, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::command::signal;
use super::exit_watcher::is_our_child;

/// What on_reaped how one ended.
pub(super) type OnReaped = Box<dyn FnOnce(io::Result<ExitStatus>) + Send + Sync>;

/// A child that was killed and not reaped yet.
pub(super) struct Orphan {
    pub(super) child: Child,
    /// Its id, which is that of its group.
    pub(super) leader: Pid,
    pub(super) on_reaped: Option<OnReaped>,
}

impl Orphan {
    fn notify(self, how: io::Result<ExitStatus>) {
        if let Some(on_reaped) = self.on_reaped {
            on_reaped(how);
        }
    }
}

struct Orphans {
    waiting: Vec<Orphan>,
    /// The process in which a thread reaps them. One that was forked from it has no such thread.
    reaper_process: Option<u32>,
}

static ORPHANS: Mutex<Orphans> = Mutex::new(Orphans { waiting: Vec::new(), reaper_process: None });

fn orphans() -> MutexGuard<'static, Orphans> {
    ORPHANS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sees to it that it is reaped.
pub(super) fn adopt(mut orphan: Orphan) {
    match orphan.child.try_wait().transpose() {
        Some(how) => orphan.notify(how),
        None => {
            orphans().waiting.push(orphan);
            ensure_reaper();
        }
    }
}

/// Begins to reap them if nobody does. To be called again and again: there may be no thread to be had for a while.
pub(super) fn ensure_reaper() {
    let mut orphans = orphans();
    let here = Some(std::process::id());
    if !orphans.waiting.is_empty() && orphans.reaper_process != here {
        let reaper = std::thread::Builder::new().name("reaper".to_owned()).spawn(reap);
        orphans.reaper_process = here.filter(|_| reaper.is_ok());
    }
}

/// Looks again and again, and waits for none: a single one may take as long as it likes, if it may not be killed or if a
/// debugger holds it. Nor is anybody kept from adopting meanwhile.
fn reap() {
    let mut pause = Duration::from_millis(1);
    loop {
        let mut left = Vec::new();
        let waiting = std::mem::take(&mut orphans().waiting);
        for mut orphan in waiting {
            // It may be one that could not be killed before, or that was not alone in its group.
            if is_our_child(orphan.leader) {
                let _ = signal(orphan.leader, Signal::KILL);
            }
            match orphan.child.try_wait().transpose() {
                Some(how) => orphan.notify(how),
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
    fn one_that_could_not_be_killed_before_is_killed_and_reaped() {
        let (tell, heard) = mpsc::channel();
        let child = Command::new("sleep").arg("1000").process_group(0).spawn().expect("it starts");
        let leader = Pid::from_raw(child.id().try_into().expect("an id")).expect("an id");
        let on_reaped: OnReaped = Box::new(move |how| tell.send(how).expect("it is heard"));
        adopt(Orphan { child, leader, on_reaped: Some(on_reaped) });
        let how = heard.recv_timeout(Duration::from_secs(60)).expect("it ends");
        assert!(!how.expect("it is ours").success());
    }
}
