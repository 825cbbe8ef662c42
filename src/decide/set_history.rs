//! What is remembered of the set as a whole: a row of its own.

use serde::{Deserialize, Serialize};

use super::budget::Bucket;
use super::ids::ReplicaId;
use super::incident::{Incident, Lately, Recent, Stage};
use super::never;
use super::row::ROW_VERSION;
use super::status::{EndReason, Status, StatusReason};
use crate::policy::ladder::UNLIMITED;
use crate::policy::{CompiledBudget, Policy};
use crate::seldom::Seldom;
use crate::time::Timestamp;

/// What is remembered of the set as a whole: its budget, its incident, how long an outage lasts, whether it was ended.
///
/// Serialise it into one row beside the [`History`](crate::History) rows of the replicas.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct SetHistory {
    #[serde(deserialize_with = "super::row::known_version")]
    version: u8,
    /// The latest time that it was told at depth 1. Earlier ones are taken as this.
    #[serde(default)]
    as_of: Timestamp,
    #[serde(default)]
    pub(super) bucket: Seldom<Bucket>,
    #[serde(default)]
    pub(super) lately: Seldom<Lately>,
    #[serde(default)]
    pub(super) recent: Seldom<Recent>,
    #[serde(default, deserialize_with = "incident")]
    pub(super) incident: Option<Box<Incident>>,
    /// The owner's cap on starts under way; `None`: no cap.
    #[serde(default)]
    pub(super) start_limit: Option<u32>,
    /// All desired, or need despite a failure, were available once.
    #[serde(default)]
    pub(super) up: bool,
    /// Something has failed since the set began.
    #[serde(default)]
    pub(super) failed: bool,
    /// Runs that ended before any replica was available; `None`: one has been.
    #[serde(default)]
    pub(super) max_failures_before_ready: Option<u32>,
    #[serde(default)]
    pub(super) outage: Seldom<OutageClock>,
    #[serde(default)]
    pub(super) shown: Shown,
    #[serde(default)]
    pub(super) end: Option<Box<(EndReason, Timestamp)>>,
}

/// Reads an incident, which must be one that will let a start go.
fn incident<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Box<Incident>>, D::Error> {
    let incident = Option::<Box<Incident>>::deserialize(deserializer)?;
    if incident.as_deref().is_none_or(|incident| incident.goes_on(usize::MAX)) {
        Ok(incident)
    } else {
        Err(serde::de::Error::custom("the incident of the row waits for a start that is not there"))
    }
}

/// For how long an outage has lasted.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct OutageClock {
    #[serde(with = "never")]
    pub(super) since: Timestamp,
    /// When it last ended, if it has: a return soon after keeps the clock.
    #[serde(with = "never")]
    pub(super) over_since: Timestamp,
    /// Since when unknown replicas and operators' requests alone make the difference.
    #[serde(with = "never")]
    pub(super) paused_since: Timestamp,
    /// Time that does not count, in nanoseconds.
    pub(super) paused: u64,
}

impl Default for OutageClock {
    fn default() -> Self {
        Self { since: Timestamp::MAX, over_since: Timestamp::MAX, paused_since: Timestamp::MAX, paused: 0 }
    }
}

/// The status that was assessed last.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Shown {
    pub(super) status: Status,
    pub(super) reason: StatusReason,
    pub(super) since: Timestamp,
    /// Since when there is no outage any more, where one is still shown.
    #[serde(with = "never")]
    pub(super) no_outage_since: Timestamp,
    /// Since when nothing is missing any more, where something is still shown.
    #[serde(with = "never")]
    pub(super) calm_since: Timestamp,
    /// How many were asked for, and available, when something was missing last.
    pub(super) last_alarm: (u32, u32),
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            status: Status::Pending,
            reason: StatusReason::Starting,
            since: Timestamp::ZERO,
            no_outage_since: Timestamp::MAX,
            calm_since: Timestamp::MAX,
            last_alarm: (0, 0),
        }
    }
}

impl Default for SetHistory {
    fn default() -> Self {
        Self {
            version: ROW_VERSION,
            as_of: Timestamp::ZERO,
            bucket: Seldom::default(),
            lately: Seldom::default(),
            recent: Seldom::default(),
            incident: None,
            start_limit: None,
            up: false,
            failed: false,
            max_failures_before_ready: Some(0),
            outage: Seldom::default(),
            shown: Shown::default(),
            end: None,
        }
    }
}

impl SetHistory {
    /// A set that begins now: pending, with a full budget.
    pub fn new(now: Timestamp) -> Self {
        let mut history = Self::default();
        history.shown.since = now;
        history.as_of = now.min(Timestamp::LATEST);
        history
    }

