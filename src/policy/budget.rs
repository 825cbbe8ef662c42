//! The token bucket of restarts of a set: the key `budget`.

use std::time::Duration;

/// A token bucket of restarts that the whole set shares: it starts full and refills evenly.
///
/// ```
/// use std::time::Duration;
/// use uphold::policy::{Budget, BudgetEmpty};
///
/// let budget = Budget::new(10, Duration::from_secs(600)).when_empty(BudgetEmpty::Terminate);
/// assert_eq!(budget.get_restarts(), 10);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Budget {
    pub(crate) restarts: u32,
    pub(crate) per: Duration,
    pub(crate) empty: BudgetEmpty,
}

impl Budget {
    /// `restarts` tokens, refilled evenly over `per`; a restart that finds none waits.
    pub const fn new(restarts: u32, per: Duration) -> Self {
        Self { restarts, per, empty: BudgetEmpty::Wait }
    }

    /// What happens to a restart that finds the bucket empty. Default [`BudgetEmpty::Wait`].
    #[must_use]
    pub const fn when_empty(mut self, empty: BudgetEmpty) -> Self {
        self.empty = empty;
        self
    }

    /// Returns the number of tokens of the full bucket.
    pub fn get_restarts(&self) -> u32 {
        self.restarts
    }

    /// Returns the time in which an empty bucket is refilled.
    pub fn get_per(&self) -> Duration {
        self.per
    }

    /// Returns what happens to a restart that finds the bucket empty.
    pub fn get_when_empty(&self) -> BudgetEmpty {
        self.empty
    }
}

/// What happens to a restart that finds the budget empty.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum BudgetEmpty {
    /// It waits for the next token.
    #[default]
    Wait,
    /// The set is terminated.
    Terminate,
}
