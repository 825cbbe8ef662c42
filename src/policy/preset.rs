//! `retry: true`: the recommended production policy, with the reason for each number.

use std::time::Duration;

use super::backoff::Backoff;
use super::correlated::Correlated;
use super::jitter::Jitter;
use super::quantity::Quantity;
use super::retry::{ImmediateFirst, Recover, RetryPolicy};
use super::settings::{MAX_REPLICAS, Settings};

/// Short enough that one crash is hardly noticed, long enough not to be a hot loop.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);
/// A service is back within a minute of its dependency. Kubelet's five minutes keep it down long after the cause is
/// gone; KEP-4603 lowers them to this.
pub(crate) const MAX_INTERVAL: Duration = Duration::from_secs(60);
/// Five restarts in ten minutes: OTP's design principles advise to choose burst and sustained rate separately.
pub(crate) const LIMIT_RESTARTS: u32 = 5;
/// The window of [`LIMIT_RESTARTS`].
pub(crate) const LIMIT_WITHIN: Duration = Duration::from_secs(600);
/// Twice the cap, so that a crash loop slightly slower than the cap does not count as recovered.
pub(crate) const RECOVER_AFTER: Duration = Duration::from_secs(120);
/// If half of the set fails at once, the cause is probably one. The node lifecycle controller of Kubernetes uses 55 %.
pub(crate) const CORRELATED_SHARE: Quantity = Quantity::Percent(50);
/// Failures further apart than this are not one incident.
pub(crate) const CORRELATED_WITHIN: Duration = Duration::from_secs(30);
/// A quarter of the set starting at once leaves the dependency three quarters of its usual load.
pub(crate) const MAX_CONCURRENT_STARTS: Quantity = Quantity::Percent(25);

/// If a dependency of every liveness probe is down, a quarter of the set is restarted, not all of it.
pub(crate) const MAX_PROBE_RESTARTS: Quantity = Quantity::Percent(25);

/// The default of `duration` in dstack.
const DSTACK_DURATION: Duration = Duration::from_secs(3600);

impl RetryPolicy {
    /// Returns the recommended production policy, which is `retry: true` in a document.
    ///
    /// - 1 s, doubling to a hard cap of 60 s, with equal jitter; the first restart of an isolated failure has no delay
    /// - given up after 5 restarts within 10 min; a replica that `min_available` cannot spare waits for the window
    ///   instead
    /// - one backoff level back for each 2 min ready
    ///
    /// It also sets `correlated` (50 % within 30 s), `max_concurrent_starts: 25%` and `health.max_probe_restarts: 25%`,
    /// unless the policy sets them.
    ///
    /// ```
    /// use uphold::{Policy, Quantity, RetryPolicy};
    ///
    /// let policy = Policy::builder().replicas(8).retry(RetryPolicy::recommended()).build()?;
    /// assert_eq!(policy.failure().get_max_concurrent_starts(), Some(Quantity::Percent(25)));
    /// # Ok::<(), uphold::PolicyError>(())
    /// ```
    pub fn recommended() -> Self {
        Self {
            keep_min_available: true,
            recommended: true,
            ..Self::every(INTERVAL)
                .backoff(Backoff::exponential())
                .max_interval(MAX_INTERVAL)
                .jitter(Jitter::Equal)
                .immediate_first(ImmediateFirst::Isolated)
                .limit(LIMIT_RESTARTS, LIMIT_WITHIN)
                .recover(Recover::Step(Some(RECOVER_AFTER)))
        }
    }
}

impl Settings {
    /// Writes out what `retry: true`, dstack's `on_events` and a missing `replicas` imply, so that the settings mean the same
    /// without these marks.
    pub(super) fn resolve(&mut self) {
        if std::mem::take(&mut self.replicas_left_out) {
            let (min, max) = (self.scaling.min.unwrap_or(0), self.scaling.max.unwrap_or(MAX_REPLICAS));
            self.replicas = self.replicas.max(min).min(max);
        }
        let (failure, health) = (&mut self.failure, &mut self.health);
        if let Some(retry) = self.retry.as_mut().filter(|retry| retry.recommended) {
            retry.recommended = false;
            if !failure.uncorrelated {
                failure.correlated.get_or_insert(Correlated::new(CORRELATED_SHARE, CORRELATED_WITHIN));
            }
            if !failure.starts_unlimited {
                failure.max_concurrent_starts.get_or_insert(MAX_CONCURRENT_STARTS);
            }
            if !health.probe_restarts_unlimited {
                health.max_probe_restarts.get_or_insert(MAX_PROBE_RESTARTS);
            }
        }
        if let Some(retry) = self.retry.as_mut().filter(|retry| retry.on_events.is_some()) {
            retry.settings.max_duration.get_or_insert(DSTACK_DURATION);
        }
        (failure.uncorrelated, failure.starts_unlimited) = (false, false);
        health.probe_restarts_unlimited = false;
        for retry in failure.rules.iter_mut().filter_map(|rule| rule.retry.as_mut()) {
            // The set-wide settings belong to the policy's own `retry`.
            if std::mem::take(&mut retry.recommended) {
                retry.keep_min_available = false;
            }
        }
    }
}
