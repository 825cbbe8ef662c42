//! What a rollout reports: its changes and its progress.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::serde_seconds;
use crate::decide::Revision;
use crate::time::Timestamp;

/// What happened to a rollout.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RolloutEvent {
    /// It began, or goes on after a pause.
    Started,
    /// More replicas of the new revision are available than ever before in this rollout.
    Progress,
    /// The canaries are available. The others wait until `bake` has passed, or until an operator promotes the rollout.
    Baking,
    /// The other replicas follow the canaries.
    Promoted,
    /// It has failed, and nothing more is replaced until an operator decides.
    Paused,
    /// It has failed; [`RolloutChange::reason`] says why.
    Failed,
    /// Replaced slots return to the revision that was last rolled out completely.
    RollingBack,
    /// Every slot that was replaced has been started again at that revision.
    RolledBack,
    /// Every regular slot is available at the new revision, all at the same time.
    Completed,
    /// An operator began another rollout, which takes its place.
    Superseded,
}

impl RolloutEvent {
    /// Returns the word that traces use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Progress => "progress",
            Self::Baking => "baking",
            Self::Promoted => "promoted",
            Self::Paused => "paused",
            Self::Failed => "failed",
            Self::RollingBack => "rolling-back",
            Self::RolledBack => "rolled-back",
            Self::Completed => "completed",
            Self::Superseded => "superseded",
        }
    }
}

/// Why a rollout failed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RolloutFailure {
    /// No progress for `rollout.progress_deadline`.
    ProgressDeadline,
    /// The new revision has failed `rollout.max_failures` times.
    MaxFailures,
    /// A rule gave up a replica of the new revision, or would have terminated the set.
    Rule,
    /// A replica of the new revision has used up its `retry`.
    Exhausted,
}

impl RolloutFailure {
    /// Says what happened, for operators.
    const fn sentence(self) -> &'static str {
        match self {
            Self::ProgressDeadline => "it made no progress for `progress_deadline`",
            Self::MaxFailures => "its replicas failed `max_failures` times",
            Self::Rule => "a rule gave up one of its replicas, or would have terminated the set",
            Self::Exhausted => "one of its replicas used up its `retry`",
        }
    }

    /// Returns the word that traces use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ProgressDeadline => "progress-deadline",
            Self::MaxFailures => "max-failures",
            Self::Rule => "rule",
            Self::Exhausted => "exhausted",
        }
    }
}

/// A change of a rollout. Its `Display` is one sentence for an operator.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RolloutChange {
    /// What happened.
    pub event: RolloutEvent,
    /// The revision that is, or was, rolled out; `None`: the one that the set began with.
    pub revision: Option<Revision>,
    /// The number of regular slots at this revision. Stopped and completed ones are not counted.
    pub updated: u32,
    /// The number of regular slots that are still to be replaced.
    pub remaining: u32,
    /// The number of available replicas of this revision, surge slots included.
    pub available: u32,
    /// Why it failed.
    pub reason: Option<RolloutFailure>,
}

impl fmt::Display for RolloutChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let revision = self.revision.as_ref().map_or("the initial revision", Revision::as_str);
        let Self { updated, remaining, available, .. } = self;
        match self.event {
            RolloutEvent::RollingBack => {
                return write!(f, "rolling back {revision}: replicas return to the last completed revision");
            }
            RolloutEvent::RolledBack => {
                return write!(
                    f,
                    "{revision} is rolled back: every replica was started at the last completed revision"
                );
            }
            _ => write!(f, "rollout of {revision} ")?,
        }
        match self.event {
            RolloutEvent::Started => write!(f, "started: {remaining} replicas to replace"),
            RolloutEvent::Progress => write!(f, "progresses: {available} available, {remaining} still to replace"),
            RolloutEvent::Baking => {
                write!(f, "bakes: {available} available, {remaining} to replace once it is promoted")
            }
            RolloutEvent::Promoted => write!(f, "is promoted: {remaining} replicas follow"),
            RolloutEvent::Paused => {
                write!(f, "is paused with {updated} replaced: roll out again to go on, or roll back")
            }
            RolloutEvent::Failed => {
                f.write_str("failed")?;
                self.reason.map_or(Ok(()), |reason| write!(f, ": {}", reason.sentence()))
            }
            RolloutEvent::Superseded => f.write_str("is superseded by another"),
            RolloutEvent::Completed | RolloutEvent::RollingBack | RolloutEvent::RolledBack => {
                f.write_str("is complete")
            }
        }
    }
}

