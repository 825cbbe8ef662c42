//! One entry of `failure.rules`: its conditions and its action.

use std::time::Duration;

use super::cause::Cause;
use super::exit::Signal;
use super::retry::RetryPolicy;

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
