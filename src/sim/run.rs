//! The result of a simulation or a replay.

use std::collections::BTreeMap;
use std::time::Duration;

use super::error::SimError;
use super::time::SimTime;
use super::trace::Trace;
use crate::decide::{Decision, ReplicaId, Status, StatusReason};
use crate::engine::{ReplicaChange, ReplicaSet, StatusChange};
use crate::time::Timestamp;

/// The result of a simulation or a replay. Times count from its start.
///
/// ```
/// use std::time::Duration;
/// use uphold::sim::{crash, Simulation};
/// use uphold::{Policy, RetryPolicy, Status};
///
/// let policy = Policy::builder().replicas(3).retry(RetryPolicy::every(Duration::from_secs(36))).build()?;
/// let run = Simulation::new(policy).at("1m", crash(0)).run_until("1h")?;
/// assert_eq!(run.time_in(Status::Degraded), Duration::from_secs(36));
/// assert_eq!(run.time_share_ppm(Status::Degraded), 10_000); // 1 %
/// assert_eq!(run.availability_ppm(), 1_000_000); // two replicas kept serving
/// for (at, decision) in run.verdicts_of(0) {
///     println!("{at}: {decision}");
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Run {
    pub(super) trace: Trace,
    pub(super) status_changes: Vec<(Timestamp, StatusChange)>,
    pub(super) verdicts: Vec<(Timestamp, ReplicaId, Decision)>,
    pub(super) phase_changes: Vec<(Timestamp, ReplicaChange)>,
    pub(super) stats: RunStats,
    pub(super) set: ReplicaSet,
    pub(super) until: Timestamp,
    pub(super) unused_behaviours: Vec<usize>,
}

/// Statistics of a run. Their size does not depend on the length of the run.
///
/// Returned by [`Run::stats`], also after [`stats_only`](super::Simulation::stats_only).
///
/// ```
/// use std::time::Duration;
/// use uphold::sim::{Behaviour, Simulation};
/// use uphold::{Exit, Policy, RetryPolicy, Status};
///
/// let policy = Policy::builder().replicas(1).retry(RetryPolicy::every(Duration::from_secs(30))).build()?;
/// let crashes = Behaviour::runs(Duration::from_secs(60), Exit::Code(1)).times(2);
/// let run = Simulation::new(policy).behaviour(crashes).stats_only().run_until("1h")?;
/// let stats = run.stats();
/// assert_eq!((stats.starts, stats.restarts[&0], stats.outages), (3, 2, 2));
/// assert_eq!(stats.longest_outage, Duration::from_secs(30));
/// assert_eq!(stats.time_in[&Status::Outage], Duration::from_secs(60));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub struct RunStats {
    /// Events that the set handled.
    pub events: u64,
    /// Starts commanded, including first starts.
    pub starts: u64,
    /// Restarts commanded, by replica; replicas without any are left out.
    pub restarts: BTreeMap<u32, u64>,
    /// Time spent in each status; statuses without any are left out.
    pub time_in: BTreeMap<Status, Duration>,
    /// The highest number of starts in flight at once.
    pub peak_starts_in_flight: u32,
    /// The number of outages.
    pub outages: u64,
    /// The length of the longest outage.
    pub longest_outage: Duration,
    /// Replica-time that was served: the sum, over time, of the available replicas, stand-ins included, and at most as many
    /// as desired. Two replicas available for an hour are 2 h.
    pub served: Duration,
    /// Replica-time that was desired: the sum, over time, of the desired replicas.
    pub desired: Duration,
}

impl RunStats {
    pub(super) fn count_restart(&mut self, replica: u32, incarnation: u64) {
        if incarnation > 1 {
            *self.restarts.entry(replica).or_insert(0) += 1;
        }
    }
}

impl Run {
    /// Returns the trace; empty after [`stats_only`](super::Simulation::stats_only).
    pub fn trace(&self) -> &Trace {
        &self.trace
    }

    /// Returns the statistics.
    pub fn stats(&self) -> &RunStats {
        &self.stats
    }

    /// Returns the set as it was at the end.
    pub fn set(&self) -> &ReplicaSet {
        &self.set
    }

    /// Returns the indices of the behaviours that never took effect, such as one of a replica that was never started:
    /// probably a mistake in the simulation. Empty for a replay, and for a simulation with an environment of its own.
    pub fn unused_behaviours(&self) -> &[usize] {
        &self.unused_behaviours
    }

    /// Returns when the run ended.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// Returns the status at the end of the instant `at`.
    ///
    /// # Errors
    /// `at` is not a valid time.
    pub fn status_at(&self, at: impl SimTime) -> Result<Status, SimError> {
        Ok(self.change_at(at)?.map_or(Status::Pending, |change| change.status))
    }

