//! Scaling: changes the desired number of replicas.

use super::output::{Notice, ReplicaChange};
use super::replica::{NextPhase, Phase, Replica, ReplicaFlags};
use super::state::ReplicaSet;
use crate::decide::{Gate, Incarnation, ReplicaId, StartKind};
use crate::policy::{MAX_REPLICAS, Placement};

impl ReplicaSet {
    /// Changes the number of desired replicas. New slots wait for their first start; surplus replicas are removed.
    pub(super) fn rescale(&mut self, desired: u32) {
        let desired = desired.min(MAX_REPLICAS);
        let before = std::mem::replace(&mut self.desired, desired);
        let joins = before > 0 && self.set.has_been_up();
        if self.replicas.is_empty() {
            // Most sets are never scaled.
            self.replicas.reserve_exact(desired as usize);
        }
        self.deadlines.grow(desired as usize);
        self.make_room_for_probes(desired as usize);
        self.make_room_for_unready(desired as usize);
        for index in before..desired {
            let id = ReplicaId(index);
            if id.index() == self.replicas.len() {
                let mut replica = Replica::new(self.seed, id, self.now);
                if let Some(latest) = self.strays().and_then(|strays| strays.latest_of(id)) {
                    replica.history.raise_incarnation(latest.min(Incarnation::LAST_ADOPTED));
                }
                self.replicas.push(replica);
            } else {
                self.revive(id);
            }
            if joins {
                self.replica_mut(id).flags.set(ReplicaFlags::JOINING);
                self.counts.census.joining += 1;
                self.counts.changed = true;
            }
            self.recount(id);
            self.retime(id);
        }
        for index in (desired..before).rev() {
            self.remove_replica(ReplicaId(index));
        }
    }

    /// Revives a removed slot as a new replica. Its incarnations continue.
    fn revive(&mut self, id: ReplicaId) {
        self.free_acted(id);
        let now = self.now;
        let replica = self.replica_mut(id);
        let kept = replica.flags.only(ReplicaFlags::AWAITING.and(ReplicaFlags::LOST).and(ReplicaFlags::UNCONFIRMED));
        replica.flags = kept;
        if replica.phase == Phase::Stopping {
            replica.after = NextPhase::Start;
            replica.due = now;
            replica.gate = Gate::Backoff;
        } else {
            let mut history = replica.history.clone();
            history.reset_keep_incarnation();
            *replica = Replica { history, flags: kept, ..Replica::new(0, id, now) };
            self.notice_phase(id);
        }
        self.replica_mut(id).kind = StartKind::First;
        self.replica_mut(id).placement = Placement::Same;
    }

    fn notice_phase(&mut self, id: ReplicaId) {
        let replica = self.replica(id);
        let (incarnation, phase) = (replica.history.incarnation(), replica.phase);
        self.notice(Notice::Replica(ReplicaChange { replica: id, incarnation, phase }));
    }

    pub(super) fn remove_replica(&mut self, id: ReplicaId) {
        match self.replica(id).phase {
            phase if phase.is_up() => self.stop(id, NextPhase::Remove),
            Phase::Stopping => self.replica_mut(id).after = NextPhase::Remove,
            Phase::Removed => {}
            _ => self.enter(id, NextPhase::Remove),
        }
        self.leave_group(id);
        self.free_acted(id);
        let replica = self.replica_mut(id);
        if replica.gate == Gate::Group {
            // Its group was dissolved before.
            replica.gate = Gate::Backoff;
        }
        self.recount(id);
        self.retime(id);
    }
}
