//! The trials of an incident, and its end.

use super::output::{IncidentNotice, Notice};
use super::replica::Marks;
use super::set::ReplicaSet;
use crate::decide::{ReplicaId, StartOutcome};

impl ReplicaSet {
    /// What becomes of its start matters to the incident that is open.
    #[cold]
    pub(super) fn put_on_trial(&mut self, id: ReplicaId) {
        self.replica_mut(id).marks.set(Marks::ON_TRIAL);
        self.extras.get_or_init().trials.insert(id);
    }

    #[inline(always)]
    pub(super) fn trial_decided(&mut self, id: ReplicaId, outcome: StartOutcome) {
        if self.replicas[id.index()].marks.has(Marks::ON_TRIAL) {
            self.decide_trial(id, outcome);
        }
    }

    #[cold]
    fn decide_trial(&mut self, id: ReplicaId, outcome: StartOutcome) {
        self.replica_mut(id).marks.clear(Marks::ON_TRIAL);
        self.extras.get_or_init().trials.remove(&id);
        let held = self.set.is_holding();
        self.policy.record_start_outcome(&mut self.set, id, outcome);
        if held && !self.set.is_holding() {
            self.notice(Notice::Incident(IncidentNotice::Resuming));
        }
    }

    /// Ends an incident that no restart waits for any more. Whether it did.
    pub(super) fn close_incident(&mut self) -> bool {
        let over = self.set.has_incident() && self.counts.awaiting == 0 && self.set.canary().is_none();
        if over {
            self.end_incident();
        }
        over
    }

    /// Ends the incident, if one is open, whoever asked for it: with its notice, and with no trial left that the next
    /// incident would take for its own.
    pub(super) fn end_incident(&mut self) {
        if !self.set.has_incident() {
            return;
        }
        self.set.close_incident();
        self.notice(Notice::Incident(IncidentNotice::Over));
        let trials = self.extras.get_mut().map(|extras| std::mem::take(&mut extras.trials));
        for id in trials.into_iter().flatten() {
            self.replica_mut(id).marks.clear(Marks::ON_TRIAL);
            self.retime(id);
        }
    }
}
