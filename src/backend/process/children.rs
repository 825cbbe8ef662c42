//! The processes of one set, and the events about them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::process::{Pid, Signal};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::command::PreparedSpec;
use super::signal::signal_group;
use super::stopped::is_stopped;
use crate::backend::{BackendError, Instance};
use crate::decide::{Incarnation, InstanceId, Outcome, ReplicaId};
use crate::engine::{Ended, Event, InstanceState};
use crate::policy::Cause;

/// Ended replicas that are remembered per set, beside the live ones. The oldest are forgotten first.
const MAX_ENDED: usize = 10_000;

#[derive(Debug)]
enum ChildState {
    /// Being spawned; a repeated start does nothing.
    Starting,
    Running(Running),
    /// The leader has exited and its group was killed. The group is not signalled again, because its id can be reused
    /// once the leader is reaped.
    Ending(Pid),
}

/// A running process.
#[derive(Clone, Debug)]
pub(super) struct Running {
    /// The process, which is the leader of its group.
    pub(super) leader: Pid,
    pub(super) spec: Arc<PreparedSpec>,
    /// Stopped by SIGSTOP at the last poll.
    stopped: bool,
    /// Its stop command has been started.
    stop_command_claimed: bool,
}

/// How the latest incarnation of a replica ended.
#[derive(Debug)]
struct EndedChild {
    incarnation: Incarnation,
    outcome: Outcome,
    /// Its process group.
    group: Option<Pid>,
    /// Its key in `State::order`.
    order: u64,
}

#[derive(Debug, Default)]
struct State {
    children: BTreeMap<InstanceId, ChildState>,
    /// Kept so that a repeated start does not run them again, and so that a later supervisor continues their numbers.
    ended: BTreeMap<ReplicaId, EndedChild>,
    /// The keys of `ended`, oldest first.
    order: BTreeMap<u64, ReplicaId>,
    next_order: u64,
    watchers: Vec<UnboundedSender<Event>>,
}

impl State {
    /// Sends an event to all watchers. Without one it is lost; the list that follows a new watch makes up for that.
    fn notify_watchers(&mut self, event: &Event) {
        self.watchers.retain(|watcher| watcher.send(event.clone()).is_ok());
    }

