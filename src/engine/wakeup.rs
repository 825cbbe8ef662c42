//! The next deadline of a replica. Each has at most one, which is computed from its state.

use super::deadline::{Deadline, DeadlineReason};
use super::replica::{NextPhase, Phase, Replica, ReplicaFlags};
use super::state::ReplicaSet;
use crate::decide::{Gate, ReplicaId, StartKind};
use crate::policy::retry_schedule::FOREVER;
use crate::time::Timestamp;

/// The gap after the first unconfirmed kill. It doubles with each kill.
const FIRST_KILL_GAP: u64 = 10_000_000_000;
/// The longest gap between two kills.
const LONGEST_KILL_GAP: u64 = 300_000_000_000;

/// The gap before the next kill, after `kills` unconfirmed ones.
pub(super) fn kill_gap(kills: u8, stop_grace: u64) -> u64 {
    match kills {
        0 => stop_grace,
        kills => FIRST_KILL_GAP.saturating_mul(1 << (kills - 1).min(10)).min(LONGEST_KILL_GAP),
    }
}

impl ReplicaSet {
    /// Returns the next deadline of one replica and its reason.
    pub(super) fn next_wakeup(&self, id: ReplicaId, replica: &Replica) -> (Timestamp, DeadlineReason) {
        let compiled = self.policy.compiled();
        let phase = replica.phase;
        let mut next = (Timestamp::NEVER, DeadlineReason::StartDue);
        let mut offer = |at: Timestamp, why| {
            if at < next.0 {
                next = (at, why);
            }
        };
        let up = matches!(phase, Phase::Running | Phase::Ready | Phase::Unknown);
        match phase {
            Phase::Waiting if replica.flags.has(ReplicaFlags::QUEUED) => {}
            // It waits for a stray of its slot.
            Phase::Waiting if replica.gate == Gate::Stop => {}
            Phase::Waiting if replica.gate == Gate::Hold => offer(replica.due, DeadlineReason::HoldEnds),
            Phase::Waiting if replica.gate == Gate::Group => {
                if self.group().is_some_and(|group| group.leader == id && !group.is_due) {
                    offer(replica.due, DeadlineReason::StartDue);
                }
            }
            Phase::Waiting if replica.gate == Gate::Order => {}
            Phase::Waiting => offer(replica.due, DeadlineReason::StartDue),
            Phase::Quarantined => offer(replica.due, DeadlineReason::HoldEnds),
            Phase::Starting => offer(replica.since.plus_nanos(compiled.start_timeout), DeadlineReason::StartTimeout),
            Phase::Running | Phase::Ready | Phase::Unknown => {
                if replica.flags.has(ReplicaFlags::IN_FLIGHT) {
                    offer(replica.due.plus_nanos(compiled.start_timeout), DeadlineReason::SlotTimeout);
                }
                if replica.flags.has(ReplicaFlags::ON_TRIAL) {
                    let started = replica.history.started_at().unwrap_or(Timestamp::NEVER);
                    offer(started.plus_nanos(self.policy.canary_trial()), DeadlineReason::Trial);
                }
                if phase == Phase::Ready && !replica.bucket.is_available() && replica.role.is_some() {
                    let ready = replica.history.ready_since().unwrap_or(Timestamp::NEVER);
                    offer(ready.plus_nanos(compiled.min_ready), DeadlineReason::MinReady);
                }
            }
            Phase::Stopping => {
                let gap = kill_gap(replica.kills, compiled.stop_grace);
                offer(replica.since.plus_nanos(gap), DeadlineReason::Kill);
                let restarts = replica.after == NextPhase::Start
                    && matches!(replica.kind, StartKind::Restart { .. } | StartKind::Exempt);
                if restarts && !matches!(replica.gate, Gate::Stop | Gate::Group) {
                    offer(replica.due, DeadlineReason::StartDue);
                }
            }
            Phase::Stopped | Phase::Completed | Phase::Removed => {}
        }
        if replica.flags.has(ReplicaFlags::LOST) {
            if let Some(lost) = self.lost_contact(id) {
                let unknown = lost.unknown_since.unwrap_or(lost.since.plus_nanos(compiled.unknown_after));
                match phase {
                    Phase::Unknown if compiled.lost_after == FOREVER || lost.overdue => {}
                    Phase::Unknown => offer(replica.since.plus_nanos(compiled.lost_after), DeadlineReason::NodeLost),
                    Phase::Stopping if lost.overdue => {}
                    Phase::Stopping => offer(unknown.plus_nanos(compiled.lost_after), DeadlineReason::NodeLost),
                    Phase::Running | Phase::Ready => offer(unknown, DeadlineReason::Unknown),
                    // `start_timeout` bounds a start, in contact or not.
                    _ => {}
                }
            }
        }
        if up && self.cold.is_some() {
            offer(self.next_probe(id), DeadlineReason::Probe);
            if phase == Phase::Running && compiled.unready_timeout != FOREVER {
                offer(self.unready_at(id), DeadlineReason::Unready);
            }
            if replica.flags.has(ReplicaFlags::ACTED.and(ReplicaFlags::UNHEALTHY)) && phase != Phase::Unknown {
                let acts = replica.due.plus_nanos(compiled.start_timeout);
                offer(if acts > self.now { acts } else { Timestamp::NEVER }, DeadlineReason::Evidence);
            }
        }
        next
    }

