//! The token bucket of restarts of a set: the key `budget`.

use std::time::Duration;

/// A token bucket of restarts that the whole set shares. It starts full and refills evenly.
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
    /// Creates a bucket of `restarts` tokens (1 to 1 000 000), refilled evenly over `per` (above 0 s). A restart that
    /// finds no token waits.
    pub const fn new(restarts: u32, per: Duration) -> Self {
        Self { restarts, per, empty: BudgetEmpty::Wait }
    }

    /// Sets what happens to a restart that finds no token. Default [`BudgetEmpty::Wait`].
    #[must_use]
    pub const fn when_empty(mut self, empty: BudgetEmpty) -> Self {
        self.empty = empty;
        self
    }

    /// Returns the number of tokens in the full bucket.
    pub fn get_restarts(&self) -> u32 {
        self.restarts
    }

    /// Returns the time in which the empty bucket refills.
    pub fn get_per(&self) -> Duration {
        self.per
    }

    /// Returns what happens to a restart that finds no token.
    pub fn get_when_empty(&self) -> BudgetEmpty {
        self.empty
    }
}

/// What happens to a restart that finds no token in the [`Budget`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum BudgetEmpty {
    /// It waits for the next token.
    #[default]
    Wait,
    /// The set is terminated.
    Terminate,
}
