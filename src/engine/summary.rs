//! The summary of a set, for tables, dashboards and metrics.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::replica::{Phase, Replica};
use super::serde_seconds;
use super::slots::{DrainView, Role, RolloutView};
use super::state::ReplicaSet;
use super::tally::CauseCounts;
use crate::decide::{Gate, Incarnation, Message, ReplicaId, Revision, Status, StatusReason, impl_instance};
use crate::policy::{Cause, Exit};
use crate::time::Timestamp;

/// The state of one replica, for tables and dashboards.
///
/// In JSON, times are seconds since the epoch, in keys that end in `_seconds`.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReplicaView {
    /// The replica.
    pub replica: ReplicaId,
    /// The number of its latest start; 0 before the first.
    pub incarnation: Incarnation,
    /// Its phase.
    pub phase: Phase,
    /// When the phase began; while it is being stopped, when it was last asked to.
    #[serde(rename = "since_seconds", with = "serde_seconds::time")]
    pub since: Timestamp,
    /// The role of its slot; `None`: it is not part of the set any more.
    pub role: Option<Role>,
    /// The regular slot that its slot is tied to: the one that it stands in for, or will replace.
    pub tied_to: Option<ReplicaId>,
    /// The revision of its current or next instance; `None`: the one that the set began with.
    pub revision: Option<Revision>,
    /// The gate that its next start waits for.
    pub gate: Option<Gate>,
    /// When its next start is due, if that is known.
    #[serde(rename = "due_seconds", with = "serde_seconds::time_option")]
    pub due: Option<Timestamp>,
    /// The failures in its current streak under the policy's own `retry`.
    pub failures: u32,
    /// The cause and exit of its last failure.
    pub last_failure: Option<(Cause, Option<Exit>)>,
    /// The message of its last failure: why a start failed, or what a probe received.
    pub failure_message: Option<Message>,
    /// What its failing probe received last, with the name of the probe.
    pub probe_message: Option<Message>,
}

impl_instance!(ReplicaView);

/// The state of a set at one instant, for dashboards and metrics. Returned by [`ReplicaSet::summary`].
///
/// In JSON, times are seconds since the epoch and durations are seconds, in keys that end in `_seconds`.
///
/// ```
/// use uphold::{Event, Policy, ReplicaSet, Timestamp};
///
/// let mut set = ReplicaSet::new(Policy::builder().replicas(2).build()?, 7, Timestamp::ZERO);
/// set.handle_timeout(Timestamp::ZERO);
/// set.for_each_output(|_| ());
/// set.handle_all(Timestamp::ZERO, [Event::ready((0, 1)), Event::ready((1, 1))]);
/// let summary = serde_json::to_value(set.summary(Timestamp::from_secs(90)))?;
/// assert_eq!(summary["available"], 2);
/// assert_eq!(summary["time_in_seconds"]["healthy"], 90);
/// assert_eq!(summary["roles"]["regular"], 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Summary {
    /// The time of the summary.
    #[serde(rename = "at_seconds", with = "serde_seconds::time")]
    pub at: Timestamp,
    /// The status.
    pub status: Status,
    /// The reason of the status.
    pub reason: StatusReason,
    /// The cause, if all missing replicas failed by the same one.
    #[serde(default)]
    pub cause: Option<Cause>,
    /// When the status began.
    #[serde(rename = "since_seconds", with = "serde_seconds::time")]
    pub since: Timestamp,
    /// The number of desired replicas.
    pub desired: u32,
    /// The number of available replicas: regular ones, and stand-ins up to the number of regular ones that are missing.
    pub available: u32,
    /// The number of slots in each role. Regular slots are the desired ones.
    #[serde(default)]
    pub roles: BTreeMap<Role, u32>,
    /// The revision that was last rolled out completely; `None`: the one that the set began with.
    #[serde(default)]
    pub revision: Option<Revision>,
    /// The rollout that is under way, paused or rolling back.
    #[serde(default)]
    pub rollout: Option<RolloutView>,
    /// The drains that are not over, by replica: since when each is open, and what it waits for.
    #[serde(default)]
    pub drains: Vec<DrainView>,
    /// The number of replicas in each phase, without removed ones.
    pub phases: BTreeMap<Phase, u32>,
    /// The time spent in each status so far. In JSON: `time_in_seconds`.
    #[serde(rename = "time_in_seconds", with = "serde_seconds::map")]
    pub time_in: BTreeMap<Status, Duration>,
    /// The number of starts commanded.
    pub starts: u64,
    /// The number of failures by cause. Causes that the user has named are counted together as `named`.
    pub failures: BTreeMap<String, u64>,
    /// The messages of last failures, of the first 20 replicas that have one.
    #[serde(default)]
    pub failure_messages: BTreeMap<ReplicaId, Message>,
    /// The number of restarts decided, by the cause of the failure.
    pub restarts: BTreeMap<String, u64>,
    /// The number of exits with code 0.
    pub successes: u64,
    /// How often a replica was given up.
    pub given_up: u64,
    /// The number of incidents detected.
    pub incidents: u64,
    /// When the open incident began; `None`: no incident is open.
    #[serde(rename = "incident_since_seconds", with = "serde_seconds::time_option")]
    pub incident_since: Option<Timestamp>,
    /// The total time that replicas were available, divided by the number of failures; `None` before the first. In JSON:
    /// seconds.
    #[serde(rename = "mean_time_between_failures_seconds", with = "serde_seconds::option")]
    pub mean_time_between_failures: Option<Duration>,
    /// The mean time from a failure until the replica is available again or given up; `None` before the first. In JSON:
    /// seconds.
    #[serde(rename = "mean_time_to_recovery_seconds", with = "serde_seconds::option")]
    pub mean_time_to_recovery: Option<Duration>,
    /// The whole tokens left in the budget; `None` without a budget.
    pub budget_left: Option<u32>,
    /// The next action if no event precedes it.
    pub next: Option<NextAction>,
    /// The number of strays: live instances that are not the current one of any replica, and are being stopped.
    #[serde(default)]
    pub strays: u32,
    /// The number of events ignored.
    pub ignored: u64,
    /// The number of operators' requests refused.
    pub refused: u64,
    /// How often the caller's clock went backwards.
    pub clock_went_back: u64,
    /// How often the caller's time was after [`Timestamp::LATEST`].
    #[serde(default)]
    pub clock_out_of_range: u64,
}

