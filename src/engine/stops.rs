//! The end of a stop: confirmed by the backend, or assumed because contact is lost and it cannot be confirmed.

use super::replica::{Phase, ReplicaFlags};
use super::state::ReplicaSet;
use crate::decide::ReplicaId;
use crate::time::Timestamp;

impl ReplicaSet {
    /// Handles the confirmed end of an instance that was asked to stop.
    pub(super) fn confirm_stop(&mut self, id: ReplicaId, at: Timestamp) {
        let due = self.finish_stop(id, at);
        self.member_stopped(id, due);
    }

    /// Treats a stop that cannot be confirmed as done.
    pub(super) fn give_up_stop(&mut self, id: ReplicaId) {
        self.replica_mut(id).flags.set(ReplicaFlags::UNCONFIRMED);
        self.confirm_stop(id, self.now);
    }

    /// Treats the stops of lost replicas as done at the end of the set, when no partition is assumed.
    pub(super) fn give_up_overdue_stops(&mut self) {
        while self.has_declarable() {
            let Some(id) = self.cold.get_or_init().contact.overdue.pop_first() else { return };
            if self.replica(id).phase == Phase::Stopping {
                self.give_up_stop(id);
            }
        }
    }
}
