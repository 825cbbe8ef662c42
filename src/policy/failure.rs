//! What a failure means for the set: the `failure` block.

use std::time::Duration;

use super::cause::Cause;
use super::exit::Signal;
use super::quantity::Quantity;
use super::retry::{RetryPolicy, Scope};

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

    /// Any number of restarts may be under way at once, with [`RetryPolicy::recommended`] too:
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

    /// Failures are never taken as one incident, with [`RetryPolicy::recommended`] too: `correlated: false`.
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

/// One rule: which failures it matches, and what happens then.
///
/// All conditions that are given must hold; of one condition with several values, any value does. Getters of settings
/// are called `get_*`, because the bare names set them.
///
/// ```
/// use uphold::{Cause, Rule, RuleAction};
///
/// let rule = Rule::new(RuleAction::Retry).named("spot").cause(Cause::Interruption).charge(false);
/// assert_eq!(rule.get_causes(), [Cause::Interruption]);
/// ```
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Rule {
    pub(crate) name: Option<String>,
    pub(crate) exit_codes: Vec<CodeRange>,
    pub(crate) signals: Vec<Signal>,
    pub(crate) causes: Vec<Cause>,
    pub(crate) reasons: Vec<String>,
    pub(crate) attempts_over: Option<u32>,
    pub(crate) replicas: Vec<ReplicaRange>,
    pub(crate) ran_under: Option<Duration>,
    pub(crate) was_ready: Option<bool>,
    pub(crate) then: RuleAction,
    pub(crate) charge: bool,
    pub(crate) retry: Option<RetryPolicy>,
}

/// Exit codes from `first` to `last`, both included.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct CodeRange {
    pub(crate) first: i32,
    pub(crate) last: i32,
}

/// Replicas from `first` to `last`, both included.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct ReplicaRange {
    pub(crate) first: u32,
    pub(crate) last: u32,
}

impl Rule {
    /// A rule that matches every failure until a condition is added.
    pub fn new(then: RuleAction) -> Self {
        Self {
            name: None,
            exit_codes: Vec::new(),
            signals: Vec::new(),
            causes: Vec::new(),
            reasons: Vec::new(),
            attempts_over: None,
            replicas: Vec::new(),
            ran_under: None,
            was_ready: None,
            then,
            charge: true,
            retry: None,
        }
    }

    /// The name that verdicts carry and that state is kept under. Default: its index.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Matches this exit code.
    #[must_use]
    pub fn exit_code(self, code: i32) -> Self {
        self.exit_codes(code..=code)
    }

    /// Matches these exit codes.
    #[must_use]
    pub fn exit_codes(mut self, codes: std::ops::RangeInclusive<i32>) -> Self {
        self.exit_codes.push(CodeRange { first: *codes.start(), last: *codes.end() });
        self
    }

    /// Matches this signal.
    #[must_use]
    pub fn signal(mut self, signal: Signal) -> Self {
        self.signals.push(signal);
        self
    }

    /// Matches this cause.
    #[must_use]
    pub fn cause(mut self, cause: Cause) -> Self {
        self.causes.push(cause);
        self
    }

    /// Matches a reason text; `*` stands for any run of characters. At most 1024 bytes.
    #[must_use]
    pub fn reason(mut self, glob: impl Into<String>) -> Self {
        self.reasons.push(glob.into());
        self
    }

    /// Matches from the failure after this many of the streak on.
    #[must_use]
    pub fn attempts_over(mut self, attempts: u32) -> Self {
        self.attempts_over = Some(attempts);
        self
    }

    /// Matches failures of this replica.
    #[must_use]
    pub fn replica(self, replica: u32) -> Self {
        self.replicas(replica..=replica)
    }

    /// Matches failures of these replicas.
    #[must_use]
    pub fn replicas(mut self, replicas: std::ops::RangeInclusive<u32>) -> Self {
        self.replicas.push(ReplicaRange { first: *replicas.start(), last: *replicas.end() });
        self
    }

    /// Matches an incarnation that ran for less than this. One that never started ran for 0 s.
    #[must_use]
    pub fn ran_under(mut self, duration: Duration) -> Self {
        self.ran_under = Some(duration);
        self
    }

    /// Matches by whether this incarnation had ever been ready.
    #[must_use]
    pub fn was_ready(mut self, was_ready: bool) -> Self {
        self.was_ready = Some(was_ready);
        self
    }

