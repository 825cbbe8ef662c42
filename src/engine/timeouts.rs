//! Time-outs of replicas: when each has its next, and what it means.

use super::deadline::DeadlineReason;
use super::evidence::Evidence;
use super::output::Command;
use super::replica::{After, Marks, Phase, Replica, Standing};
use super::set::ReplicaSet;
use crate::decide::{Gate, Outcome, ReplicaId, StartKind, StartOutcome};
use crate::policy::Cause;
use crate::policy::retry_schedule::FOREVER;
use crate::time::Timestamp;

/// The gap after the first kill that nobody confirms; it doubles with each.
const FIRST_KILL_GAP: u64 = 10_000_000_000;
/// The longest gap between two kills.
const LONGEST_KILL_GAP: u64 = 300_000_000_000;

/// The gap before the next kill, after so many that nobody confirmed.
pub(super) fn kill_gap(kills: u8, stop_grace: u64) -> u64 {
    match kills {
        0 => stop_grace,
        kills => FIRST_KILL_GAP.saturating_mul(1 << (kills - 1).min(10)).min(LONGEST_KILL_GAP),
    }
}

impl ReplicaSet {
    /// What is due of one replica at `at`.
    pub(super) fn timeout(&mut self, id: ReplicaId, at: Timestamp) {
        match self.replica(id).wakes_for {
            DeadlineReason::StartDue => self.start_due(id),
            DeadlineReason::HoldEnds => self.hold_ends(id),
            DeadlineReason::StartTimeout => {
                let outcome = Outcome::start_failed(Cause::StartTimeout, at);
                self.note_timeouts(id, at);
                self.correlate_one(id, &outcome);
                self.fail(id, &outcome, true);
            }
            DeadlineReason::MinReady => {
                self.make_available(id);
                self.note_standing();
                self.retime(id);
            }
            DeadlineReason::SlotTimeout => self.release_slot(id),
            DeadlineReason::Trial => {
                self.trial_decided(id, StartOutcome::Up);
                self.retime(id);
            }
            DeadlineReason::Kill => self.kill(id),
            DeadlineReason::Unknown => {
                let phase = self.replica(id).phase;
                // A call that comes late starts the wait for `node-lost` at its own time, for a stop too.
                let now = self.now;
                if let Some(lost) = self.extras.get_or_init().contact.lost.get_mut(&id) {
                    lost.was = phase;
                    lost.unknown_since = Some(now);
                }
                self.policy.unknown(&mut self.replicas[id.index()].history, at);
                self.set_phase(id, Phase::Unknown);
                self.review_evidence(id);
                self.retime(id);
            }
            DeadlineReason::NodeLost if self.is_blind() => {
                let contact = &mut self.extras.get_or_init().contact;
                if let Some(lost) = contact.lost.get_mut(&id) {
                    lost.overdue = true;
                    contact.overdue.insert(id);
                }
                self.retime(id);
            }
            DeadlineReason::NodeLost if self.replica(id).phase == Phase::Stopping => self.give_up_stop(id),
            DeadlineReason::NodeLost => {
                self.note_timeouts(id, at);
                self.declare_lost(id, at);
                self.declare_overdue();
            }
            DeadlineReason::Probe => self.probe_due(id),
            DeadlineReason::Unready => self.add_evidence(id, Evidence::unready, at),
            // What follows is done with the rest of what may be done at this instant.
            DeadlineReason::Evidence => self.retime(id),
            DeadlineReason::Begin | DeadlineReason::Gate | DeadlineReason::Status | DeadlineReason::KillStray => {
                self.retime(id);
            }
        }
    }

    fn kill(&mut self, id: ReplicaId) {
        let now = self.now;
        let replica = self.replica_mut(id);
        replica.kills = replica.kills.saturating_add(1);
        replica.since = now;
        let incarnation = replica.history.incarnation();
        self.command(Command::Kill(super::output::Kill { replica: id, incarnation }));
        self.retime(id);
    }

    /// Keeps the deadline of a replica up to date; to be called after every change that may move it.
    #[inline(never)]
    pub(super) fn retime(&mut self, id: ReplicaId) {
        self.retime_in(id, self.replica(id).phase);
    }

    /// [`retime`](Self::retime), in line for a phase that is known.
    #[inline(always)]
    pub(super) fn retime_in(&mut self, id: ReplicaId, phase: Phase) {
        debug_assert_eq!(self.replica(id).phase, phase, "the phase of replica {id}");
        let (at, why) = self.timer(id, &self.replicas[id.index()], phase);
        self.replica_mut(id).wakes_for = why;
        self.deadlines.set(id, at);
    }

