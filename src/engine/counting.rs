//! How the replicas stand, counted as they change.

use super::cause_counts::{CauseSums, is_failed};
use super::output::{Notice, Output, ReplicaChange};
use super::replica::{After, Marks, Phase, Replica, Standing};
use super::set::ReplicaSet;
use super::tally::Tally;
use crate::decide::{Census, Gate, ReplicaId, StartKind};
use crate::time::Timestamp;

/// How the replicas stand, counted.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    pub(super) census: Census,
    /// Of those that failed or were given up.
    pub(super) causes: CauseSums,
    /// Replicas whose restart is only a matter of time or of a gate.
    pub(super) awaiting: u32,
    /// The status must be assessed again: of the same counts comes the same status.
    pub(super) changed: bool,
}

impl Counts {
    /// Puts a replica into a phase that it is not in. In line where every failure comes through.
    #[inline(always)]
    pub(super) fn change_phase(
        &mut self,
        replica: &mut Replica,
        phase: Phase,
        wanted: bool,
        tally: &mut Tally,
        now: Timestamp,
    ) {
        let was = std::mem::replace(&mut replica.phase, phase);
        debug_assert!(was != phase, "{phase} already");
        replica.since = now;
        if was.is_live() != phase.is_live() {
            let live = &mut self.census.live;
            *live = if phase.is_live() { *live + 1 } else { *live - 1 };
        }
        self.recount(replica, wanted, tally, now);
    }

    /// Brings the counts up to date with a replica that has changed. `wanted`: it is one of those asked for.
    #[inline(always)]
    pub(super) fn recount(&mut self, replica: &mut Replica, wanted: bool, tally: &mut Tally, now: Timestamp) {
        let awaits = match replica.phase {
            Phase::Waiting => replica.gate != Gate::Hold,
            Phase::Stopping => replica.after == After::Start,
            _ => false,
        } && replica.kind != StartKind::First;
        if replica.marks.has(Marks::AWAITING) != awaits {
            if awaits {
                replica.marks.set(Marks::AWAITING);
                self.awaiting += 1;
            } else {
                replica.marks.clear(Marks::AWAITING);
                self.awaiting -= 1;
            }
        }
        let stands = if wanted { replica.stands() } else { Standing::None };
        if replica.standing != stands {
            self.stands(replica, stands, tally, now);
            // One that is given up or has completed does not join any more.
            if !wanted || matches!(stands, Standing::GivenUp | Standing::Completed) {
                self.joined(replica);
            }
        }
    }

    #[inline(always)]
    fn stands(&mut self, replica: &mut Replica, stands: Standing, tally: &mut Tally, now: Timestamp) {
        let stood = std::mem::replace(&mut replica.standing, stands);
        self.changed = true;
        // The way of nearly every failure, and back, without a table of all the others.
        let Census { available, failed, .. } = &mut self.census;
        match (stood, stands) {
            (Standing::Available, Standing::Failed) => {
                *available -= 1;
                *failed += 1;
                self.causes.add(replica.failed_by);
                tally.stands(Standing::Available, Standing::Failed, now);
            }
            (Standing::Failed, Standing::Available) => {
                *failed -= 1;
                self.causes.remove(replica.failed_by);
                *available += 1;
                tally.stands(Standing::Failed, Standing::Available, now);
            }
            _ => {
                if is_failed(stood) {
                    self.causes.remove(replica.failed_by);
                }
                if is_failed(stands) {
                    self.causes.add(replica.failed_by);
                }
                self.moves(stood, stands, tally, now);
            }
        }
    }

    #[inline(never)]
    fn moves(&mut self, stood: Standing, stands: Standing, tally: &mut Tally, now: Timestamp) {
        if let Some(count) = count_of(&mut self.census, stood) {
            *count -= 1;
        }
        if let Some(count) = count_of(&mut self.census, stands) {
            *count += 1;
        }
        tally.stands(stood, stands, now);
    }

    /// It is not one that joins any more.
    fn joined(&mut self, replica: &mut Replica) {
        if replica.marks.has(Marks::JOINING) {
            replica.marks.clear(Marks::JOINING);
            self.census.joining -= 1;
            self.changed = true;
        }
    }
}

impl ReplicaSet {
    /// Puts a replica into a phase, with all that follows from it for the counts.
    pub(super) fn set_phase(&mut self, id: ReplicaId, phase: Phase) {
        if self.replica(id).phase != phase {
            self.change_phase(id, phase);
        }
    }

    /// Puts a replica into a phase that it is not in.
    #[inline(always)]
    pub(super) fn change_phase(&mut self, id: ReplicaId, phase: Phase) {
        let replica = &mut self.replicas[id.index()];
        self.counts.change_phase(replica, phase, id.0 < self.desired, &mut self.tally, self.now);
        let incarnation = replica.history.incarnation();
        let place = self.outputs.place();
        *place = Some(Output::Notice(Notice::Replica(ReplicaChange { replica: id, incarnation, phase })));
    }

    /// Brings the census up to date with a replica that has changed.
    pub(super) fn recount(&mut self, id: ReplicaId) {
        self.counts.recount(&mut self.replicas[id.index()], id.0 < self.desired, &mut self.tally, self.now);
    }

    /// A ready replica counts as available from now on: what it failed before is over.
    pub(super) fn make_available(&mut self, id: ReplicaId) {
        let replica = &mut self.replicas[id.index()];
        if id.0 >= self.desired || replica.standing == Standing::Available {
            return;
        }
        replica.marks.clear(Marks::FAILED.and(Marks::REQUESTED).and(Marks::COMPLETED_RUN));
        replica.marks.set(Marks::WAS_AVAILABLE);
        self.counts.joined(replica);
        let probes = replica.marks.any(Marks::ACTED.and(Marks::UNHEALTHY));
        self.counts.stands(replica, Standing::Available, &mut self.tally, self.now);
        if probes {
            self.free_acted(id);
            self.review_evidence(id);
        }
    }
}

#[inline]
pub(super) fn count_of(census: &mut Census, standing: Standing) -> Option<&mut u32> {
    match standing {
        Standing::Available => Some(&mut census.available),
        Standing::Completed => Some(&mut census.completed),
        Standing::GivenUp => Some(&mut census.given_up),
        Standing::Failed => Some(&mut census.failed),
        Standing::NotReady => Some(&mut census.not_ready),
        Standing::Unknown => Some(&mut census.unknown),
        Standing::Requested => Some(&mut census.requested),
        Standing::CompletedRun => Some(&mut census.completed_run),
        Standing::Stopped => Some(&mut census.stopped),
        Standing::Fresh => Some(&mut census.fresh),
        Standing::None => None,
    }
}
