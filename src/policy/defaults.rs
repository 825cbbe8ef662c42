//! Defaults of keys. Times are nanoseconds.

const SEC: u64 = 1_000_000_000;

pub(crate) const START_TIMEOUT: u64 = 20 * 60 * SEC;
pub(crate) const STOP_GRACE: u64 = 10 * SEC;
pub(crate) const UNKNOWN_AFTER: u64 = 60 * SEC;
pub(crate) const LOST_AFTER: u64 = 5 * 60 * SEC;
pub(crate) const STAND_IN_AFTER: u64 = 60 * SEC;
pub(crate) const ROLLOUT_FAILURES: u32 = 3;
/// Without a `retry` nothing that failed is started again.
pub(crate) const ROLLOUT_FAILURES_WITHOUT_RETRY: u32 = 1;
pub(crate) const PROBE_INTERVAL: u64 = 10 * SEC;
pub(crate) const PROBE_TIMEOUT: u64 = SEC;
pub(crate) const PROBE_FAILURES: u32 = 3;
/// The time within which another failure makes one not isolated, if `correlated` is off.
pub(crate) const ISOLATION: u64 = 30 * SEC;
