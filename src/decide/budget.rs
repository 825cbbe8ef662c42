//! The token bucket of restarts that a set shares, in whole numbers, so that rounding loses no token.

use serde::{Deserialize, Serialize};

use super::serde_opt_timestamp;
use crate::policy::CompiledBudget;
use crate::time::Timestamp;

/// A token bucket of depth `restarts`, refilled at the rate `restarts / per` (RFC 2215, 3.6).
///
/// It stores the tokens spent instead of those left, so that a new row is full under any policy. The unit is the token divided by
/// `per`: a token is `per` units, and each nanosecond refills `restarts` units.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Bucket {
    #[serde(with = "super::serde_u128")]
    spent: u128,
    #[serde(with = "serde_opt_timestamp")]
    as_of: Timestamp,
}

impl Default for Bucket {
    fn default() -> Self {
        Self { spent: 0, as_of: Timestamp::NEVER }
    }
}

impl Bucket {
    fn refill(&mut self, budget: CompiledBudget, now: Timestamp) {
        let refilled = u128::from(now.nanos_since(self.as_of)) * u128::from(budget.restarts);
        // A damaged row may say that more is spent than fits, or that something is spent without a time.
        let most = if self.as_of.is_never() { 0 } else { Self::capacity(budget) };
        self.spent = self.spent.min(most).saturating_sub(refilled);
        // Time that goes backwards is ignored, so that no time is refilled twice.
        if self.as_of.is_never() || now > self.as_of {
            self.as_of = now;
        }
    }

    fn capacity(budget: CompiledBudget) -> u128 {
        u128::from(budget.per) * u128::from(budget.restarts)
    }

    /// Returns the whole tokens left at `now`.
    pub(crate) fn left(mut self, budget: CompiledBudget, now: Timestamp) -> u32 {
        self.refill(budget, now);
        ((Self::capacity(budget) - self.spent) / u128::from(budget.per.max(1))) as u32
    }

    /// Takes a token.
    ///
    /// # Errors
    /// The time at which there will be one.
    pub(crate) fn take(&mut self, budget: CompiledBudget, now: Timestamp) -> Result<(), Timestamp> {
        self.refill(budget, now);
        let after = self.spent + u128::from(budget.per);
        let missing = after.saturating_sub(Self::capacity(budget));
        if missing == 0 {
            self.spent = after;
            return Ok(());
        }
        let wait = missing.div_ceil(u128::from(budget.restarts.max(1)));
        Err(self.as_of.later_by(u64::try_from(wait).unwrap_or(u64::MAX)))
    }

    /// Returns tokens to the bucket.
    pub(crate) fn refund(&mut self, budget: CompiledBudget, tokens: u32) {
        self.spent = self.spent.saturating_sub(u128::from(tokens) * u128::from(budget.per));
    }

    /// Converts the bucket to another budget. The number of whole tokens spent stays the same.
    pub(crate) fn rescaled(mut self, before: CompiledBudget, after: CompiledBudget, now: Timestamp) -> Self {
        if (before.restarts, before.per) != (after.restarts, after.per) {
            self.refill(before, now);
            let tokens = self.spent / u128::from(before.per.max(1));
            self.spent = (tokens * u128::from(after.per)).min(Self::capacity(after));
        }
        self
    }

    /// Returns the time of the last refill; zero if there was none.
    pub(crate) fn as_of(&self) -> Timestamp {
        self.as_of.known().unwrap_or(Timestamp::ZERO)
    }

    pub(crate) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        self.as_of = by(self.as_of);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::policy::BudgetEmpty;

    const BUDGET: CompiledBudget = CompiledBudget { restarts: 3, per: 100, empty: BudgetEmpty::Wait };

    fn at(nanos: u64) -> Timestamp {
        Timestamp::from_nanos(nanos)
    }

    #[test]
    fn it_starts_full_and_refills_evenly() {
        let mut bucket = Bucket::default();
        for _ in 0..3 {
            assert_eq!(bucket.take(BUDGET, at(0)), Ok(()));
        }
        // A third of 100 ns is 33.3: the token is there at 34, and none of the fraction is lost by asking.
        assert_eq!(bucket.take(BUDGET, at(0)), Err(at(34)));
        assert_eq!(bucket.take(BUDGET, at(33)), Err(at(34)));
        assert_eq!(bucket.take(BUDGET, at(34)), Ok(()));
        assert_eq!(bucket.take(BUDGET, at(34)), Err(at(67)));
        assert_eq!(bucket.take(BUDGET, at(100)), Ok(()));
        assert_eq!(bucket.left(BUDGET, at(100)), 1);
        assert_eq!(bucket.left(BUDGET, at(10_000)), 3);
    }

    #[test]
    fn a_clock_that_goes_backwards_refills_nothing_twice() {
        let mut bucket = Bucket::default();
        for _ in 0..3 {
            assert_eq!(bucket.take(BUDGET, at(1000)), Ok(()));
        }
        for back_and_forth in [0, 1000, 500, 1000, 0] {
            assert_eq!(bucket.take(BUDGET, at(back_and_forth)), Err(at(1034)));
        }
        assert_eq!(bucket.take(BUDGET, at(1034)), Ok(()));
    }

    #[test]
    fn the_largest_budget_does_not_overflow() {
        let huge = CompiledBudget { restarts: u32::MAX, per: u64::MAX, empty: BudgetEmpty::Wait };
        let mut bucket = Bucket::default();
        assert_eq!(bucket.take(huge, at(0)), Ok(()));
        assert_eq!(bucket.take(huge, Timestamp::LATEST), Ok(()));
        assert_eq!(bucket.left(huge, Timestamp::LATEST), u32::MAX - 1);
    }
}
