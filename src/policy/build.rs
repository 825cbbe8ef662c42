//! Builds a policy in code.

use std::time::Duration;

use super::failure::FailurePolicy;
use super::health::HealthPolicy;
use super::policy::Policy;
use super::retry::RetryPolicy;
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
    /// Builds a policy in code. Without [`PolicyBuilder::replicas`] the set has one replica.
    pub fn builder() -> PolicyBuilder {
        PolicyBuilder::new()
    }
}

impl PolicyBuilder {
    pub(super) fn new() -> Self {
        Self { settings: Settings { replicas: 1, ..Settings::default() } }
    }

    /// How many replicas the set has, 0 to 1 000 000. Default 1.
    #[must_use]
    pub fn replicas(mut self, replicas: u32) -> Self {
        self.settings.replicas = replicas;
        self
    }

    /// What exit code 0 means. Default [`OnSuccess::Restart`].
    #[must_use]
    pub fn success(mut self, success: OnSuccess) -> Self {
        self.settings.success = Some(success);
        self
    }

    /// How long a replica must be ready before it counts as available. Default 0 s.
    #[must_use]
    pub fn min_ready(mut self, duration: Duration) -> Self {
        self.settings.min_ready = Some(duration);
        self
    }

    /// A start that takes longer is a failure with cause `start-timeout`. Default 20 min.
    #[must_use]
    pub fn start_timeout(mut self, timeout: Duration) -> Self {
        self.settings.start_timeout = Some(timeout);
        self
    }

    /// Time between the request to stop and the kill. Default 10 s.
    #[must_use]
    pub fn stop_grace(mut self, grace: Duration) -> Self {
        self.settings.stop_grace = Some(grace);
        self
    }

    /// In which order replicas start that are due together. Default [`StartOrder::Parallel`].
    #[must_use]
    pub fn start_order(mut self, order: StartOrder) -> Self {
        self.settings.start_order = Some(order);
        self
    }

    /// Restarts what failed. Default: none, the set is fail-fast.
    #[must_use]
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.settings.retry = Some(retry);
        self
    }

    /// What a failure means for the set.
    #[must_use]
    pub fn failure(mut self, failure: FailurePolicy) -> Self {
        self.settings.failure = failure;
        self
    }

    /// Probes, and when a replica out of contact is unknown and when it is lost.
    #[must_use]
    pub fn health(mut self, health: HealthPolicy) -> Self {
        self.settings.health = health;
        self
    }

    /// Validates the settings and compiles the policy.
    ///
    /// # Errors
    /// Every mistake, each with its path as in the document.
    pub fn build(self) -> Result<Policy, PolicyError> {
        let mut settings = self.settings;
        settings.resolve();
        let mut reader = Reader::new();
        validate::validate(&mut reader, &settings);
        reader.finish()?;
        Ok(Policy::from_valid(settings))
    }
}
