//! Incidents in the engine: records the failures of a batch before the first one is decided on, and detects and ends incidents.

use super::event::{Ended, Event};
use super::output::{IncidentNotice, Notice};
use super::replica::{NextPhase, Phase, ReplicaFlags};
use super::state::ReplicaSet;
use super::tally::bump;
use crate::decide::{Gate, Outcome, ReplicaId, StartKind};
use crate::policy::Cause;

impl ReplicaSet {
    /// Records every failure of a batch before the first one is decided on, and detects an incident.
    #[inline(never)]
    pub(super) fn note_failures(&mut self, events: &[Event]) {
        let compiled = self.policy.compiled();
        // A single event matters only to policies that watch failures.
        if events.len() == 1 && !compiled.watches_failures {
            return;
        }
        let mut noted = false;
        for event in events {
            let stopped;
            let ended = match event {
                Event::Exited(ended) | Event::StartFailed(ended) => ended,
                // The set did not ask for the stop.
                Event::Stopped(event) => {
                    let outcome = Outcome::failed(Cause::Interruption, self.when(event.at));
                    stopped = Ended::new(event.instance(), outcome);
                    &stopped
                }
                _ => continue,
            };
            let Some(replica) = self.replicas.get_mut(ended.replica.index()) else { continue };
            let genuine = replica.history.incarnation() == ended.incarnation
                && replica.phase.is_up()
                && !replica.flags.has(ReplicaFlags::ENDING);
            if genuine {
                replica.flags.set(ReplicaFlags::ENDING);
                noted |= self.note_failure(ended.replica, &ended.outcome);
            }
        }
        if noted && self.policy.detect_incident(&mut self.set, &self.counts.census, self.now) {
            self.open_incident();
        }
        if let [alone] = events {
            // The flag is only needed within a batch.
            if let Some(replica) = alone.instance().and_then(|id| self.replicas.get_mut(id.replica.index())) {
                replica.flags.clear(ReplicaFlags::ENDING);
            }
        }
    }

    /// Records the failures that timeouts or probes cause at one instant, before the first one is decided on.
    pub(super) fn note_together(&mut self, mut failing: Vec<(ReplicaId, Outcome)>) {
        if self.ending || !self.policy.compiled().watches_failures {
            return;
        }
        failing.sort_unstable_by_key(|(id, _)| *id);
        let noted = &self.cold.get_or_init().noted;
        failing.retain(|(id, _)| !noted.contains(id));
        let mut counted = false;
        for (id, outcome) in &failing {
            counted |= self.note_failure(*id, outcome);
            self.cold.get_or_init().noted.insert(*id);
        }
        if counted && self.policy.detect_incident(&mut self.set, &self.counts.census, self.now) {
            for (id, _) in &failing {
                self.replica_mut(*id).flags.set(ReplicaFlags::ENDING);
            }
            self.open_incident();
            for (id, _) in &failing {
                self.replica_mut(*id).flags.clear(ReplicaFlags::ENDING);
            }
        }
    }

    /// Returns whether the replica's failure was recorded before its decision, and clears that mark.
    pub(super) fn take_noted(&mut self, id: ReplicaId) -> bool {
        self.cold.get_mut().is_some_and(|cold| cold.noted.remove(&id))
    }

    /// Records a failure that is not part of a batch.
    pub(super) fn correlate_one(&mut self, id: ReplicaId, outcome: &Outcome) {
        if !self.take_noted(id) {
            self.note_together(vec![(id, outcome.clone())]);
            self.take_noted(id);
        }
    }

    /// Records a failure for the detection of incidents. Returns whether it may open one.
    fn note_failure(&mut self, id: ReplicaId, outcome: &Outcome) -> bool {
        let apart = ReplicaFlags::EXEMPT.and(ReplicaFlags::DRAINING);
        if self.ending || !self.policy.compiled().watches_failures || self.replica(id).flags.any(apart) {
            return false;
        }
        let outcome = Outcome { at: self.happened(id, outcome.at), ..outcome.clone() };
        let history = &mut self.replicas[id.index()].history;
        self.counts.changed = true;
        self.policy.record_failure(&mut self.set, id, history, &outcome, self.now)
    }

    /// Opens an incident: undoes the charges and give-ups of its members within `within`. Restarts wait from now on.
    fn open_incident(&mut self) {
        let (members, latest) = self.set.take_members();
        let latest = latest.unwrap_or(self.now);
        bump(&mut self.tally.count().incidents);
        self.notice(Notice::Incident(IncidentNotice::Recognised(u32::try_from(members.len()).unwrap_or(u32::MAX))));
        let within = self.policy.canary_trial();
        let mut canary = None;
        for id in members.into_iter().filter(|id| self.is_regular(*id)).collect::<Vec<_>>() {
            let now = self.now;
            let first_delay = self.policy.compiled().schedules[0].stage(0).pacing.nominal(0);
            let replica = &mut self.replicas[id.index()];
            let charged = replica.history.undo(latest, within);
            // A restart that is still waiting has taken no token.
            let waits = replica.kind == (StartKind::Restart { charged: true }) && !replica.phase.is_up();
            self.set.refund(&self.policy, charged.saturating_sub(u32::from(waits)));
            if matches!(replica.kind, StartKind::Restart { .. }) {
                replica.kind = StartKind::Restart { charged: false };
            }
            // The window has room again, so a replica that waited for that is treated as given up.
            let gave_up = replica.flags.has(ReplicaFlags::GAVE_UP) || replica.gate == Gate::Window;
            replica.flags.clear(ReplicaFlags::GAVE_UP);
            match replica.phase {
                Phase::Waiting if replica.flags.has(ReplicaFlags::QUEUED) => self.requeue(id),
                Phase::Waiting | Phase::Quarantined if gave_up => {
                    replica.due = now.plus_nanos(first_delay);
                    replica.kind = StartKind::Restart { charged: false };
                    replica.gate = Gate::Backoff;
                    self.enter(id, NextPhase::Start);
                }
                Phase::Stopping if gave_up => {
                    replica.due = now.plus_nanos(first_delay);
                    replica.kind = StartKind::Restart { charged: false };
                    replica.after = NextPhase::Start;
                    self.recount(id);
                    self.retime(id);
                }
                // A start from before the incident that is not up yet serves as the canary.
                Phase::Starting | Phase::Running if !replica.flags.has(ReplicaFlags::ENDING) => {
                    canary.get_or_insert(id);
                }
                _ => {}
            }
        }
        if let Some(id) = canary {
            self.set.adopt_canary(id);
            self.put_on_trial(id);
            self.retime(id);
        }
    }

    /// Ends the incident once no restart waits for it. Returns whether it did.
    pub(super) fn close_incident(&mut self) -> bool {
        let over = self.set.has_incident() && self.counts.awaiting == 0 && self.set.canary().is_none();
        if over {
            self.end_incident();
        }
        over
    }

    /// Ends the open incident, if any, and its trials, so that they do not count in the next one.
    pub(super) fn end_incident(&mut self) {
        if !self.set.has_incident() {
            return;
        }
        self.set.close_incident();
        if let Some(slots) = self.slots.get_mut() {
            slots.pending = true;
        }
        self.notice(Notice::Incident(IncidentNotice::Over));
        let trials = self.cold.get_mut().map(|cold| std::mem::take(&mut cold.trials));
        for id in trials.into_iter().flatten() {
            self.replica_mut(id).flags.clear(ReplicaFlags::ON_TRIAL);
            self.retime(id);
        }
    }
}
