//! The settings of a policy as they were given.

use std::time::Duration;

use super::failure::FailurePolicy;
use super::health::HealthPolicy;
use super::retry::RetryPolicy;
use super::rollout::RolloutPolicy;
use super::scaling::ScalingPolicy;

/// The most replicas of a set: enough for a fleet that one program supervises, few enough to fit in memory.
pub(crate) const MAX_REPLICAS: u32 = 1_000_000;

/// What exit code 0 means.
///
/// ```
/// use uphold::Policy;
/// use uphold::policy::OnSuccess;
///
/// let job = Policy::builder().replicas(3).success(OnSuccess::Complete).build()?;
/// assert_eq!(job.success(), OnSuccess::Complete);
/// # Ok::<(), uphold::PolicyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum OnSuccess {
    /// The replica is restarted. The restart is paced, and is never charged or fatal.
    #[default]
    Restart,
    /// The replica is done and is not restarted.
    Complete,
    /// It is a failure.
    Failure,
}

/// The order in which replicas that are due together start: at the set's first start, and within a group.
///
/// [`ReplicaSet`](crate::ReplicaSet) keeps to it. A caller that only uses [`Policy::admit`](crate::Policy::admit) asks
/// for the starts in this order.
///
/// ```
/// use uphold::Policy;
/// use uphold::policy::StartOrder;
///
/// let cluster = Policy::builder().replicas(3).start_order(StartOrder::Ordered).build()?;
/// assert_eq!(cluster.start_order(), StartOrder::Ordered);
/// # Ok::<(), uphold::PolicyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum StartOrder {
    /// All at once.
    #[default]
    Parallel,
    /// By number; each waits until the one before it is ready.
    Ordered,
}

/// All settings of a policy; `None` means that a key was left out.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) replicas: u32,
    /// `replicas` was left out, and becomes what `scaling` allows. Cleared by `resolve`.
    pub(crate) replicas_left_out: bool,
    pub(crate) success: Option<OnSuccess>,
    pub(crate) min_ready: Option<Duration>,
    pub(crate) start_timeout: Option<Duration>,
    pub(crate) stop_grace: Option<Duration>,
    pub(crate) start_order: Option<StartOrder>,
    pub(crate) retry: Option<RetryPolicy>,
    pub(crate) failure: FailurePolicy,
    pub(crate) health: HealthPolicy,
    pub(crate) scaling: ScalingPolicy,
    pub(crate) rollout: RolloutPolicy,
}

impl Settings {
    /// `scaling.max` if it is given, else `replicas`.
    pub(crate) fn most_replicas(&self) -> u32 {
        self.scaling.max.unwrap_or(self.replicas)
    }
}
