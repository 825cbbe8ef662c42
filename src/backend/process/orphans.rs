//! Killed children that nobody waits for any more, because a runtime was shut down or a probe given up. They are reaped in
//! a thread that ends with the last of them.

use std::io;
use std::process::{Child, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal};

use super::command::signal;
use super::exited::is_ours;

/// Who hears of the end of one, if anybody.
#[derive(Default)]
pub(super) struct Orphan(Option<Box<dyn FnOnce(io::Result<ExitStatus>) + Send + Sync>>);

impl Orphan {
    pub(super) fn heard_by(hears: impl FnOnce(io::Result<ExitStatus>) + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(hears)))
    }

    fn ended(self, how: io::Result<ExitStatus>) {
        if let Some(hears) = self.0 {
            hears(how);
        }
    }
}

impl std::fmt::Debug for Orphan {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Orphan").field(&self.0.is_some()).finish()
    }
}

struct Orphans {
    waiting: Vec<(Child, Orphan)>,
    /// The process in which a thread reaps them. One that was forked from it has no such thread.
    reaped_in: Option<u32>,
}

static ORPHANS: Mutex<Orphans> = Mutex::new(Orphans { waiting: Vec::new(), reaped_in: None });

fn orphans() -> MutexGuard<'static, Orphans> {
    ORPHANS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sees to it that a child, which was killed, is reaped.
pub(super) fn adopt(mut child: Child, orphan: Orphan) {
    match child.try_wait().transpose() {
        Some(how) => orphan.ended(how),
        None => {
            orphans().waiting.push((child, orphan));
            see_to_them();
        }
    }
}

/// Begins to reap them if nobody does. To be called again and again: there may be no thread to be had for a while.
pub(super) fn see_to_them() {
    let mut orphans = orphans();
    let here = Some(std::process::id());
    if !orphans.waiting.is_empty() && orphans.reaped_in != here {
        let reaper = std::thread::Builder::new().name("reaper".to_owned()).spawn(reap);
        orphans.reaped_in = here.filter(|_| reaper.is_ok());
    }
}

/// Looks again and again, and waits for none: a single one may take as long as it likes, if it may not be killed or if a
/// debugger holds it. Nor is anybody kept from adopting meanwhile.
fn reap() {
    let mut pause = Duration::from_millis(1);
    loop {
        let (mut ended, mut left) = (Vec::new(), Vec::new());
        let waiting = std::mem::take(&mut orphans().waiting);
        for (mut child, orphan) in waiting {
            // It may be one that could not be killed before, or that was not alone in its group.
            let ours = i32::try_from(child.id()).ok().and_then(Pid::from_raw).filter(|leader| is_ours(*leader));
            let _ = ours.map(|leader| signal(leader, Signal::KILL));
            match child.try_wait().transpose() {
                Some(how) => ended.push((orphan, how)),
                None => left.push((child, orphan)),
            }
        }
        ended.into_iter().for_each(|(orphan, how)| orphan.ended(how));
        let mut orphans = orphans();
        orphans.waiting.append(&mut left);
        if orphans.waiting.is_empty() {
            orphans.reaped_in = None;
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
        for _ in 0..3 {
            let child = Command::new("sleep").arg("1000").process_group(0).spawn().expect("it starts");
            let tell = tell.clone();
            adopt(child, Orphan::heard_by(move |how| tell.send(how.expect("it is ours")).expect("it is heard")));
        }
        drop(tell);
        let heard: Vec<_> = heard.into_iter().collect();
        assert_eq!((heard.len(), heard.iter().any(ExitStatus::success)), (3, false));
    }
}
