//! Killed children that nobody waits for any more, because a runtime was shut down or a probe given up. They are reaped in
//! a thread that ends with the last of them.

use std::io;
use std::process::{Child, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

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
    if let Some(how) = child.try_wait().transpose() {
        orphan.ended(how);
        return;
    }
    let mut orphans = orphans();
    orphans.waiting.push((child, orphan));
    let here = Some(std::process::id());
    if orphans.reaped_in != here {
        // Where there is no thread to be had, they wait for the next that is adopted.
        let reaper = std::thread::Builder::new().name("reaper".to_owned()).spawn(reap);
        orphans.reaped_in = here.filter(|_| reaper.is_ok());
    }
}

/// Looks again and again, and waits for none: a single one may take as long as it likes, if it may not be killed or if a
/// debugger holds it.
fn reap() {
    let mut pause = Duration::from_millis(1);
    loop {
        let mut ended = Vec::new();
        let mut orphans = orphans();
        for (mut child, orphan) in std::mem::take(&mut orphans.waiting) {
            match child.try_wait().transpose() {
                Some(how) => ended.push((orphan, how)),
                None => orphans.waiting.push((child, orphan)),
            }
        }
        let all = orphans.waiting.is_empty();
        if all {
            orphans.reaped_in = None;
        }
        drop(orphans);
        ended.into_iter().for_each(|(orphan, how)| orphan.ended(how));
        if all {
            return;
        }
        std::thread::sleep(pause);
        pause = (2 * pause).min(Duration::from_millis(64));
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;
    use std::sync::mpsc;

    use super::*;

    /// A child that ends when its input does.
    fn reading() -> Child {
        Command::new("cat").stdin(std::process::Stdio::piped()).spawn().expect("it starts")
    }

    #[test]
    fn one_that_lives_on_keeps_none_from_being_reaped() {
        let (tell, heard) = mpsc::channel();
        let hears = |name: &'static str| {
            let tell = tell.clone();
            Orphan::heard_by(move |how| tell.send((name, how.expect("it is ours").success())).expect("it is heard"))
        };
        let (mut lives_on, mut ends) = (reading(), reading());
        let input = lives_on.stdin.take();
        adopt(lives_on, hears("lives on"));
        drop(ends.stdin.take());
        adopt(ends, hears("ends"));
        assert_eq!(heard.recv(), Ok(("ends", true)));
        drop(input);
        assert_eq!(heard.recv(), Ok(("lives on", true)));
    }
}
