//! Policies: the types of the policy document, and how it is read, checked, linted, compiled and written back.

mod backoff;
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
mod jitter;
mod layout;
mod lint;
mod on_events;
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
pub use backoff::{Backoff, Factor};
pub use budget::{Budget, BudgetEmpty};
pub use build::PolicyBuilder;
pub use cause::{Cause, CauseError, CauseName};
pub use compiled_rule::MatchedRule;
pub use correlated::Correlated;
pub use exhausted::{Exhausted, Quarantine};
pub use exit::{Exit, Signal};
pub use failure::FailurePolicy;
pub use health::{HealthPolicy, HttpCheck, LostAfter, Probe, ProbeCheck, TcpCheck};
pub use jitter::Jitter;
pub use lint::Lint;
pub use on_events::OnEvents;
pub use policy::Policy;
pub use quantity::Quantity;
pub use retry::{ImmediateFirst, Placement, Recover, RetryPolicy, RetryStage, Scope};
pub use rollout::{OnRolloutFailure, Promote, RolloutPolicy};
pub use rule::{Rule, RuleAction};
pub use scaling::{ScalingPolicy, StandIns};
pub use settings::{OnSuccess, StartOrder};

pub(crate) use compile::{Compiled, CompiledBudget, CompiledProbe, CompiledProbes, CompiledRollout, CompiledScaling};
pub(crate) use layout::{Layout, LayoutMapping};
pub(crate) use settings::{MAX_REPLICAS, Settings};
