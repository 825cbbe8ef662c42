//! Policies: the types of the policy document, and how it is read, checked, linted, compiled and written back.

mod budget;
mod build;
mod cause;
mod compile;
pub(crate) mod compiled_rule;
mod correlated;
mod defaults;
mod disruption;
mod exhausted;
mod exit;
mod failure;
#[cfg(test)]
mod generate;
mod glob;
mod health;
mod layout;
mod lint;
#[expect(clippy::module_inception, reason = "it holds the type Policy")]
mod policy;
mod preset;
mod quantity;
mod range;
pub(crate) mod read;
mod redact;
mod retry;
pub(crate) mod retry_schedule;
mod rollout;
mod rule;
pub(crate) mod rule_index;
mod scaling;
mod schema;
mod settings;
mod text;
mod validate;
mod write;

pub use crate::document::{PolicyError, Problem, ReadError};
pub use budget::{Budget, BudgetEmpty};
pub use build::PolicyBuilder;
pub use cause::{Cause, CauseError, CauseName};
pub use compiled_rule::MatchedRule;
pub use correlated::Correlated;
pub use exhausted::{Exhausted, Quarantine};
pub use exit::{Exit, Signal};
pub use failure::FailurePolicy;
pub use health::{HealthPolicy, HttpCheck, LostAfter, Probe, ProbeCheck, TcpCheck};
pub use lint::Lint;
pub use policy::Policy;
pub use quantity::Quantity;
pub use retry::{
    Backoff, Factor, ImmediateFirst, Jitter, OnEvents, Placement, Recover, RetryPolicy, RetryStage, Scope,
};
pub use rollout::{OnRolloutFailure, Promote, RolloutPolicy};
pub use rule::{Rule, RuleAction};
pub use scaling::{ScalingPolicy, StandIns};
pub use settings::{OnSuccess, StartOrder};

pub(crate) use compile::{Compiled, CompiledBudget, CompiledProbe, CompiledProbes};
pub(crate) use layout::{Layout, LayoutMapping};
pub(crate) use settings::{MAX_REPLICAS, Settings};
