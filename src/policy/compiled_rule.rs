//! A compiled rule, and how decisions name it.

use super::glob::glob_matches;
use super::rule::RuleAction;

/// A rule in the form that decisions use; [`RuleIndex`](super::rule_index::RuleIndex) has its other conditions as
/// masks.
#[derive(Debug)]
pub(crate) struct CompiledRule {
    /// The key of its state: the rule's name, or its index if it has none.
    pub(crate) key: String,
    /// What decisions report of the rule.
    pub(crate) matched: std::sync::Arc<MatchedRule>,
    pub(crate) then: RuleAction,
    pub(crate) charge: bool,
    /// Its index in `Compiled::schedules`; 0 is the policy's own `retry`.
    pub(crate) schedule: u16,
    pub(crate) attempts_over: Option<u32>,
    pub(crate) reasons: Box<[String]>,
    /// Whether it has a condition on facts that are not kept beyond the incarnation: reason, run time, readiness.
    pub(crate) needs_live_facts: bool,
}

impl CompiledRule {
    /// Returns whether the reason text of a failure satisfies the rule.
    pub(crate) fn matches_reason(&self, reason: Option<&str>) -> bool {
        self.reasons.is_empty() || reason.is_some_and(|text| self.reasons.iter().any(|glob| glob_matches(glob, text)))
    }
}

/// The rule that matched a failure. Its `Display` is the name, or else the index.
///
/// ```
/// use uphold::decide::History;
/// use uphold::{FailurePolicy, Outcome, Policy, Rule, RuleAction, Timestamp};
///
/// let failure = FailurePolicy::new().rule(Rule::new(RuleAction::Terminate).name("bad-config").exit_code(2));
/// let policy = Policy::builder().failure(failure).build()?;
///
/// let mut history = History::new(0, 0.into());
/// policy.start(&mut history, Timestamp::ZERO);
/// let decision = policy.decide(&mut history, &Outcome::exited(2, Timestamp::from_secs(5)))?;
/// assert_eq!(decision.rule.map(|rule| rule.to_string()).as_deref(), Some("bad-config"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct MatchedRule {
    /// Its index in `failure.rules`, from 0.
    pub index: u16,
    /// Its name, if it has one.
    pub name: Option<std::sync::Arc<str>>,
}

impl std::fmt::Display for MatchedRule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.name {
            Some(name) => f.write_str(name),
            None => write!(f, "{}", self.index),
        }
    }
}
