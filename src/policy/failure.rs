//! What a failure means for the set: the `failure` block.

use std::time::Duration;

use super::budget::Budget;
use super::correlated::Correlated;
use super::exhausted::Exhausted;
use super::quantity::Quantity;
use super::retry::Scope;
use super::rule::Rule;

/// What a failure means: rules for kinds of failures, and what the set as a whole does.
///
/// ```
/// use std::time::Duration;
/// use uphold::policy::Exhausted;
/// use uphold::{Cause, FailurePolicy, Rule, RuleAction};
///
/// let failure = FailurePolicy::new()
///     .rule(Rule::new(RuleAction::Terminate).name("bad-config").exit_codes(64..=78))
///     .rule(Rule::new(RuleAction::Retry).cause(Cause::Interruption).charge(false))
///     .exhausted(Exhausted::Degrade)
///     .outage_deadline(Duration::from_secs(600));
/// assert_eq!(failure.get_rules()[0].get_name(), Some("bad-config"));
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct FailurePolicy {
    pub(crate) rules: Vec<Rule>,
    pub(crate) scope: Option<Scope>,
    pub(crate) exhausted: Option<Exhausted>,
    pub(crate) min_available: Option<Quantity>,
    pub(crate) outage_deadline: Option<Duration>,
    pub(crate) max_failures_before_ready: Option<u32>,
    pub(crate) clear_after: Option<Duration>,
    pub(crate) budget: Option<Budget>,
    pub(crate) max_concurrent_starts: Option<Quantity>,
    pub(crate) correlated: Option<Correlated>,
    /// Set to `false`, so that `retry: true` does not set a cap. Cleared by `resolve`.
    pub(crate) starts_unlimited: bool,
    /// The same for `correlated`.
    pub(crate) uncorrelated: bool,
}

impl FailurePolicy {
    /// Creates settings with the defaults of the policy document.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule after the earlier ones; the first rule that matches decides. At most 1000.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Sets which replicas are restarted when one fails. Default [`Scope::Replica`].
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    /// Sets what happens to a replica whose retry is exhausted. Default [`Exhausted::Degrade`].
    #[must_use]
    pub fn exhausted(mut self, exhausted: Exhausted) -> Self {
        self.exhausted = Some(exhausted);
        self
    }

    /// Sets how many replicas the service needs; fewer available ones are an outage. Percentages round up. Default 1.
    #[must_use]
    pub fn min_available(mut self, quantity: Quantity) -> Self {
        self.min_available = Some(quantity);
        self
    }

    /// Sets how long an outage may last before it terminates the set. Default never. If another policy sets it during
    /// an outage, the time counts from the change.
    #[must_use]
    pub fn outage_deadline(mut self, deadline: Duration) -> Self {
        self.outage_deadline = Some(deadline);
        self
    }

    /// Sets how many failures (1 to 1 000 000) terminate a set of which no replica has ever been available, such as one
    /// with a bad image or a wrong flag. Default unlimited.
    ///
    /// Interruptions, missing capacity and lost nodes do not count. Scaling up from zero starts the count again. Other
    /// systems use 3 for each replica, at least 3 and at most 20 (Ray Serve, the ECS deployment circuit breaker).
    #[must_use]
    pub fn max_failures_before_ready(mut self, failures: u32) -> Self {
        self.max_failures_before_ready = Some(failures);
        self
    }

    /// Sets how long the condition must be over before `degraded` or `outage` clears. Default 0 s.
    #[must_use]
    pub fn clear_after(mut self, duration: Duration) -> Self {
        self.clear_after = Some(duration);
        self
    }

    /// Sets a token bucket of restarts that the whole set shares. Default none.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Sets how many restarts may be under way at once; the others queue by due time. Percentages round down, to at
    /// least 1. Default unlimited.
    #[must_use]
    pub fn max_concurrent_starts(mut self, quantity: Quantity) -> Self {
        self.max_concurrent_starts = Some(quantity);
        self.starts_unlimited = false;
        self
    }

    /// Removes the cap on restarts under way, also the one of [`recommended`](crate::RetryPolicy::recommended). In a
    /// document: `max_concurrent_starts: false`.
    #[must_use]
    pub fn without_max_concurrent_starts(mut self) -> Self {
        self.max_concurrent_starts = None;
        self.starts_unlimited = true;
        self
    }

    /// Sets when failures of several replicas count as one incident. Default never.
    #[must_use]
    pub fn correlated(mut self, correlated: Correlated) -> Self {
        self.correlated = Some(correlated);
        self.uncorrelated = false;
        self
    }

    /// Never treats failures as one incident, also with [`recommended`](crate::RetryPolicy::recommended). In a
    /// document: `correlated: false`.
    #[must_use]
    pub fn without_correlated(mut self) -> Self {
        self.correlated = None;
        self.uncorrelated = true;
        self
    }

    /// Returns the rules, in order.
    pub fn get_rules(&self) -> &[Rule] {
        &self.rules
    }

    /// Returns which replicas are restarted when one fails; `None` means the default.
    pub fn get_scope(&self) -> Option<Scope> {
        self.scope
    }

    /// Returns what happens to a replica whose retry is exhausted; `None` means the default.
    pub fn get_exhausted(&self) -> Option<Exhausted> {
        self.exhausted
    }

    /// Returns how many replicas the service needs; `None` means the default.
    pub fn get_min_available(&self) -> Option<Quantity> {
        self.min_available
    }

    /// Returns how long an outage may last; `None` means unlimited.
    pub fn get_outage_deadline(&self) -> Option<Duration> {
        self.outage_deadline
    }

    /// Returns how many failures before any replica was available terminate the set; `None` means unlimited.
    pub fn get_max_failures_before_ready(&self) -> Option<u32> {
        self.max_failures_before_ready
    }

    /// Returns how long an alarm is held after its condition is over; `None` means the default.
    pub fn get_clear_after(&self) -> Option<Duration> {
        self.clear_after
    }

    /// Returns the budget of the set; `None` means unlimited.
    pub fn get_budget(&self) -> Option<Budget> {
        self.budget
    }

    /// Returns how many restarts may be under way at once; `None` means unlimited.
    pub fn get_max_concurrent_starts(&self) -> Option<Quantity> {
        self.max_concurrent_starts
    }

    /// Returns when failures count as one incident; `None` means never.
    pub fn get_correlated(&self) -> Option<Correlated> {
        self.correlated
    }
}
