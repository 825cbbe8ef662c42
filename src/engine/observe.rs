//! List and compare: the set against all that a backend lists.

use serde::{Deserialize, Serialize};

use super::event::{Ended, Event, News};
use super::replica::{After, Marks, Phase};
use super::set::ReplicaSet;
use crate::decide::{Incarnation, Outcome, ReplicaId};
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

/// What an instance is, as its backend sees it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum InstanceState {
    /// Its start is accepted; it does not run yet.
    Starting,
    /// It runs, and is not known to be able to serve.
    Running,
    /// It runs and can serve.
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
    /// is adopted or told to stop, what has moved on moves on, what is missing is lost from now on (not failed: a
    /// list may be stale). Numbering goes on from the highest incarnation that is found.
    pub fn observe(&mut self, now: Timestamp, instances: &[Observed]) {
        self.begin_mutation(now);
        let mut listed: Vec<&Observed> = instances.iter().collect();
        // The newest incarnation of a replica speaks for it.
        listed.sort_by_key(|seen| (seen.replica, std::cmp::Reverse(seen.incarnation)));
        let events: Vec<Event> = listed.iter().flat_map(|seen| self.news_of(seen)).collect();
        self.note_failures(&events);
        let mut seen = vec![false; self.replicas.len()];
        let mut last = None;
        for instance in listed {
            let newest = last.replace(instance.replica) != Some(instance.replica);
            self.compare(instance, newest);
            if let Some(seen) = seen.get_mut(instance.replica.index()) {
                let current = self.replicas[instance.replica.index()].history.incarnation();
                *seen |= instance.incarnation == current;
            }
        }
        for (index, _) in seen.iter().enumerate().filter(|(_, seen)| !**seen) {
            let id = ReplicaId(index as u32);
            // A start may not be listed yet, and is bounded by `start_timeout`.
            if self.replica(id).phase.is_live() && self.replica(id).phase != Phase::Starting {
                self.lost(id, self.now);
            }
        }
        self.settle();
    }

    fn compare(&mut self, seen: &Observed, newest: bool) {
        let id = seen.replica;
        let Some(replica) = self.replicas.get(id.index()) else {
            if seen.state.is_alive() {
                self.stop_stray(id, seen.incarnation);
            }
            return;
        };
        let current = replica.history.incarnation();
        // What is final stays so: what shows itself after it is told to stop, and adopted no more.
        let last = self.status().is_final();
        if newest && seen.incarnation > current && !last {
            self.adopt(id, seen);
            return;
        }
        if last || seen.incarnation < current || !replica.phase.is_live() {
            if seen.state.is_alive() && seen.state != InstanceState::Stopping {
                self.stop_stray(id, seen.incarnation);
            }
            return;
        }
        for event in &mut self.news_of(seen) {
            // News of instances is never refused.
            let _ = self.apply(event);
        }
    }

    /// What a listed instance says that the set has not been told.
    fn news_of(&self, seen: &Observed) -> Vec<Event> {
        let Some(replica) = self.replicas.get(seen.replica.index()) else { return Vec::new() };
        if replica.history.incarnation() != seen.incarnation || !replica.phase.is_live() {
            return Vec::new();
        }
        let news = News { replica: seen.replica, incarnation: seen.incarnation, at: None };
        let mut events = Vec::new();
        if seen.state.is_alive() && replica.marks.has(Marks::LOST) {
            events.push(Event::Found(news));
        }
        let starting = replica.phase == Phase::Starting;
        let ready = replica.marks.has(Marks::BACKEND_READY);
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
            InstanceState::Ended(outcome) => events.push(Event::Exited(Ended {
                replica: seen.replica,
                incarnation: seen.incarnation,
                outcome: outcome.clone(),
            })),
        }
        events
    }

    /// An instance of a later incarnation than any that was started from here: from before a restart of ours.
    fn adopt(&mut self, id: ReplicaId, seen: &Observed) {
        let before = self.incarnation(id);
        if self.replica(id).phase.is_live() {
            // Ours is the earlier one.
            self.stop_stray(id, before);
            self.decided(id, crate::decide::StartBecame::Gone);
            self.end_probes(id);
        }
        self.leave_group(id);
        let wanted = id.0 < self.desired && !self.ending;
        let now = self.now;
        let replica = self.replica_mut(id);
        replica.marks.clear(Marks::QUEUED);
        // What ended was the one before.
        replica.marks.clear(Marks::ENDING);
        if !matches!(seen.state, InstanceState::Ended(_)) {
            replica.after = After::Start;
        }
        replica.history.adopt(seen.incarnation);
        match &seen.state {
            InstanceState::Ended(_) => {
                replica.history.has_ended();
                let after = match replica.phase {
                    _ if !wanted => After::Remove,
                    // What was to become of it once it has stopped becomes of it now.
                    Phase::Stopping => replica.after,
                    _ => After::Start,
                };
                if replica.phase.is_live() {
                    if replica.phase != Phase::Stopping {
                        replica.due = now;
                    }
                    self.enter(id, after);
                } else {
                    self.retime(id);
                }
            }
            state => {
                replica.due = now;
                let stopping = *state == InstanceState::Stopping;
                self.set_phase(id, Phase::Starting);
                if stopping || !wanted {
                    self.stop(id, if wanted { After::Start } else { After::Remove });
                    self.replica_mut(id).due = now;
                }
                self.retime(id);
                for event in &mut self.news_of(seen) {
                    // News of instances is never refused.
                    let _ = self.apply(event);
                }
            }
        }
    }
}
