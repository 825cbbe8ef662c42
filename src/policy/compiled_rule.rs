//! A compiled rule, and how decisions name it.

use super::glob::glob_matches;
use super::rule::RuleAction;

/// A rule in the form that decisions use; [`RuleIndex`](super::rule_index::RuleIndex) has its other conditions as masks.
#[derive(Debug)]
pub(crate) struct CompiledRule {
    /// The key of its state: its name, or its index if it has none.
    pub(crate) key: String,
    /// What decisions report of it.
    pub(crate) shown: std::sync::Arc<MatchedRule>,
    pub(crate) then: RuleAction,
    pub(crate) charge: bool,
    /// Its place among the schedules of the policy; 0 is the policy's own `retry`.
    pub(crate) schedule: u16,
    pub(crate) attempts_over: Option<u32>,
    pub(crate) reasons: Box<[String]>,
    /// Has a condition on facts that are not kept past the incarnation: reason, run time, readiness.
    pub(crate) needs_live_facts: bool,
}

impl CompiledRule {
    /// Returns whether the reason text of a failure satisfies the rule.
    pub(crate) fn matches_reason(&self, reason: Option<&str>) -> bool {
        self.reasons.is_empty() || reason.is_some_and(|text| self.reasons.iter().any(|glob| glob_matches(glob, text)))
    }
}

/// The rule that matched a failure.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct MatchedRule {
    /// Its place in the list, from 0.
    pub index: u16,
    /// Its name, where it has one.
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
