//! Builds a policy in code.

use std::time::Duration;

use super::failure::FailurePolicy;
use super::health::HealthPolicy;
use super::policy::Policy;
use super::retry::RetryPolicy;
use super::rollout::RolloutPolicy;
use super::scaling::ScalingPolicy;
use super::settings::{OnSuccess, Settings, StartOrder};
use super::validate;
use crate::document::{PolicyError, Reader};

/// Builds a [`Policy`]; created by [`Policy::builder`].
///
/// ```
/// use uphold::{Policy, RetryPolicy};
///
/// let policy = Policy::builder().replicas(3).retry(RetryPolicy::recommended()).build()?;
/// assert_eq!(policy.replicas(), 3);
/// # Ok::<(), uphold::PolicyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PolicyBuilder {
    settings: Settings,
}

impl Policy {
    /// Returns a builder with the defaults of the policy document: one replica, or the nearest number that `scaling` allows, no
    /// `retry`, no probes.
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder::new()
    }
}

impl PolicyBuilder {
    pub(super) fn new() -> Self {
        Self { settings: Settings { replicas: 1, replicas_left_out: true, ..Settings::default() } }
    }

    /// Sets the number of replicas, 0 to 1 000 000, within the bounds of `scaling`. Default 1, or the nearest number within
    /// these bounds.
    #[must_use]
    pub fn replicas(mut self, replicas: u32) -> Self {
        self.settings.replicas = replicas;
        self.settings.replicas_left_out = false;
        self
    }

    /// Sets what exit code 0 means. Default [`OnSuccess::Restart`].
    #[must_use]
    pub fn success(mut self, success: OnSuccess) -> Self {
        self.settings.success = Some(success);
        self
    }

    /// Sets how long a replica must be ready before it counts as available. Default 0 s.
    #[must_use]
    pub fn min_ready(mut self, duration: Duration) -> Self {
        self.settings.min_ready = Some(duration);
        self
    }

    /// Sets how long a start may take, above 0 s; a longer one is a failure with cause `start-timeout`. Default 20 min.
    #[must_use]
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.settings.start_timeout = Some(timeout);
        self
    }

    /// Sets the time between the request to stop and the kill. Default 10 s.
    #[must_use]
    pub fn stop_grace(mut self, grace: Duration) -> Self {
        self.settings.stop_grace = Some(grace);
        self
    }

    /// Sets the order in which replicas that are due together start. Default [`StartOrder::Parallel`].
    #[must_use]
    pub fn start_order(mut self, order: StartOrder) -> Self {
        self.settings.start_order = Some(order);
        self
    }

    /// Sets how failed replicas are restarted. Default none: the set is fail-fast, and the first failed replica
    /// terminates it.
    #[must_use]
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.settings.retry = Some(retry);
        self
    }

    /// Sets what a failure means for the set.
    #[must_use]
    pub fn failure(mut self, failure: FailurePolicy) -> Self {
        self.settings.failure = failure;
        self
    }

    /// Sets the probes, and when a replica out of contact is unknown and when it is lost.
    #[must_use]
    pub fn health(mut self, health: HealthPolicy) -> Self {
        self.settings.health = health;
        self
    }

    /// Sets the bounds of scaling, and the extra replicas that stand in for missing ones. Default none.
    #[must_use]
    pub fn scaling(mut self, scaling: ScalingPolicy) -> Self {
        self.settings.scaling = scaling;
        self
    }

    /// Sets how a new revision replaces the old one, and what a drain may take down.
    #[must_use]
    pub fn rollout(mut self, rollout: RolloutPolicy) -> Self {
        self.settings.rollout = rollout;
        self
    }

    /// Validates the settings and compiles the policy.
    ///
    /// # Errors
    /// Returns every mistake, each with its path in the policy document.
    pub fn build(self) -> Result<Policy, PolicyError> {
        let mut settings = self.settings;
        settings.resolve();
        let mut reader = Reader::new();
        validate::validate(&mut reader, &settings);
        reader.finish()?;
        Ok(Policy::from_valid(settings))
    }
}
