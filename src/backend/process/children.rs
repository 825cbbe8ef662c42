//! The processes that were started, and the news of them.

use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use tokio::sync::Mutex as AsyncMutex;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::child::Child;
use super::command;
use super::output::Forwarding;
use super::spec::ProcessSpec;
use super::stopped::is_stopped;
use crate::backend::{BackendError, Instance, InstanceKey};
use crate::decide::{Incarnation, Outcome, ReplicaId};
use crate::engine::{Ended, Event, InstanceState};
use crate::policy::{Cause, Signal as ExitSignal};
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
enum Life {
    /// It is being started: a repeated start has nothing to do.
    Starting,
    Running(Running),
    /// It has ended, what is left of its group was killed, and nobody signals that group any more: once it is reaped,
    /// its id may be another's. Its end is about to be told.
    Ending,
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
    lives: BTreeMap<Key, Life>,
    /// How the latest incarnation of each replica ended: a repeated start does not run it again, and whoever
    /// supervises the set next numbers on from it.
    ended: BTreeMap<(String, ReplicaId), (Incarnation, Outcome)>,
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

    /// A child is gone, and that is told.
    fn ended(&mut self, key: Key, outcome: Outcome) {
        self.lives.remove(&key);
        let Key { set, replica, incarnation } = key;
        let exited = Event::Exited(Ended { replica, incarnation, outcome: outcome.clone() });
        self.tell(&set, exited);
        let replica = (set, replica);
        // An earlier one may have taken longer.
        if self.ended.get(&replica).is_none_or(|(latest, _)| *latest < incarnation) {
            self.ended.insert(replica, (incarnation, outcome));
        }
    }

    fn running(&self) -> impl Iterator<Item = &Running> {
        self.lives.values().filter_map(|life| if let Life::Running(running) = life { Some(running) } else { None })
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    // Nothing that holds the lock can leave the state half changed.
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All children of a backend. On drop they are killed; the tasks that watch over them own only the state.
#[derive(Debug, Default)]
pub(super) struct Children {
    state: Arc<Mutex<State>>,
}

impl Drop for Children {
    fn drop(&mut self) {
        for running in lock(&self.state).running() {
            let _ = command::signal(running.leader, Signal::KILL);
        }
    }
}

impl Children {
    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }

    /// Makes room for a child that is to be started. `None`: it was started before, there is nothing to do.
    pub(super) fn reserve(&self, key: Key) -> Option<Room<'_>> {
        let mut state = self.state();
        let ended = state.ended.get(&(key.set.clone(), key.replica));
        if state.lives.contains_key(&key) || ended.is_some_and(|(latest, _)| *latest >= key.incarnation) {
            return None;
        }
        state.lives.insert(key.clone(), Life::Starting);
        Some(Room { children: self, key })
    }

    pub(super) fn spec(&self, key: &Key) -> Option<Arc<ProcessSpec>> {
        match self.state().lives.get(key) {
            Some(Life::Running(running)) => Some(running.spec.clone()),
            _ => None,
        }
    }

    pub(super) fn news_of(&self, set: &str) -> Arc<AsyncMutex<UnboundedReceiver<Event>>> {
        self.state().news_of(set).receiver.clone()
    }

    /// Signals a child's group. The end of one that is gone is told again.
    pub(super) fn signal(&self, key: &Key, signal: Signal) -> Result<(), BackendError> {
        let mut state = self.state();
        match state.lives.get(key) {
            Some(Life::Running(running)) => {
                command::signal(running.leader, signal)?;
                if signal != Signal::KILL && is_stopped(running.leader) == Some(true) {
                    // A stopped process does not act on a signal before it is continued.
                    command::signal(running.leader, Signal::CONT)?;
                }
                Ok(())
            }
            Some(Life::Starting) => Err(BackendError::caused_by(Cause::Error, "it is still being started")),
            Some(Life::Ending) => Ok(()),
            None => {
                state.tell(&key.set, Event::stopped(key.replica, key.incarnation));
                Ok(())
            }
        }
    }

    pub(super) fn list(&self, set: &str) -> Vec<Instance> {
        let seen = |key: &Key, life: &Life| {
            let state = match life {
                Life::Starting => InstanceState::Starting,
                // What is stopped is out of contact, and so not to be seen.
                Life::Running(running) if running.stopped => return None,
                Life::Running(_) => InstanceState::Ready,
                Life::Ending => InstanceState::Stopping,
            };
            Some(Instance::new(key.replica, key.incarnation, state).address("127.0.0.1"))
        };
        let state = self.state();
        let lives = state.lives.iter().filter(|(key, _)| key.set == set).filter_map(|(key, life)| seen(key, life));
        let ended =
            state.ended.iter().filter(|((of, _), _)| of == set).map(|((_, replica), (incarnation, outcome))| {
                Instance::new(*replica, *incarnation, InstanceState::Ended(outcome.clone()))
            });
        lives.chain(ended).collect()
    }

