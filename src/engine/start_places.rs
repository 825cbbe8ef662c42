//! Starts in progress: each holds one of the `max_concurrent_starts`, and may be the trial that an incident waits for.

use super::output::{IncidentNotice, Notice};
use super::replica::ReplicaFlags;
use super::state::ReplicaSet;
use crate::decide::{ReplicaId, StartOutcome};

impl ReplicaSet {
    /// Concludes a start in progress: frees its place and reports its outcome to the incident, if it is a trial.
    #[inline]
    pub(super) fn conclude_start(&mut self, id: ReplicaId, outcome: StartOutcome) {
        self.release_start_place(id);
        self.conclude_trial(id, outcome);
    }

    #[inline]
    pub(super) fn release_start_place(&mut self, id: ReplicaId) {
        let flags = &mut self.replicas[id.index()].flags;
        if !flags.has(ReplicaFlags::IN_FLIGHT) {
            return;
        }
        flags.clear(ReplicaFlags::IN_FLIGHT);
        self.counts.census.in_flight -= 1;
        if flags.has(ReplicaFlags::HOLDS_PLACE) {
            flags.clear(ReplicaFlags::HOLDS_PLACE);
            self.counts.census.starting -= 1;
        }
        if flags.has(ReplicaFlags::IN_GROUP) {
            flags.clear(ReplicaFlags::IN_GROUP);
            let in_flight = &mut self.cold.get_or_init().group_in_flight;
            *in_flight -= 1;
            if *in_flight == 0 {
                self.counts.census.starting -= 1;
            }
        }
    }

    /// Makes the start a trial, whose outcome the open incident waits for.
    #[cold]
    pub(super) fn put_on_trial(&mut self, id: ReplicaId) {
        self.replica_mut(id).flags.set(ReplicaFlags::ON_TRIAL);
        self.cold.get_or_init().trials.insert(id);
    }

    #[inline]
    pub(super) fn conclude_trial(&mut self, id: ReplicaId, outcome: StartOutcome) {
        if self.replicas[id.index()].flags.has(ReplicaFlags::ON_TRIAL) {
            self.conclude_open_trial(id, outcome);
        }
    }

    #[cold]
    fn conclude_open_trial(&mut self, id: ReplicaId, outcome: StartOutcome) {
        self.replica_mut(id).flags.clear(ReplicaFlags::ON_TRIAL);
        self.cold.get_or_init().trials.remove(&id);
        let held = self.set.is_holding();
        self.policy.record_start_outcome(&mut self.set, id, outcome);
        if held && !self.set.is_holding() {
            self.notice(Notice::Incident(IncidentNotice::Resuming));
        }
    }
}
