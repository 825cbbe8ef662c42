//! The state of a set between decisions: one row of a database.

use serde::{Deserialize, Serialize};

use super::budget::Bucket;
use super::ids::ReplicaId;
use super::incident::{Incident, IncidentStage};
use super::outage_clock::OutageClock;
use super::recent_failures::{LastFailures, RecentFailures};
use super::reported_status::ReportedStatus;
use super::row::ROW_VERSION;
use super::status::{EndReason, Status, StatusReason};
use crate::lazy_box::LazyBox;
use crate::policy::retry_schedule::UNLIMITED;
use crate::policy::{CompiledBudget, Policy};
use crate::time::Timestamp;

/// The state of a set: budget, incident, outage clock, status, and whether the set was terminated.
///
/// Serialise it into one row beside the [`History`](crate::decide::History) rows of the replicas, and write it back after every
/// call of a [`Policy`] method that takes it by `&mut`. A time before that of the last call counts as that one. A row of
/// another version is refused when it is deserialised.
///
/// ```
/// use uphold::decide::{Census, EndReason, SetHistory};
/// use uphold::{Policy, Status, Timestamp};
///
/// let policy = Policy::builder().replicas(2).build()?;
/// let mut set = SetHistory::new(Timestamp::ZERO);
/// policy.terminate(&mut set, EndReason::Requested, Timestamp::from_secs(5));
/// let all_stopped = Census { fresh: 2, ..Census::default() };
/// assert_eq!(policy.assess(&mut set, &all_stopped, Timestamp::from_secs(6)).status, Status::Terminated);
/// # Ok::<(), uphold::PolicyError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SetHistory {
    #[serde(deserialize_with = "super::row::known_version")]
    version: u8,
    /// The time of the last call. Earlier times are replaced by it.
    #[serde(default)]
    as_of: Timestamp,
    #[serde(default)]
    pub(super) bucket: LazyBox<Bucket>,
    #[serde(default, alias = "lately")]
    pub(super) last_failures: LazyBox<LastFailures>,
    #[serde(default, alias = "recent")]
    pub(super) recent_failures: LazyBox<RecentFailures>,
    #[serde(default, deserialize_with = "incident")]
    pub(super) incident: Option<Box<Incident>>,
    /// The owner's cap on starts under way, if any.
    #[serde(default)]
    pub(super) start_limit: Option<u32>,
    /// Whether the set has been up: all desired replicas were available, or *need* after a failure.
    #[serde(default)]
    pub(super) up: bool,
    /// Whether any replica has failed since the set began.
    #[serde(default)]
    pub(super) failed: bool,
    /// The runs that ended before any replica was available; `None` once one has been.
    #[serde(default, alias = "max_failures_before_ready")]
    pub(super) failures_before_ready: Option<u32>,
    #[serde(default)]
    pub(super) outage: LazyBox<OutageClock>,
    #[serde(default, alias = "shown")]
    pub(super) reported: ReportedStatus,
    #[serde(default)]
    pub(super) end: Option<Box<(EndReason, Timestamp)>>,
}

/// Refuses an incident that would never admit a start.
fn incident<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Box<Incident>>, D::Error> {
    let incident = Option::<Box<Incident>>::deserialize(deserializer)?;
    if incident.as_deref().is_none_or(|incident| incident.can_progress(usize::MAX)) {
        Ok(incident)
    } else {
        Err(serde::de::Error::custom("the incident in the row waits for a start that does not exist"))
    }
}

impl Default for SetHistory {
    fn default() -> Self {
        Self {
            version: ROW_VERSION,
            as_of: Timestamp::ZERO,
            bucket: LazyBox::default(),
            last_failures: LazyBox::default(),
            recent_failures: LazyBox::default(),
            incident: None,
            start_limit: None,
            up: false,
            failed: false,
            failures_before_ready: Some(0),
            outage: LazyBox::default(),
            reported: ReportedStatus::default(),
            end: None,
        }
    }
}

/// Depth 1: requests of the owner or an operator, on the row of the set.
impl Policy {
    /// Terminates the set. [`Policy::assess`] then reports `terminating` or `terminated`. Final; the first reason is kept.
    pub fn terminate(&self, set: &mut SetHistory, reason: EndReason, now: Timestamp) {
        set.terminate(reason, now);
    }

    /// Caps the starts under way at once, including first starts; `None` removes the cap. For an owner of several sets that share a
    /// capacity.
    pub fn limit_starts(&self, set: &mut SetHistory, at_most: Option<u32>) {
        set.limit_starts(at_most);
    }

    /// Admits restarts in batches of 1, 2, 4, ..., as after an incident. Call it after downtime, when many restarts are overdue.
    /// It has no effect during an incident.
    pub fn resume_gradually(&self, set: &mut SetHistory, now: Timestamp) {
        set.resume_gradually(now);
    }
}

impl SetHistory {
    /// Creates the row of a set that begins now: `pending`, with a full budget.
    pub fn new(now: Timestamp) -> Self {
        let mut history = Self::default();
        history.reported.since = now;
        history.as_of = now.min(Timestamp::LATEST);
        history
    }

