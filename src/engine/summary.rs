//! The summary of a set, for tables, dashboards and metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::replica::{Phase, Replica};
use super::serde_seconds;
use super::state::ReplicaSet;
use super::tally::CauseCounts;
use crate::decide::{Gate, Incarnation, Message, ReplicaId, Status, StatusReason, impl_instance};
use crate::policy::{Cause, Exit};
use crate::time::Timestamp;

/// One replica at a glance.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReplicaView {
    /// Whose.
    pub replica: ReplicaId,
    /// Its latest start; 0 before the first.
    pub incarnation: Incarnation,
    /// What it is.
    pub phase: Phase,
    /// Since when it is that; while it is being stopped, since the last request.
    pub since: Timestamp,
    /// What it waits for, if it is to start.
    pub gate: Option<Gate>,
    /// When its next start is due, if a time is known.
    pub due: Option<Timestamp>,
    /// Failures in its present streak under the policy's own `retry`.
    pub failures: u32,
    /// The cause and exit of its last failure.
    pub last_failure: Option<(Cause, Option<Exit>)>,
    /// The text that came with its last failure: why a start failed, what a probe got.
    pub failure_message: Option<Message>,
    /// What a probe of its that fails at present got last, with the name of the probe.
    pub probe_message: Option<Message>,
}

impl_instance!(ReplicaView);

/// The set at a glance, as of one instant.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Summary {
    /// As of when.
    pub at: Timestamp,
    /// What the set is.
    pub status: Status,
    /// Why.
    pub reason: StatusReason,
    /// The cause by which every replica that is missing failed, if all failed by one.
    #[serde(default)]
    pub cause: Option<Cause>,
    /// Since when the status has been this.
    pub since: Timestamp,
    /// Replicas that are asked for.
    pub desired: u32,
    /// Replicas that are available.
    pub available: u32,
    /// Replicas by phase; removed ones are left out.
    pub phases: BTreeMap<Phase, u32>,
    /// Time spent in each status so far. In JSON: `time_in_seconds`.
    #[serde(rename = "time_in_seconds", with = "serde_seconds::map")]
    pub time_in: BTreeMap<Status, Duration>,
    /// Starts commanded.
    pub starts: u64,
    /// Failures by cause; causes of the user's own together under `named`.
    pub failures: BTreeMap<String, u64>,
    /// The texts that came with the last failures of replicas, by replica; of the first 20 that have one.
    #[serde(default)]
    pub failure_messages: BTreeMap<ReplicaId, Message>,
    /// Restarts decided, by the cause of the failure.
    pub restarts: BTreeMap<String, u64>,
    /// Exits with code 0.
    pub successes: u64,
    /// How often a replica was given up.
    pub given_up: u64,
    /// Incidents recognised.
    pub incidents: u64,
    /// Since when an incident has been open.
    pub incident_since: Option<Timestamp>,
    /// The time that replicas were available, for each failure; `None` before the first. In JSON: seconds.
    #[serde(rename = "mean_time_between_failures_seconds", with = "serde_seconds::option")]
    pub mean_time_between_failures: Option<Duration>,
    /// The mean time from a failure until the replica is available again or given up; `None` before the first. In JSON:
    /// seconds.
    #[serde(rename = "mean_time_to_recovery_seconds", with = "serde_seconds::option")]
    pub mean_time_to_recovery: Option<Duration>,
    /// Whole tokens left in the budget; `None` without one.
    pub budget_left: Option<u32>,
    /// What happens next if nothing else does, and when.
    pub next: Option<NextAction>,
    /// Strays: instances known to be alive that are not the current one of any replica, and are being stopped.
    #[serde(default)]
    pub strays: u32,
    /// News that changed nothing: stale, told before, or never heard of.
    pub ignored: u64,
    /// Requests that could not be met.
    pub refused: u64,
    /// How often the caller's clock went backwards.
    pub clock_went_back: u64,
    /// How often the caller's time was after [`Timestamp::LATEST`].
    #[serde(default)]
    pub clock_out_of_range: u64,
}

/// What happens next if nothing else does.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NextAction {
    /// When.
    pub at: Timestamp,
    /// What: the word of a [`DeadlineReason`](crate::engine::DeadlineReason).
    pub what: String,
    /// Whose; `None`: the set's.
    pub replica: Option<ReplicaId>,
}