    /// A process that is stopped is out of contact, until it is continued.
    pub(super) fn look_for_stopped(&self, set: &str) {
        let mut state = self.state();
        let mut changed = Vec::new();
        for (key, life) in state.lives.iter_mut().filter(|(key, _)| key.set == set) {
            let Life::Running(running) = life else { continue };
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

/// Room for a child that is being started; given back unless there is one.
pub(super) struct Room<'a> {
    children: &'a Children,
    key: Key,
}

impl Room<'_> {
    /// Takes charge of a child: it runs, and its end will be told.
    pub(super) fn watch_over(self, child: Child, spec: ProcessSpec, output: Forwarding) {
        let (key, leader) = (self.key.clone(), child.leader());
        {
            let mut state = self.children.state();
            state.lives.insert(key.clone(), Life::Running(Running { leader, spec: Arc::new(spec), stopped: false }));
            let (replica, incarnation) = (key.replica, key.incarnation);
            state.tell(&key.set, Event::started(replica, incarnation));
            state.tell(&key.set, Event::ready(replica, incarnation));
        }
        let watched = Watched { state: self.children.state.clone(), key, child, outcome: None };
        tokio::spawn(watched.follow(output));
    }
}

impl Drop for Room<'_> {
    fn drop(&mut self) {
        let mut state = self.children.state();
        if matches!(state.lives.get(&self.key), Some(Life::Starting)) {
            state.lives.remove(&self.key);
        }
    }
}

/// A child that a task watches over. Its end is told when that is done, and also if the task ends before the child does,
/// because its runtime is shut down: then the child is killed.
struct Watched {
    state: Arc<Mutex<State>>,
    key: Key,
    child: Child,
    /// How it ended, once it is reaped.
    outcome: Option<Outcome>,
}

impl Watched {
    async fn follow(mut self, output: Forwarding) {
        self.child.ended().await;
        self.bury();
        self.outcome = Some(outcome_of(self.child.reap().await));
        until_gone(self.child.leader()).await;
        output.finish().await;
    }

    /// Kills what is left of the group, for the last time: no grandchild of one incarnation lives into the next. The
    /// leader, which has ended, must not have been reaped.
    fn bury(&self) {
        self.nobody_signals();
        let _ = kill_process_group(self.child.leader(), Signal::KILL);
    }

    /// From now on nobody else signals the group.
    fn nobody_signals(&self) {
        if let Some(life) = lock(&self.state).lives.get_mut(&self.key) {
            *life = Life::Ending;
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.nobody_signals();
        let (state, key) = (self.state.clone(), self.key.clone());
        match self.outcome.take() {
            Some(outcome) => lock(&state).ended(key, outcome),
            None => self.child.when_orphaned(move |ended| lock(&state).ended(key, outcome_of(ended))),
        }
    }
}

/// Waits a moment until nobody is left of a group that was killed: the next incarnation is not to meet the last one's
/// children. Dead ones that nobody reaps are not waited for longer.
async fn until_gone(group: Pid) {
    for pause in [1, 2, 4, 8, 16, 32, 64] {
        if test_kill_process_group(group).is_err() {
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
                (None, None) => Outcome::failed(Cause::Error, at).because(status.to_string()),
            }
        }
        Err(error) => Outcome::failed(Cause::Error, at).because(error.to_string()),
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

    fn key(incarnation: u64) -> Key {
        Key::new(InstanceKey::new("set", 0.into(), incarnation.into()))
    }

    #[test]
    fn room_for_a_child_that_was_not_started_is_given_back() {
        let children = Children::default();
        let room = children.reserve(key(1)).expect("it is the first");
        assert!(children.reserve(key(1)).is_none());
        drop(room);
        assert!(children.reserve(key(1)).is_some());
    }

    #[test]
    fn an_earlier_incarnation_whose_end_is_told_late_does_not_hide_the_later_one() {
        let children = Children::default();
        for incarnation in [2, 1] {
            children.state().ended(key(incarnation), Outcome::exited(1, Timestamp::ZERO));
        }
        let listed = children.list("set");
        assert_eq!(listed.iter().map(|it| it.incarnation.0).collect::<Vec<_>>(), [2]);
        assert!(children.reserve(key(2)).is_none(), "it is not run again");
    }
}
