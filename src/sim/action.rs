//! Actions that a timeline or an environment applies to a set.

use std::sync::Arc;
use std::time::Duration;

use crate::decide::{Outcome, ReplicaId, Revision};
use crate::engine::{Drain, Selection};
use crate::policy::{Cause, Exit, Signal};
use crate::time::{Timestamp, nanos};

/// A failure of a replica, a change of its readiness or contact, or a request of an operator.
///
/// Returned by functions such as [`crash`] and [`scale`]; [`Simulation::at`](super::Simulation::at) schedules it.
///
/// ```
/// use std::time::Duration;
/// use uphold::Cause;
/// use uphold::sim::{exit, fail, scale, Action};
///
/// let actions: [Action; 3] = [
///     exit(1, 137).reason("OOMKilled"),
///     fail(2, Cause::NoCapacity).retry_after(Duration::from_secs(90)),
///     scale(5),
/// ];
/// # let _ = actions;
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Action(pub(super) ActionKind);

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum ActionKind {
    Exit {
        replica: u32,
        exit: Exit,
        details: FailureDetails,
    },
    Fail {
        replica: u32,
        cause: Cause,
        details: FailureDetails,
    },
    Ready {
        replica: u32,
        ready: bool,
    },
    Lost {
        replica: u32,
    },
    Found {
        replica: u32,
    },
    Scale(u32),
    Restart(u32),
    Stop(u32),
    Start(u32),
    /// Its deadline counts from the action.
    Drain(Drain),
    Undrain(Vec<ReplicaId>),
    /// The deadline counts from the action.
    Notice {
        replica: u32,
        deadline: Timestamp,
    },
    RollOut(Revision),
    Promote,
    RollBack,
    Reset(Selection),
    RetryNow(Selection),
    Terminate,
}

/// The details of a failure besides its exit or cause.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct FailureDetails {
    pub(super) reason: Option<Arc<str>>,
    /// Nanoseconds.
    pub(super) retry_after: Option<u64>,
}

impl FailureDetails {
    pub(super) fn add_to(self, outcome: Outcome) -> Outcome {
        Outcome { reason: self.reason, retry_after: self.retry_after, ..outcome }
    }
}

impl Action {
    /// Sets when drained replicas must be gone, counted from the action. Ignored for any other action.
    #[must_use]
    pub fn within(mut self, duration: Duration) -> Self {
        if let ActionKind::Drain(drain) = &mut self.0 {
            drain.deadline = Some(Timestamp::ZERO + duration);
        }
        self
    }

    /// Sets the reason of a failure, for rules that match reasons. Ignored for any other action.
    #[must_use]
    pub fn reason(mut self, reason: &str) -> Self {
        if let ActionKind::Exit { details, .. } | ActionKind::Fail { details, .. } = &mut self.0 {
            details.reason = Some(reason.into());
        }
        self
    }

    /// Sets the delay before the restart that a failure requests. Ignored for any other action.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        if let ActionKind::Exit { details, .. } | ActionKind::Fail { details, .. } = &mut self.0 {
            details.retry_after = Some(nanos(delay));
        }
        self
    }
}

impl ActionKind {
    /// Returns whether it is something that a replica does or that befalls it, rather than a request to the set.
    pub(super) fn is_fault(&self) -> bool {
        matches!(
            self,
            Self::Exit { .. } | Self::Fail { .. } | Self::Ready { .. } | Self::Lost { .. } | Self::Found { .. }
        )
    }

    /// Returns the replica that it is about, if it is about a single one.
    pub(super) fn replica(&self) -> Option<u32> {
        match self {
            Self::Exit { replica, .. }
            | Self::Fail { replica, .. }
            | Self::Ready { replica, .. }
            | Self::Lost { replica }
            | Self::Found { replica }
            | Self::Restart(replica)
            | Self::Stop(replica)
            | Self::Start(replica)
            | Self::Notice { replica, .. } => Some(*replica),
            Self::Drain(drain) => drain.replicas.iter().map(|id| id.0).max(),
            Self::Undrain(replicas) => replicas.iter().map(|id| id.0).max(),
            Self::Reset(selection) | Self::RetryNow(selection) => match selection {
                Selection::Replica(id) => Some(id.0),
                Selection::All | Selection::Cause(_) => None,
            },
            Self::Scale(_) | Self::RollOut(_) | Self::Promote | Self::RollBack | Self::Terminate => None,
        }
    }
}