    /// Returns the reason of the status at the end of the instant `at`.
    ///
    /// # Errors
    /// `at` is not a valid time.
    pub fn reason_at(&self, at: impl SimTime) -> Result<StatusReason, SimError> {
        Ok(self.change_at(at)?.map_or(StatusReason::Starting, |change| change.reason))
    }

    /// Returns the number of available replicas at the end of the instant `at`.
    ///
    /// # Errors
    /// `at` is not a valid time.
    pub fn available_at(&self, at: impl SimTime) -> Result<u32, SimError> {
        Ok(self.change_at(at)?.map_or(0, |change| change.available))
    }

    fn change_at(&self, at: impl SimTime) -> Result<Option<&StatusChange>, SimError> {
        let at = at.into_timestamp()?;
        let after = self.status_changes.partition_point(|(time, _)| *time <= at);
        Ok(after.checked_sub(1).map(|last| &self.status_changes[last].1))
    }

    /// Returns the time spent in a status.
    pub fn time_in(&self, status: Status) -> Duration {
        self.stats.time_in.get(&status).copied().unwrap_or_default()
    }

    /// Returns the share of time spent in a status, in parts per million.
    pub fn time_share_ppm(&self, status: Status) -> u32 {
        self.share_ppm(self.time_in(status))
    }

    /// Returns the share of time in which enough replicas were available (healthy or degraded), in parts per million.
    pub fn availability_ppm(&self) -> u32 {
        self.share_ppm(self.time_in(Status::Healthy) + self.time_in(Status::Degraded))
    }

    /// Returns the share of the desired capacity that was served, in parts per million:
    ///
    /// ```text
    /// ∫ min(available(t), desired(t)) dt / ∫ desired(t) dt
    /// ```
    ///
    /// [`availability_ppm`](Self::availability_ppm) asks whether enough replicas were available, this asks how many of those
    /// that clients were promised. Stand-ins count as available; standbys and surge slots do not before they take a place. The
    /// time before the set was first available counts, and so does the time after it was terminated; the time in which it was
    /// completed does not. 1 000 000 if no replica was ever desired.
    ///
    /// ```
    /// use std::time::Duration;
    /// use uphold::sim::{Simulation, crash};
    /// use uphold::{Policy, RetryPolicy};
    ///
    /// let policy = Policy::builder().replicas(4).retry(RetryPolicy::every(Duration::from_secs(36))).build()?;
    /// let run = Simulation::new(policy).at("1m", crash(0)).run_until("1h")?;
    /// assert_eq!(run.availability_ppm(), 1_000_000);
    /// assert_eq!(run.capacity_ppm(), 997_500); // one of four was missing for 1 % of the time
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn capacity_ppm(&self) -> u32 {
        let RunStats { served, desired, .. } = self.stats;
        let share = (served.as_nanos() * 1_000_000).checked_div(desired.as_nanos());
        share.and_then(|share| u32::try_from(share).ok()).unwrap_or(1_000_000)
    }

    fn share_ppm(&self, part: Duration) -> u32 {
        let share = (part.as_nanos() * 1_000_000).checked_div(self.until.as_nanos().into()).unwrap_or(0);
        u32::try_from(share).unwrap_or(1_000_000)
    }

    /// Returns how often a replica was restarted.
    pub fn restarts_of(&self, replica: u32) -> u64 {
        self.stats.restarts.get(&replica).copied().unwrap_or(0)
    }

    /// Returns the number of restarts of all replicas together.
    pub fn restarts(&self) -> u64 {
        self.stats.restarts.values().sum()
    }

    /// Returns the status at the end of each instant in which the status, its reason, its cause, or the number of
    /// available or desired replicas changed; empty after [`stats_only`](super::Simulation::stats_only).
    pub fn status_changes(&self) -> &[(Timestamp, StatusChange)] {
        &self.status_changes
    }

    /// Returns every change of a replica's phase, in order; empty after
    /// [`stats_only`](super::Simulation::stats_only).
    pub fn phase_changes(&self) -> &[(Timestamp, ReplicaChange)] {
        &self.phase_changes
    }

    /// Returns every decision, in order; empty after [`stats_only`](super::Simulation::stats_only).
    pub fn verdicts(&self) -> &[(Timestamp, ReplicaId, Decision)] {
        &self.verdicts
    }

    /// Returns the decisions about one replica, in order.
    pub fn verdicts_of(&self, replica: u32) -> impl Iterator<Item = (Timestamp, &Decision)> {
        let of_replica = move |(_, id, _): &&(Timestamp, ReplicaId, Decision)| id.0 == replica;
        self.verdicts.iter().filter(of_replica).map(|(at, _, decision)| (*at, decision))
    }
}
