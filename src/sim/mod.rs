//! The simulator: runs the same [`ReplicaSet`](crate::ReplicaSet) as in production, under a virtual clock and
//! against a simulated backend.
//!
//! To test a policy, paste this into your tests, and replace the policy, the failures and the expectations:
//!
//! ```
//! use uphold::sim::{Simulation, crash};
//! use uphold::{Policy, Status};
//!
//! # /*
//! #[test]
//! # */
//! fn a_crashed_replica_is_back_after_30_seconds() -> Result<(), Box<dyn std::error::Error>> {
//!     let policy: Policy = serde_json::from_str(r#"{"replicas": 3, "retry": {"interval": "30s"}}"#)?;
//!     let run = Simulation::new(policy).at("60s", crash(1)).run_until("1h")?;
//!     assert_eq!(run.status_at("60s")?, Status::Degraded);
//!     assert_eq!(run.status_at("90s")?, Status::Healthy);
//!     assert_eq!(run.restarts_of(1), 1);
//!     Ok(())
//! }
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! #     a_crashed_replica_is_back_after_30_seconds()
//! # }
//! ```
//!
//! It takes milliseconds, however long the simulated time.
//!
//! | to | use |
//! |---|---|
//! | test a policy in code | [`Simulation`] with [`World`], [`Behaviour`] and [`Action`]s |
//! | test a policy with a YAML, JSON or TOML document | [`Scenario`] |
//! | simulate your own fault model | [`Environment`] and [`Simulation::run_in`] |
//! | replay a recording from production | [`Recording::replay`] |
//! | replay it under another policy | [`Recording::replay_under`] |
//!
//! Operators' requests are actions too: [`scale`], [`drain`] and [`interruption_notice`], [`roll_out`], [`promote`], [`roll_back`]. A
//! [`Behaviour`] can apply to one revision, such as a new one that crashes.
//!
//! All of them return a [`Run`], which answers questions about statuses, verdicts and restarts. A run is
//! deterministic: the same input and seed give the same [`Trace`], byte for byte.

mod action;
mod behaviour;
mod capacity;
mod collector;
mod counterfactual;
mod environment;
mod error;
mod expectation;
mod instance_plan;
mod instances;
mod monotonic_queue;
mod outcomes;
mod replay;
mod run;
mod runner;
mod scenario;
mod scenario_document;
mod scripted;
mod simulated_backend;
mod simulation;
#[cfg(test)]
mod tests;
mod time;
mod trace;
mod world;

pub use action::{
    Action, crash, drain, drain_all, exit, fail, found, interruption_notice, lost, not_ready, promote, ready, reset,
    reset_all, restart, retry_now, roll_back, roll_out, scale, signal, start, stop, terminate, undrain,
};
pub use behaviour::Behaviour;
pub use counterfactual::{Counterfactual, CounterfactualError};
pub use environment::Environment;
pub use error::SimError;
pub use expectation::{Expectation, Mismatch};
pub use instance_plan::InstancePlan;
pub use replay::{Recording, RecordingError};
pub use run::{Run, RunStats};
pub use scenario::Scenario;
pub use scenario_document::{ScenarioDocument, read_requests};
pub use simulation::Simulation;
pub use time::SimTime;
pub use trace::Trace;
pub use world::World;
