//! Moves a replica from phase to phase, and updates its counts, its deadline and its entry in the queue.
//!
//! The caller handles the consequences for other replicas: a group, an incident, the end of the set.

use super::deadline::DeadlineReason;
use super::output::{Command, Notice, Output, ReplicaChange, Stop};
use super::queue::QueueClass;
use super::replica::{CensusBucket, NextPhase, Phase, Replica, ReplicaFlags};
use super::slots::Role;
use super::state::ReplicaSet;
use crate::decide::{Gate, ReplicaId, StartKind, StartOutcome};
use crate::time::Timestamp;

impl ReplicaSet {
    /// Sets the phase of a replica and updates the counts.
    pub(super) fn set_phase(&mut self, id: ReplicaId, phase: Phase) {
        if self.replica(id).phase != phase {
            self.change_phase(id, phase);
        }
    }

    /// Sets the phase of a replica, which must differ from its current one.
    #[inline]
    pub(super) fn change_phase(&mut self, id: ReplicaId, phase: Phase) {
        let replica = &mut self.replicas[id.index()];
        self.counts.change_phase(replica, phase, &mut self.tally, self.now);
        let incarnation = replica.history.incarnation();
        let entry = self.outputs.push_empty();
        *entry = Some(Output::Notice(Notice::Replica(ReplicaChange { replica: id, incarnation, phase })));
        self.note_slot_change(id);
    }

    /// Reports the phase of a replica.
    pub(super) fn notice_phase(&mut self, id: ReplicaId) {
        let replica = self.replica(id);
        let (incarnation, phase) = (replica.history.incarnation(), replica.phase);
        self.notice(Notice::Replica(ReplicaChange { replica: id, incarnation, phase }));
    }

    /// Updates the counts for a replica that has changed.
    pub(super) fn recount(&mut self, id: ReplicaId) {
        self.counts.recount(&mut self.replicas[id.index()], &mut self.tally, self.now);
        self.note_slot_change(id);
    }

    /// Counts a ready replica as available. This ends its failure.
    pub(super) fn make_available(&mut self, id: ReplicaId) {
        let replica = &mut self.replicas[id.index()];
        if replica.role.is_none() || replica.bucket.is_available() {
            return;
        }
        let past = ReplicaFlags::FAILED.and(ReplicaFlags::REQUESTED).and(ReplicaFlags::COMPLETED_RUN);
        replica.flags.clear(past.and(ReplicaFlags::ROLLING).and(ReplicaFlags::UNPROVEN));
        replica.flags.set(ReplicaFlags::WAS_AVAILABLE);
        self.counts.clear_joining(replica);
        let probes = replica.flags.any(ReplicaFlags::ACTED.and(ReplicaFlags::UNHEALTHY));
        let to = match replica.role {
            Some(Role::Regular) => CensusBucket::Available,
            Some(Role::StandIn) => CensusBucket::StandIn,
            _ => CensusBucket::Spare,
        };
        self.counts.change_bucket(replica, to, &mut self.tally, self.now);
        self.note_slot_change(id);
        if probes {
            self.free_acted(id);
            self.review_evidence(id);
        }
    }

    /// Updates the deadline of a replica. Must be called after every change that may move it.
    pub(super) fn retime(&mut self, id: ReplicaId) {
        let (at, why) = self.next_wakeup(id, self.replica(id));
        self.replica_mut(id).wakes_for = why;
        self.deadlines.set(id, at);
    }

    #[inline]
    pub(super) fn enqueue(&mut self, id: ReplicaId) {
        let replica = &mut self.replicas[id.index()];
        replica.flags.set(ReplicaFlags::QUEUED);
        self.queue.push_new(QueueClass::of(replica.kind), replica.due, id);
        self.compact_queue();
    }

    /// Queues a replica again, because its class or due time has changed.
    pub(super) fn requeue(&mut self, id: ReplicaId) {
        let replica = &self.replicas[id.index()];
        self.queue.push(QueueClass::of(replica.kind), replica.due, id);
        self.compact_queue();
    }

    /// Bounds the queue, in which stale entries accumulate behind a closed gate.
    #[inline]
    fn compact_queue(&mut self) {
        let replicas = &self.replicas;
        self.queue.compact(2 * replicas.len() + 64, |class, due, id| is_queued(replicas, class, due, id));
    }

