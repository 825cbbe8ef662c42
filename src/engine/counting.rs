//! Updates the census incrementally as replicas change.

use super::cause_counts::{CauseCode, CauseSums};
use super::replica::{CensusBucket, NextPhase, Phase, Replica, ReplicaFlags};
use super::tally::Tally;
use crate::decide::{Census, Gate, StartKind};
use crate::time::Timestamp;

/// The census of the replicas, and further counts over them.
#[derive(Clone, Debug, Default)]
pub(super) struct CensusCounts {
    pub(super) census: Census,
    /// The causes of the replicas that failed or were given up.
    pub(super) causes: CauseSums,
    /// The number of replicas that wait for a restart.
    pub(super) awaiting: u32,
    /// Whether a count has changed, so that the status must be assessed again.
    pub(super) changed: bool,
}

impl CensusCounts {
    /// Sets the phase of a replica, which must differ from its current one.
    #[inline]
    pub(super) fn change_phase(&mut self, replica: &mut Replica, phase: Phase, tally: &mut Tally, now: Timestamp) {
        let was = std::mem::replace(&mut replica.phase, phase);
        debug_assert!(was != phase, "{phase} already");
        replica.since = now;
        if was.is_live() != phase.is_live() {
            let live = &mut self.census.live;
            *live = if phase.is_live() { *live + 1 } else { *live - 1 };
        }
        self.recount(replica, tally, now);
    }

    /// Updates the counts for a replica that has changed.
    #[inline]
    pub(super) fn recount(&mut self, replica: &mut Replica, tally: &mut Tally, now: Timestamp) {
        let awaits = match replica.phase {
            Phase::Waiting => replica.gate != Gate::Hold,
            Phase::Stopping => replica.after == NextPhase::Start,
            _ => false,
        } && replica.kind != StartKind::First
            && !replica.flags.has(ReplicaFlags::EXEMPT);
        if replica.flags.has(ReplicaFlags::AWAITING) != awaits {
            if awaits {
                replica.flags.set(ReplicaFlags::AWAITING);
                self.awaiting += 1;
            } else {
                replica.flags.clear(ReplicaFlags::AWAITING);
                self.awaiting -= 1;
            }
        }
        let to = replica.census_bucket();
        if replica.bucket != to {
            self.change_bucket(replica, to, tally, now);
        }
        if replica.flags.any(ReplicaFlags::EXEMPT.and(ReplicaFlags::EXEMPT_GIVEN_UP)) {
            self.recount_exempt(replica);
        }
    }

    #[inline]
    pub(super) fn change_bucket(&mut self, replica: &mut Replica, to: CensusBucket, tally: &mut Tally, now: Timestamp) {
        let from = std::mem::replace(&mut replica.bucket, to);
        self.changed = true;
        // The most common changes, without the general match.
        let Census { available, failed, .. } = &mut self.census;
        match (from, to) {
            (CensusBucket::Available, CensusBucket::Failed) => {
                *available -= 1;
                *failed += 1;
                self.causes.add(replica.failed_by);
                tally.bucket_changed(CensusBucket::Available, CensusBucket::Failed, now);
            }
            (CensusBucket::Failed, CensusBucket::Available) => {
                *failed -= 1;
                self.causes.remove(replica.failed_by);
                *available += 1;
                tally.bucket_changed(CensusBucket::Failed, CensusBucket::Available, now);
            }
            _ => self.change_rare_bucket(replica, from, tally, now),
        }
    }

    #[inline(never)]
    fn change_rare_bucket(&mut self, replica: &mut Replica, from: CensusBucket, tally: &mut Tally, now: Timestamp) {
        let to = replica.bucket;
        if from.is_failed() {
            self.causes.remove(replica.failed_by);
        }
        if to.is_failed() {
            self.causes.add(replica.failed_by);
        }
        if let Some(count) = count_of(&mut self.census, from) {
            *count -= 1;
        }
        if let Some(count) = count_of(&mut self.census, to) {
            *count += 1;
        }
        tally.bucket_changed(from, to, now);
        if replica.flags.has(ReplicaFlags::JOINING) {
            // A replica that is given up or completed is no longer joining, unless it has never been ready.
            let given_up = to == CensusBucket::GivenUp && !replica.flags.has(ReplicaFlags::EXEMPT);
            if given_up || to == CensusBucket::Completed {
                self.clear_joining(replica);
            }
        }
    }

    /// Counts a replica among the exempt ones that are given up, or no longer.
    #[cold]
    #[inline(never)]
    fn recount_exempt(&mut self, replica: &mut Replica) {
        let given_up = replica.bucket == CensusBucket::GivenUp && replica.flags.has(ReplicaFlags::EXEMPT);
        if given_up == replica.flags.has(ReplicaFlags::EXEMPT_GIVEN_UP) {
            return;
        }
        if given_up {
            replica.flags.set(ReplicaFlags::EXEMPT_GIVEN_UP);
            self.census.exempt_given_up += 1;
        } else {
            replica.flags.clear(ReplicaFlags::EXEMPT_GIVEN_UP);
            self.census.exempt_given_up -= 1;
        }
        self.changed = true;
    }

    /// Ends the joining of a replica that a scale-up added.
    pub(super) fn clear_joining(&mut self, replica: &mut Replica) {
        if replica.flags.has(ReplicaFlags::JOINING) {
            replica.flags.clear(ReplicaFlags::JOINING);
            self.census.joining -= 1;
            self.changed = true;
        }
    }
}

impl CensusCounts {
    /// The cause, if all missing replicas failed by the same one.
    #[inline]
    pub(super) fn cause(&self) -> CauseCode {
        let census = &self.census;
        let others = census.not_ready
            | census.unknown
            | census.requested
            | census.completed_run
            | census.stopped
            | census.rolling_out;
        if others > 0 { CauseCode::NONE } else { self.causes.common(census.failed + census.given_up) }
    }

    /// Sets the cause by which a replica has failed.
    #[inline]
    pub(super) fn failed_by(&mut self, replica: &mut Replica, cause: CauseCode) {
        if replica.failed_by != cause {
            if replica.bucket.is_failed() {
                self.causes.remove(replica.failed_by);
                self.causes.add(cause);
                self.changed = true;
            }
            replica.failed_by = cause;
        }
    }
}

#[inline]
pub(super) fn count_of(census: &mut Census, standing: CensusBucket) -> Option<&mut u32> {
    match standing {
        CensusBucket::Available => Some(&mut census.available),
        CensusBucket::Completed => Some(&mut census.completed),
        CensusBucket::GivenUp => Some(&mut census.given_up),
        CensusBucket::Failed => Some(&mut census.failed),
        CensusBucket::NotReady => Some(&mut census.not_ready),
        CensusBucket::Unknown => Some(&mut census.unknown),
        CensusBucket::Requested => Some(&mut census.requested),
        CensusBucket::CompletedRun => Some(&mut census.completed_run),
        CensusBucket::Stopped => Some(&mut census.stopped),
        CensusBucket::RollingOut => Some(&mut census.rolling_out),
        CensusBucket::StandIn => Some(&mut census.stand_ins),
        CensusBucket::Fresh => Some(&mut census.fresh),
        CensusBucket::Spare | CensusBucket::None => None,
    }
}
