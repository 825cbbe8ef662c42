//! When failures of several replicas are one incident: the key `correlated`.

use std::time::Duration;

use super::quantity::Quantity;

/// When failures of several replicas count as one incident.
///
/// ```
/// use std::time::Duration;
/// use uphold::policy::Correlated;
/// use uphold::{FailurePolicy, Quantity};
///
/// let correlated = Correlated::new(Quantity::Percent(50), Duration::from_secs(30));
/// assert_eq!(FailurePolicy::new().correlated(correlated).get_correlated(), Some(correlated));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Correlated {
    pub(crate) share: Quantity,
    pub(crate) within: Duration,
}

impl Correlated {
    /// Creates the setting: an incident is `share` of the set failing within `within` (above 0 s). The share is rounded
    /// up, to at least 2 replicas, and to at least 3 in a set of 5 or more.
    pub const fn new(share: Quantity, within: Duration) -> Self {
        Self { share, within }
    }

    /// Returns the share of the set that makes an incident.
    pub fn get_share(&self) -> Quantity {
        self.share
    }

    /// Returns the time within which the replicas must fail.
    pub fn get_within(&self) -> Duration {
        self.within
    }
}
