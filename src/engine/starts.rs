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
    /// Its time has come: it takes its turn among the starts that are due.
    pub(super) fn start_due(&mut self, id: ReplicaId) {
        if self.replica(id).phase == Phase::Stopping {
            // It is told once, and goes on when its end is confirmed.
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
            // What is in the queue waits for gates, not for a time.
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

    /// Lets go what the gates admit, oldest due first.
    #[inline]
    pub(super) fn try_starts(&mut self) {
        self.gate_opens = Timestamp::NEVER;
        if !self.queue.is_empty() || self.set.has_incident() {
            self.try_what_waits();
        }
    }

    fn try_what_waits(&mut self) {
        loop {
            if !self.queue.is_empty() && !self.ending && !self.status().is_final() {
                self.admit_what_is_due();
            }
            // What the end of an incident lets go is tried at once.
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

    fn admit_what_is_due(&mut self) {
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
                    // Every start may have changed what the gates say.
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

    /// The start as `admit` sees it.
    pub(super) fn due_start(&self, id: ReplicaId) -> DueStart {
        // Of a group that starts in order, the first member is the one that an incident tries.
        let first = if self.leads_group(id) { self.first_of_group_in_order() } else { None };
        DueStart { replica: first.unwrap_or(id), kind: self.replica(id).kind }
    }

    fn release(&mut self, id: ReplicaId) {
        self.replica_mut(id).flags.clear(ReplicaFlags::QUEUED);
        if self.leads_group(id) {
            self.start_group();
        } else {
            let holds_place = matches!(self.replica(id).kind, StartKind::Restart { .. });
            self.start(id, holds_place.then_some(ReplicaFlags::HOLDS_PLACE));
        }
    }

    /// All have stopped and it is their turn: all are started in order, as one start.
    pub(super) fn start_group(&mut self) {
        let Some(group) = self.group() else { return };
        if let Some(first) = self.first_of_group_in_order() {
            self.start_group_in_order(first);
            return;
        }
        for index in group.from.0..self.desired {
            let id = ReplicaId(index);
            if self.replica(id).waits_for_group() {
                self.start(id, Some(ReplicaFlags::IN_GROUP));
            }
        }
        self.dissolve();
    }

    /// The first is started now, for which the group was admitted; each of the others when the one before it is ready.
    fn start_group_in_order(&mut self, first: ReplicaId) {
        for id in (first.0..self.desired).map(ReplicaId) {
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

    /// Commands a start. `place`: how it counts among the concurrent starts.
    pub(super) fn start(&mut self, id: ReplicaId, place: Option<ReplicaFlags>) {
        // What an operator starts is no part of a batch, but shows as well as a canary that the cause is gone.
        let requested = self.replica(id).kind == StartKind::Requested;
        let on_trial = self.set.is_holding() || (self.set.has_incident() && !requested);
        let now = self.now;
        let replica = &mut self.replicas[id.index()];
        let incarnation = self.policy.start(&mut replica.history, now);
        replica.after = NextPhase::Start;
        replica.gate = Gate::Backoff;
        replica.due = now;
        replica.kills = 0;
        replica.flags.clear(ReplicaFlags::BACKEND_READY.and(ReplicaFlags::UNCONFIRMED));
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
        if on_trial {
            self.put_on_trial(id);
        }
        bump(&mut self.tally.starts);
        self.command(Command::Start(Start { replica: id, incarnation, placement }));
        self.change_phase(id, Phase::Starting);
        self.retime_imp(id, Phase::Starting);
    }
}
