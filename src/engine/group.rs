//! Scope `all` and `rest`: one failure restarts several replicas together.
//!
//! The other members are stopped in reverse order, without waiting for each other. When all have stopped and the restart is
//! due, all are started in order. The restart is charged once, to the replica that failed.

use serde::{Deserialize, Serialize};

use super::replica::{NextPhase, Phase, Replica, ReplicaFlags};
use super::state::ReplicaSet;
use crate::decide::{Gate, ReplicaId, StartKind};
use crate::time::Timestamp;

/// A group that waits to restart together: the replicas from `from` on.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Group {
    /// The member that failed. Its entry in the queue of due starts stands for the whole group.
    pub(crate) leader: ReplicaId,
    pub(crate) from: ReplicaId,
    /// The number of members whose end is not confirmed.
    pub(crate) stopping: u32,
    /// Its restart is due, and waits only for members to stop.
    pub(crate) is_due: bool,
    /// The latest known due time of a member. Delays that count from the end of a stopping member may add a later one.
    #[serde(default)]
    pub(crate) not_before: Timestamp,
}

/// When a group would restart.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupPlan {
    /// [`Timestamp::NEVER`] until a failed member has ended, from whose end the delay counts.
    pub(super) due: Timestamp,
    /// The latest known due time of a member.
    pub(super) not_before: Timestamp,
}

impl ReplicaSet {
    /// Plans the restart of the replicas from `from` on, of which one is due at `due`. The latest due time of a member counts.
    pub(super) fn plan_group(&self, from: ReplicaId, due: Timestamp) -> GroupPlan {
        let before = self.group().map(|group| (self.replica(group.leader).due, group.not_before));
        let (pending, floor) = before.unwrap_or_default();
        let joining = self.outside_group(from).map(|id| self.replica(id));
        let waiting = joining.filter(|replica| self.joins(replica) && !replica.phase.is_up());
        let dues = waiting
            .filter(|replica| !replica.due.is_never() || replica.phase == Phase::Stopping)
            .map(|replica| replica.due)
            .chain([due, pending]);
        let (mut latest, mut not_before) = (Timestamp::ZERO, floor);
        for due in dues {
            latest = latest.max(due);
            not_before = not_before.max(due.known().unwrap_or_default());
        }
        GroupPlan { due: latest, not_before }
    }

    /// Adds a failed replica and those from `from` on to the group, or creates it. Members that are up are stopped in reverse
    /// order, except those whose end is reported in the same batch: a decision on each of these follows.
    pub(super) fn gather_group(&mut self, id: ReplicaId, from: ReplicaId, plan: GroupPlan) {
        let GroupPlan { due, not_before } = plan;
        let before = self.group();
        let outside: Vec<ReplicaId> = self.outside_group(from).collect();
        let charged = self.replica(id).kind == (StartKind::Restart { charged: true });
        let (leader, from) = before.map_or((id, from), |group| (group.leader, from.min(group.from)));
        let stopping = before.map_or(0, |group| group.stopping);
        self.cold.get_or_init().group =
            Some(Group { leader, from, stopping, is_due: before.is_some_and(|group| group.is_due), not_before });
        self.add_member(id, due);
        for other in outside.into_iter().rev().filter(|other| *other != id) {
            if self.joins(self.replica(other)) && !self.replica(other).flags.has(ReplicaFlags::ENDING) {
                self.add_member(other, due);
            }
        }
        // The leader's queue entry carries the charge of the whole group, and waits for all members.
        let pays = charged && self.replica(leader).kind != (StartKind::Restart { charged: true });
        let later = due > self.replica(leader).due || leader == id;
        let waits = self.group().is_some_and(|group| group.stopping > 0);
        let first = self.replica_mut(leader);
        if charged {
            first.kind = StartKind::Restart { charged };
        }
        if later {
            first.due = due;
        }
        if later || waits {
            first.flags.clear(ReplicaFlags::QUEUED);
        } else if pays && first.flags.has(ReplicaFlags::QUEUED) {
            self.requeue(leader);
        }
        if let Some(group) = self.group_mut().filter(|_| later) {
            group.is_due = false;
        }
        self.retime(leader);
    }

    /// The replicas from `from` on that are not in the group yet.
    fn outside_group(&self, from: ReplicaId) -> impl Iterator<Item = ReplicaId> + use<> {
        let upto = self.group().map_or(self.replicas.len() as u32, |group| group.from.0);
        (from.0..upto).map(ReplicaId)
    }

    /// Makes a replica a member, and stops it if it is up.
    fn add_member(&mut self, id: ReplicaId, due: Timestamp) {
        let replica = self.replica_mut(id);
        replica.gate = Gate::Group;
        // The delay of a failed replica that is being stopped counts from its end.
        if !replica.counts_from_its_end() {
            replica.due = due;
        }
        replica.kind = StartKind::Restart { charged: false };
        replica.flags.clear(ReplicaFlags::QUEUED);
        if replica.phase.is_up() {
            self.stop(id, NextPhase::Start);
        }
        let stopping = self.replica(id).phase == Phase::Stopping;
        if let Some(group) = self.group_mut().filter(|_| stopping) {
            group.stopping += 1;
        }
        self.recount(id);
        self.retime(id);
    }

    /// Whether a replica joins a group: it is up, or would be started without an operator.
    fn joins(&self, replica: &Replica) -> bool {
        match replica.phase {
            _ if !replica.is_regular() => false,
            Phase::Waiting => replica.gate != Gate::Hold,
            Phase::Stopping => replica.after == NextPhase::Start,
            phase => phase.is_up(),
        }
    }

