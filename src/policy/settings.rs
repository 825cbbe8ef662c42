//! The settings of a policy, as they were written.

use std::time::Duration;

use super::failure::FailurePolicy;
use super::health::HealthPolicy;
use super::retry::RetryPolicy;

/// The most replicas a set may have: enough for any fleet that one program watches, few enough to be held in memory.
pub(crate) const MAX_REPLICAS: u32 = 1_000_000;

/// What exit code 0 means.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum OnSuccess {
    /// The replica is started again: paced, never charged, never fatal.
    #[default]
    Restart,
    /// The replica has done its work and is not started again.
    Complete,
    /// It is a failure like any other.
    Failure,
}

/// In which order replicas start that are due together: at the set's first start, and in a group.
///
/// A set keeps to it by itself; who only uses [`Policy::admit`](crate::Policy::admit) asks for the starts in this order.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum StartOrder {
    /// All at once.
    #[default]
    Parallel,
    /// By number; each waits until the one before it is ready.
    Ordered,
}

/// All settings of a policy; `None` was left out.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) replicas: u32,
    pub(crate) success: Option<OnSuccess>,
    pub(crate) min_ready: Option<Duration>,
    pub(crate) start_timeout: Option<Duration>,
    pub(crate) stop_grace: Option<Duration>,
    pub(crate) start_order: Option<StartOrder>,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) failure: FailurePolicy,
    pub(crate) health: HealthPolicy,
}
