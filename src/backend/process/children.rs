//! The processes of one set, and the news of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::command::{self, Prepared};

use super::stopped::is_stopped;
use crate::backend::{BackendError, Instance, InstanceKey};
use crate::decide::{Incarnation, Outcome, ReplicaId};
use crate::engine::{Ended, Event, InstanceState};
use crate::policy::Cause;

/// Ended replicas that a set remembers, beside those that live. The oldest are forgotten first.
const MOST_ENDED: usize = 10_000;

/// Which process of a set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct Which {
    pub(super) replica: ReplicaId,
    pub(super) incarnation: Incarnation,
}

impl Which {
    pub(super) fn new(key: InstanceKey<'_>) -> Self {
        Self { replica: key.replica, incarnation: key.incarnation }
    }
}

#[derive(Debug)]
enum Life {
    /// It is being started: a repeated start has nothing to do.
    Starting,
    Running(Running),
    /// It has ended, what is left of its group was killed, and the group is signalled no more: once the leader is
    /// reaped, its id may be another's. Its end is about to be reported.
    Ending(Pid),
}

/// A process that runs.
#[derive(Clone, Debug)]
pub(super) struct Running {
    /// The process, which leads its group.
    pub(super) leader: Pid,
    pub(super) spec: Arc<Prepared>,
    stopped: bool,
    /// Its stop command is under way.
    stopping: bool,
}

/// How the latest incarnation of a replica ended.
#[derive(Debug)]
struct Past {
    incarnation: Incarnation,
    outcome: Outcome,
    /// The group that it led.
    group: Option<Pid>,
    /// Its place in `State::order`.
    order: u64,
}

#[derive(Debug, Default)]
struct State {
    lives: BTreeMap<Which, Life>,
    /// A repeated start does not run these again, and the next supervisor of the set numbers on from them.
    ended: BTreeMap<ReplicaId, Past>,
    /// The keys of `ended`, oldest first.
    order: BTreeMap<u64, ReplicaId>,
    next_order: u64,
    watchers: Vec<UnboundedSender<Event>>,
}

impl State {
    /// Reports to whoever watches. What happens while nobody does is found by the list that follows a new watch.
    fn tell(&mut self, event: &Event) {
        self.watchers.retain(|watcher| watcher.send(event.clone()).is_ok());
    }

    fn remember_end(&mut self, which: Which, outcome: Outcome, group: Option<Pid>) {
        let Which { replica, incarnation } = which;
        // An earlier one may have taken longer.
        if self.ended.get(&replica).is_some_and(|past| past.incarnation >= incarnation) {
            return;
        }
        let order = self.next_order;
        self.next_order += 1;
        if let Some(past) = self.ended.insert(replica, Past { incarnation, outcome, group, order }) {
            self.order.remove(&past.order);
        }
        self.order.insert(order, replica);
        while self.ended.len() > MOST_ENDED {
            let Some((_, oldest)) = self.order.pop_first() else { return };
            self.ended.remove(&oldest);
        }
    }
}

/// The processes of one set.
#[derive(Debug, Default)]
pub(super) struct SetChildren {
    state: Mutex<State>,
}

