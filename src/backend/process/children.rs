//! The processes of one set, and the news of them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::command::{self, PreparedSpec};

use super::stopped::is_stopped;
use crate::backend::{BackendError, Instance, InstanceKey};
use crate::decide::{Incarnation, Outcome, ReplicaId};
use crate::engine::{Ended, Event, InstanceState};
use crate::policy::Cause;

/// Ended replicas that a set remembers, beside those that live. The oldest are forgotten first.
const MAX_ENDED: usize = 10_000;

/// ChildId process of a set.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) struct ChildId {
    pub(super) replica: ReplicaId,
    pub(super) incarnation: Incarnation,
}

impl ChildId {
    pub(super) fn new(key: InstanceKey<'_>) -> Self {
        Self { replica: key.replica, incarnation: key.incarnation }
    }
}

#[derive(Debug)]
enum ChildState {
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
    pub(super) spec: Arc<PreparedSpec>,
    stopped: bool,
    /// Its stop command is under way.
    stop_command_claimed: bool,
}

/// How the latest incarnation of a replica ended.
#[derive(Debug)]
struct EndedChild {
    incarnation: Incarnation,
    outcome: Outcome,
    /// The group that it led.
    group: Option<Pid>,
    /// Its place in `State::order`.
    order: u64,
}

#[derive(Debug, Default)]
struct State {
    children: BTreeMap<ChildId, ChildState>,
    /// A repeated start does not run these again, and the next supervisor of the set numbers on from them.
    ended: BTreeMap<ReplicaId, EndedChild>,
    /// The keys of `ended`, oldest first.
    order: BTreeMap<u64, ReplicaId>,
    next_order: u64,
    watchers: Vec<UnboundedSender<Event>>,
}

impl State {
    /// Reports to whoever watches. What happens while nobody does is found by the list that follows a new watch.
    fn notify_watchers(&mut self, event: &Event) {
        self.watchers.retain(|watcher| watcher.send(event.clone()).is_ok());
    }

