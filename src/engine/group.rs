//! Scope `all` and `rest`: one failure restarts several replicas together.
//!
//! The other members are stopped in reverse order, without waiting for each other. When all have stopped and the restart is
//! due, all are started in order. The restart is charged once, to the replica that failed.

use serde::{Deserialize, Serialize};

use super::replica::{NextPhase, Phase, Replica, ReplicaFlags};
use super::state::ReplicaSet;
use crate::decide::{Gate, ReplicaId, StartKind};
use crate::time::Timestamp;

/// A group that waits to restart together: `from` and those after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Group {
    /// Whose failure it is; it stands for the group among the due starts.
    pub(crate) leader: ReplicaId,
    pub(crate) from: ReplicaId,
    /// Members whose end is not confirmed yet.
    pub(crate) stopping: u32,
    /// Its time has come; it waits for its members to stop.
    pub(crate) is_due: bool,
    /// Not before this; what is to come counts from the ends of members that are being stopped.
    #[serde(default)]
    pub(crate) not_before: Timestamp,
}

/// When a group would restart.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupPlan {
    /// "Never": not known before a member that failed has ended.
    pub(super) due: Timestamp,
    /// The latest time that is known by now.
    pub(super) not_before: Timestamp,
}

impl ReplicaSet {
    /// When a group of this replica and those from `from` on would restart: a member that waits for a later time is
    /// joined at that time.
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

    /// Takes a failed replica and, as its restart's scope says, those from `from` on into a group that restarts
    /// together. The others are stopped in reverse order; those whose end was told in the same batch are judged in
    /// their turn. A group that is there already is joined: its members have been stopped.
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
        // The one that stands for all of them among the due starts is charged for all, and waits for all.
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

    /// Those from `from` on that are not in the group yet.
    fn outside_group(&self, from: ReplicaId) -> impl Iterator<Item = ReplicaId> + use<> {
        let upto = self.group().map_or(self.desired, |group| group.from.0);
        (from.0..upto).map(ReplicaId)
    }

    /// Makes it a member, and stops it if it is up.
    fn add_member(&mut self, id: ReplicaId, due: Timestamp) {
        let replica = self.replica_mut(id);
        replica.gate = Gate::Group;
        // The delay of one that has failed and is being stopped counts from its end.
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

    /// Who takes part: not the quarantined, the completed, the removed, nor what an operator must release.
    fn joins(&self, replica: &Replica) -> bool {
        match replica.phase {
            Phase::Waiting => replica.gate != Gate::Hold,
            Phase::Stopping => replica.after == NextPhase::Start,
            phase => phase.is_up(),
        }
    }

    fn members(&self) -> impl Iterator<Item = ReplicaId> + use<'_> {
        let from = self.group().map_or(self.desired, |group| group.from.0);
        (from..self.desired).map(ReplicaId).filter(|&id| self.is_member(id))
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

    /// The member that starts first, where members start in order.
    pub(super) fn first_of_group_in_order(&self) -> Option<ReplicaId> {
        let group = self.group().filter(|_| self.policy.compiled().starts_in_order)?;
        (group.from.0..self.desired).map(ReplicaId).find(|&id| self.replica(id).waits_for_group())
    }

    /// Whether this replica may take its turn: a leader whose members have not all stopped waits for them.
    pub(super) fn group_is_due(&mut self, id: ReplicaId) -> bool {
        match self.group_mut() {
            Some(group) if group.leader == id => {
                group.is_due = true;
                self.may_start_group()
            }
            _ => true,
        }
    }

    /// The end of a replica is confirmed. If it is a member, the group goes on; `due`: not before its own due time.
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
        let blocks = |id: ReplicaId| id >= group.from && id.0 < self.desired && self.replica(id).waits_for_group();
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

    /// A stray of a member's slot has shown itself before the group's start has gone out.
    pub(super) fn hold_back_group(&mut self) {
        let Some(group) = self.group() else { return };
        if self.replica(group.leader).flags.has(ReplicaFlags::QUEUED) {
            self.replica_mut(group.leader).flags.clear(ReplicaFlags::QUEUED);
            self.retime(group.leader);
        }
    }

    /// Gives the group its due time once that is known.
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

    /// A replica that goes its own way leaves the group; if it led it, the next member does.
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
            // Its group waited for the end of another member, which is not its own concern any more.
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

    /// There is no group any more.
    #[inline]
    pub(super) fn dissolve(&mut self) {
        if let Some(cold) = self.cold.get_mut() {
            cold.group = None;
        }
    }
}
