//! The status of a set, the reason of the status, and the reason why a set ends.

use serde::{Deserialize, Serialize};

/// The status of a set. `Degraded` and `Outage` are two separate alarms.
///
/// *Need* is `min_available` as a number of replicas.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Status {
    /// Fewer replicas than *need* are available, and the set has never been up.
    #[default]
    Pending,
    /// Every desired replica is available, or at least *need* are and the others start for the first time.
    Healthy,
    /// A replica is missing, and at least *need* are available.
    Degraded,
    /// Fewer replicas than *need* are available, and the set has been up.
    Outage,
    /// The set has ended and its replicas are being stopped. None is started again.
    Terminating,
    /// The set has ended and every replica has stopped. Final.
    Terminated,
    /// Every replica has completed with exit code 0 under `success: complete`. Final.
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

    /// Its index in `ALL`.
    #[inline]
    pub(crate) const fn index(self) -> usize {
        self as usize
    }

    /// Returns the word that traces and metrics use.
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

    /// Returns whether the status never changes again: `Terminated` and `Completed`.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Terminated | Self::Completed)
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// The reason of a [`Status`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StatusReason {
    /// Replicas start for the first time.
    #[default]
    Starting,
    /// Every desired replica is available.
    AllAvailable,
    /// Every desired replica is available again.
    Recovered,
    /// Every desired replica is available, because the missing ones are no longer desired.
    ScaledDown,
    /// The cause of the alarm is gone; the alarm is cleared after `clear_after`.
    Clearing,
    /// No replica is desired.
    ScaledToZero,
    /// A replica failed and is not available again yet.
    ReplicaFailed,
    /// A replica was given up.
    ReplicaGivenUp,
    /// A replica is out of contact.
    ReplicaUnknown,
    /// A replica completed a run (exit code 0 under `success: restart`) and will be started again.
    CompletedRun,
    /// A replica is up but not ready.
    ReplicaNotReady,
    /// An operator restarts a replica.
    ReplicaRestarting,
    /// An operator has stopped a replica.
    ReplicaStopped,
    /// A replica is down because a rollout replaces it.
    RollingOut,
    /// Replicas are missing, and an available stand-in replaces each of them.
    CoveredByStandIns,
    /// Every replica has completed.
    Completed,
    /// The set was terminated by a failure for which there is no `retry`.
    FailFast,
    /// The set was terminated by a rule.
    Rule,
    /// The set was terminated because a `retry` or the budget is exhausted.
    Exhausted,
    /// The set was terminated because an outage lasted for `outage_deadline`.
    OutageDeadline,
    /// The set was terminated because it can no longer reach `min_available`.
    Unrecoverable,
    /// The set was terminated on request.
    Requested,
}

impl StatusReason {
    /// Returns the word that traces and metrics use.
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
            Self::RollingOut => "rolling-out",
            Self::CoveredByStandIns => "covered-by-stand-ins",
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

/// Why a set is terminated; the argument of [`Policy::terminate`](crate::Policy::terminate).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum EndReason {
    /// A failure for which there is no `retry`.
    FailFast,
    /// A rule with `then: terminate` matched a failure.
    Rule,
    /// A `retry` is exhausted under `exhausted: terminate`, the budget under `empty: terminate`, or
    /// `max_failures_before_ready` is reached.
    Exhausted,
    /// An outage lasted for `outage_deadline`.
    OutageDeadline,
    /// The set can no longer reach `min_available`.
    Unrecoverable,
    /// The owner or an operator requested it.
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
