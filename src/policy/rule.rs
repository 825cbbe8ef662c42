//! One entry of `failure.rules`: its conditions and its action.

use std::time::Duration;

use super::cause::Cause;
use super::exit::Signal;
use super::retry::RetryPolicy;

/// One rule: which failures it matches, and what happens then.
///
/// All given conditions must hold. A condition with several values holds if any value matches. Setters have the bare
/// names of the keys, so getters begin with `get_`.
///
/// ```
/// use uphold::{Cause, Rule, RuleAction};
///
/// let rule = Rule::new(RuleAction::Retry).name("spot").cause(Cause::Interruption).charge(false);
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
    /// Creates a rule that matches every failure until a condition is added.
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

    /// Sets the name that verdicts carry and that the rule's state is kept under. Unique, not a number, at most 64
    /// characters. Default: the index of the rule.
    #[must_use]
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Adds the condition that the process exited with this code.
    #[must_use]
    pub fn exit_code(self, code: i32) -> Self {
        self.exit_codes(code..=code)
    }

    /// Adds the condition that the process exited with a code in this range.
    #[must_use]
    pub fn exit_codes(mut self, codes: std::ops::RangeInclusive<i32>) -> Self {
        self.exit_codes.push(CodeRange { first: *codes.start(), last: *codes.end() });
        self
    }

    /// Adds the condition that this signal ended the process.
    #[must_use]
    pub fn signal(mut self, signal: Signal) -> Self {
        self.signals.push(signal);
        self
    }

    /// Adds the condition that the failure has this cause.
    #[must_use]
    pub fn cause(mut self, cause: Cause) -> Self {
        self.causes.push(cause);
        self
    }

    /// Adds the condition that the reason text matches this glob, in which `*` stands for any run of characters. At
    /// most 1024 characters.
    #[must_use]
    pub fn reason(mut self, glob: impl Into<String>) -> Self {
        self.reasons.push(glob.into());
        self
    }

    /// Sets the condition that the attempt number of the streak is greater than this.
    #[must_use]
    pub fn attempts_over(mut self, attempts: u32) -> Self {
        self.attempts_over = Some(attempts);
        self
    }

    /// Adds the condition that this replica failed.
    #[must_use]
    pub fn replica(self, replica: u32) -> Self {
        self.replicas(replica..=replica)
    }

    /// Adds the condition that a replica in this range failed.
    #[must_use]
    pub fn replicas(mut self, replicas: std::ops::RangeInclusive<u32>) -> Self {
        self.replicas.push(ReplicaRange { first: *replicas.start(), last: *replicas.end() });
        self
    }

    /// Sets the condition that the incarnation ran for less than this (above 0 s). One that never started ran for 0 s.
    #[must_use]
    pub fn ran_under(mut self, duration: Duration) -> Self {
        self.ran_under = Some(duration);
        self
    }

    /// Sets the condition that the incarnation was, or was never, ready.
    #[must_use]
    pub fn was_ready(mut self, was_ready: bool) -> Self {
        self.was_ready = Some(was_ready);
        self
    }

    /// Sets whether restarts by this rule count towards the limits of `retry` and take a token of the budget. Default
    /// true.
    #[must_use]
    pub fn charge(mut self, charge: bool) -> Self {
        self.charge = charge;
        self
    }

    /// Sets the pacing and limits of restarts by this rule, which then have a separate streak. Default: those of the
    /// policy.
    #[must_use]
    pub fn retry(mut self, retry: RetryPolicy) -> Self {
        self.retry = Some(retry);
        self
    }

    /// Returns the name; `None` means that the rule is called by its index.
    pub fn get_name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the ranges of exit codes that match. Without any, and without signals, every end matches.
    pub fn get_exit_codes(&self) -> impl Iterator<Item = std::ops::RangeInclusive<i32>> + '_ {
        self.exit_codes.iter().map(|range| range.first..=range.last)
    }

    /// Returns the signals that match. Without any, and without exit codes, every end matches.
    pub fn get_signals(&self) -> &[Signal] {
        &self.signals
    }

    /// Returns the causes that match; none means any cause.
    pub fn get_causes(&self) -> &[Cause] {
        &self.causes
    }

    /// Returns the globs for reason texts; none means any reason.
    pub fn get_reasons(&self) -> &[String] {
        &self.reasons
    }

    /// Returns the attempt number above which the rule matches; `None` means any.
    pub fn get_attempts_over(&self) -> Option<u32> {
        self.attempts_over
    }

    /// Returns the ranges of replicas that match; none means any replica.
    pub fn get_replicas(&self) -> impl Iterator<Item = std::ops::RangeInclusive<u32>> + '_ {
        self.replicas.iter().map(|range| range.first..=range.last)
    }

    /// Returns the run time below which the rule matches; `None` means any.
    pub fn get_ran_under(&self) -> Option<Duration> {
        self.ran_under
    }

    /// Returns whether the incarnation must have been ready; `None` means that it does not matter.
    pub fn get_was_ready(&self) -> Option<bool> {
        self.was_ready
    }

    /// Returns what happens after a failure that the rule matches.
    pub fn get_action(&self) -> RuleAction {
        self.then
    }

    /// Returns whether restarts by this rule count towards the limits of `retry` and take a token of the budget.
    pub fn get_charge(&self) -> bool {
        self.charge
    }

    /// Returns the rule's own `retry`; `None` means that of the policy.
    pub fn get_retry(&self) -> Option<&RetryPolicy> {
        self.retry.as_ref()
    }
}

/// What happens after a failure that a rule matches.
///
/// ```
/// use std::time::Duration;
/// use uphold::{Rule, RuleAction};
///
/// let half_an_hour = Duration::from_secs(1800);
/// let rule = Rule::new(RuleAction::Hold(Some(half_an_hour))).reason("quota*");
/// assert_eq!(rule.get_action(), RuleAction::Hold(Some(half_an_hour)));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub enum RuleAction {
    /// Restart the replica with the rule's own `retry`, or else with the policy's.
    Retry,
    /// Give this replica up and serve with the rest.
    Degrade,
    /// Terminate the set.
    Terminate,
    /// Leave the replica down for this long, or until an operator acts; `None`: only until an operator acts.
    Hold(Option<Duration>),
}
