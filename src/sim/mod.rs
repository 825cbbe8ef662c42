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

mod backend;
mod collect;
mod counterfactual;
mod environment;
mod error;
mod expect;
mod in_order;
mod instances;
mod replay;
mod run;
mod runner;
mod scenario;
mod simulation;
#[cfg(test)]
mod tests;
mod time;
mod timeline;
mod trace;
mod world;

pub use counterfactual::{Counterfactual, CounterfactualError};
pub use environment::{Environment, Life};
pub use error::SimError;
pub use expect::{Difference, Expectation};
pub use replay::{Recording, RecordingError};
pub use run::{Figures, Run};
pub use scenario::{Scenario, ScenarioDocument};
pub use simulation::Simulation;
pub use time::SimTime;
pub use timeline::{
    Action, crash, drain, exit, fail, found, lost, not_ready, ready, reset, reset_all, restart, retry_now, scale,
    signal, start, stop, terminate,
};
pub use trace::Trace;
pub use world::{Behaviour, World};
