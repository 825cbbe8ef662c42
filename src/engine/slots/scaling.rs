//! Scaling: changes the desired number of replicas.

use super::super::output::{Notice, Rejection, ScaleClipped};
use super::super::replica::ReplicaFlags;
use super::super::state::ReplicaSet;
use super::Role;
use crate::decide::{ReplicaId, SlotRow};
use crate::policy::{MAX_REPLICAS, Placement};

impl ReplicaSet {
    /// Scales to `replicas`, clipped to `scaling.min` and `scaling.max`.
    pub(in crate::engine) fn scale(&mut self, replicas: u32) -> Result<(), Rejection> {
        if replicas > MAX_REPLICAS {
            return self.refuse(Rejection::TooManyReplicas(replicas));
        }
        self.check_request(None)?;
        let scaling = self.policy.compiled().scaling;
        let clipped = replicas.clamp(scaling.min, scaling.max);
        if clipped != replicas {
            self.notice(Notice::ScaleClipped(ScaleClipped { asked: replicas, desired: clipped }));
        }
        self.rescale(clipped);
        Ok(())
    }

    /// Sets how many replicas are desired: new slots wait for their first start, surplus ones are removed.
    pub(in crate::engine) fn rescale(&mut self, desired: u32) {
        let before = std::mem::replace(&mut self.desired, desired);
        if self.replicas.is_empty() {
            // Most sets keep the size they begin with.
            self.replicas.reserve_exact(desired as usize);
            self.make_room_for(desired as usize);
        }
        let joins = before > 0 && self.set.has_been_up();
        for _ in before..desired {
            let revision = self.revision_of_new_slots();
            let Some(id) = self.add_slot(Role::Regular, Placement::Same, revision) else { break };
            if joins {
                self.replica_mut(id).flags.set(ReplicaFlags::JOINING.and(ReplicaFlags::EXEMPT));
                self.counts.census.joining += 1;
                self.counts.changed = true;
                self.recount(id);
            } else if self.is_exempt_by_rollout(id) {
                self.replica_mut(id).flags.set(ReplicaFlags::EXEMPT);
            }
        }
        if desired < before {
            let count = (before - desired) as usize;
            let differ = self.slots.get().is_some_and(|slots| slots.rollout.is_some() || !slots.drains.is_empty());
            // If all are alike, the highest numbers go: the others need not be looked at.
            let candidates = if !differ && self.counts.census.available == before { count } else { usize::MAX };
            let rows: Vec<SlotRow> = self.regular_ids().rev().take(candidates).map(|id| self.slot_row(id)).collect();
            for id in self.policy.who_goes(rows, count) {
                self.remove_slot(id);
            }
        }
        if let Some(slots) = self.slots.get_mut() {
            slots.pending = true;
        }
    }

    fn slot_row(&self, id: ReplicaId) -> SlotRow {
        let replica = self.replica(id);
        let rollout = self.slots.get().and_then(|slots| slots.rollout.as_ref());
        SlotRow {
            replica: id,
            available: replica.bucket.is_available(),
            draining: replica.flags.has(ReplicaFlags::DRAINING),
            outdated: rollout.is_some_and(|rollout| rollout.is_outdated(self.revision_of(id))),
        }
    }
}
