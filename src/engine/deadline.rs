//! The next deadline of a set, and its reason.

use crate::decide::ReplicaId;
use crate::time::Timestamp;

/// When [`ReplicaSet::handle_timeout`](crate::ReplicaSet::handle_timeout) must be called next, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Deadline {
    /// The time.
    pub at: Timestamp,
    /// The reason.
    pub why: DeadlineReason,
    /// The replica; `None`: the set.
    pub replica: Option<ReplicaId>,
}

/// The reason of a deadline.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum DeadlineReason {
    /// The first `handle_timeout` has not been called yet. No command is issued before it.
    Begin,
    /// A start is due.
    StartDue,
    /// A start has exceeded `start_timeout`.
    StartTimeout,
    /// A replica has been ready for `min_ready`.
    MinReady,
    /// A replica that has not stopped in time is killed.
    Kill,
    /// A stray is killed.
    KillStray,
    /// A start that runs but is not ready releases its place of `max_concurrent_starts`.
    SlotTimeout,
    /// A trial start of an incident has run for long enough to count as up.
    Trial,
    /// A replica out of contact becomes unknown.
    Unknown,
    /// An unknown replica is declared lost.
    NodeLost,
    /// A probe is due.
    Probe,
    /// A replica that is up has not been ready for `unready_timeout`.
    Unready,
    /// A replica that probes have taken down before is taken down again, although others wait for a free place.
    Evidence,
    /// A quarantine or a hold ends.
    HoldEnds,
    /// A gate opens: a token of the budget, or the next canary.
    Gate,
    /// A drain reaches its deadline: the replica is stopped.
    Drain,
    /// The canaries of a rollout have been available for `bake`, or a rollout has been without progress for
    /// `progress_deadline`.
    Rollout,
    /// A stand-in is started, takes over, or is no longer needed.
    StandIn,
    /// An outage has lasted for `outage_deadline`, or an alarm for `clear_after`.
    Status,
}

impl DeadlineReason {
    /// Returns a name for logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Begin => "begin",
            Self::StartDue => "start-due",
            Self::StartTimeout => "start-timeout",
            Self::MinReady => "min-ready",
            Self::Kill => "kill",
            Self::KillStray => "kill-stray",
            Self::SlotTimeout => "slot-timeout",
            Self::Trial => "trial",
            Self::Unknown => "unknown",
            Self::NodeLost => "node-lost",
            Self::Probe => "probe",
            Self::Unready => "unready",
            Self::Evidence => "evidence",
            Self::HoldEnds => "hold-ends",
            Self::Gate => "gate",
            Self::Drain => "drain",
            Self::Rollout => "rollout",
            Self::StandIn => "stand-in",
            Self::Status => "status",
        }
    }
}
