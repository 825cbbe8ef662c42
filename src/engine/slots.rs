//! What a start that is under way holds: a slot among the concurrent starts, and the attention of an open incident.

use super::output::{IncidentNotice, Notice};
use super::replica::Marks;
use super::state::ReplicaSet;
use crate::decide::{ReplicaId, StartOutcome};

impl ReplicaSet {
    /// What a start that was under way has become: its places are free again.
    #[inline(always)]
    pub(super) fn decided(&mut self, id: ReplicaId, outcome: StartOutcome) {
        self.release_places(id);
        self.trial_decided(id, outcome);
    }

    #[inline(always)]
    pub(super) fn release_places(&mut self, id: ReplicaId) {
        let marks = &mut self.replicas[id.index()].marks;
        if !marks.has(Marks::IN_FLIGHT) {
            return;
        }
        marks.clear(Marks::IN_FLIGHT);
        self.counts.census.in_flight -= 1;
        if marks.has(Marks::HOLDS_SLOT) {
            marks.clear(Marks::HOLDS_SLOT);
            self.counts.census.starting -= 1;
        }
        if marks.has(Marks::IN_GROUP) {
            marks.clear(Marks::IN_GROUP);
            let in_flight = &mut self.extras.get_or_init().group_in_flight;
            *in_flight -= 1;
            if *in_flight == 0 {
                self.counts.census.starting -= 1;
            }
        }
    }

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
}