/// What a rollout is doing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum RolloutPhase {
    /// It replaces slots.
    Advancing,
    /// It waits until the canaries have been available for `bake`.
    Baking,
    /// It waits for an operator to promote the canaries.
    AwaitingPromotion,
    /// It has failed, and waits for an operator to go on, supersede it or roll back.
    Paused,
    /// Replaced slots return to the revision that was last rolled out completely.
    RollingBack,
}

impl RolloutPhase {
    #[cfg(feature = "metrics")]
    pub(crate) const ALL: [Self; 5] =
        [Self::Advancing, Self::Baking, Self::AwaitingPromotion, Self::Paused, Self::RollingBack];

    /// Returns the word that metrics use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Advancing => "advancing",
            Self::Baking => "baking",
            Self::AwaitingPromotion => "awaiting-promotion",
            Self::Paused => "paused",
            Self::RollingBack => "rolling-back",
        }
    }
}

impl fmt::Display for RolloutPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// The progress of a rollout. Returned by [`ReplicaSet::rollout`](crate::ReplicaSet::rollout).
///
/// Its `Display` is one line for an operator. In JSON, times are seconds since the epoch.
///
/// ```
/// use uphold::engine::RolloutPhase;
/// use uphold::sim::{Simulation, roll_out};
/// use uphold::{Policy, Revision};
///
/// // One replica is tried first, and the rest wait for an operator.
/// let policy: Policy = serde_json::from_str(
///     r#"{"replicas": 3, "retry": true, "rollout": {"canaries": 1, "promote": "manual"}}"#,
/// )?;
/// let run = Simulation::new(policy).at("60s", roll_out(Revision::new("v2")?)).run_until("1h")?;
/// let rollout = run.set().rollout().ok_or("no rollout")?;
/// assert_eq!((rollout.phase, rollout.updated, rollout.remaining), (RolloutPhase::AwaitingPromotion, 1, 2));
/// assert_eq!(rollout.to_string(), "rollout of v2: awaiting-promotion, 1 replaced, 2 to replace, 1 available, 0 failures");
/// assert_eq!(serde_json::to_value(&rollout)?["phase"], "awaiting-promotion");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct RolloutView {
    /// The revision that is rolled out or rolled back; `None`: the one that the set began with.
    pub revision: Option<Revision>,
    /// What the rollout is doing.
    pub phase: RolloutPhase,
    /// When it began; of a rollback, when the rollback began.
    #[serde(rename = "since_seconds", with = "serde_seconds::time")]
    pub since: Timestamp,
    /// The number of regular slots that are still to be replaced.
    pub remaining: u32,
    /// The number of regular slots at the revision that the set is moving to.
    pub updated: u32,
    /// The number of available replicas of that revision, surge slots included.
    pub available: u32,
    /// The number of failures of the new revision that count towards `max_failures`.
    pub failures: u32,
}

impl fmt::Display for RolloutView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { phase, updated, remaining, available, failures, .. } = self;
        let revision = self.revision.as_ref().map_or("the initial revision", Revision::as_str);
        write!(f, "rollout of {revision}: {phase}, {updated} replaced, {remaining} to replace, ")?;
        write!(f, "{available} available, {failures} failures")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_of_a_rollout_is_a_sentence() {
        let sentence = |event: RolloutEvent, reason: Option<RolloutFailure>| {
            let revision = Revision::new("v2").ok();
            RolloutChange { event, revision, updated: 1, remaining: 2, available: 1, reason }.to_string()
        };
        for (event, expected) in [
            (RolloutEvent::Started, "rollout of v2 started: 2 replicas to replace"),
            (RolloutEvent::Progress, "rollout of v2 progresses: 1 available, 2 still to replace"),
            (RolloutEvent::Baking, "rollout of v2 bakes: 1 available, 2 to replace once it is promoted"),
            (RolloutEvent::Promoted, "rollout of v2 is promoted: 2 replicas follow"),
            (RolloutEvent::Paused, "rollout of v2 is paused with 1 replaced: roll out again to go on, or roll back"),
            (RolloutEvent::RollingBack, "rolling back v2: replicas return to the last completed revision"),
            (RolloutEvent::RolledBack, "v2 is rolled back: every replica was started at the last completed revision"),
            (RolloutEvent::Completed, "rollout of v2 is complete"),
            (RolloutEvent::Superseded, "rollout of v2 is superseded by another"),
        ] {
            assert_eq!(sentence(event, None), expected);
        }
        assert_eq!(
            sentence(RolloutEvent::Failed, Some(RolloutFailure::MaxFailures)),
            "rollout of v2 failed: its replicas failed `max_failures` times"
        );
    }
}