    /// Asks a live replica to stop. `after` is its next phase, entered once its end is confirmed.
    pub(super) fn stop(&mut self, id: ReplicaId, after: NextPhase) {
        self.conclude_start(id, StartOutcome::Gone);
        let replica = &mut self.replicas[id.index()];
        self.policy.record_not_ready(&mut replica.history, self.now);
        replica.after = after;
        replica.kills = 0;
        // If its end is reported in the current batch, there is nothing to stop.
        let ending = replica.flags.has(ReplicaFlags::ENDING);
        let lost = replica.flags.has(ReplicaFlags::LOST);
        let incarnation = replica.history.incarnation();
        if !ending {
            let grace = std::time::Duration::from_nanos(self.policy.compiled().stop_grace);
            self.command(Command::Stop(Stop { replica: id, incarnation, grace }));
        }
        if lost {
            self.wait_for_end_of_lost(id);
        }
        self.set_phase(id, Phase::Stopping);
        self.end_probes(id);
        self.recount(id);
        self.retime(id);
    }

    /// Moves a replica without an instance to its next phase.
    pub(super) fn enter(&mut self, id: ReplicaId, after: NextPhase) {
        let after = if self.ending && after != NextPhase::Complete { NextPhase::Remove } else { after };
        if self.cold.is_some() {
            self.end_probes(id);
        }
        let now = self.now;
        let replica = &mut self.replicas[id.index()];
        // A replica that is given up keeps its place of `max_probe_restarts`.
        if matches!(after, NextPhase::Stopped | NextPhase::Complete | NextPhase::Remove)
            && replica.flags.has(ReplicaFlags::ACTED)
        {
            replica.flags.clear(ReplicaFlags::ACTED);
            self.cold.get_or_init().health.acted -= 1;
        }
        replica.after = after;
        replica.flags.clear_if_set(ReplicaFlags::QUEUED);
        let phase = match after {
            NextPhase::Start => {
                if replica.kind == StartKind::First {
                    replica.history.reset_keep_incarnation();
                    replica.due = replica.due.min(now);
                }
                if matches!(replica.gate, Gate::Hold | Gate::Stop | Gate::Order) {
                    replica.gate = Gate::Backoff;
                }
                Phase::Waiting
            }
            NextPhase::Hold => {
                replica.gate = Gate::Hold;
                Phase::Waiting
            }
            NextPhase::Quarantine => Phase::Quarantined,
            NextPhase::Stopped => {
                replica.due = Timestamp::NEVER;
                replica.gate = Gate::Backoff;
                Phase::Stopped
            }
            NextPhase::Complete => Phase::Completed,
            NextPhase::Remove => {
                replica.due = Timestamp::NEVER;
                if !self.ending {
                    self.slots.get_or_init().release(id, self.cold.get());
                }
                Phase::Removed
            }
        };
        if replica.phase == phase {
            self.counts.recount(replica, &mut self.tally, now);
        } else {
            self.counts.change_phase(replica, phase, &mut self.tally, now);
            let incarnation = replica.history.incarnation();
            let entry = self.outputs.push_empty();
            *entry = Some(Output::Notice(Notice::Replica(ReplicaChange { replica: id, incarnation, phase })));
        }
        self.note_slot_change(id);
        let replica = &mut self.replicas[id.index()];
        let timed =
            !replica.flags.has(ReplicaFlags::QUEUED) && !matches!(replica.gate, Gate::Hold | Gate::Group | Gate::Order);
        if replica.phase == Phase::Waiting && timed {
            replica.wakes_for = DeadlineReason::StartDue;
            self.deadlines.set(id, replica.due);
        } else {
            self.retime(id);
        }
    }

    /// Handles the confirmed end of a stopping instance, as of `at`. Returns when its restart is due, if its delay counts from
    /// its end and its group waits for it.
    pub(super) fn finish_stop(&mut self, id: ReplicaId, at: Timestamp) -> Option<Timestamp> {
        let replica = &mut self.replicas[id.index()];
        replica.flags.clear(ReplicaFlags::ENDING);
        replica.history.record_stopped(&self.policy, self.now);
        let after = replica.after;
        let due = self.count_delay_from(id, at);
        self.forget_lost(id);
        self.enter(id, after);
        due
    }

    /// Sets the due time of a delay that counts from `end`. Returns it if the replica's group waits for it.
    pub(super) fn count_delay_from(&mut self, id: ReplicaId, end: Timestamp) -> Option<Timestamp> {
        let delay = self.cold.get_mut().and_then(|cold| cold.delays.remove(&id));
        let replica = &mut self.replicas[id.index()];
        let in_group = replica.gate == Gate::Group;
        if !replica.counts_from_its_end() || (in_group && delay.is_none()) {
            return None;
        }
        let due = end.later_by(delay.unwrap_or(0));
        replica.due = due;
        in_group.then_some(due)
    }
}

/// Whether an entry of the queue is current rather than stale.
pub(super) fn is_queued(replicas: &[Replica], class: QueueClass, due: Timestamp, id: ReplicaId) -> bool {
    let replica = &replicas[id.index()];
    replica.flags.has(ReplicaFlags::QUEUED) && replica.due == due && QueueClass::of(replica.kind) == class
}
