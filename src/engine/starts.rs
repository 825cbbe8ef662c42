//! Starts: queues those that are due, asks for admission, issues the commands.

use super::output::{Command, Notice, Start, Waiting};
use super::replica::{NextPhase, Phase, ReplicaFlags};
use super::state::ReplicaSet;
use super::tally::bump;
use super::transitions::is_queued;
use crate::decide::{Admission, DueStart, Gate, ReplicaId, StartKind};
use crate::policy::Placement;
use crate::time::Timestamp;

impl ReplicaSet {
    /// Queues a start that is due, unless a stop, the start order or a stray holds it back.
    pub(super) fn start_due(&mut self, id: ReplicaId) {
        if self.replica(id).phase == Phase::Stopping {
            // One notice; the start follows when the end is confirmed.
            self.replica_mut(id).gate = Gate::Stop;
            self.notice(Notice::Waiting(Waiting { replica: id, gate: Gate::Stop }));
        } else if self.waits_for_order(id) {
            self.wait_for_order(id);
            return;
        } else if self.group_is_due(id) {
            if !self.leads_group(id) && self.waits_for_stray(id) {
                self.hold_for_stray(id);
                return;
            }
            self.enqueue(id);
            // A queued start waits for gates and needs no deadline.
            self.deadlines.set(id, Timestamp::NEVER);
            return;
        }
        self.retime(id);
    }

    pub(super) fn hold_ends(&mut self, id: ReplicaId) {
        let replica = self.replica_mut(id);
        replica.kind = StartKind::Restart { charged: false };
        self.enter(id, NextPhase::Start);
    }

    /// Starts every queued replica that the gates admit, in order of due time.
    #[inline]
    pub(super) fn try_starts(&mut self) {
        self.gate_opens = Timestamp::NEVER;
        if !self.queue.is_empty() || self.set.has_incident() {
            self.try_waiting();
        }
    }

    fn try_waiting(&mut self) {
        loop {
            if !self.queue.is_empty() && !self.ending && !self.status().is_final() {
                self.admit_due();
            }
            // The end of an incident opens its gate.
            if !self.close_incident() || self.queue.is_empty() {
                break;
            }
        }
        while let Some(id) = self.queue.pop_new() {
            let replica = &self.replicas[id.index()];
            if let Some(gate) = self.queue.gate(replica.kind).filter(|_| replica.flags.has(ReplicaFlags::QUEUED)) {
                self.notice(Notice::Waiting(Waiting { replica: id, gate }));
            }
        }
    }

    fn admit_due(&mut self) {
        self.reopen_gates();
        while !self.queue.is_empty() {
            let replicas = &self.replicas;
            let first = self.queue.first(|class, due, id| is_queued(replicas, class, due, id));
            let Some((class, _, id)) = first else { return };
            let start = self.due_start(id);
            match self.policy.admit(&mut self.set, &self.counts.census, start, self.now) {
                Admission::Start => {
                    self.queue.pop(class);
                    self.release(id);
                    // A start may open or close any gate.
                    self.reopen_gates();
                }
                Admission::Wait(wait) => {
                    self.queue.hold(class, wait.gate);
                    self.gate_opens = self.gate_opens.min(wait.until.unwrap_or(Timestamp::NEVER));
                }
                Admission::Terminate(reason) => {
                    self.end(reason);
                    return;
                }
            }
        }
    }

    fn reopen_gates(&mut self) {
        self.queue.open();
        self.gate_opens = Timestamp::NEVER;
    }

    /// The argument of `Policy::admit` for a start.
    pub(super) fn due_start(&self, id: ReplicaId) -> DueStart {
        // If a group starts in order, its first member is the canary.
        let first = if self.leads_group(id) { self.first_of_group_in_order() } else { None };
        DueStart { replica: first.unwrap_or(id), kind: self.replica(id).kind }
    }

    fn release(&mut self, id: ReplicaId) {
        self.replica_mut(id).flags.clear(ReplicaFlags::QUEUED);
        if self.leads_group(id) {
            self.start_group();
        } else {
            let holds_place = matches!(self.replica(id).kind, StartKind::Restart { .. } | StartKind::Exempt);
            self.start(id, holds_place.then_some(ReplicaFlags::HOLDS_PLACE));
        }
    }

    /// Starts an admitted group, in order. It counts as one start.
    pub(super) fn start_group(&mut self) {
        let Some(group) = self.group() else { return };
        if let Some(first) = self.first_of_group_in_order() {
            self.start_group_in_order(first);
            return;
        }
        for id in (group.from.0..self.replicas.len() as u32).map(ReplicaId) {
            if self.replica(id).waits_for_group() {
                self.start(id, Some(ReplicaFlags::IN_GROUP));
            }
        }
        self.dissolve();
    }

    /// Starts the first member of an admitted group. Each of the others waits until the one before it is ready.
    fn start_group_in_order(&mut self, first: ReplicaId) {
        for id in (first.0..self.replicas.len() as u32).map(ReplicaId) {
            if self.replica(id).waits_for_group() {
                // The group was charged when it was admitted.
                let now = self.now;
                let member = self.replica_mut(id);
                member.kind = StartKind::Restart { charged: false };
                member.due = now;
                if id == first {
                    self.start(id, Some(ReplicaFlags::HOLDS_PLACE));
                } else {
                    self.wait_for_order(id);
                }
            }
        }
        self.dissolve();
    }

    /// Commands a start. `place`: the flag by which it counts towards `max_concurrent_starts`.
    pub(super) fn start(&mut self, id: ReplicaId, place: Option<ReplicaFlags>) {
        // A requested start is not a trial of the batch that follows the canary, but may show that the cause is gone.
        let kind = self.replica(id).kind;
        let in_incident = self.set.is_holding() || (self.set.has_incident() && kind != StartKind::Requested);
        let on_trial = in_incident && kind != StartKind::Exempt;
        let now = self.now;
        let replica = &mut self.replicas[id.index()];
        let incarnation = self.policy.start(&mut replica.history, now);
        replica.after = NextPhase::Start;
        replica.gate = Gate::Backoff;
        replica.due = now;
        replica.kills = 0;
        replica.flags.clear(ReplicaFlags::BACKEND_READY.and(ReplicaFlags::UNCONFIRMED).and(ReplicaFlags::UNSTARTED));
        replica.flags.clear(ReplicaFlags::ENDING);
        replica.flags.clear(ReplicaFlags::UNHEALTHY);
        replica.flags.set(ReplicaFlags::IN_FLIGHT);
        self.counts.census.in_flight += 1;
        match place {
            Some(ReplicaFlags::IN_GROUP) => {
                replica.flags.set(ReplicaFlags::IN_GROUP);
                let in_flight = &mut self.cold.get_or_init().group_in_flight;
                *in_flight += 1;
                self.counts.census.starting += u32::from(*in_flight == 1);
            }
            Some(place) => {
                replica.flags.set(place);
                self.counts.census.starting += 1;
            }
            None => {}
        }
        let placement = std::mem::replace(&mut replica.placement, Placement::Same);
        let role = replica.role.unwrap_or_default();
        if on_trial {
            self.put_on_trial(id);
        }
        bump(&mut self.tally.starts);
        let (tied_to, revision) = if self.slots.is_some() { self.tie_and_revision(id) } else { (None, None) };
        self.command(Command::Start(Start { replica: id, incarnation, placement, role, tied_to, revision }));
        self.change_phase(id, Phase::Starting);
        self.retime(id);
    }
}