impl SetChildren {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds the lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether it has neither processes nor watchers.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.state();
        state.lives.is_empty() && state.watchers.iter().all(UnboundedSender::is_closed)
    }

    /// Makes room for a process that is to be started. `None`: it was started before, there is nothing to do.
    pub(super) fn reserve(self: &Arc<Self>, which: Which) -> Option<Reservation> {
        let mut state = self.state();
        let ended = state.ended.get(&which.replica);
        if state.lives.contains_key(&which) || ended.is_some_and(|past| past.incarnation >= which.incarnation) {
            return None;
        }
        state.lives.insert(which, Life::Starting);
        Some(Reservation { set: self.clone(), which })
    }

    /// A process that runs.
    pub(super) fn running(&self, which: Which) -> Option<Running> {
        match self.state().lives.get(&which) {
            Some(Life::Running(running)) => Some(running.clone()),
            _ => None,
        }
    }

    /// The groups that earlier incarnations of this replica led: what is left of them is on its way out.
    pub(super) fn earlier_groups(&self, replica: ReplicaId) -> Vec<Pid> {
        let state = self.state();
        let first = Which { replica, incarnation: Incarnation(0) };
        let last = Which { replica, incarnation: Incarnation(u64::MAX) };
        let ending = state.lives.range(first..=last).filter_map(|(_, life)| match life {
            Life::Ending(leader) => Some(*leader),
            _ => None,
        });
        ending.chain(state.ended.get(&replica).and_then(|past| past.group)).collect()
    }

    /// News from now on.
    pub(super) fn watch(&self) -> UnboundedReceiver<Event> {
        let (sender, receiver) = unbounded_channel();
        let mut state = self.state();
        state.watchers.retain(|watcher| !watcher.is_closed());
        state.watchers.push(sender);
        receiver
    }

    /// Signals a process and its group. The end of one that is gone is reported again.
    pub(super) fn signal(&self, which: Which, signal: Signal) -> Result<(), BackendError> {
        let mut state = self.state();
        match state.lives.get(&which) {
            Some(Life::Running(running)) => {
                command::signal(running.leader, signal)?;
                if signal != Signal::KILL {
                    // A stopped process does not act on a signal before it is continued; the others ignore this.
                    command::signal(running.leader, Signal::CONT)?;
                }
                Ok(())
            }
            Some(Life::Starting) => Err(BackendError::caused_by(Cause::Error, "it is still being started")),
            Some(Life::Ending(_)) => Ok(()),
            None => {
                state.tell(&Event::stopped(which.replica, which.incarnation));
                Ok(())
            }
        }
    }

    /// Whether a stop command is to be run now: there is one, and it does not run yet.
    pub(super) fn begin_stop_command(&self, which: Which) -> Option<Running> {
        match self.state().lives.get_mut(&which) {
            Some(Life::Running(running)) if !running.stopping => {
                running.stopping = true;
                Some(running.clone())
            }
            _ => None,
        }
    }

    pub(super) fn list(&self) -> Vec<Instance> {
        let seen = |which: &Which, life: &Life| {
            let state = match life {
                Life::Starting => InstanceState::Starting,
                // What is stopped is out of contact, and so not to be seen.
                Life::Running(running) if running.stopped => return None,
                Life::Running(_) => InstanceState::Ready,
                Life::Ending(_) => InstanceState::Stopping,
            };
            Some(Instance::new(which.replica, which.incarnation, state).address("127.0.0.1"))
        };
        let state = self.state();
        let lives = state.lives.iter().filter_map(|(which, life)| seen(which, life));
        let ended = state.ended.iter().map(|(replica, past)| {
            Instance::new(*replica, past.incarnation, InstanceState::Ended(past.outcome.clone()))
        });
        lives.chain(ended).collect()
    }

    fn leaders(&self) -> Vec<(Which, Pid)> {
        let state = self.state();
        let running = state.lives.iter().filter_map(|(which, life)| match life {
            Life::Running(running) => Some((*which, running.leader)),
            _ => None,
        });
        running.collect()
    }

    /// Reports processes that were stopped (SIGSTOP), which are out of contact until they are continued. Reads /proc for
    /// each process, so it is not for async code.
    pub(super) fn look_for_stopped(&self) {
        let seen =
            self.leaders().into_iter().map(|(which, leader)| (which, leader, is_stopped(leader).unwrap_or(false)));
        let seen: Vec<_> = seen.collect();
        let mut state = self.state();
        let mut changed = Vec::new();
        for (which, leader, stopped) in seen {
            // A leader that still runs was not reaped meanwhile: its id was nobody else's.
            let Some(Life::Running(running)) = state.lives.get_mut(&which) else { continue };
            if running.leader == leader && std::mem::replace(&mut running.stopped, stopped) != stopped {
                changed.push(if stopped {
                    Event::lost(which.replica, which.incarnation)
                } else {
                    Event::found(which.replica, which.incarnation)
                });
            }
        }
        for event in changed {
            state.tell(&event);
        }
    }

    pub(super) fn kill_all(&self) {
        let state = self.state();
        for life in state.lives.values() {
            if let Life::Running(running) = life {
                let _ = command::signal(running.leader, Signal::KILL);
            }
        }
    }

    /// It runs, and is as ready as it will be: a process knows nothing of readiness.
    pub(super) fn runs(&self, which: Which, leader: Pid, spec: Arc<Prepared>) {
        let mut state = self.state();
        state.lives.insert(which, Life::Running(Running { leader, spec, stopped: false, stopping: false }));
        state.tell(&Event::started(which.replica, which.incarnation));
        state.tell(&Event::ready(which.replica, which.incarnation));
    }

    /// From now on its group is not signalled any more.
    pub(super) fn ends(&self, which: Which) {
        if let Some(life) = self.state().lives.get_mut(&which) {
            if let Life::Running(running) = life {
                *life = Life::Ending(running.leader);
            }
        }
    }

    /// A process is gone, and that is reported.
    pub(super) fn ended(&self, which: Which, outcome: Outcome) {
        let mut state = self.state();
        let group = match state.lives.remove(&which) {
            Some(Life::Ending(leader)) => Some(leader),
            _ => None,
        };
        let Which { replica, incarnation } = which;
        state.tell(&Event::Exited(Ended { replica, incarnation, outcome: outcome.clone() }));
        state.remember_end(which, outcome, group);
    }

    #[cfg(test)]
    fn entries(&self) -> usize {
        let state = self.state();
        state.lives.len() + state.ended.len() + state.order.len() + state.watchers.len()
    }
}

