//! `observe`: compares the set with everything that a backend lists.

use std::cmp::{Ordering, Reverse};

use serde::{Deserialize, Serialize};

use super::event::{Ended, Event, InstanceEvent};
use super::output::IgnoreReason;
use super::replica::{NextPhase, Phase, ReplicaFlags};
use super::state::ReplicaSet;
use crate::decide::{Gate, Incarnation, InstanceId, Outcome, ReplicaId, impl_instance};
use crate::time::Timestamp;

/// One instance in a backend's list.
///
/// ```
/// use uphold::engine::{InstanceState, Observed};
/// use uphold::{Policy, ReplicaSet, Status, Timestamp};
///
/// let now = Timestamp::ZERO;
/// let mut set = ReplicaSet::new(Policy::builder().replicas(2).build()?, 7, now);
/// set.observe(now, &[0, 1].map(|replica| Observed::new((replica, 5), InstanceState::Ready)));
/// set.handle_timeout(now);
/// set.for_each_output(|_| ());
/// assert_eq!(set.status(), Status::Healthy);
/// # Ok::<(), uphold::PolicyError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "backends construct it")]
pub struct Observed {
    /// The replica.
    pub replica: ReplicaId,
    /// The number of its start.
    pub incarnation: Incarnation,
    /// Its state.
    pub state: InstanceState,
}

impl_instance!(Observed);

impl Observed {
    /// Returns a listed instance.
    pub fn new(instance: impl Into<InstanceId>, state: InstanceState) -> Self {
        let InstanceId { replica, incarnation } = instance.into();
        Self { replica, incarnation, state }
    }
}

/// The state of an instance, as its backend sees it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum InstanceState {
    /// Its start was accepted; it does not run yet.
    Starting,
    /// It runs and is not ready. It is not available, whatever its probes answer.
    Running,
    /// It runs and is ready, as far as the backend knows. If there are probes, they must pass too. A backend that leaves
    /// readiness to probes reports this for every running instance.
    Ready,
    /// It is being stopped.
    Stopping,
    /// It has ended.
    Ended(Outcome),
}

impl InstanceState {
    fn is_alive(&self) -> bool {
        !matches!(self, Self::Ended(_))
    }
}

impl ReplicaSet {
    /// Reconciles the set with a **complete** list of the backend's instances.
    ///
    /// - A later incarnation than the set knows is adopted, up to [`Incarnation::LAST_ADOPTED`]; numbering continues from it.
    /// - Any other unknown instance is a stray, which is stopped and, after `stop_grace`, killed.
    /// - A known instance takes the listed state.
    /// - Contact is lost with a known instance that is missing. It has not failed, because a list may be stale.
    /// - A stray that is missing is gone.
    pub fn observe(&mut self, now: Timestamp, instances: &[Observed]) {
        self.begin_mutation(now);
        let mut listed: Vec<&Observed> = instances.iter().collect();
        // The latest incarnation of a replica comes first: it determines the replica's state.
        listed.sort_by_key(|seen| (seen.replica, Reverse(seen.incarnation)));
        let events: Vec<Event> = listed.iter().flat_map(|seen| self.implied_events(seen)).collect();
        self.note_failures(&events);
        let mut seen = vec![false; self.replicas.len()];
        if self.strays().is_some() {
            self.drop_unlisted_strays(&listed);
        }
        let mut displaced = Vec::new();
        let mut last = None;
        for instance in &listed {
            // An incarnation that is out of range is never adopted.
            let counts = instance.incarnation <= Incarnation::LAST_ADOPTED;
            let newest = counts && last.replace(instance.replica) != Some(instance.replica);
            displaced.extend(self.compare(instance, newest));
            if let Some(seen) = seen.get_mut(instance.replica.index()) {
                let current = self.replicas[instance.replica.index()].history.incarnation();
                *seen |= instance.incarnation == current;
            }
        }
        for (index, _) in seen.iter().enumerate().filter(|(_, seen)| !**seen) {
            let id = ReplicaId(index as u32);
            // A start need not be listed yet; `start_timeout` bounds it.
            if self.replica(id).phase.is_live() && self.replica(id).phase != Phase::Starting {
                self.contact_lost(id, self.now);
            }
        }
        for instance in displaced.into_iter().filter(|&instance| !shows_alive(&listed, instance)) {
            self.stray_gone(instance);
        }
        self.note_list();
        self.settle();
    }

