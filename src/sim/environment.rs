//! The interface between a simulation and a fault model.

use std::time::Duration;

use super::action::Action;
use super::instance_plan::InstancePlan;
use crate::engine::{Kill, Output, ProbeCommand, ProbeResult, Start, Stop};
use crate::time::Timestamp;

/// The environment of a simulated set: plans the outcome of each start, and injects faults such as the failure of a node.
///
/// [`World`](super::World) and [`Behaviour`](super::Behaviour) cover scripted simulations. Implement this trait for a
/// fault model and pass it to [`Simulation::run_in`](super::Simulation::run_in). Draw random numbers from a seeded
/// generator, so that runs can be repeated. Times count from the start of the simulation.
///
/// ```
/// use std::time::Duration;
/// use uphold::sim::{Environment, InstancePlan, Simulation};
/// use uphold::engine::Start;
/// use uphold::{Outcome, Policy, RetryPolicy, Status, Timestamp};
///
/// /// The more instances start at once, the slower each start is.
/// struct SlowUnderLoad;
///
/// impl Environment for SlowUnderLoad {
///     fn plan(&mut self, start: &Start, at: Timestamp, starts_in_flight: u32) -> InstancePlan {
///         InstancePlan::new(Duration::from_secs(u64::from(starts_in_flight)))
///     }
/// }
///
/// let policy = Policy::builder().replicas(3).retry(RetryPolicy::every(Duration::from_secs(30))).build()?;
/// let run = Simulation::new(policy).run_in(&mut SlowUnderLoad, "1m")?;
/// assert_eq!(run.status_at("2s")?, Status::Pending);
/// assert_eq!(run.status_at("3s")?, Status::Healthy); // three at once: three seconds each
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Environment {
    /// Returns the plan of a start that is commanded now.
    ///
    /// `starts_in_flight` is the number of starts in progress, including all that are commanded at this instant.
    fn plan(&mut self, start: &Start, at: Timestamp, starts_in_flight: u32) -> InstancePlan;

    /// Returns the time from the start command until the instance is running although its start was reported as failed;
    /// `None`, the default, if that does not happen.
    fn late_start(&mut self, start: &Start, at: Timestamp) -> Option<Duration> {
        let _ = (start, at);
        None
    }

    /// Returns the time from a stop command until the instance has ended; [`Duration::MAX`] if it ignores the stop.
    /// Default: zero.
    fn stop_duration(&mut self, stop: &Stop, at: Timestamp) -> Duration {
        let _ = (stop, at);
        Duration::ZERO
    }

    /// Returns the time from a kill until the instance has ended; [`Duration::MAX`] if the kill has no effect.
    /// Default: zero.
    fn kill_duration(&mut self, kill: &Kill, at: Timestamp) -> Duration {
        let _ = (kill, at);
        Duration::ZERO
    }

    /// Returns the result of probing an instance that can be reached. Default: success.
    fn probe_result(&mut self, probe: &ProbeCommand, at: Timestamp) -> ProbeResult {
        let _ = (probe, at);
        ProbeResult::Success
    }

    /// Returns the time of the next fault to inject, such as the failure of a node; `None`, the default, if there is none.
    /// Called after every instant.
    fn next_injection(&self) -> Option<Timestamp> {
        None
    }

    /// Adds the actions to inject at `at`, a time returned by [`next_injection`](Self::next_injection).
    ///
    /// They reach the set as one batch. Actions on dead instances are ignored.
    fn inject(&mut self, at: Timestamp, actions: &mut Vec<Action>) {
        let _ = (at, actions);
    }

    /// Called with every output of the set, in order, for models that track replicas and for metrics. Default: nothing.
    fn observe(&mut self, output: &Output, at: Timestamp) {
        let _ = (output, at);
    }
}