    fn remember_end(&mut self, id: ChildId, outcome: Outcome, group: Option<Pid>) {
        let ChildId { replica, incarnation } = id;
        // An earlier one may have taken longer.
        if self.ended.get(&replica).is_some_and(|ended_child| ended_child.incarnation >= incarnation) {
            return;
        }
        let order = self.next_order;
        self.next_order += 1;
        if let Some(ended_child) = self.ended.insert(replica, EndedChild { incarnation, outcome, group, order }) {
            self.order.remove(&ended_child.order);
        }
        self.order.insert(order, replica);
        while self.ended.len() > MAX_ENDED {
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
        state.children.is_empty() && state.watchers.iter().all(UnboundedSender::is_closed)
    }

    /// Makes reservation for a process that is to be started. `None`: it was started before, there is nothing to do.
    pub(super) fn reserve(self: &Arc<Self>, id: ChildId) -> Option<Reservation> {
        let mut state = self.state();
        let ended = state.ended.get(&id.replica);
        if state.children.contains_key(&id)
            || ended.is_some_and(|ended_child| ended_child.incarnation >= id.incarnation)
        {
            return None;
        }
        state.children.insert(id, ChildState::Starting);
        Some(Reservation { set: self.clone(), id })
    }

    /// A process that runs.
    pub(super) fn running(&self, id: ChildId) -> Option<Running> {
        match self.state().children.get(&id) {
            Some(ChildState::Running(running)) => Some(running.clone()),
            _ => None,
        }
    }

    /// The groups that earlier incarnations of this replica led: what is left of them is on its way out.
    pub(super) fn earlier_groups(&self, replica: ReplicaId) -> Vec<Pid> {
        let state = self.state();
        let first = ChildId { replica, incarnation: Incarnation(0) };
        let last = ChildId { replica, incarnation: Incarnation(u64::MAX) };
        let ending = state.children.range(first..=last).filter_map(|(_, child)| match child {
            ChildState::Ending(leader) => Some(*leader),
            _ => None,
        });
        ending.chain(state.ended.get(&replica).and_then(|ended_child| ended_child.group)).collect()
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
    pub(super) fn signal(&self, id: ChildId, signal: Signal) -> Result<(), BackendError> {
        let mut state = self.state();
        match state.children.get(&id) {
            Some(ChildState::Running(running)) => {
                command::signal(running.leader, signal)?;
                if signal != Signal::KILL {
                    // A stopped process does not act on a signal before it is continued; the others ignore this.
                    command::signal(running.leader, Signal::CONT)?;
                }
                Ok(())
            }
            Some(ChildState::Starting) => Err(BackendError::caused_by(Cause::Error, "it is still being started")),
            Some(ChildState::Ending(_)) => Ok(()),
            None => {
                state.notify_watchers(&Event::stopped(id.replica, id.incarnation));
                Ok(())
            }
        }
    }

    /// Whether a stop command is to be run now: there is one, and it does not run yet.
    pub(super) fn claim_stop_command(&self, id: ChildId) -> Option<Running> {
        match self.state().children.get_mut(&id) {
            Some(ChildState::Running(running)) if !running.stop_command_claimed => {
                running.stop_command_claimed = true;
                Some(running.clone())
            }
            _ => None,
        }
    }

    pub(super) fn list(&self) -> Vec<Instance> {
        let seen = |id: &ChildId, child: &ChildState| {
            let state = match child {
                ChildState::Starting => InstanceState::Starting,
                // What is stopped is out of contact, and so not to be seen.
                ChildState::Running(running) if running.stopped => return None,
                ChildState::Running(_) => InstanceState::Ready,
                ChildState::Ending(_) => InstanceState::Stopping,
            };
            Some(Instance::new(id.replica, id.incarnation, state).address("127.0.0.1"))
        };
        let state = self.state();
        let children = state.children.iter().filter_map(|(id, child)| seen(id, child));
        let ended = state.ended.iter().map(|(replica, ended_child)| {
            Instance::new(*replica, ended_child.incarnation, InstanceState::Ended(ended_child.outcome.clone()))
        });
        children.chain(ended).collect()
    }

    fn leaders(&self) -> Vec<(ChildId, Pid)> {
        let state = self.state();
        let running = state.children.iter().filter_map(|(id, child)| match child {
            ChildState::Running(running) => Some((*id, running.leader)),
            _ => None,
        });
        running.collect()
    }

    /// Reports processes that were stopped (SIGSTOP), which are out of contact until they are continued. Reads /proc for
    /// each process, so it is not for async code.
    pub(super) fn poll_stopped(&self) {
        let seen = self.leaders().into_iter().map(|(id, leader)| (id, leader, is_stopped(leader).unwrap_or(false)));
        let seen: Vec<_> = seen.collect();
        let mut state = self.state();
        let mut changed = Vec::new();
        for (id, leader, stopped) in seen {
            // A leader that still runs was not reaped meanwhile: its id was nobody else's.
            let Some(ChildState::Running(running)) = state.children.get_mut(&id) else { continue };
            if running.leader == leader && std::mem::replace(&mut running.stopped, stopped) != stopped {
                changed.push(if stopped {
                    Event::lost(id.replica, id.incarnation)
                } else {
                    Event::found(id.replica, id.incarnation)
                });
            }
        }
        for event in changed {
            state.notify_watchers(&event);
        }
    }

    pub(super) fn kill_all(&self) {
        let state = self.state();
        for child in state.children.values() {
            if let ChildState::Running(running) = child {
                let _ = command::signal(running.leader, Signal::KILL);
            }
        }
    }

    /// It runs, and is as ready as it will be: a process knows nothing of readiness.
    pub(super) fn set_running(&self, id: ChildId, leader: Pid, spec: Arc<PreparedSpec>) {
        let mut state = self.state();
        state
            .children
            .insert(id, ChildState::Running(Running { leader, spec, stopped: false, stop_command_claimed: false }));
        state.notify_watchers(&Event::started(id.replica, id.incarnation));
        state.notify_watchers(&Event::ready(id.replica, id.incarnation));
    }

    /// From now on its group is not signalled any more.
    pub(super) fn set_ending(&self, id: ChildId) {
        if let Some(child) = self.state().children.get_mut(&id) {
            if let ChildState::Running(running) = child {
                *child = ChildState::Ending(running.leader);
            }
        }
    }

    /// A process is gone, and that is reported.
    pub(super) fn set_ended(&self, id: ChildId, outcome: Outcome) {
        let mut state = self.state();
        let group = match state.children.remove(&id) {
            Some(ChildState::Ending(leader)) => Some(leader),
            _ => None,
        };
        let ChildId { replica, incarnation } = id;
        state.notify_watchers(&Event::Exited(Ended { replica, incarnation, outcome: outcome.clone() }));
        state.remember_end(id, outcome, group);
    }

    #[cfg(test)]
    fn entries(&self) -> usize {
        let state = self.state();
        state.children.len() + state.ended.len() + state.order.len() + state.watchers.len()
    }
}

/// Room for a process that is being started; given back unless there is one.
#[derive(Debug)]
pub(super) struct Reservation {
    pub(super) set: Arc<SetChildren>,
    pub(super) id: ChildId,
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut state = self.set.state();
        if matches!(state.children.get(&self.id), Some(ChildState::Starting)) {
            state.children.remove(&self.id);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Timestamp;

    fn id(replica: u32, incarnation: u64) -> ChildId {
        ChildId { replica: replica.into(), incarnation: incarnation.into() }
    }

    #[test]
    fn room_for_a_child_that_was_not_started_is_given_back() {
        let children = Arc::new(SetChildren::default());
        let reservation = children.reserve(id(0, 1)).expect("it is the first");
        assert!(children.reserve(id(0, 1)).is_none());
        drop(reservation);
        assert!(children.reserve(id(0, 1)).is_some());
    }

    #[test]
    fn an_earlier_incarnation_whose_end_is_told_late_does_not_hide_the_later_one() {
        let children = Arc::new(SetChildren::default());
        for incarnation in [2, 1] {
            children.set_ended(id(0, incarnation), Outcome::exited(1, Timestamp::ZERO));
        }
        let listed = children.list();
        assert_eq!(listed.iter().map(|it| it.incarnation.0).collect::<Vec<_>>(), [2]);
        assert!(children.reserve(id(0, 2)).is_none(), "it is not run again");
    }

    #[test]
    fn the_ended_are_remembered_up_to_a_number_and_the_latest_longest() {
        let children = Arc::new(SetChildren::default());
        for replica in 0..MAX_ENDED as u32 + 100 {
            children.set_ended(id(replica, 1), Outcome::exited(1, Timestamp::ZERO));
            children.set_ended(id(replica, 2), Outcome::exited(1, Timestamp::ZERO));
        }
        assert_eq!(children.entries(), 2 * MAX_ENDED);
        assert_eq!(children.list()[0].replica.0, 100);
    }

    #[test]
    fn watchers_that_have_gone_are_forgotten() {
        let children = SetChildren::default();
        for _ in 0..100 {
            drop(children.watch());
        }
        children.signal(id(0, 1), Signal::TERM).expect("it is gone");
        assert_eq!(children.entries(), 0);
        assert!(children.is_idle());
    }
}
