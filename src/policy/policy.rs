//! The type `Policy`: validated, compiled, cheap to clone.

use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use super::compile::Compiled;
use super::failure::FailurePolicy;
use super::health::HealthPolicy;
use super::layout::Layout;
use super::retry::RetryPolicy;
use super::rollout::RolloutPolicy;
use super::scaling::ScalingPolicy;
use super::settings::{OnSuccess, Settings, StartOrder};

/// A policy: what happens to a replicated service when replicas fail.
///
/// A policy that exists is valid. It is read from a document with any serde format, or built in code with
/// [`Policy::builder`]; both check everything. Clones share one compiled form.
///
/// ```
/// use std::time::Duration;
/// use uphold::{Policy, RetryPolicy};
///
/// let read: Policy = serde_json::from_str(r#"{"replicas": 3, "retry": {"interval": "30s", "max_duration": "1h"}}"#)?;
/// let retry = RetryPolicy::every(Duration::from_secs(30)).max_duration(Duration::from_secs(3600));
/// assert_eq!(read, Policy::builder().replicas(3).retry(retry).build()?);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Text formats must be self-describing, such as YAML, TOML or JSON. [`Policy::read`] reports every mistake at once;
/// unknown keys are mistakes. [`Policy::lint`] warns of settings that are valid and probably a mistake. A policy
/// serialises as a document of the keys that were set; in a binary format such as postcard, as a list of tokens of that
/// document.
///
#[doc = include_str!("document.md")]
#[derive(Clone)]
pub struct Policy(Arc<Inner>);

struct Inner {
    settings: Settings,
    compiled: Compiled,
}

impl Policy {
    pub(crate) fn from_valid(settings: Settings) -> Self {
        let compiled = Compiled::new(&settings);
        Self(Arc::new(Inner { settings, compiled }))
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    pub(crate) fn compiled(&self) -> &Compiled {
        &self.0.compiled
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.compiled().layout
    }

    /// Returns the number of replicas that the document asks for. A running set may have been scaled since.
    pub fn replicas(&self) -> u32 {
        self.0.settings.replicas
    }

    /// Returns how failed replicas are restarted; `None` means fail-fast. The settings that `retry: true` stands for
    /// are written out.
    pub fn retry(&self) -> Option<&RetryPolicy> {
        self.0.settings.retry.as_ref()
    }

    /// Returns what a failure means for the set.
    pub fn failure(&self) -> &FailurePolicy {
        &self.0.settings.failure
    }

    /// Returns the probes, and when a replica out of contact is unknown and when it is lost.
    pub fn health(&self) -> &HealthPolicy {
        &self.0.settings.health
    }

    /// Returns the bounds of scaling and the extra replicas that stand in for missing ones. `replicas: 2..10` is written out.
    pub fn scaling(&self) -> &ScalingPolicy {
        &self.0.settings.scaling
    }

    /// Returns how a new revision replaces the old one, and what a drain may take down.
    pub fn rollout(&self) -> &RolloutPolicy {
        &self.0.settings.rollout
    }

    /// Returns how long a start may take before it is a failure.
    pub fn start_timeout(&self) -> Duration {
        Duration::from_nanos(self.compiled().start_timeout)
    }

    /// Returns how long a replica must be ready before it counts as available.
    pub fn min_ready(&self) -> Duration {
        self.settings().min_ready.unwrap_or_default()
    }

    /// Returns what exit code 0 means.
    pub fn success(&self) -> OnSuccess {
        self.settings().success.unwrap_or_default()
    }

    /// Returns the time between the request to stop and the kill.
    pub fn stop_grace(&self) -> Duration {
        Duration::from_nanos(self.compiled().stop_grace)
    }

    /// Returns the order in which replicas that are due together start.
    pub fn start_order(&self) -> StartOrder {
        self.settings().start_order.unwrap_or_default()
    }

    /// Returns how long a replica may be up and not ready before it has failed; `None` means unlimited.
    pub fn unready_timeout(&self) -> Option<Duration> {
        self.settings().health.unready_timeout
    }

    /// Returns how many of `desired` replicas may be down because of probe evidence at a time; `None` means unlimited.
    pub fn max_probe_restarts(&self, desired: u32) -> Option<u32> {
        self.compiled().max_probe_restarts.map(|share| share.of_rounded_down(desired).max(1))
    }

    /// Returns how many restarts may be under way at once in a set of `desired` replicas; `None` means unlimited.
    pub fn max_concurrent_starts(&self, desired: u32) -> Option<u32> {
        self.compiled().max_concurrent_starts.map(|cap| cap.of_rounded_down(desired).max(1))
    }

    /// Returns how many extra replicas a drain or a rollout may start in a set of `desired` replicas.
    ///
    /// ```
    /// use uphold::Policy;
    ///
    /// let policy: Policy = serde_json::from_str(r#"{"rollout": {"max_surge": "25%", "max_unavailable": "25%"}}"#)?;
    /// assert_eq!((policy.max_surge(10), policy.max_unavailable(10)), (3, 2));
    /// # Ok::<(), serde_json::Error>(())
    /// ```
    pub fn max_surge(&self, desired: u32) -> u32 {
        self.compiled().rollout.limits.max_surge(desired)
    }

    /// Returns how many of `desired` replicas a drain or a rollout may take down at a time, as far as `min_available` allows; at
    /// least 1 if no extra replica may be started.
    pub fn max_unavailable(&self, desired: u32) -> u32 {
        self.compiled().rollout.limits.max_unavailable(desired)
    }

    /// Returns whether both share one compiled form, which is cheaper than comparing settings.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl PartialEq for Policy {
    fn eq(&self, other: &Self) -> bool {
        self.is_same(other) || self.settings() == other.settings()
    }
}

impl Eq for Policy {}

impl Hash for Policy {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.settings().hash(state);
    }
}

impl std::fmt::Debug for Policy {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Policy").field(self.settings()).finish()
    }
}
