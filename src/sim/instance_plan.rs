//! The plan of one start: when the instance runs, when it is ready, and when and how it ends.

use std::time::Duration;

use crate::decide::Outcome;
use crate::policy::Cause;
use crate::time::Timestamp;

/// The plan of one start: when the instance is running and ready, and when and how it ends of its own accord.
///
/// ```
/// use std::time::Duration;
/// use uphold::sim::InstancePlan;
/// use uphold::{Cause, Outcome, Timestamp};
///
/// // Running after 2 s, ready 10 s later, crashes after an hour of running.
/// let crash = Outcome::exited(1, Timestamp::ZERO);
/// let plan = InstancePlan::new(Duration::from_secs(2))
///     .ready_after(Duration::from_secs(10))
///     .ends_after(Duration::from_secs(3600), crash);
/// // The backend reports after 30 s that it has no capacity.
/// let failed = InstancePlan::start_fails(Duration::from_secs(30), Cause::NoCapacity);
/// assert_eq!(plan.get_ready(), Some(Duration::from_secs(10)));
/// assert_eq!(failed.get_start(), None);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub struct InstancePlan {
    /// From the start command until running; `None`: never.
    pub(super) start: Option<Duration>,
    /// From running until ready; `None`: never.
    pub(super) ready: Option<Duration>,
    /// From running (or from the start command, if it never runs) until it ends of its own accord, and how.
    pub(super) end: Option<(Duration, Outcome)>,
}

impl InstancePlan {
    /// Creates an instance that is running `start` after its start command, ready at once, and never ends of its own
    /// accord.
    pub fn new(start: Duration) -> Self {
        Self { start: Some(start), ready: Some(Duration::ZERO), end: None }
    }

    /// Creates a start that is reported as failed with `cause`, `after` the start command.
    pub fn start_fails(after: Duration, cause: Cause) -> Self {
        Self { start: None, ready: None, end: Some((after, Outcome::start_failed(cause, Timestamp::ZERO))) }
    }

    /// Creates a start about which nothing is ever reported.
    pub fn hangs() -> Self {
        Self { start: None, ready: None, end: None }
    }

    /// Sets the time from running until ready. Default: zero.
    pub fn ready_after(mut self, after: Duration) -> Self {
        self.ready = Some(after);
        self
    }

    /// Makes the instance never ready.
    pub fn never_ready(mut self) -> Self {
        self.ready = None;
        self
    }

    /// Makes the instance end with `outcome` once it has been running for `after`. The time in `outcome` is ignored.
    pub fn ends_after(mut self, after: Duration, outcome: Outcome) -> Self {
        self.end = Some((after, outcome));
        self
    }

    /// Returns the time from the start command until running; `None`: never.
    pub fn get_start(&self) -> Option<Duration> {
        self.start
    }

    /// Returns the time from running until ready; `None`: never.
    pub fn get_ready(&self) -> Option<Duration> {
        self.ready
    }

    /// Returns how and when the instance ends of its own accord, counted from running, or from the start command if it
    /// never runs; `None`: it does not.
    pub fn get_end(&self) -> Option<(Duration, &Outcome)> {
        self.end.as_ref().map(|(after, outcome)| (*after, outcome))
    }
}