    fn members(&self) -> impl Iterator<Item = ReplicaId> + use<'_> {
        let count = self.replicas.len() as u32;
        let from = self.group().map_or(count, |group| group.from.0);
        (from..count).map(ReplicaId).filter(|&id| self.is_member(id))
    }

    fn is_member(&self, id: ReplicaId) -> bool {
        let replica = self.replica(id);
        self.is_in_group(id)
            && (replica.waits_for_group()
                || (replica.phase == Phase::Stopping
                    && replica.after == NextPhase::Start
                    && replica.gate == Gate::Group))
    }

    /// Whether the group that waits to restart includes this replica's slot.
    pub(super) fn is_in_group(&self, id: ReplicaId) -> bool {
        self.group().is_some_and(|group| id >= group.from)
    }

    pub(super) fn leads_group(&self, id: ReplicaId) -> bool {
        self.group().is_some_and(|group| group.leader == id)
    }

    /// The member that starts first, under `start_order: ordered`.
    pub(super) fn first_of_group_in_order(&self) -> Option<ReplicaId> {
        let group = self.group().filter(|_| self.policy.compiled().starts_in_order)?;
        self.regular_ids_from(group.from).find(|&id| self.replica(id).waits_for_group())
    }

    /// Marks the group of a leader as due, and returns whether it may start. `true` for any other replica.
    pub(super) fn group_is_due(&mut self, id: ReplicaId) -> bool {
        match self.group_mut() {
            Some(group) if group.leader == id => {
                group.is_due = true;
                self.may_start_group()
            }
            _ => true,
        }
    }

    /// Counts the confirmed end of a member. `due`: when its own restart is due, which delays the group.
    #[inline]
    pub(super) fn member_stopped(&mut self, id: ReplicaId, due: Option<Timestamp>) {
        if self.group().is_some() {
            self.count_stopped_member(id, due);
        }
    }

    #[cold]
    fn count_stopped_member(&mut self, id: ReplicaId, due: Option<Timestamp>) {
        let Some(group) = self.cold.get_mut().and_then(|cold| cold.group.as_mut()) else { return };
        if let Some(due) = due {
            group.not_before = group.not_before.max(due);
            self.settle_group_due();
        }
        let Some(group) = self.cold.get_mut().and_then(|cold| cold.group.as_mut()) else { return };
        if id < group.from || self.replicas[id.index()].gate != Gate::Group {
            return;
        }
        group.stopping = group.stopping.saturating_sub(1);
        self.resume_group();
    }

    /// Whether every member has stopped, and no stray of a member's slot is alive.
    fn may_start_group(&self) -> bool {
        let Some(group) = self.group() else { return false };
        let blocks = |id: ReplicaId| {
            let member = self.replicas.get(id.index()).filter(|replica| replica.is_regular());
            id >= group.from && member.is_some_and(Replica::waits_for_group)
        };
        group.stopping == 0 && !self.stray_instances().any(|stray| blocks(stray.replica))
    }

    /// Queues the start of a group that is due, once nothing holds it back.
    pub(super) fn resume_group(&mut self) {
        let Some(group) = self.group() else { return };
        if group.is_due && self.may_start_group() && !self.replica(group.leader).flags.has(ReplicaFlags::QUEUED) {
            self.enqueue(group.leader);
            self.retime(group.leader);
        }
    }

    /// Takes the group out of the queue, because a stray of a member's slot has appeared.
    pub(super) fn hold_back_group(&mut self) {
        let Some(group) = self.group() else { return };
        if self.replica(group.leader).flags.has(ReplicaFlags::QUEUED) {
            self.replica_mut(group.leader).flags.clear(ReplicaFlags::QUEUED);
            self.retime(group.leader);
        }
    }

    /// Sets the due time of the group, once every delay that counts from an end is known.
    fn settle_group_due(&mut self) {
        let Some(group) = self.group() else { return };
        let pending = |id: &ReplicaId| {
            let replica = self.replica(*id);
            replica.gate == Gate::Group && replica.counts_from_its_end()
        };
        if self.cold.get().is_some_and(|cold| cold.delays.keys().any(pending)) {
            return;
        }
        let leader = self.replica_mut(group.leader);
        if leader.due.is_never() || leader.due < group.not_before {
            leader.due = group.not_before;
            leader.flags.clear(ReplicaFlags::QUEUED);
            if let Some(group) = self.group_mut() {
                group.is_due = false;
            }
            self.retime(group.leader);
        }
    }

    /// Removes a replica from the group. If it was the leader, the next member becomes the leader.
    pub(super) fn leave_group(&mut self, id: ReplicaId) {
        let Some(group) = self.group() else { return };
        if id < group.from || self.replica(id).gate != Gate::Group {
            return;
        }
        let was_stopping = self.replica(id).phase == Phase::Stopping;
        let now = self.now;
        let replica = self.replica_mut(id);
        let due = replica.due;
        replica.gate = Gate::Backoff;
        if due.is_never() && replica.phase == Phase::Waiting {
            // Only the group waited for the end of another member.
            replica.due = now;
        }
        if let (Some(group), true) = (self.group_mut(), was_stopping) {
            group.stopping = group.stopping.saturating_sub(1);
        }
        if group.leader == id {
            let next = self.members().find(|&member| member != id);
            match (next, self.group_mut()) {
                (Some(next), Some(group)) => {
                    group.leader = next;
                    group.is_due = false;
                    let replica = self.replica_mut(next);
                    if !due.is_never() && !replica.counts_from_its_end() {
                        replica.due = due;
                    }
                    self.retime(next);
                }
                _ => self.dissolve(),
            }
        }
        self.settle_group_due();
        self.resume_group();
    }

    /// Removes the group.
    #[inline]
    pub(super) fn dissolve(&mut self) {
        if let Some(cold) = self.cold.get_mut() {
            cold.group = None;
        }
    }
}
