//! What a failure means for the set: the `failure` block.

use std::time::Duration;

use super::budget::Budget;
use super::correlated::Correlated;
use super::exhausted::Exhausted;
use super::quantity::Quantity;
use super::retry::Scope;
use super::rule::Rule;

/// What a failure means: rules per kind of failure, and what the set as a whole does about it.
///
/// ```
/// use std::time::Duration;
/// use uphold::policy::Exhausted;
/// use uphold::{Cause, FailurePolicy, Rule, RuleAction};
///
/// let failure = FailurePolicy::new()
///     .rule(Rule::new(RuleAction::Terminate).named("bad-config").exit_codes(64..=78))
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
    /// `false` in the document, so that `retry: true` does not set it. Cleared by `resolve`.
    pub(crate) starts_unlimited: bool,
    /// Likewise for `correlated`.
    pub(crate) uncorrelated: bool,
}

impl FailurePolicy {
    /// The defaults of the policy document.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a rule after those given so far; the first that matches decides.
    #[must_use]
    pub fn rule(mut self, rule: Rule) -> Self {
        self.rules.push(rule);
        self
    }

    /// Which replicas are restarted when one fails. Default [`Scope::Replica`].
    #[must_use]
    pub fn scope(mut self, scope: Scope) -> Self {
        self.scope = Some(scope);
        self
    }

    /// What happens to a replica whose retry is exhausted. Default [`Exhausted::Degrade`].
    #[must_use]
    pub fn exhausted(mut self, exhausted: Exhausted) -> Self {
        self.exhausted = Some(exhausted);
        self
    }

    /// How many replicas the service needs; fewer are an outage. Default 1.
    #[must_use]
    pub fn min_available(mut self, quantity: Quantity) -> Self {
        self.min_available = Some(quantity);
        self
    }

    /// An outage this long terminates the set. Default never. Brought by another policy in the middle of an outage, it
    /// counts from then on.
    #[must_use]
    pub fn outage_deadline(mut self, deadline: Duration) -> Self {
        self.outage_deadline = Some(deadline);
        self
    }

    /// A set of which no replica has ever been available is terminated at this many failures of its own (1 to
    /// 1 000 000): what never came up once, a bad image or a wrong flag, will not come up the hundredth time.
    /// Interruptions, missing capacity and lost nodes do not count. Scaling from zero begins anew. Default never.
    ///
    /// Others take 3 for each replica, 3 at least and 20 at most (Ray Serve; ECS's deployment circuit breaker).
    #[must_use]
    pub fn max_failures_before_ready(mut self, failures: u32) -> Self {
        self.max_failures_before_ready = Some(failures);
        self
    }

    /// How long the condition must be over before `degraded` or `outage` clears. Default 0 s.
    #[must_use]
    pub fn clear_after(mut self, duration: Duration) -> Self {
        self.clear_after = Some(duration);
        self
    }

    /// A token bucket of restarts shared by the whole set. Default none.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// How many restarts may be under way at once; the rest queue. Default unlimited.
    #[must_use]
    pub fn max_concurrent_starts(mut self, quantity: Quantity) -> Self {
        self.max_concurrent_starts = Some(quantity);
        self.starts_unlimited = false;
        self
    }

    /// Any number of restarts may be under way at once, with [`recommended`](crate::RetryPolicy::recommended) too:
    /// `max_concurrent_starts: false`.
    #[must_use]
    pub fn without_max_concurrent_starts(mut self) -> Self {
        self.max_concurrent_starts = None;
        self.starts_unlimited = true;
        self
    }

    /// When failures of several replicas count as one incident. Default off.
    #[must_use]
    pub fn correlated(mut self, correlated: Correlated) -> Self {
        self.correlated = Some(correlated);
        self.uncorrelated = false;
        self
    }

    /// Failures are never taken as one incident, with [`recommended`](crate::RetryPolicy::recommended) too: `correlated: false`.
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

    /// Returns which replicas are restarted when one fails; `None` if left out: the default holds.
    pub fn get_scope(&self) -> Option<Scope> {
        self.scope
    }

    /// Returns what happens to a replica whose retry is exhausted; `None` if left out: the default holds.
    pub fn get_exhausted(&self) -> Option<Exhausted> {
        self.exhausted
    }

    /// Returns how many replicas the service needs; `None` if left out: the default holds.
    pub fn get_min_available(&self) -> Option<Quantity> {
        self.min_available
    }

    /// Returns how long an outage may last; `None` is for ever.
    pub fn get_outage_deadline(&self) -> Option<Duration> {
        self.outage_deadline
    }

    /// Returns how many failures before any replica was available terminate the set; `None`: any number is allowed.
    pub fn get_max_failures_before_ready(&self) -> Option<u32> {
        self.max_failures_before_ready
    }

    /// Returns how long an alarm is held after its end; `None` if left out: the default holds.
    pub fn get_clear_after(&self) -> Option<Duration> {
        self.clear_after
    }

    /// Returns the budget of the set; `None` is unlimited.
    pub fn get_budget(&self) -> Option<Budget> {
        self.budget
    }

    /// Returns how many restarts may be under way at once; `None` is unlimited.
    pub fn get_max_concurrent_starts(&self) -> Option<Quantity> {
        self.max_concurrent_starts
    }

    /// Returns when failures are one incident; `None` is never.
    pub fn get_correlated(&self) -> Option<Correlated> {
        self.correlated
    }
}