/// Room for a process that is being started; given back unless there is one.
#[derive(Debug)]
pub(super) struct Reservation {
    pub(super) set: Arc<SetChildren>,
    pub(super) which: Which,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.set.state();
        if matches!(state.lives.get(&self.which), Some(Life::Starting)) {
            state.lives.remove(&self.which);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn which(replica: u32, incarnation: u64) -> Which {
        Which { replica: replica.into(), incarnation: incarnation.into() }
    }

    #[test]
    fn room_for_a_child_that_was_not_started_is_given_back() {
        let children = Arc::new(SetChildren::default());
        let room = children.reserve(which(0, 1)).expect("it is the first");
        assert!(children.reserve(which(0, 1)).is_none());
        drop(room);
        assert!(children.reserve(which(0, 1)).is_some());
    }

    #[test]
    fn an_earlier_incarnation_whose_end_is_told_late_does_not_hide_the_later_one() {
        let children = Arc::new(SetChildren::default());
        for incarnation in [2, 1] {
            children.ended(which(0, incarnation), Outcome::exited(1, Timestamp::ZERO));
        }
        let listed = children.list();
        assert_eq!(listed.iter().map(|it| it.incarnation.0).collect::<Vec<_>>(), [2]);
        assert!(children.reserve(which(0, 2)).is_none(), "it is not run again");
    }

    #[test]
    fn the_ended_are_remembered_up_to_a_number_and_the_latest_longest() {
        let children = Arc::new(SetChildren::default());
        for replica in 0..MOST_ENDED as u32 + 100 {
            children.ended(which(replica, 1), Outcome::exited(1, Timestamp::ZERO));
            children.ended(which(replica, 2), Outcome::exited(1, Timestamp::ZERO));
        }
        assert_eq!(children.entries(), 2 * MOST_ENDED);
        assert_eq!(children.list()[0].replica.0, 100);
    }

    #[test]
    fn watchers_that_have_gone_are_forgotten() {
        let children = SetChildren::default();
        for _ in 0..100 {
            drop(children.watch());
        }
        children.signal(which(0, 1), Signal::TERM).expect("it is gone");
        assert_eq!(children.entries(), 0);
        assert!(children.is_idle());
    }
}
