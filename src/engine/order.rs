//! `start_order: ordered`: at the set's first start and in a group, each waits until the one before it is ready.

use super::output::{Notice, Waiting};
use super::replica::{NextPhase, Phase, ReplicaFlags};
use super::slots::Role;
use super::state::ReplicaSet;
use crate::decide::{Gate, ReplicaId, StartKind};

impl ReplicaSet {
    /// Whether the first start of this replica must wait for the replicas before it. Replicas of a scale-up and extra ones need not.
    #[inline]
    pub(super) fn waits_for_order(&self, id: ReplicaId) -> bool {
        self.policy.compiled().starts_in_order && self.is_out_of_order(id)
    }

    #[cold]
    fn is_out_of_order(&self, id: ReplicaId) -> bool {
        let replica = self.replica(id);
        // Slots that are added to a set that has been up have no order.
        let added = replica.flags.any(ReplicaFlags::JOINING.and(ReplicaFlags::EXEMPT));
        let is_first = replica.role == Some(Role::Standby) && !self.set.has_been_up();
        let first = replica.kind == StartKind::First && (!added || is_first);
        let others_wait = || {
            let first = self.cold.get().and_then(|cold| cold.in_order.first());
            first.is_some_and(|first| *first < id)
        };
        first && (others_wait() || !self.one_before_is_ready(id))
    }

    /// Holds a replica behind the gate `order`.
    pub(super) fn wait_for_order(&mut self, id: ReplicaId) {
        let replica = self.replica_mut(id);
        replica.gate = Gate::Order;
        replica.flags.clear(ReplicaFlags::QUEUED);
        self.cold.get_or_init().in_order.insert(id);
        self.notice(Notice::Waiting(Waiting { replica: id, gate: Gate::Order }));
        self.recount(id);
        self.retime(id);
    }

    /// Queues the starts that no longer wait for an earlier replica. Returns whether there were any.
    #[inline]
    pub(super) fn release_in_order(&mut self) -> bool {
        self.cold.get().is_some_and(|cold| !cold.in_order.is_empty()) && self.release_next_in_order()
    }

    #[cold]
    fn release_next_in_order(&mut self) -> bool {
        let mut released = false;
        while let Some(id) = self.cold.get().and_then(|cold| cold.in_order.first().copied()) {
            let replica = self.replica(id);
            let waits = replica.phase == Phase::Waiting && replica.gate == Gate::Order;
            if waits && self.policy.compiled().starts_in_order && !self.one_before_is_ready(id) {
                break;
            }
            self.cold.get_or_init().in_order.remove(&id);
            if waits {
                let now = self.now;
                let replica = self.replica_mut(id);
                replica.gate = Gate::Backoff;
                // It is due now, even if a damaged snapshot has a later time.
                replica.due = replica.due.min(now);
                if self.waits_for_stray(id) {
                    self.hold_for_stray(id);
                } else {
                    self.enqueue(id);
                    self.retime(id);
                }
                released = true;
            }
        }
        released
    }

    /// Rebuilds the index of waiting replicas after a restore.
    #[inline]
    pub(super) fn resume_order(&mut self, id: ReplicaId) {
        let replica = self.replica(id);
        if replica.phase == Phase::Waiting && replica.gate == Gate::Order {
            self.cold.get_or_init().in_order.insert(id);
        }
    }

    /// Whether the replica before this one is ready. Replicas that are given up, stopped or completed are skipped.
    fn one_before_is_ready(&self, id: ReplicaId) -> bool {
        for before in (0..id.0).rev().map(ReplicaId) {
            let before = self.replica(before);
            match before.phase {
                _ if !before.is_regular() => {}
                Phase::Ready => return true,
                Phase::Waiting | Phase::Starting | Phase::Running | Phase::Unknown => return false,
                Phase::Stopping if matches!(before.after, NextPhase::Start | NextPhase::Hold) => return false,
                _ => {}
            }
        }
        true
    }
}