    fn remember_end(&mut self, id: InstanceId, outcome: Outcome, group: Option<Pid>) {
        let InstanceId { replica, incarnation } = id;
        // The end of an earlier incarnation may be reported later.
        if self.ended.get(&replica).is_some_and(|ended| ended.incarnation >= incarnation) {
            return;
        }
        let order = self.next_order;
        self.next_order += 1;
        if let Some(ended) = self.ended.insert(replica, EndedChild { incarnation, outcome, group, order }) {
            self.order.remove(&ended.order);
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
        // No code that holds the lock can panic between dependent changes.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns whether the set has neither processes nor watchers.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.state();
        state.children.is_empty() && state.watchers.iter().all(UnboundedSender::is_closed)
    }

    /// Reserves the id of a process that is to be spawned. Returns `None` if it was started before.
    pub(super) fn reserve(self: &Arc<Self>, id: InstanceId) -> Option<Reservation> {
        let mut state = self.state();
        let ended = state.ended.get(&id.replica);
        if state.children.contains_key(&id) || ended.is_some_and(|ended| ended.incarnation >= id.incarnation) {
            return None;
        }
        state.children.insert(id, ChildState::Starting);
        Some(Reservation { set: self.clone(), id })
    }

    pub(super) fn running(&self, id: InstanceId) -> Option<Running> {
        match self.state().children.get(&id) {
            Some(ChildState::Running(running)) => Some(running.clone()),
            _ => None,
        }
    }

    /// Returns the process groups of the replica's earlier incarnations, whose last processes may still be exiting.
    pub(super) fn earlier_groups(&self, replica: ReplicaId) -> Vec<Pid> {
        let state = self.state();
        let ending = state.children.range(InstanceId::all_of(replica)).filter_map(|(_, child)| match child {
            ChildState::Ending(leader) => Some(*leader),
            _ => None,
        });
        ending.chain(state.ended.get(&replica).and_then(|ended| ended.group)).collect()
    }

    /// Returns a receiver of all events from now on.
    pub(super) fn watch(&self) -> UnboundedReceiver<Event> {
        let (sender, receiver) = unbounded_channel();
        let mut state = self.state();
        state.watchers.retain(|watcher| !watcher.is_closed());
        state.watchers.push(sender);
        receiver
    }

    /// Signals a process and its group. For a process that is not known, its end is reported again.
    pub(super) fn signal(&self, id: InstanceId, signal: Signal) -> Result<(), BackendError> {
        let mut state = self.state();
        match state.children.get(&id) {
            Some(ChildState::Running(running)) => {
                signal_group(running.leader, signal)?;
                if signal != Signal::KILL {
                    // A process that is stopped by SIGSTOP handles signals only once it is continued.
                    signal_group(running.leader, Signal::CONT)?;
                }
                Ok(())
            }
            Some(ChildState::Starting) => {
                Err(BackendError::caused_by(Cause::Error, "the process is still being started"))
            }
            Some(ChildState::Ending(_)) => Ok(()),
            None => {
                state.notify_watchers(&Event::stopped(id));
                Ok(())
            }
        }
    }

    /// Marks the stop command as started. Returns `None` if it was before, or if the process does not run.
    pub(super) fn claim_stop_command(&self, id: InstanceId) -> Option<Running> {
        match self.state().children.get_mut(&id) {
            Some(ChildState::Running(running)) if !running.stop_command_claimed => {
                running.stop_command_claimed = true;
                Some(running.clone())
            }
            _ => None,
        }
    }

    pub(super) fn list(&self) -> Vec<Instance> {
        let seen = |id: &InstanceId, child: &ChildState| {
            let state = match child {
                ChildState::Starting => InstanceState::Starting,
                // A process stopped by SIGSTOP is out of contact and therefore not listed.
                ChildState::Running(running) if running.stopped => return None,
                ChildState::Running(_) => InstanceState::Ready,
                ChildState::Ending(_) => InstanceState::Stopping,
            };
            Some(Instance::new(*id, state).address("127.0.0.1"))
        };
        let state = self.state();
        let children = state.children.iter().filter_map(|(id, child)| seen(id, child));
        let ended = state.ended.iter().map(|(replica, ended)| {
            Instance::new((*replica, ended.incarnation), InstanceState::Ended(ended.outcome.clone()))
        });
        children.chain(ended).collect()
    }

    fn leaders(&self) -> Vec<(InstanceId, Pid)> {
        let state = self.state();
        let running = state.children.iter().filter_map(|(id, child)| match child {
            ChildState::Running(running) => Some((*id, running.leader)),
            _ => None,
        });
        running.collect()
    }

    /// Reports processes as out of contact while they are stopped by SIGSTOP. Blocks: reads /proc for each process.
    pub(super) fn poll_stopped(&self) {
        let seen = self.leaders().into_iter().map(|(id, leader)| (id, leader, is_stopped(leader).unwrap_or(false)));
        let seen: Vec<_> = seen.collect();
        let mut state = self.state();
        let mut changed = Vec::new();
        for (id, leader, stopped) in seen {
            // A leader that is still running was not reaped meanwhile, so its id was not reused.
            let Some(ChildState::Running(running)) = state.children.get_mut(&id) else { continue };
            if running.leader == leader && std::mem::replace(&mut running.stopped, stopped) != stopped {
                changed.push(if stopped { Event::lost(id) } else { Event::found(id) });
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
                let _ = signal_group(running.leader, Signal::KILL);
            }
        }
    }

    /// Marks a process as running and reports it ready, since processes have no notion of readiness.
    pub(super) fn set_running(&self, id: InstanceId, leader: Pid, spec: Arc<PreparedSpec>) {
        let mut state = self.state();
        state
            .children
            .insert(id, ChildState::Running(Running { leader, spec, stopped: false, stop_command_claimed: false }));
        state.notify_watchers(&Event::started(id));
        state.notify_watchers(&Event::ready(id));
    }

    /// Marks a process as ending: its group is not signalled again.
    pub(super) fn set_ending(&self, id: InstanceId) {
        if let Some(child) = self.state().children.get_mut(&id) {
            if let ChildState::Running(running) = child {
                *child = ChildState::Ending(running.leader);
            }
        }
    }

    /// Removes a process and reports its end.
    pub(super) fn set_ended(&self, id: InstanceId, outcome: Outcome) {
        let mut state = self.state();
        let group = match state.children.remove(&id) {
            Some(ChildState::Ending(leader)) => Some(leader),
            _ => None,
        };
        state.notify_watchers(&Event::Exited(Ended::new(id, outcome.clone())));
        state.remember_end(id, outcome, group);
    }

    #[cfg(test)]
    fn entries(&self) -> usize {
        let state = self.state();
        state.children.len() + state.ended.len() + state.order.len() + state.watchers.len()
    }
}

/// The reservation of a process that is being spawned, released on drop unless the process runs by then.
#[derive(Debug)]
pub(super) struct Reservation {
    pub(super) set: Arc<SetChildren>,
    pub(super) id: InstanceId,
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

    fn id(replica: u32, incarnation: u64) -> InstanceId {
        InstanceId::new(replica, incarnation)
    }

    #[test]
    fn the_reservation_of_a_child_that_was_not_started_is_released() {
        let children = Arc::new(SetChildren::default());
        let reservation = children.reserve(id(0, 1)).expect("it is the first");
        assert!(children.reserve(id(0, 1)).is_none());
        drop(reservation);
        assert!(children.reserve(id(0, 1)).is_some());
    }

    #[test]
    fn a_late_end_of_an_earlier_incarnation_does_not_hide_the_later_one() {
        let children = Arc::new(SetChildren::default());
        for incarnation in [2, 1] {
            children.set_ended(id(0, incarnation), Outcome::exited(1, Timestamp::ZERO));
        }
        let listed = children.list();
        assert_eq!(listed.iter().map(|it| it.incarnation.0).collect::<Vec<_>>(), [2]);
        assert!(children.reserve(id(0, 2)).is_none(), "it is not run again");
    }

    #[test]
    fn the_oldest_ended_children_are_forgotten_beyond_the_maximum() {
        let children = Arc::new(SetChildren::default());
        for replica in 0..MAX_ENDED as u32 + 100 {
            children.set_ended(id(replica, 1), Outcome::exited(1, Timestamp::ZERO));
            children.set_ended(id(replica, 2), Outcome::exited(1, Timestamp::ZERO));
        }
        assert_eq!(children.entries(), 2 * MAX_ENDED);
        assert_eq!(children.list()[0].replica.0, 100);
    }

    #[test]
    fn closed_watchers_are_removed() {
        let children = SetChildren::default();
        for _ in 0..100 {
            drop(children.watch());
        }
        children.signal(id(0, 1), Signal::TERM).expect("it is gone");
        assert_eq!(children.entries(), 0);
        assert!(children.is_idle());
    }
}
