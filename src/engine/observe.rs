//! `observe`: compares the set with everything that a backend lists.

use std::cmp::{Ordering, Reverse};

use serde::{Deserialize, Serialize};

use super::event::{Ended, Event, InstanceEvent};
use super::output::IgnoreReason;
use super::replica::{NextPhase, Phase, ReplicaFlags};
use super::state::ReplicaSet;
use crate::decide::{Gate, Incarnation, InstanceId, Outcome, ReplicaId, impl_instance};
use crate::time::Timestamp;

/// One instance that a backend lists.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "made by backends: who, which start, what it is")]
pub struct Observed {
    /// Whose.
    pub replica: ReplicaId,
    /// Which start of it.
    pub incarnation: Incarnation,
    /// What it is.
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

/// What an instance is, as its backend sees it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum InstanceState {
    /// Its start is accepted; it does not run yet.
    Starting,
    /// It runs, and is not known to be able to serve: it is not available, however its probes answer.
    Running,
    /// It runs and can serve, as far as the backend knows: whether its probes say so too is another fact. A backend that
    /// leaves readiness to probes reports this of all that runs.
    Ready,
    /// It is on its way to its end.
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
    /// Compares the set with **all** that a backend lists, and brings the set up to date: what it does not know of
    /// is adopted, or stopped and in the end killed as a stray; what has moved on moves on, what is missing is lost from now
    /// on (not failed: a list may be stale), and a stray that is missing is gone. Numbering goes on from the highest
    /// incarnation that is found, up to [`Incarnation::LAST_ADOPTED`].
    pub fn observe(&mut self, now: Timestamp, instances: &[Observed]) {
        self.begin_mutation(now);
        let mut listed: Vec<&Observed> = instances.iter().collect();
        // The newest incarnation of a replica speaks for it.
        listed.sort_by_key(|seen| (seen.replica, Reverse(seen.incarnation)));
        let events: Vec<Event> = listed.iter().flat_map(|seen| self.news_of(seen)).collect();
        self.note_failures(&events);
        let mut seen = vec![false; self.replicas.len()];
        if self.strays().is_some() {
            self.drop_unlisted_strays(&listed);
        }
        let mut displaced = Vec::new();
        let mut last = None;
        for instance in &listed {
            // One that is out of range speaks for nobody.
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
            // A start may not be listed yet, and is bounded by `start_timeout`.
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

    /// Brings the set up to date with one listed instance. The instance whose place it takes, if it takes one's.
    fn compare(&mut self, seen: &Observed, newest: bool) -> Option<InstanceId> {
        let id = seen.replica;
        let Some(replica) = self.replicas.get(id.index()) else {
            self.listed_stray(seen, IgnoreReason::of_unstarted(seen.incarnation));
            return None;
        };
        let current = replica.history.incarnation();
        // What is final stays so: what shows itself after it is told to stop, and adopted no more.
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
        for event in &mut self.news_of(seen) {
            self.handle_instance_event(event);
        }
        None
    }

    /// A list shows an instance that is not current: if it is alive, it is stopped, and in the end killed.
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

    /// What a list would say of the current instance of a replica, as far as the set knows: what the backend says of its
    /// readiness, whatever probes say.
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

    /// What a listed instance says that the set has not been told.
    fn news_of(&self, seen: &Observed) -> Vec<Event> {
        let Some(replica) = self.replicas.get(seen.replica.index()) else { return Vec::new() };
        if replica.history.incarnation() != seen.incarnation || !replica.phase.is_live() {
            return Vec::new();
        }
        let news = InstanceEvent::new(seen.instance(), None);
        let mut events = Vec::new();
        if seen.state.is_alive() && replica.flags.has(ReplicaFlags::LOST) {
            events.push(Event::Found(news));
        }
        let starting = replica.phase == Phase::Starting;
        let ready = replica.flags.has(ReplicaFlags::BACKEND_READY);
        match &seen.state {
            InstanceState::Starting | InstanceState::Stopping => {}
            InstanceState::Running => {
                if starting {
                    events.push(Event::Started(news));
                } else if ready {
                    events.push(Event::NotReady(news));
                }
            }
            InstanceState::Ready => {
                if !ready {
                    events.push(Event::Ready(news));
                }
            }
            InstanceState::Ended(outcome) => {
                events.push(Event::Exited(Ended::new(seen.instance(), outcome.clone())));
            }
        }
        events
    }

    /// An instance of a later incarnation than any that was started from here: from before a restart of ours.
    /// Which of ours it displaces.
    fn adopt(&mut self, id: ReplicaId, seen: &Observed) -> Option<InstanceId> {
        let before = self.current_instance(id);
        let was_live = self.replica(id).phase.is_live();
        // One that was a stray of a set that has gone on may have been asked to stop already.
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
        let wanted = id.0 < self.desired && !self.ending;
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
                    // What was to become of it once it has stopped becomes of it now.
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
                // It waited for nothing that an instance has to wait for once it stops.
                replica.gate = Gate::Backoff;
                let stopping = stopped || *state == InstanceState::Stopping;
                self.set_phase(id, Phase::Starting);
                self.replica_mut(id).since = now;
                if !wanted {
                    self.stop(id, NextPhase::Remove);
                } else if stopped_by_operator {
                    self.replica_mut(id).due = Timestamp::NEVER;
                    self.stop(id, NextPhase::Stopped);
                } else if stopping {
                    self.stop(id, NextPhase::Start);
                    self.replica_mut(id).due = now;
                }
                self.retime(id);
                for event in &mut self.news_of(seen) {
                    self.handle_instance_event(event);
                }
            }
        }
        if was_live {
            // Ours is the earlier one. If the list shows it too, it stays a stray.
            self.note_stray(before, false);
        }
        was_live.then_some(before)
    }

    /// Nothing that is known of the instance before concerns the one that is adopted.
    fn forget_instance(&mut self, id: ReplicaId) {
        self.forget_lost(id);
        self.end_probes(id);
        self.was_noted(id);
        let gone = [ReplicaFlags::ENDING, ReplicaFlags::BACKEND_READY, ReplicaFlags::UNCONFIRMED];
        let replica = self.replica_mut(id);
        gone.into_iter().for_each(|mark| replica.flags.clear(mark));
        replica.kills = 0;
    }

    /// Strays that a list does not show are gone.
    fn drop_unlisted_strays(&mut self, listed: &[&Observed]) {
        let gone: Vec<_> = self.stray_instances().filter(|&instance| !shows_alive(listed, instance)).collect();
        for instance in gone {
            self.stray_gone(instance);
        }
    }
}

/// Whether a list, in the order in which it is compared, shows this instance alive.
fn shows_alive(listed: &[&Observed], instance: InstanceId) -> bool {
    let key = (instance.replica, Reverse(instance.incarnation));
    let found = listed.binary_search_by_key(&key, |seen| (seen.replica, Reverse(seen.incarnation)));
    found.is_ok_and(|place| listed[place].state.is_alive())
}
