//! What came of a simulation, and questions to it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::SimError;
use super::time::SimTime;
use super::trace::Trace;
use crate::decide::{Decision, ReplicaId, Status, StatusReason};
use crate::engine::{ReplicaChange, ReplicaSet, StatusChange};
use crate::time::Timestamp;

/// What came of a simulation.
#[derive(Clone, Debug)]
pub struct Run {
    pub(super) trace: Trace,
    /// The status at the end of each instant in which it changed.
    pub(super) statuses: Vec<(Timestamp, StatusChange)>,
    pub(super) verdicts: Vec<(Timestamp, ReplicaId, Decision)>,
    pub(super) phases: Vec<(Timestamp, ReplicaChange)>,
    pub(super) stats: RunStats,
    pub(super) set: ReplicaSet,
    pub(super) until: Timestamp,
}

/// The stats of a run. They cost the same however long it is.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct RunStats {
    /// Events that the set was told.
    pub events: u64,
    /// Starts commanded, first starts included.
    pub starts: u64,
    /// Restarts commanded, by replica; replicas without one are left out.
    pub restarts: BTreeMap<u32, u64>,
    /// Time spent in each status; those that lasted no time are left out.
    pub time_in: BTreeMap<Status, Duration>,
    /// The most starts that were under way at once.
    pub most_starts_at_once: u32,
    /// How often the set was in outage.
    pub outages: u64,
    /// The longest outage.
    pub longest_outage: Duration,
}

impl RunStats {
    pub(super) fn restarted(&mut self, replica: u32, incarnation: u64) {
        if incarnation > 1 {
            *self.restarts.entry(replica).or_insert(0) += 1;
        }
    }
}

impl Run {
    /// The trace; empty if it was not asked for.
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// The stats.
    pub fn stats(&self) -> &RunStats {
        &self.stats
    }

    /// The set as it was at the end.
    pub fn set(&self) -> &ReplicaSet {
        &self.set
    }

    /// When the run ended.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// The status at the end of the instant `at`.
    ///
    /// # Errors
    /// The time is not one.
    pub fn status_at(&self, at: impl SimTime) -> Result<Status, SimError> {
        Ok(self.change_at(at)?.map_or(Status::Pending, |change| change.status))
    }

    /// Why the status at the end of the instant `at` is what it is.
    ///
    /// # Errors
    /// The time is not one.
    pub fn reason_at(&self, at: impl SimTime) -> Result<StatusReason, SimError> {
        Ok(self.change_at(at)?.map_or(StatusReason::Starting, |change| change.reason))
    }

    /// How many replicas are available at the end of the instant `at`.
    ///
    /// # Errors
    /// The time is not one.
    pub fn available_at(&self, at: impl SimTime) -> Result<u32, SimError> {
        Ok(self.change_at(at)?.map_or(0, |change| change.available))
    }

    fn change_at(&self, at: impl SimTime) -> Result<Option<&StatusChange>, SimError> {
        let at = at.into_timestamp()?;
        let after = self.statuses.partition_point(|(time, _)| *time <= at);
        Ok(after.checked_sub(1).map(|last| &self.statuses[last].1))
    }

    /// The time in which the status was this.
    pub fn time_in(&self, status: Status) -> Duration {
        self.stats.time_in.get(&status).copied().unwrap_or_default()
    }

    /// The share of time in which the status was this, in parts per million.
    pub fn time_share_ppm(&self, status: Status) -> u32 {
        self.share_ppm(self.time_in(status))
    }

    /// The share of time in which enough replicas were available, healthy or degraded, in parts per million.
    pub fn availability_ppm(&self) -> u32 {
        self.share_ppm(self.time_in(Status::Healthy) + self.time_in(Status::Degraded))
    }

    fn share_ppm(&self, part: Duration) -> u32 {
        let share = (part.as_nanos() * 1_000_000).checked_div(self.until.as_nanos().into()).unwrap_or(0);
        u32::try_from(share).unwrap_or(1_000_000)
    }

    /// How often a replica was started again.
    pub fn restarts_of(&self, replica: u32) -> u64 {
        self.stats.restarts.get(&replica).copied().unwrap_or(0)
    }

    /// How often any replica was started again.
    pub fn restarts(&self) -> u64 {
        self.stats.restarts.values().sum()
    }

    /// The status at the end of each instant at which it, its reason, its cause, or the number of available or desired
    /// replicas changed; empty if it was not asked for.
    pub fn status_changes(&self) -> &[(Timestamp, StatusChange)] {
        &self.statuses
    }

    /// Every change of a replica's phase, in order; empty if it was not asked for.
    pub fn phase_changes(&self) -> &[(Timestamp, ReplicaChange)] {
        &self.phases
    }

    /// Everything that was decided, in order; empty if it was not asked for.
    pub fn verdicts(&self) -> &[(Timestamp, ReplicaId, Decision)] {
        &self.verdicts
    }

    /// What was decided of a replica, and when.
    pub fn verdicts_of(&self, replica: u32) -> impl Iterator<Item = (Timestamp, &Decision)> {
        let ours = move |(_, id, _): &&(Timestamp, ReplicaId, Decision)| id.0 == replica;
        self.verdicts.iter().filter(ours).map(|(at, _, decision)| (*at, decision))
    }
}