    /// Reconciles the set with one listed instance. Returns the instance that it displaces, if any.
    fn compare(&mut self, seen: &Observed, newest: bool) -> Option<InstanceId> {
        let id = seen.replica;
        let Some(replica) = self.replicas.get(id.index()) else {
            self.listed_stray(seen, IgnoreReason::of_unstarted(seen.incarnation));
            return None;
        };
        let current = replica.history.incarnation();
        // A set with a final status adopts nothing; live instances are strays.
        let last = self.status().is_final();
        if newest && seen.incarnation > current && !last {
            return self.adopt(id, seen);
        }
        if seen.incarnation != current || !replica.phase.is_live() {
            let why = match seen.incarnation.cmp(&current) {
                Ordering::Less => IgnoreReason::Stale,
                Ordering::Equal => IgnoreReason::Duplicate,
                Ordering::Greater => IgnoreReason::of_unstarted(seen.incarnation),
            };
            self.listed_stray(seen, why);
            return None;
        }
        for event in &mut self.implied_events(seen) {
            self.handle_instance_event(event);
        }
        None
    }

    /// Handles a listed instance that is not current: a stray if it is alive.
    fn listed_stray(&mut self, seen: &Observed, why: IgnoreReason) {
        let instance = seen.instance();
        if seen.state.is_alive() {
            if why == IgnoreReason::OutOfRange && !self.is_stray(instance) {
                self.ignore(instance, why);
            }
            self.note_stray(instance, seen.state == InstanceState::Stopping);
        } else {
            self.stray_gone(instance);
        }
    }

    /// Returns the current instance as an up-to-date list would show it: its readiness is the backend's, without probes.
    #[cfg(feature = "supervisor")]
    pub(crate) fn as_listed(&self, id: ReplicaId) -> Option<Observed> {
        let replica = self.replicas.get(id.index())?;
        let state = match replica.phase {
            Phase::Starting => InstanceState::Starting,
            Phase::Running | Phase::Ready if replica.flags.has(ReplicaFlags::BACKEND_READY) => InstanceState::Ready,
            Phase::Running | Phase::Ready => InstanceState::Running,
            Phase::Stopping => InstanceState::Stopping,
            _ => return None,
        };
        Some(Observed::new(self.current_instance(id), state))
    }

    /// Returns the events that a listed state implies and that the set has not received.
    fn implied_events(&self, seen: &Observed) -> Vec<Event> {
        let Some(replica) = self.replicas.get(seen.replica.index()) else { return Vec::new() };
        if replica.history.incarnation() != seen.incarnation || !replica.phase.is_live() {
            return Vec::new();
        }
        let event = InstanceEvent::new(seen.instance(), None);
        let mut events = Vec::new();
        if seen.state.is_alive() && replica.flags.has(ReplicaFlags::LOST) {
            events.push(Event::Found(event));
        }
        let starting = replica.phase == Phase::Starting;
        let ready = replica.flags.has(ReplicaFlags::BACKEND_READY);
        match &seen.state {
            InstanceState::Starting | InstanceState::Stopping => {}
            InstanceState::Running => {
                if starting {
                    events.push(Event::Started(event));
                } else if ready {
                    events.push(Event::NotReady(event));
                }
            }
            InstanceState::Ready => {
                if !ready {
                    events.push(Event::Ready(event));
                }
            }
            InstanceState::Ended(outcome) => {
                events.push(Event::Exited(Ended::new(seen.instance(), outcome.clone())));
            }
        }
        events
    }

