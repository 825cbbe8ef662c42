//! The next deadline of a set, and its reason.

use crate::decide::ReplicaId;
use crate::time::Timestamp;

/// When [`ReplicaSet::handle_timeout`](crate::ReplicaSet::handle_timeout) would do something, and why.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Deadline {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: DeadlineReason,
    /// Whose it is; `None`: the set's.
    pub replica: Option<ReplicaId>,
}

/// Why a set wants to be woken.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
#[non_exhaustive]
pub enum DeadlineReason {
    /// Nothing was commanded yet: the first `handle_timeout` begins.
    Begin,
    /// A start is due.
    StartDue,
    /// A start has not come about in time.
    StartTimeout,
    /// A replica has been ready for `min_ready`.
    MinReady,
    /// A replica that was asked to stop has not, and is killed.
    Kill,
    /// A stray, which is no replica's current instance, is killed.
    KillStray,
    /// A start that runs but is not ready gives its place among the concurrent starts away.
    SlotTimeout,
    /// A start of an incident has run for long enough to count as up.
    Trial,
    /// A replica out of contact becomes unknown.
    Unknown,
    /// An unknown replica is declared lost.
    NodeLost,
    /// A probe is due.
    Probe,
    /// A replica that is up has not been ready for `unready_timeout`.
    Unready,
    /// A replica that probes have taken down before is taken down again, though others wait for their first turn.
    Evidence,
    /// A quarantine or a hold ends.
    HoldEnds,
    /// A gate opens: a token of the budget, or the next canary.
    Gate,
    /// An outage has lasted for `outage_deadline`, or an alarm for `clear_after`.
    Status,
}

impl DeadlineReason {
    /// A word for logs.
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
            Self::Status => "status",
        }
    }
}