    /// Whether its deadline is when its next step is due.
    pub(super) fn wakes_in_time(&self, id: ReplicaId) -> bool {
        let replica = self.replica(id);
        // How long one that holds a place lets others go first depends on the time at which that was looked at.
        replica.marks.has(Marks::ACTED.and(Marks::UNHEALTHY))
            || self.timer(id, replica, replica.phase).0 == self.deadlines.of(id)
    }

    /// The next deadline of one replica.
    #[inline(always)]
    fn timer(&self, id: ReplicaId, replica: &Replica, phase: Phase) -> (Timestamp, DeadlineReason) {
        let compiled = self.policy.compiled();
        let mut next = (Timestamp::MAX, DeadlineReason::StartDue);
        let mut offer = |at: Timestamp, why| {
            if at < next.0 {
                next = (at, why);
            }
        };
        let up = matches!(phase, Phase::Running | Phase::Ready | Phase::Unknown);
        match phase {
            Phase::Waiting if replica.marks.has(Marks::QUEUED) => {}
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
                if replica.marks.has(Marks::IN_FLIGHT) {
                    offer(replica.due.plus_nanos(compiled.start_timeout), DeadlineReason::SlotTimeout);
                }
                if replica.marks.has(Marks::ON_TRIAL) {
                    let started = replica.history.started_at().unwrap_or(Timestamp::MAX);
                    offer(started.plus_nanos(self.policy.canary_trial()), DeadlineReason::Trial);
                }
                if phase == Phase::Ready && !matches!(replica.standing, Standing::Available | Standing::None) {
                    let ready = replica.history.ready_since().unwrap_or(Timestamp::MAX);
                    offer(ready.plus_nanos(compiled.min_ready), DeadlineReason::MinReady);
                }
            }
            Phase::Stopping => {
                let gap = kill_gap(replica.kills, compiled.stop_grace);
                offer(replica.since.plus_nanos(gap), DeadlineReason::Kill);
                let restarts = replica.after == After::Start && matches!(replica.kind, StartKind::Restart { .. });
                if restarts && !matches!(replica.gate, Gate::Stop | Gate::Group) {
                    offer(replica.due, DeadlineReason::StartDue);
                }
            }
            Phase::Stopped | Phase::Completed | Phase::Removed => {}
        }
        if replica.marks.has(Marks::LOST) {
            if let Some(lost) = self.lost_contact(id) {
                let unknown = lost.unknown_since.unwrap_or(lost.since.plus_nanos(compiled.unknown_after));
                match phase {
                    Phase::Unknown if compiled.lost_after == FOREVER || lost.overdue => {}
                    Phase::Unknown => offer(replica.since.plus_nanos(compiled.lost_after), DeadlineReason::NodeLost),
                    Phase::Stopping if lost.overdue => {}
                    Phase::Stopping => offer(unknown.plus_nanos(compiled.lost_after), DeadlineReason::NodeLost),
                    Phase::Running | Phase::Ready => offer(unknown, DeadlineReason::Unknown),
                    // A start is bounded by `start_timeout`, seen or not.
                    _ => {}
                }
            }
        }
        if up && self.extras.is_some() {
            offer(self.next_probe(id), DeadlineReason::Probe);
            if phase == Phase::Running && compiled.unready_timeout != FOREVER {
                offer(self.unready_at(id), DeadlineReason::Unready);
            }
            if replica.marks.has(Marks::ACTED.and(Marks::UNHEALTHY)) && phase != Phase::Unknown {
                let acts = replica.due.plus_nanos(compiled.start_timeout);
                offer(if acts > self.now { acts } else { Timestamp::MAX }, DeadlineReason::Evidence);
            }
        }
        next
    }

    /// All that fail by time-out at this instant are one batch.
    fn note_timeouts(&mut self, id: ReplicaId, at: Timestamp) {
        if !self.policy.compiled().watches_failures
            || self.extras.get().is_some_and(|extras| extras.noted.contains(&id))
        {
            return;
        }
        let blind = self.is_blind();
        let mut failing = Vec::new();
        self.deadlines.at_earliest(|id| match self.replicas[id.index()].wakes_for {
            DeadlineReason::StartTimeout => failing.push((id, Outcome::start_failed(Cause::StartTimeout, at))),
            DeadlineReason::NodeLost if !blind => failing.push((id, Outcome::failed(Cause::NodeLost, at))),
            _ => {}
        });
        failing.retain(|(id, _)| self.replica(*id).phase != Phase::Stopping);
        self.note_together(failing);
    }
}