/// Makes the replica exit with code 1.
pub fn crash(replica: u32) -> Action {
    exit(replica, 1)
}

/// Makes the replica exit with this code.
pub fn exit(replica: u32, code: i32) -> Action {
    Action(ActionKind::Exit { replica, exit: Exit::Code(code), details: FailureDetails::default() })
}

/// Makes a signal end the replica.
pub fn signal(replica: u32, signal: Signal) -> Action {
    Action(ActionKind::Exit { replica, exit: Exit::Signal(signal), details: FailureDetails::default() })
}

/// Makes the replica fail with this cause. If it is still starting, the start fails.
pub fn fail(replica: u32, cause: Cause) -> Action {
    Action(ActionKind::Fail { replica, cause, details: FailureDetails::default() })
}

/// Makes the replica ready.
pub fn ready(replica: u32) -> Action {
    Action(ActionKind::Ready { replica, ready: true })
}

/// Makes the replica unready, which is not a failure.
pub fn not_ready(replica: u32) -> Action {
    Action(ActionKind::Ready { replica, ready: false })
}

/// Loses contact with the replica: it may be running, and commands do not reach it.
pub fn lost(replica: u32) -> Action {
    Action(ActionKind::Lost { replica })
}

/// Regains contact with the replica. What it did in the meantime is reported now.
pub fn found(replica: u32) -> Action {
    Action(ActionKind::Found { replica })
}

/// Sets the desired number of replicas, as an operator does. The set rejects more than 1 000 000.
pub fn scale(replicas: u32) -> Action {
    Action(ActionKind::Scale(replicas))
}

/// Restarts the replica, as an operator does.
pub fn restart(replica: u32) -> Action {
    Action(ActionKind::Restart(replica))
}

/// Stops the replica, as an operator does. It stays down until it is started, restarted or reset.
pub fn stop(replica: u32) -> Action {
    Action(ActionKind::Stop(replica))
}

/// Starts a replica that is down, as an operator does.
pub fn start(replica: u32) -> Action {
    Action(ActionKind::Start(replica))
}

/// Drains the replica, as an operator does: it is moved elsewhere.
pub fn drain(replica: u32) -> Action {
    drain_all([replica])
}

/// Drains several replicas, such as all on one node.
pub fn drain_all(replicas: impl IntoIterator<Item = u32>) -> Action {
    Action(ActionKind::Drain(Drain::of(replicas)))
}

/// Cancels the drain of the replica, as an operator does.
pub fn undrain(replica: u32) -> Action {
    Action(ActionKind::Undrain(vec![ReplicaId(replica)]))
}

/// Gives notice that the platform will take the replica's instance away after `grace`.
pub fn interruption_notice(replica: u32, grace: Duration) -> Action {
    Action(ActionKind::Notice { replica, deadline: Timestamp::ZERO + grace })
}

/// Rolls a revision out, as an operator does.
pub fn roll_out(revision: Revision) -> Action {
    Action(ActionKind::RollOut(revision))
}

/// Promotes the canaries of a rollout, as an operator does.
pub fn promote() -> Action {
    Action(ActionKind::Promote)
}

/// Rolls a rollout back, as an operator does.
pub fn roll_back() -> Action {
    Action(ActionKind::RollBack)
}

/// Resets the replica, as an operator does: its streak and windows start anew, and it is started if it is down.
pub fn reset(replica: u32) -> Action {
    Action(ActionKind::Reset(Selection::Replica(ReplicaId(replica))))
}

/// Resets every replica, as [`reset`] does for one.
pub fn reset_all() -> Action {
    Action(ActionKind::Reset(Selection::All))
}

/// Starts every waiting replica now, as an operator does once a failed dependency is back.
pub fn retry_now() -> Action {
    Action(ActionKind::RetryNow(Selection::All))
}

/// Terminates the set, as an operator does.
pub fn terminate() -> Action {
    Action(ActionKind::Terminate)
}