/// The next action of a set if no event precedes it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct NextAction {
    /// When it is due.
    #[serde(rename = "at_seconds", with = "serde_seconds::time")]
    pub at: Timestamp,
    /// The name of a [`DeadlineReason`](crate::engine::DeadlineReason).
    pub what: String,
    /// The replica; `None`: the set.
    pub replica: Option<ReplicaId>,
}

impl ReplicaSet {
    /// Returns every replica that is desired or not yet removed, in order.
    pub fn replicas(&self) -> impl Iterator<Item = ReplicaView> + '_ {
        let shown = |(_, replica): &(ReplicaId, &Replica)| replica.role.is_some() || replica.phase != Phase::Removed;
        (0..).map(ReplicaId).zip(&self.replicas).filter(shown).map(|(id, replica)| self.view(id, replica))
    }

    /// Returns one replica; `None` if the set never had it.
    pub fn get(&self, id: ReplicaId) -> Option<ReplicaView> {
        Some(self.view(id, self.replicas.get(id.index())?))
    }

    fn view(&self, id: ReplicaId, replica: &Replica) -> ReplicaView {
        let waits = matches!(replica.phase, Phase::Waiting | Phase::Quarantined | Phase::Stopping);
        let leads = self.group().filter(|_| replica.waits_for_group()).map(|group| self.replica(group.leader).due);
        let (tied_to, revision) = self.tie_and_revision(id);
        ReplicaView {
            replica: id,
            incarnation: replica.history.incarnation(),
            phase: replica.phase,
            since: replica.since,
            role: replica.role,
            tied_to,
            revision,
            gate: self.gate_of(replica),
            due: leads.unwrap_or(replica.due).known().filter(|_| waits),
            failures: replica.history.failures(),
            last_failure: replica.history.last_failure(),
            failure_message: self.failure_message(id),
            probe_message: self.probe_message(id),
        }
    }

    /// Returns a summary as of `now`. Takes time proportional to the number of replicas.
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
            available: self.counts.census.serving(),
            roles: self.role_counts(),
            revision: self.revision().cloned(),
            rollout: self.rollout(),
            drains: self.drains().collect(),
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