    /// Whether the stored deadline of a replica is the right one.
    pub(super) fn wakes_in_time(&self, id: ReplicaId) -> bool {
        let replica = self.replica(id);
        // The deadline of evidence depends on when the evidence was reviewed.
        replica.flags.has(ReplicaFlags::ACTED.and(ReplicaFlags::UNHEALTHY))
            || self.next_wakeup(id, replica).0 == self.deadlines.of(id)
    }

    /// Whether anything is due by now.
    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.next_due() <= self.now
    }

    /// The earliest deadline of a replica or of the set itself; [`Timestamp::NEVER`] if there is none.
    #[inline]
    pub(super) fn next_due(&self) -> Timestamp {
        self.deadlines.next().min(self.set_deadlines.first())
    }

    /// The time of [`next_deadline`](Self::next_deadline); [`Timestamp::NEVER`] if there is none.
    #[inline]
    pub(crate) fn wakes_at(&self) -> Timestamp {
        if self.begun { self.next_due().min(self.gate_opens) } else { self.now }
    }

    /// Returns when [`handle_timeout`](Self::handle_timeout) must be called next, and why; `None`: not before an event. Every
    /// mutation may change it.
    pub fn next_deadline(&self) -> Option<Deadline> {
        if !self.begun {
            return Some(Deadline { at: self.now, why: DeadlineReason::Begin, replica: None });
        }
        let first = self.deadlines.first().map(|replica| (replica, self.replica(replica).wakes_for));
        let mut next = first.map(|(id, why)| Deadline { at: self.deadlines.next(), why, replica: Some(id) });
        let status = self.set_deadlines.status();
        for (at, why) in [(self.gate_opens, DeadlineReason::Gate), (status, DeadlineReason::Status)] {
            if !at.is_never() && next.is_none_or(|next| at < next.at) {
                next = Some(Deadline { at, why, replica: None });
            }
        }
        let at = self.set_deadlines.slots();
        if !at.is_never() && next.is_none_or(|next| at < next.at) {
            let why =
                self.slots.get().map_or(DeadlineReason::StandIn, |slots| slots.next_rule(&self.policy, self.now).1);
            next = Some(Deadline { at, why, replica: None });
        }
        let at = self.set_deadlines.stray();
        if !at.is_never() && next.is_none_or(|next| at < next.at) {
            next = Some(Deadline {
                at,
                why: DeadlineReason::KillStray,
                replica: self.strays().and_then(|strays| strays.next()),
            });
        }
        next
    }
}