    /// Returns `now`, or the time of the last call for times before it and for times after [`Timestamp::LATEST`], which no later
    /// call could exceed.
    pub(super) fn advance(&mut self, now: Timestamp) -> Timestamp {
        if now <= Timestamp::LATEST {
            self.as_of = self.as_of.max(now);
        }
        self.as_of
    }

    /// Counts a run that ended before any replica was available.
    pub(super) fn count_before_ready(&mut self, most: u32) {
        if let Some(ended) = self.failures_before_ready.as_mut().filter(|_| most != UNLIMITED) {
            *ended = ended.saturating_add(1);
        }
    }

    /// Returns why the set was terminated; `None` if it was not.
    pub fn end_reason(&self) -> Option<EndReason> {
        self.end.as_deref().map(|(reason, _)| *reason)
    }

    /// Resets the count of failures before any replica was available, as an operator's `reset` of all replicas does.
    pub(crate) fn forget_failures_before_ready(&mut self) {
        self.failures_before_ready = self.failures_before_ready.map(|_| 0);
    }

    pub(crate) fn terminate(&mut self, reason: EndReason, now: Timestamp) {
        self.end.get_or_insert_with(|| Box::new((reason, now)));
    }

    pub(crate) fn limit_starts(&mut self, at_most: Option<u32>) {
        self.start_limit = at_most;
    }

    /// Returns whether an incident delays restarts until a canary is up.
    #[inline]
    pub fn is_holding(&self) -> bool {
        self.incident.as_ref().is_some_and(|incident| incident.is_holding())
    }

    /// Returns since when an incident has been open; `None` if none is.
    pub fn incident_since(&self) -> Option<Timestamp> {
        self.incident.as_ref().map(|incident| incident.since)
    }

    /// Returns the whole tokens left in the budget at `now`; `None` if `policy` has no budget.
    pub fn budget_left(&self, policy: &Policy, now: Timestamp) -> Option<u32> {
        let budget = policy.compiled().budget?;
        Some(self.bucket.get().copied().unwrap_or_default().left(budget, now))
    }

    /// Carries the number of spent tokens over to the budget of another policy.
    pub(crate) fn rescale_budget(
        &mut self,
        before: Option<CompiledBudget>,
        after: Option<CompiledBudget>,
        now: Timestamp,
    ) {
        self.bucket = match (before, after) {
            (Some(before), Some(after)) => {
                self.bucket.get().copied().unwrap_or_default().rescaled(before, after, now).into()
            }
            _ => LazyBox::default(),
        };
    }

    pub(crate) fn resume_gradually(&mut self, now: Timestamp) {
        if self.incident.is_none() {
            self.incident =
                Some(Box::new(Incident { stage: IncidentStage::RESUMING, charged: true, ..Incident::new(now) }));
        }
    }

    /// Ends the incident at an operator's request, so that it no longer delays restarts.
    pub(crate) fn close_incident(&mut self) {
        self.incident = None;
    }

    #[inline]
    pub(crate) fn has_incident(&self) -> bool {
        self.incident.is_some()
    }

    /// Returns the number of entries in its collections.
    pub(crate) fn entries(&self) -> usize {
        self.recent_failures.get().map_or(0, RecentFailures::len)
    }

    /// Returns whether no incident is open, or it waits for a known time or for at most `trials` undecided starts.
    pub(crate) fn can_progress(&self, trials: usize) -> bool {
        self.incident.as_deref().is_none_or(|incident| incident.can_progress(trials))
    }

    /// Returns the latest of all times in it.
    pub(crate) fn latest(&self) -> Timestamp {
        let bucket = self.bucket.get().map_or(Timestamp::ZERO, Bucket::as_of);
        let incident = self.incident_since().unwrap_or(Timestamp::ZERO);
        let end = self.end.as_deref().map_or(Timestamp::ZERO, |(_, at)| *at);
        self.as_of.max(self.reported.since).max(bucket).max(incident).max(end)
    }

    pub(crate) fn has_been_up(&self) -> bool {
        self.up
    }

    #[inline]
    pub(crate) fn reported(&self) -> (Status, StatusReason, Timestamp) {
        (self.reported.status, self.reported.reason, self.reported.since)
    }

    #[inline]
    pub(crate) fn canary(&self) -> Option<ReplicaId> {
        match self.incident.as_ref()?.stage {
            IncidentStage::Holding { canary, .. } => canary,
            IncidentStage::Resuming { .. } => None,
        }
    }

    pub(crate) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp + Copy) {
        self.as_of = by(self.as_of);
        if let Some(bucket) = self.bucket.get_mut() {
            bucket.shift(by);
        }
        if let Some(last_failures) = self.last_failures.get_mut() {
            last_failures.shift(by);
        }
        if let Some(recent_failures) = self.recent_failures.get_mut() {
            recent_failures.shift(by);
        }
        if let Some(incident) = &mut self.incident {
            incident.shift(by);
        }
        if let Some(outage) = self.outage.get_mut() {
            outage.shift(by);
        }
        self.reported.shift(by);
        if let Some((_, at)) = self.end.as_deref_mut() {
            *at = by(*at);
        }
    }
}
