//! What is made to happen at a time of a simulation.

use std::sync::Arc;
use std::time::Duration;

use crate::decide::{Outcome, ReplicaId};
use crate::engine::Selection;
use crate::policy::{Cause, Exit, Signal};
use crate::time::nanos;

/// One thing that is made to happen. Made by functions such as [`crash`] and [`scale`].
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

/// What comes with a failure beside how it failed.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct FailureDetails {
    pub(super) reason: Option<Arc<str>>,
    /// Nanoseconds.
    pub(super) retry_after: Option<u64>,
}

impl FailureDetails {
    pub(super) fn of(self, outcome: Outcome) -> Outcome {
        Outcome { reason: self.reason, retry_after: self.retry_after, ..outcome }
    }
}

impl Action {
    /// A failure comes with a text, for rules that match reasons. Nothing else does: there it changes nothing.
    #[must_use]
    pub fn reason(mut self, reason: &str) -> Self {
        if let ActionKind::Exit { details, .. } | ActionKind::Fail { details, .. } = &mut self.0 {
            details.reason = Some(reason.into());
        }
        self
    }

    /// A failure asks that its restart waits this long. Nothing else does: there it changes nothing.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        if let ActionKind::Exit { details, .. } | ActionKind::Fail { details, .. } = &mut self.0 {
            details.retry_after = Some(nanos(delay));
        }
        self
    }
}

impl ActionKind {
    /// Whether an operator asks for it: the set may refuse.
    pub(super) fn is_operator_request(&self) -> bool {
        matches!(
            self,
            Self::Restart(_) | Self::Stop(_) | Self::Start(_) | Self::Drain(_) | Self::Reset(_) | Self::RetryNow(_)
        )
    }

    /// The replica that it happens to.
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

/// A replica exits with code 1.
pub fn crash(replica: u32) -> Action {
    exit(replica, 1)
}

/// A replica exits with this code.
pub fn exit(replica: u32, code: i32) -> Action {
    Action(ActionKind::Exit { replica, exit: Exit::Code(code), details: FailureDetails::default() })
}

/// A signal ends a replica.
pub fn signal(replica: u32, signal: Signal) -> Action {
    Action(ActionKind::Exit { replica, exit: Exit::Signal(signal), details: FailureDetails::default() })
}

/// A replica fails for this cause; while it is still starting, that is a failed start.
pub fn fail(replica: u32, cause: Cause) -> Action {
    Action(ActionKind::Fail { replica, cause, details: FailureDetails::default() })
}

/// A replica can serve.
pub fn ready(replica: u32) -> Action {
    Action(ActionKind::Ready { replica, ready: true })
}

/// A replica cannot serve; not a failure.
pub fn not_ready(replica: u32) -> Action {
    Action(ActionKind::Ready { replica, ready: false })
}

/// Contact with a replica is lost.
pub fn lost(replica: u32) -> Action {
    Action(ActionKind::Lost { replica })
}

/// Contact with the instance that was lost is there again.
pub fn found(replica: u32) -> Action {
    Action(ActionKind::Found { replica })
}

/// An operator asks for so many replicas.
pub fn scale(replicas: u32) -> Action {
    Action(ActionKind::Scale(replicas))
}

/// An operator restarts a replica.
pub fn restart(replica: u32) -> Action {
    Action(ActionKind::Restart(replica))
}

/// An operator stops a replica: it stays down until it is started, restarted or reset.
pub fn stop(replica: u32) -> Action {
    Action(ActionKind::Stop(replica))
}

/// An operator starts a replica that is not up.
pub fn start(replica: u32) -> Action {
    Action(ActionKind::Start(replica))
}

/// An operator moves a replica elsewhere.
pub fn drain(replica: u32) -> Action {
    Action(ActionKind::Drain(replica))
}

/// An operator resets a replica.
pub fn reset(replica: u32) -> Action {
    Action(ActionKind::Reset(Selection::Replica(ReplicaId(replica))))
}

/// An operator resets every replica.
pub fn reset_all() -> Action {
    Action(ActionKind::Reset(Selection::All))
}

/// An operator says that the dependency is back.
pub fn retry_now() -> Action {
    Action(ActionKind::RetryNow(Selection::All))
}

/// An operator terminates the set.
pub fn terminate() -> Action {
    Action(ActionKind::Terminate)
}