    /// Adopts a later incarnation than the set has started, such as one from before a restart of the program. Returns the
    /// live instance that it displaces, if any.
    fn adopt(&mut self, id: ReplicaId, seen: &Observed) -> Option<InstanceId> {
        let before = self.current_instance(id);
        let was_live = self.replica(id).phase.is_live();
        // If it was a stray, it was asked to stop already.
        let stopped = self.is_stray(seen.instance());
        if stopped {
            self.stray_gone(seen.instance());
        }
        if was_live {
            self.conclude_start(id, crate::decide::StartOutcome::Gone);
        }
        let stopped_by_operator = self.replica(id).is_stopped();
        self.forget_instance(id);
        self.leave_group(id);
        let wanted = self.replica(id).role.is_some() && !self.ending;
        let now = self.now;
        let replica = self.replica_mut(id);
        replica.flags.clear(ReplicaFlags::QUEUED);
        if !matches!(seen.state, InstanceState::Ended(_)) {
            replica.after = NextPhase::Start;
        }
        replica.history.adopt(seen.incarnation);
        match &seen.state {
            InstanceState::Ended(_) => {
                replica.history.mark_ended();
                let after = match replica.phase {
                    _ if !wanted => NextPhase::Remove,
                    // Its next phase is the one that was to follow the stop.
                    Phase::Stopping => replica.after,
                    _ => NextPhase::Start,
                };
                if replica.phase.is_live() {
                    if replica.phase != Phase::Stopping {
                        replica.due = now;
                    }
                    self.count_delay_from(id, now);
                    self.enter(id, after);
                } else {
                    self.retime(id);
                }
            }
            state => {
                replica.due = now;
                // The gate of its last wait does not apply to a live instance.
                replica.gate = Gate::Backoff;
                let stopping = stopped || *state == InstanceState::Stopping;
                self.set_phase(id, Phase::Starting);
                self.replica_mut(id).since = now;
                if !wanted {
                    if let Some(slots) = self.slots.get_mut() {
                        slots.free.remove(&id);
                    }
                    self.stop(id, NextPhase::Remove);
                } else if stopped_by_operator {
                    self.replica_mut(id).due = Timestamp::NEVER;
                    self.stop(id, NextPhase::Stopped);
                } else if stopping {
                    self.stop(id, NextPhase::Start);
                    self.replica_mut(id).due = now;
                }
                self.retime(id);
                for event in &mut self.implied_events(seen) {
                    self.handle_instance_event(event);
                }
            }
        }
        if was_live {
            // The earlier instance is a stray, if the list shows it too.
            self.note_stray(before, false);
        }
        was_live.then_some(before)
    }

    /// Clears what is known of the previous instance before another one is adopted.
    fn forget_instance(&mut self, id: ReplicaId) {
        self.forget_lost(id);
        self.end_probes(id);
        self.take_noted(id);
        let gone = [ReplicaFlags::ENDING, ReplicaFlags::BACKEND_READY, ReplicaFlags::UNCONFIRMED];
        let replica = self.replica_mut(id);
        gone.into_iter().for_each(|mark| replica.flags.clear(mark));
        replica.kills = 0;
    }

    /// Drops the strays that a list does not show.
    fn drop_unlisted_strays(&mut self, listed: &[&Observed]) {
        let gone: Vec<_> = self.stray_instances().filter(|&instance| !shows_alive(listed, instance)).collect();
        for instance in gone {
            self.stray_gone(instance);
        }
    }
}

/// Whether a sorted list shows this instance alive.
fn shows_alive(listed: &[&Observed], instance: InstanceId) -> bool {
    let key = (instance.replica, Reverse(instance.incarnation));
    let found = listed.binary_search_by_key(&key, |seen| (seen.replica, Reverse(seen.incarnation)));
    found.is_ok_and(|place| listed[place].state.is_alive())
}