    /// Whether restarts by this rule use up the limits of `retry` and the budget. Default yes.
    #[must_use]
    pub fn charge(mut self, charge: bool) -> Self {
        self.charge = charge;
        self
    }

    /// Restarts by this rule are paced and limited by this, with a streak of their own.
    #[must_use]
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = Some(retry);
        self
    }

    /// Returns the name; `None` if the rule is called by its index.
    pub fn get_name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the ranges of exit codes that match; empty matches however it ended.
    pub fn get_exit_codes(&self) -> impl Iterator<Item = std::ops::RangeInclusive<i32>> + '_ {
        self.exit_codes.iter().map(|range| range.first..=range.last)
    }

    /// Returns the signals that match; empty matches however it ended.
    pub fn get_signals(&self) -> &[Signal] {
        &self.signals
    }

    /// Returns the causes that match; empty matches any.
    pub fn get_causes(&self) -> &[Cause] {
        &self.causes
    }

    /// Returns the patterns of reasons that match; empty matches any.
    pub fn get_reasons(&self) -> &[String] {
        &self.reasons
    }

    /// Returns the number of failures of the streak above which the rule matches.
    pub fn get_attempts_over(&self) -> Option<u32> {
        self.attempts_over
    }

    /// Returns the ranges of replicas that match; empty matches any.
    pub fn get_replicas(&self) -> impl Iterator<Item = std::ops::RangeInclusive<u32>> + '_ {
        self.replicas.iter().map(|range| range.first..=range.last)
    }

    /// Returns the run time below which the rule matches; `None` matches any.
    pub fn get_ran_under(&self) -> Option<Duration> {
        self.ran_under
    }

    /// Returns which readiness the rule matches; `None` matches both.
    pub fn get_was_ready(&self) -> Option<bool> {
        self.was_ready
    }

    /// Returns what happens after a failure that the rule matches.
    pub fn get_action(&self) -> RuleAction {
        self.then
    }

    /// Returns whether restarts by this rule use up the limits of `retry` and the budget.
    pub fn get_charge(&self) -> bool {
        self.charge
    }

    /// Returns the `retry` of the rule; `None` if it uses that of the policy.
    pub fn get_retry(&self) -> Option<&RetryPolicy> {
        self.retry.as_ref()
    }
}

/// What happens after a failure that a rule matches.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum RuleAction {
    /// Restart the replica, by the rule's own `retry` or the policy's.
    Retry,
    /// Give this replica up and serve with the rest.
    Degrade,
    /// Terminate the set.
    Terminate,
    /// Leave it down until an operator acts, or for this long.
    Hold(Option<Duration>),
}

/// What happens to a replica whose retry is exhausted.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[non_exhaustive]
pub enum Exhausted {
    /// Give the replica up and serve with the rest.
    #[default]
    Degrade,
    /// Terminate the set.
    Terminate,
    /// Exhausted by the window: wait for room. By attempts or duration: wait for an operator.
    Hold,
    /// Give it up for a time, then one trial start: see [`Quarantine`].
    Quarantine(Quarantine),
}

/// Gives a replica up for a time, then makes one trial start.
///
/// A trial that fails before its streak has ended is quarantined again at once. The end of the streak and `reset` give the
/// rounds back.
///
/// ```
/// use std::time::Duration;
/// use uphold::policy::{Exhausted, Quarantine};
///
/// let hour = Duration::from_secs(3600);
/// let exhausted = Exhausted::Quarantine(Quarantine::new(hour).rounds(15));
/// # let _ = exhausted;
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Quarantine {
    pub(crate) time: Duration,
    pub(crate) rounds: Option<u32>,
}

impl Quarantine {
    /// Each quarantine lasts this long; any number of them.
    pub const fn new(time: Duration) -> Self {
        Self { time, rounds: None }
    }

    /// At most so many quarantines (1 to 255), each with its trial start; then the replica is given up for good.
    #[must_use]
    pub const fn rounds(mut self, rounds: u32) -> Self {
        self.rounds = Some(rounds);
        self
    }

    /// Returns how long each quarantine lasts.
    pub fn get_time(&self) -> Duration {
        self.time
    }

    /// Returns the most quarantines; `None` is unlimited.
    pub fn get_rounds(&self) -> Option<u32> {
        self.rounds
    }
}

impl From<Duration> for Quarantine {
    fn from(time: Duration) -> Self {
        Self::new(time)
    }
}

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
