//! When failures of several replicas are one incident: the key `correlated`.

use std::time::Duration;

use super::quantity::Quantity;

/// When failures of several replicas count as one incident, with one cause.
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
    /// `share` of the set, rounded up, at least 2 replicas (3 from 5 replicas on), failing within `within`.
    pub const fn new(share: Quantity, within: Duration) -> Self {
        Self { share, within }
    }

    /// Returns the share of the set that makes an incident.
    pub fn get_share(&self) -> Quantity {
        self.share
    }

    /// Returns the time within which the replicas fail.
    pub fn get_within(&self) -> Duration {
        self.within
    }
}
