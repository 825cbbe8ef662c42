//! The simulator: the same [`ReplicaSet`](crate::ReplicaSet) under a virtual clock, against a simulated world.
//!
//! A test of a policy reads like the incident:
//!
//! ```
//! use uphold::sim::{Simulation, crash};
//! use uphold::{Policy, RetryPolicy, Status};
//! use std::time::Duration;
//!
//! let policy = Policy::builder().replicas(3).retry(RetryPolicy::every(Duration::from_secs(30))).build()?;
//! let run = Simulation::new(policy).at("60s", crash(1)).run_until("1h")?;
//! assert_eq!(run.status_at("60s")?, Status::Degraded);
//! assert_eq!(run.status_at("90s")?, Status::Healthy);
//! assert_eq!(run.restarts_of(1), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod action;
mod collector;
mod counterfactual;
mod environment;
mod error;
mod expectation;
mod instances;
mod monotonic_queue;
mod replay;
mod run;
mod runner;
mod scenario;
mod simulated_backend;
mod simulation;
#[cfg(test)]
mod tests;
mod time;
mod trace;
mod world;

pub use action::{
    Action, crash, drain, exit, fail, found, lost, not_ready, ready, reset, reset_all, restart, retry_now, scale,
    signal, start, stop, terminate,
};
pub use counterfactual::{Counterfactual, CounterfactualError};
pub use environment::{Environment, InstancePlan};
pub use error::SimError;
pub use expectation::{Expectation, Mismatch};
pub use replay::{Recording, RecordingError};
pub use run::{Run, RunStats};
pub use scenario::{Scenario, ScenarioDocument};
pub use simulation::Simulation;
pub use time::SimTime;
pub use trace::Trace;
pub use world::{Behaviour, World};
