//! `retry: true`: the recommended production policy, with the reason for each number.

use std::time::Duration;

use super::correlated::Correlated;
use super::quantity::Quantity;
use super::retry::{Backoff, ImmediateFirst, Jitter, Recover, RetryPolicy};
use super::settings::Settings;

/// Short enough that one crash is barely noticed, long enough not to be a hot loop.
pub(crate) const INTERVAL: Duration = Duration::from_secs(1);
/// A dependency that comes back is met again within a minute; kubelet's five minutes keep a service down
/// long after the cause is gone (KEP-4603 lowers it to this).
pub(crate) const MAX_INTERVAL: Duration = Duration::from_secs(60);
/// Five restarts in ten minutes: what OTP's guide advises for burst and sustained rate chosen separately.
pub(crate) const LIMIT_RESTARTS: u32 = 5;
/// The window of [`LIMIT_RESTARTS`].
pub(crate) const LIMIT_WITHIN: Duration = Duration::from_secs(600);
/// Twice the cap, so that a loop just slower than the cap does not look healthy.
pub(crate) const RECOVER_AFTER: Duration = Duration::from_secs(120);
/// Half of the set at once has one cause, not many; cf. the node life-cycle controller's 55 %.
pub(crate) const CORRELATED_SHARE: Quantity = Quantity::Percent(50);
/// Failures further apart than this are not one incident.
pub(crate) const CORRELATED_WITHIN: Duration = Duration::from_secs(30);
/// A quarter of the set starting at once leaves the dependency three quarters of its usual load.
pub(crate) const MAX_CONCURRENT_STARTS: Quantity = Quantity::Percent(25);

/// A dependency that every liveness probe shares takes down a quarter of the set when it is away, not all of it.
pub(crate) const MAX_PROBE_RESTARTS: Quantity = Quantity::Percent(25);

/// How long dstack retries where its `duration` is left out.
const DSTACK_DURATION: Duration = Duration::from_secs(3600);

impl RetryPolicy {
    /// The recommended production policy, `retry: true` in a document: 1 s doubling to a hard cap of 60 s, equal
    /// jitter, the first restart of an isolated failure at once, 5 restarts within 10 min and then given up, one
    /// level back for each 2 min healthy; a give-up that would put `min_available` out of reach waits for the
    /// window instead.
    ///
    /// With it come, where the policy does not set them itself, `correlated` (50 % within 30 s),
    /// `max_concurrent_starts: 25%` and `health.max_probe_restarts: 25%`.
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
    /// Writes out what the recommended retry and dstack's spelling bring along, so that the settings mean the same
    /// without their marks.
    pub(super) fn resolve(&mut self) {
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
            // What belongs to the set is the policy's own to bring along.
            if std::mem::take(&mut retry.recommended) {
                retry.keep_min_available = false;
            }
        }
    }
}
