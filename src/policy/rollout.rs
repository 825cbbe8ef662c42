//! How a new revision replaces the old one: the `rollout` block.

use std::time::Duration;

use super::quantity::Quantity;

/// The steps in which a rollout replaces replicas by those of another revision, and when it has failed.
///
/// Drains use [`max_surge`](Self::max_surge) and [`max_unavailable`](Self::max_unavailable) too.
///
/// ```
/// use std::time::Duration;
/// use uphold::policy::{OnRolloutFailure, RolloutPolicy};
/// use uphold::{Policy, Quantity, RetryPolicy};
///
/// let rollout = RolloutPolicy::new()
///     .max_surge(Quantity::Percent(25))
///     .canaries(1)
///     .bake(Duration::from_secs(300))
///     .progress_deadline(Duration::from_secs(600))
///     .on_failure(OnRolloutFailure::Rollback);
/// let policy = Policy::builder().replicas(6).retry(RetryPolicy::recommended()).rollout(rollout).build()?;
/// assert_eq!((policy.max_surge(6), policy.max_unavailable(6)), (2, 0));
/// # Ok::<(), uphold::PolicyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct RolloutPolicy {
    pub(crate) max_surge: Option<Quantity>,
    pub(crate) max_unavailable: Option<Quantity>,
    pub(crate) canaries: Option<u32>,
    pub(crate) bake: Option<Duration>,
    pub(crate) promote: Option<Promote>,
    pub(crate) progress_deadline: Option<Duration>,
    pub(crate) max_failures: Option<u32>,
    pub(crate) on_failure: Option<OnRolloutFailure>,
}

impl RolloutPolicy {
    /// Creates settings with the defaults of the policy document: one replica after the other is replaced in place, and a failed
    /// rollout is rolled back.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets how many extra replicas a rollout or a drain may start before it stops old ones. Percentages round up. Default 0.
    #[must_use]
    pub fn max_surge(mut self, quantity: Quantity) -> Self {
        self.max_surge = Some(quantity);
        self
    }

    /// Sets how many replicas a rollout or a drain may take down at a time, as far as `min_available` allows. Percentages round
    /// down. If this and `max_surge` are 0, it is 1. Default 0 with a `max_surge`, else 1.
    #[must_use]
    pub fn max_unavailable(mut self, quantity: Quantity) -> Self {
        self.max_unavailable = Some(quantity);
        self
    }

    /// Sets the number of canaries: replicas of the new revision that must stay available for `bake` before the rest follow.
    /// With a `max_surge`, at most that many. Default 0.
    #[must_use]
    pub fn canaries(mut self, replicas: u32) -> Self {
        self.canaries = Some(replicas);
        self
    }

    /// Sets how long the canaries must stay available before the rest follow. Default 0 s.
    #[must_use]
    pub fn bake(mut self, duration: Duration) -> Self {
        self.bake = Some(duration);
        self
    }

    /// Sets whether the rest follow the canaries automatically. Default [`Promote::Auto`].
    #[must_use]
    pub fn promote(mut self, promote: Promote) -> Self {
        self.promote = Some(promote);
        self
    }

    /// Sets how long a rollout may be without progress before it has failed. Time spent baking, waiting for an operator or in an incident
    /// does not count. Default never.
    #[must_use]
    pub fn progress_deadline(mut self, deadline: Duration) -> Self {
        self.progress_deadline = Some(deadline);
        self
    }

    /// Sets how many failures of the new revision fail the rollout, 1 to 1 000 000. Interruptions, missing capacity and
    /// lost nodes do not count. Default 3, or 1 in a policy without a `retry`.
    #[must_use]
    pub fn max_failures(mut self, failures: u32) -> Self {
        self.max_failures = Some(failures);
        self
    }

    /// Sets what happens to a rollout that has failed. Default [`OnRolloutFailure::Rollback`].
    #[must_use]
    pub fn on_failure(mut self, on_failure: OnRolloutFailure) -> Self {
        self.on_failure = Some(on_failure);
        self
    }

    /// Returns how many extra replicas may be started; `None` means the default.
    pub fn get_max_surge(&self) -> Option<Quantity> {
        self.max_surge
    }

    /// Returns how many replicas may be taken down at a time; `None` means the default.
    pub fn get_max_unavailable(&self) -> Option<Quantity> {
        self.max_unavailable
    }

    /// Returns the number of canaries; `None` means the default.
    pub fn get_canaries(&self) -> Option<u32> {
        self.canaries
    }

    /// Returns how long the canaries must stay available; `None` means the default.
    pub fn get_bake(&self) -> Option<Duration> {
        self.bake
    }

    /// Returns whether the rest follow automatically; `None` means the default.
    pub fn get_promote(&self) -> Option<Promote> {
        self.promote
    }

    /// Returns how long a rollout may be without progress; `None` means unlimited.
    pub fn get_progress_deadline(&self) -> Option<Duration> {
        self.progress_deadline
    }

    /// Returns how many failures of the new revision fail the rollout; `None` means the default.
    pub fn get_max_failures(&self) -> Option<u32> {
        self.max_failures
    }

    /// Returns what happens to a rollout that has failed; `None` means the default.
    pub fn get_on_failure(&self) -> Option<OnRolloutFailure> {
        self.on_failure
    }
}

/// When the rest of the set follows the canaries.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Promote {
    /// Once the canaries have stayed available for `bake`.
    #[default]
    Auto,
    /// When an operator promotes the rollout.
    Manual,
}

impl Promote {
    pub(crate) const ALL: [Self; 2] = [Self::Auto, Self::Manual];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Manual => "manual",
        }
    }
}

/// What happens to a rollout that has failed.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum OnRolloutFailure {
    /// Every replica goes back to the last revision that was rolled out completely.
    #[default]
    Rollback,
    /// Nothing more is replaced until an operator decides.
    Pause,
}

impl OnRolloutFailure {
    pub(crate) const ALL: [Self; 2] = [Self::Rollback, Self::Pause];

    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Rollback => "rollback",
            Self::Pause => "pause",
        }
    }
}
