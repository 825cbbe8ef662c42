//! Actions that a timeline or an environment applies to a set.

use std::sync::Arc;
use std::time::Duration;

use crate::decide::{Outcome, ReplicaId};
use crate::engine::Selection;
use crate::policy::{Cause, Exit, Signal};
use crate::time::nanos;

/// Something that is made to happen to a set. Created by functions such as [`crash`] and [`scale`].
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
    Exit { replica: u32, exit: Exit, details: FailureDetails },
    Fail { replica: u32, cause: Cause, details: FailureDetails },
    Ready { replica: u32, ready: bool },
    Lost { replica: u32 },
    Found { replica: u32 },
    Scale(u32),
    Restart(u32),
    Stop(u32),
    Start(u32),
    Drain(u32),
    Reset(Selection),
    RetryNow(Selection),
    Terminate,
}

/// What a failure carries besides its exit or cause.
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
    /// Sets the reason of a failure, for rules that match reasons. Ignored for any other action.
    #[must_use]
    pub fn reason(mut self, reason: &str) -> Self {
        if let ActionKind::Exit { details, .. } | ActionKind::Fail { details, .. } = &mut self.0 {
            details.reason = Some(reason.into());
        }
        self
    }

    /// Makes a failure ask for this delay before the restart. Ignored for any other action.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        if let ActionKind::Exit { details, .. } | ActionKind::Fail { details, .. } = &mut self.0 {
            details.retry_after = Some(nanos(delay));
        }
        self
    }
}

impl ActionKind {
    /// Whether this is a request about replicas that the set may reject.
    pub(super) fn is_operator_request(&self) -> bool {
        matches!(
            self,
            Self::Restart(_) | Self::Stop(_) | Self::Start(_) | Self::Drain(_) | Self::Reset(_) | Self::RetryNow(_)
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
            | Self::Drain(replica) => Some(*replica),
            Self::Reset(selection) | Self::RetryNow(selection) => match selection {
                Selection::Replica(id) => Some(id.0),
                Selection::All | Selection::Cause(_) => None,
            },
            Self::Scale(_) | Self::Terminate => None,
        }
    }
}

/// The replica exits with code 1.
pub fn crash(replica: u32) -> Action {
    exit(replica, 1)
}

/// The replica exits with this code.
pub fn exit(replica: u32, code: i32) -> Action {
    Action(ActionKind::Exit { replica, exit: Exit::Code(code), details: FailureDetails::default() })
}

/// The replica is ended by a signal.
pub fn signal(replica: u32, signal: Signal) -> Action {
    Action(ActionKind::Exit { replica, exit: Exit::Signal(signal), details: FailureDetails::default() })
}

/// The replica fails with this cause. If it is still starting, that is a failed start.
pub fn fail(replica: u32, cause: Cause) -> Action {
    Action(ActionKind::Fail { replica, cause, details: FailureDetails::default() })
}

/// The replica becomes ready.
pub fn ready(replica: u32) -> Action {
    Action(ActionKind::Ready { replica, ready: true })
}

/// The replica becomes unready, which is not a failure.
pub fn not_ready(replica: u32) -> Action {
    Action(ActionKind::Ready { replica, ready: false })
}

/// Contact with the replica is lost.
pub fn lost(replica: u32) -> Action {
    Action(ActionKind::Lost { replica })
}

/// Contact with the lost instance is regained.
pub fn found(replica: u32) -> Action {
    Action(ActionKind::Found { replica })
}

/// An operator sets the desired number of replicas.
pub fn scale(replicas: u32) -> Action {
    Action(ActionKind::Scale(replicas))
}

/// An operator restarts the replica.
pub fn restart(replica: u32) -> Action {
    Action(ActionKind::Restart(replica))
}

/// An operator stops the replica: it stays down until it is started, restarted or reset.
pub fn stop(replica: u32) -> Action {
    Action(ActionKind::Stop(replica))
}

/// An operator starts a replica that is not up.
pub fn start(replica: u32) -> Action {
    Action(ActionKind::Start(replica))
}

/// An operator moves the replica elsewhere.
pub fn drain(replica: u32) -> Action {
    Action(ActionKind::Drain(replica))
}

/// An operator resets the replica.
pub fn reset(replica: u32) -> Action {
    Action(ActionKind::Reset(Selection::Replica(ReplicaId(replica))))
}

/// An operator resets every replica.
pub fn reset_all() -> Action {
    Action(ActionKind::Reset(Selection::All))
}

/// An operator restarts everything that waits, now: whatever was down is back.
pub fn retry_now() -> Action {
    Action(ActionKind::RetryNow(Selection::All))
}

/// An operator terminates the set.
pub fn terminate() -> Action {
    Action(ActionKind::Terminate)
}