    /// `now`, or the latest time that it was told: time that goes backwards stands still, and so does one after
    /// [`Timestamp::LATEST`], which would stand for ever.
    pub(super) fn at_least(&mut self, now: Timestamp) -> Timestamp {
        if now <= Timestamp::LATEST {
            self.as_of = self.as_of.max(now);
        }
        self.as_of
    }

    /// Counts a run that ended before any replica was available.
    pub(super) fn count_before_ready(&mut self, most: u32) {
        if let Some(ended) = self.max_failures_before_ready.as_mut().filter(|_| most != UNLIMITED) {
            *ended = ended.saturating_add(1);
        }
    }

    /// Why it is terminated, if it is.
    pub fn end_reason(&self) -> Option<EndReason> {
        self.end.as_deref().map(|(reason, _)| *reason)
    }

    /// The failures before any replica was available are forgotten, as an operator's `reset` of all does.
    pub(crate) fn forget_failures_before_ready(&mut self) {
        self.max_failures_before_ready = self.max_failures_before_ready.map(|_| 0);
    }

    /// Terminates the set. Final: a second reason changes nothing.
    pub fn terminate(&mut self, reason: EndReason, now: Timestamp) {
        self.end.get_or_insert_with(|| Box::new((reason, now)));
    }

    /// The owner's cap: at most so many starts under way at once, first starts included; `None`: no cap. For a
    /// fleet above the set that has to share out what it may start.
    pub fn limit_starts(&mut self, at_most: Option<u32>) {
        self.start_limit = at_most;
    }

    /// Whether an incident holds restarts back until a canary is up.
    #[inline]
    pub fn is_holding(&self) -> bool {
        self.incident.as_ref().is_some_and(|incident| incident.is_holding())
    }

    /// Since when an incident has been open.
    pub fn incident_since(&self) -> Option<Timestamp> {
        self.incident.as_ref().map(|incident| incident.since)
    }

    /// Whole tokens left in the budget; `None` without a budget.
    pub fn budget_left(&self, policy: &Policy, now: Timestamp) -> Option<u32> {
        let budget = policy.compiled().budget?;
        Some(self.bucket.get().copied().unwrap_or_default().left(budget, now))
    }

    /// What is spent of one budget is spent of the next, in tokens.
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
            _ => Seldom::default(),
        };
    }

    /// Restarts that fell due while nobody looked go on in batches, as after an incident.
    pub fn resume_slowly(&mut self, now: Timestamp) {
        if self.incident.is_none() {
            self.incident = Some(Box::new(Incident { stage: Stage::RESUMING, charged: true, ..Incident::new(now) }));
        }
    }

    /// The operator says that the cause is gone: nothing is held back any more.
    pub(crate) fn close_incident(&mut self) {
        self.incident = None;
    }

    #[inline]
    pub(crate) fn has_incident(&self) -> bool {
        self.incident.is_some()
    }

    /// Whether an incident that is open waits for a known time, or for some of so many starts on trial.
    pub(crate) fn goes_on(&self, trials: usize) -> bool {
        self.incident.as_deref().is_none_or(|incident| incident.goes_on(trials))
    }

    /// The latest of all times at which something happened to it.
    pub(crate) fn latest(&self) -> Timestamp {
        let bucket = self.bucket.get().map_or(Timestamp::ZERO, Bucket::as_of);
        let incident = self.incident_since().unwrap_or(Timestamp::ZERO);
        let end = self.end.as_deref().map_or(Timestamp::ZERO, |(_, at)| *at);
        self.as_of.max(self.shown.since).max(bucket).max(incident).max(end)
    }

    pub(crate) fn has_been_up(&self) -> bool {
        self.up
    }

    #[inline]
    pub(crate) fn shown(&self) -> (Status, StatusReason, Timestamp) {
        (self.shown.status, self.shown.reason, self.shown.since)
    }

    #[inline]
    pub(crate) fn canary(&self) -> Option<ReplicaId> {
        match self.incident.as_ref()?.stage {
            Stage::Holding { canary, .. } => canary,
            Stage::Resuming { .. } => None,
        }
    }

    pub(crate) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp + Copy) {
        self.as_of = by(self.as_of);
        if let Some(bucket) = self.bucket.get_mut() {
            bucket.shift(by);
        }
        if let Some(lately) = self.lately.get_mut() {
            lately.shift(by);
        }
        if let Some(recent) = self.recent.get_mut() {
            recent.shift(by);
        }
        if let Some(incident) = &mut self.incident {
            incident.shift(by);
        }
        if let Some(outage) = self.outage.get_mut() {
            for at in [&mut outage.since, &mut outage.over_since, &mut outage.paused_since] {
                *at = by(*at);
            }
        }
        for at in [&mut self.shown.since, &mut self.shown.no_outage_since, &mut self.shown.calm_since] {
            *at = by(*at);
        }
        if let Some((_, at)) = self.end.as_deref_mut() {
            *at = by(*at);
        }
    }
}
