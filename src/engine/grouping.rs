//! Scope `all` and `rest`: one failure restarts several replicas together.
//!
//! The others are stopped in reverse order, none waiting for another; when all have stopped and the restart is
//! due, all are started in order. It is charged once, to the replica that failed.

use super::group::Group;
use super::replica::{After, Marks, Phase, Replica};
use super::set::ReplicaSet;
use crate::decide::{Gate, ReplicaId, StartKind};
use crate::time::Timestamp;

impl ReplicaSet {
    /// Takes a failed replica and, as its restart's scope says, others into a group that restarts together, at the later
    /// of this and what it waits for already.
    pub(super) fn gather_group(&mut self, id: ReplicaId, from: ReplicaId, due: Timestamp) {
        match self.group {
            // All the others have been stopped already: it only joins them.
            Some(group) if group.from <= from => self.join_group(group, id, due),
            Some(_) | None => self.form_group(id, from, due),
        }
    }

    fn join_group(&mut self, mut group: Group, id: ReplicaId, due: Timestamp) {
        let charged = self.replica(id).kind == (StartKind::Restart { charged: true });
        let replica = self.replica_mut(id);
        replica.gate = Gate::Group;
        replica.due = due;
        replica.marks.clear(Marks::QUEUED);
        if id != group.leader {
            replica.kind = StartKind::Restart { charged: false };
        }
        group.stopping += u32::from(replica.phase == Phase::Stopping);
        let leader = self.replica_mut(group.leader);
        if charged {
            leader.kind = StartKind::Restart { charged };
        }
        if due > leader.due || group.leader == id {
            leader.due = due;
            leader.marks.clear(Marks::QUEUED);
            group.is_due = false;
        }
        self.group = Some(group);
        self.recount(id);
        self.retime(id);
        self.retime(group.leader);
    }

    /// When the group would restart: a member that waits for a later time is joined at that time.
    pub(super) fn plan_group(&self, from: ReplicaId, due: Timestamp) -> Timestamp {
        let pending = self.group.map_or(Timestamp::ZERO, |group| self.replica(group.leader).due);
        if self.group.is_some_and(|group| group.from <= from) {
            return due.max(pending);
        }
        let from = self.group.map_or(from, |group| from.min(group.from));
        (from.0..self.desired)
            .map(|index| self.replica(ReplicaId(index)))
            .filter(|replica| self.joins(replica) && !replica.phase.is_up() && !replica.due.is_never())
            .map(|replica| replica.due)
            .chain([due, pending])
            .max()
            .unwrap_or(due)
    }

    /// Who takes part: not the quarantined, the completed, the removed, nor what an operator must release.
    fn joins(&self, replica: &Replica) -> bool {
        match replica.phase {
            Phase::Waiting => replica.gate != Gate::Hold,
            Phase::Stopping => replica.after == After::Start,
            phase => phase.is_up(),
        }
    }

    /// Makes the group, or one of more members of it: stops them in reverse order. Those whose end was told in the same
    /// batch are judged in their turn.
    fn form_group(&mut self, leader: ReplicaId, from: ReplicaId, due: Timestamp) {
        let from = self.group.map_or(from, |group| from.min(group.from));
        self.group = Some(Group { leader, from, stopping: 0, is_due: false });
        for index in (from.0..self.desired).rev() {
            let id = ReplicaId(index);
            if !self.joins(self.replica(id)) || self.replica(id).marks.has(Marks::ENDING) {
                continue;
            }
            let up = self.replica(id).phase.is_up();
            let replica = self.replica_mut(id);
            replica.gate = Gate::Group;
            replica.due = due;
            if id != leader {
                replica.kind = StartKind::Restart { charged: false };
            }
            replica.marks.clear(Marks::QUEUED);
            if up {
                self.stop(id, After::Start);
            }
            self.recount(id);
            self.retime(id);
        }
        let stopping = self.members().filter(|&id| self.replica(id).phase == Phase::Stopping).count();
        if let Some(group) = &mut self.group {
            group.stopping = u32::try_from(stopping).unwrap_or(u32::MAX);
        }
    }

    fn members(&self) -> impl Iterator<Item = ReplicaId> + use<'_> {
        let from = self.group.map_or(self.desired, |group| group.from.0);
        (from..self.desired).map(ReplicaId).filter(|&id| self.is_member(id))
    }

    fn is_member(&self, id: ReplicaId) -> bool {
        let replica = self.replica(id);
        self.is_in_group(id)
            && (replica.waits_for_group()
                || (replica.phase == Phase::Stopping && replica.after == After::Start && replica.gate == Gate::Group))
    }

    /// Whether the group that waits to restart includes this replica's slot.
    pub(super) fn is_in_group(&self, id: ReplicaId) -> bool {
        self.group.is_some_and(|group| id >= group.from)
    }

    pub(super) fn leads_group(&self, id: ReplicaId) -> bool {
        self.group.is_some_and(|group| group.leader == id)
    }

    /// Whether this replica may take its turn: a leader whose members have not all stopped waits for them.
    pub(super) fn group_is_due(&mut self, id: ReplicaId) -> bool {
        match &mut self.group {
            Some(group) if group.leader == id => {
                group.is_due = true;
                group.stopping == 0
            }
            _ => true,
        }
    }

    /// The end of a member is confirmed.
    pub(super) fn member_stopped(&mut self, id: ReplicaId) {
        let Some(group) = &mut self.group else { return };
        if id < group.from || self.replicas[id.index()].gate != Gate::Group {
            return;
        }
        group.stopping = group.stopping.saturating_sub(1);
        let (leader, ready) = (group.leader, group.stopping == 0 && group.is_due);
        if ready {
            self.enqueue(leader);
            self.retime(leader);
        }
    }

    /// A replica that goes its own way leaves the group; if it led it, the next member does.
    pub(super) fn leave_group(&mut self, id: ReplicaId) {
        let Some(group) = self.group else { return };
        if id < group.from || self.replica(id).gate != Gate::Group {
            return;
        }
        let was_stopping = self.replica(id).phase == Phase::Stopping;
        let due = self.replica(id).due;
        self.replica_mut(id).gate = Gate::Backoff;
        if let (Some(group), true) = (&mut self.group, was_stopping) {
            group.stopping = group.stopping.saturating_sub(1);
        }
        if group.leader == id {
            let next = self.members().find(|&member| member != id);
            match (next, &mut self.group) {
                (Some(next), Some(group)) => {
                    group.leader = next;
                    group.is_due = false;
                    let replica = self.replica_mut(next);
                    if !due.is_never() {
                        replica.due = due;
                    }
                    self.retime(next);
                }
                _ => self.group = None,
            }
        }
        if let Some(group) = self.group {
            if group.is_due && group.stopping == 0 && !self.replica(group.leader).marks.has(Marks::QUEUED) {
                self.enqueue(group.leader);
                self.retime(group.leader);
            }
        }
    }

    /// All have stopped and it is their turn: all are started in order, as one start.
    pub(super) fn start_group(&mut self) {
        let Some(group) = self.group else { return };
        for index in group.from.0..self.desired {
            let id = ReplicaId(index);
            if self.replica(id).waits_for_group() {
                self.start(id, Some(Marks::IN_GROUP));
            }
        }
        self.group = None;
    }
}