impl ReplicaSet {
    /// Every replica that is asked for, or still being stopped, in order.
    pub fn replicas(&self) -> impl Iterator<Item = ReplicaView> + '_ {
        let shown = |(id, replica): &(ReplicaId, &Replica)| id.0 < self.desired || replica.phase != Phase::Removed;
        (0..).map(ReplicaId).zip(&self.replicas).filter(shown).map(|(id, replica)| self.view(id, replica))
    }

    /// One replica; `None` if the set never had it.
    pub fn get(&self, id: ReplicaId) -> Option<ReplicaView> {
        Some(self.view(id, self.replicas.get(id.index())?))
    }

    fn view(&self, id: ReplicaId, replica: &Replica) -> ReplicaView {
        let waits = matches!(replica.phase, Phase::Waiting | Phase::Quarantined | Phase::Stopping);
        let leads = self.group().filter(|_| replica.waits_for_group()).map(|group| self.replica(group.leader).due);
        ReplicaView {
            replica: id,
            incarnation: replica.history.incarnation(),
            phase: replica.phase,
            since: replica.since,
            gate: self.gate_of(replica),
            due: leads.unwrap_or(replica.due).known().filter(|_| waits),
            failures: replica.history.failures(),
            last_failure: replica.history.last_failure(),
            failure_message: self.failure_message(id),
            probe_message: self.probe_message(id),
        }
    }

    /// The set at a glance, as of `now`. Costs a walk over all replicas.
    pub fn summary(&self, now: Timestamp) -> Summary {
        let now = now.min(Timestamp::LATEST).max(self.now);
        let tally = &self.tally;
        let (available_nanos, failed_nanos) = tally.spent(&self.counts.census, now);
        let mut phases = BTreeMap::new();
        for replica in self.replicas.iter().filter(|replica| replica.phase != Phase::Removed) {
            *phases.entry(replica.phase).or_insert(0) += 1;
        }
        let counts = tally.counts();
        let by_cause = |count: fn(&CauseCounts) -> u64| {
            let causes = Cause::BUILT_IN.iter().map(Cause::as_str).chain(["named"]);
            let counted = causes.zip(counts.causes.iter().map(count));
            counted.filter(|(_, count)| *count > 0).map(|(cause, count)| (cause.to_owned(), count)).collect()
        };
        let failures = counts.causes.iter().fold(0, |sum: u64, of| sum.saturating_add(of.failures));
        let mean = |nanos: u128| {
            let mean = nanos.checked_div(failures.into())?;
            Some(Duration::from_nanos(u64::try_from(mean).unwrap_or(u64::MAX)))
        };
        let (status, reason, since) = self.set.reported();
        Summary {
            at: now,
            status,
            reason,
            cause: self.cause_of(self.counts.cause()),
            since,
            desired: self.desired,
            available: self.counts.census.available,
            phases,
            time_in: tally
                .time_in(now)
                .into_iter()
                .filter(|(_, nanos)| *nanos > 0)
                .map(|(status, nanos)| (status, Duration::from_nanos(nanos)))
                .collect(),
            starts: tally.starts,
            failures: by_cause(|of| of.failures),
            failure_messages: self.failure_messages(20),
            restarts: by_cause(|of| of.restarts),
            successes: counts.successes,
            given_up: counts.given_up,
            incidents: counts.incidents,
            incident_since: self.set.incident_since(),
            mean_time_between_failures: mean(available_nanos),
            mean_time_to_recovery: mean(failed_nanos),
            budget_left: self.set.budget_left(&self.policy, now),
            next: self.next_deadline().map(|next| NextAction {
                at: next.at,
                what: next.why.as_str().to_owned(),
                replica: next.replica,
            }),
            strays: u32::try_from(self.stray_count()).unwrap_or(u32::MAX),
            ignored: [counts.duplicate, counts.unheard, counts.out_of_range]
                .into_iter()
                .fold(counts.stale, u64::saturating_add),
            refused: counts.refused,
            clock_went_back: counts.clock_went_back,
            clock_out_of_range: counts.clock_out_of_range,
        }
    }
}
