//! The status of a set, its reason, and the reasons for which a set ends.

use serde::{Deserialize, Serialize};

/// What the set as a whole is. Degraded and outage are two different alarms.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Status {
    /// Fewer than needed are available, and the set has not been up yet.
    #[default]
    Pending,
    /// All that is asked for is available, or coming up for the first time while enough are.
    Healthy,
    /// Some replica is missing; enough serve on.
    Degraded,
    /// Fewer than needed are available.
    Outage,
    /// Everything is being stopped; nothing is started any more.
    Terminating,
    /// Every replica has stopped. Final.
    Terminated,
    /// Every replica has done its work. Final.
    Completed,
}

impl Status {
    pub(crate) const ALL: [Self; 7] = [
        Self::Pending,
        Self::Healthy,
        Self::Degraded,
        Self::Outage,
        Self::Terminating,
        Self::Terminated,
        Self::Completed,
    ];

    /// Its place in `ALL`.
    #[inline]
    pub(crate) const fn place(self) -> usize {
        self as usize
    }

    /// The word that traces and metrics use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Healthy => "healthy",
            Self::Degraded => "degraded",
            Self::Outage => "outage",
            Self::Terminating => "terminating",
            Self::Terminated => "terminated",
            Self::Completed => "completed",
        }
    }

    /// Whether nothing follows: terminated or completed.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Terminated | Self::Completed)
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why the status is what it is.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StatusReason {
    /// Replicas are coming up for the first time.
    #[default]
    Starting,
    /// All that is asked for is available.
    AllAvailable,
    /// All that is asked for is available again.
    Recovered,
    /// All that is asked for is available, since what was missing is no longer asked for.
    ScaledDown,
    /// Nothing is wrong any more; shown until `clear_after` has passed.
    Clearing,
    /// No replica is asked for.
    ScaledToZero,
    /// A replica failed and is not back yet.
    ReplicaFailed,
    /// A replica was given up.
    ReplicaGivenUp,
    /// A replica is out of contact.
    ReplicaUnknown,
    /// A replica has completed a run (exit code 0) and is started again.
    CompletedRun,
    /// A replica is up but not ready.
    ReplicaNotReady,
    /// A replica is being restarted because an operator asked for it.
    ReplicaRestarting,
    /// A replica is down because an operator stopped it.
    ReplicaStopped,
    /// Every replica has done its work.
    Completed,
    /// The set was terminated: a failure, and no retry for it.
    FailFast,
    /// The set was terminated by a rule.
    Rule,
    /// The set was terminated because a retry or the budget is used up.
    Exhausted,
    /// The set was terminated because an outage lasted too long.
    OutageDeadline,
    /// The set was terminated because it could no longer reach `min_available`.
    Unrecoverable,
    /// The set was terminated because somebody asked for it.
    Requested,
}

impl StatusReason {
    /// The word that traces and metrics use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::AllAvailable => "all-available",
            Self::Recovered => "recovered",
            Self::ScaledDown => "scaled-down",
            Self::Clearing => "clearing",
            Self::ScaledToZero => "scaled-to-zero",
            Self::ReplicaFailed => "replica-failed",
            Self::ReplicaGivenUp => "replica-given-up",
            Self::ReplicaUnknown => "replica-unknown",
            Self::CompletedRun => "completed-run",
            Self::ReplicaNotReady => "replica-not-ready",
            Self::ReplicaRestarting => "replica-restarting",
            Self::ReplicaStopped => "replica-stopped",
            Self::Completed => "completed",
            Self::FailFast => "fail-fast",
            Self::Rule => "rule",
            Self::Exhausted => "exhausted",
            Self::OutageDeadline => "outage-deadline",
            Self::Unrecoverable => "unrecoverable",
            Self::Requested => "requested",
        }
    }
}

impl std::fmt::Display for StatusReason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// Why a set is terminated.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EndReason {
    /// A failure, and no retry for it.
    FailFast,
    /// A rule said so.
    Rule,
    /// A retry or the budget is used up.
    Exhausted,
    /// An outage lasted longer than `outage_deadline`.
    OutageDeadline,
    /// The set can no longer reach `min_available`.
    Unrecoverable,
    /// Somebody asked for it.
    Requested,
}

impl From<EndReason> for StatusReason {
    fn from(reason: EndReason) -> Self {
        match reason {
            EndReason::FailFast => Self::FailFast,
            EndReason::Rule => Self::Rule,
            EndReason::Exhausted => Self::Exhausted,
            EndReason::OutageDeadline => Self::OutageDeadline,
            EndReason::Unrecoverable => Self::Unrecoverable,
            EndReason::Requested => Self::Requested,
        }
    }
}
