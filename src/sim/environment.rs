//! The interface between a simulation and a fault model.

use std::time::Duration;

use super::action::Action;
use super::instance_plan::InstancePlan;
use crate::engine::{Kill, Output, ProbeRequest, ProbeResult, Start, Stop};
use crate::time::Timestamp;

/// The environment of a simulated set: decides what becomes of each start and injects faults from outside.
///
/// [`World`](super::World) and [`Behaviour`](super::Behaviour) cover scripted simulations. Implement this trait for a
/// fault model and pass it to [`Simulation::run_in`](super::Simulation::run_in). Whatever the model draws at random
/// must come from a seed, or runs cannot be repeated. Times count from the start of the simulation.
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
    /// Returns what becomes of a start that is commanded now.
    ///
    /// `starts_in_flight` is the number of starts in progress, including all that are commanded at this instant.
    fn plan(&mut self, start: &Start, at: Timestamp, starts_in_flight: u32) -> InstancePlan;

    /// Returns how long after its command a start that is reported as failed runs nevertheless; `None`, the default,
    /// if it never does.
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
    fn probe_result(&mut self, probe: &ProbeRequest, at: Timestamp) -> ProbeResult {
        let _ = (probe, at);
        ProbeResult::Success
    }

    /// Returns when the environment next acts on the set from outside, such as when a node fails; `None` if it never
    /// does again. Called after every instant.
    fn next_injection(&self) -> Option<Timestamp> {
        None
    }

    /// Adds everything that the environment does to the set at `at`, a time returned by
    /// [`next_injection`](Self::next_injection).
    ///
    /// The set learns of all of it at one instant. Actions on dead instances are ignored.
    fn inject(&mut self, at: Timestamp, actions: &mut Vec<Action>) {
        let _ = (at, actions);
    }

    /// Called with every output of the set, in order: for models that track where replicas are, and for metrics.
    fn observe(&mut self, output: &Output, at: Timestamp) {
        let _ = (output, at);
    }
}
