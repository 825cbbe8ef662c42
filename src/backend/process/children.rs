//! The processes that were started, and the news of them.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::process::Child;
use tokio::sync::Mutex as AsyncMutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::command::signal_group;
use super::spec::ProcessSpec;
use super::stopped::is_stopped;
use crate::backend::{BackendError, Instance, InstanceKey};
use crate::decide::{Incarnation, Outcome, ReplicaId};
use crate::engine::{Ended, Event, InstanceState};
use crate::policy::Signal as ExitSignal;
use crate::time::Timestamp;

/// Which child.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Key {
    set: String,
    replica: ReplicaId,
    incarnation: Incarnation,
}

impl Key {
    pub(super) fn new(key: InstanceKey<'_>) -> Self {
        Self { set: key.set.to_owned(), replica: key.replica, incarnation: key.incarnation }
    }
}

#[derive(Debug)]
struct Running {
    /// The process, which leads its group.
    leader: Pid,
    spec: Arc<ProcessSpec>,
    stopped: bool,
}

/// News of one set, kept while nobody watches.
#[derive(Debug)]
struct News {
    sender: UnboundedSender<Event>,
    receiver: Arc<AsyncMutex<UnboundedReceiver<Event>>>,
}

#[derive(Debug, Default)]
struct State {
    running: BTreeMap<Key, Running>,
    news: BTreeMap<String, News>,
}

impl State {
    fn news_of(&mut self, set: &str) -> &News {
        self.news.entry(set.to_owned()).or_insert_with(|| {
            let (sender, receiver) = unbounded_channel();
            News { sender, receiver: Arc::new(AsyncMutex::new(receiver)) }
        })
    }

    fn tell(&mut self, set: &str, event: Event) {
        // The receiver lives as long as the sender: both are kept here.
        let _ = self.news_of(set).sender.send(event);
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Children {
    state: Arc<Mutex<State>>,
}

impl Children {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn has(&self, key: &Key) -> bool {
        self.state().running.contains_key(key)
    }

    pub(super) fn spec(&self, key: &Key) -> Option<Arc<ProcessSpec>> {
        self.state().running.get(key).map(|running| running.spec.clone())
    }

    pub(super) fn news_of(&self, set: &str) -> Arc<AsyncMutex<UnboundedReceiver<Event>>> {
        self.state().news_of(set).receiver.clone()
    }

    /// Takes charge of a child: it runs, and its end will be told.
    pub(super) fn watch_over(&self, key: Key, mut child: Child, spec: ProcessSpec) -> Result<(), BackendError> {
        let leader = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let leader = leader.ok_or_else(|| BackendError::start_error("it ended before it could be watched"))?;
        {
            let mut state = self.state();
            state.running.insert(key.clone(), Running { leader, spec: Arc::new(spec), stopped: false });
            let (replica, incarnation) = (key.replica, key.incarnation);
            state.tell(&key.set, Event::started(replica, incarnation));
            state.tell(&key.set, Event::ready(replica, incarnation));
        }
        let children = self.clone();
        tokio::spawn(async move {
            let ended = child.wait().await;
            // No grandchild of this incarnation lives into the next. Its group cannot have been taken by another
            // while a member lives, and where none does there is nothing to kill.
            bury_group(leader).await;
            let mut state = children.state();
            state.running.remove(&key);
            let outcome = outcome_of(ended);
            let (replica, incarnation) = (key.replica, key.incarnation);
            state.tell(&key.set, Event::Exited(Ended { replica, incarnation, outcome }));
        });
        Ok(())
    }

    /// Signals a child's group. One that is gone is told again.
    pub(super) fn signal(&self, key: &Key, signal: Signal) -> Result<(), BackendError> {
        let mut state = self.state();
        match state.running.get(key) {
            Some(running) => {
                let group = running.leader;
                if running.stopped {
                    // A stopped process does not act on SIGTERM before it is continued.
                    signal_group(group, Signal::CONT)?;
                }
                signal_group(group, signal)
            }
            None => {
                state.tell(&key.set, Event::stopped(key.replica, key.incarnation));
                Ok(())
            }
        }
    }

    pub(super) fn list(&self, set: &str) -> Vec<Instance> {
        let state = self.state();
        // What is stopped is out of contact, and so not to be seen.
        let seen = state.running.iter().filter(|(key, running)| key.set == set && !running.stopped);
        seen.map(|(key, _)| Instance::new(key.replica, key.incarnation, InstanceState::Ready).address("127.0.0.1"))
            .collect()
    }

    /// A process that is stopped is out of contact, until it is continued.
    pub(super) fn look_for_stopped(&self, set: &str) {
        let mut state = self.state();
        let mut changed = Vec::new();
        for (key, running) in state.running.iter_mut().filter(|(key, _)| key.set == set) {
            let stopped = is_stopped(running.leader).unwrap_or(false);
            if std::mem::replace(&mut running.stopped, stopped) != stopped {
                let (replica, incarnation) = (key.replica, key.incarnation);
                changed.push(if stopped {
                    Event::lost(replica, incarnation)
                } else {
                    Event::found(replica, incarnation)
                });
            }
        }
        for event in changed {
            state.tell(set, event);
        }
    }
}

impl Drop for Children {
    /// The last owner besides the watchers of children takes them along.
    fn drop(&mut self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if Arc::strong_count(&self.state) <= state.running.len() + 1 {
            for running in std::mem::take(&mut state.running).into_values() {
                let _ = signal_group(running.leader, Signal::KILL);
            }
        }
    }
}

/// Kills what is left of a group whose leader is dead, and waits a moment until it is gone: the next incarnation is
/// not to meet the last one's children. Dead ones that nobody reaps are not waited for longer.
async fn bury_group(group: Pid) {
    for pause in [1, 2, 4, 8, 16, 32, 64] {
        if kill_process_group(group, Signal::KILL).is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(pause)).await;
    }
}

fn outcome_of(ended: std::io::Result<ExitStatus>) -> Outcome {
    let at = Timestamp::MAX;
    match ended {
        Ok(status) => {
            match (status.code(), status.signal().and_then(|signal| ExitSignal::from_number(signal.into()))) {
                (Some(code), _) => Outcome::exited(code, at),
                (None, Some(signal)) => Outcome::signalled(signal, at),
                (None, None) => Outcome::failed(crate::policy::Cause::Error, at).because(status.to_string()),
            }
        }
        Err(error) => Outcome::failed(crate::policy::Cause::Error, at).because(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::Exit;

    #[test]
    fn an_exit_status_is_a_code_or_a_signal() {
        let exited = outcome_of(Ok(ExitStatus::from_raw(3 << 8)));
        assert_eq!(exited.exit_status(), Some(Exit::Code(3)));
        let killed = outcome_of(Ok(ExitStatus::from_raw(9)));
        assert_eq!(killed.exit_status(), Some(Exit::Signal(ExitSignal::KILL)));
    }
}
