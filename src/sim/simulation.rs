//! The builder of simulations in code.

use super::action::Action;
use super::behaviour::Behaviour;
use super::environment::Environment;
use super::error::SimError;
use super::run::Run;
use super::runner::{Runner, Setup};
use super::scripted::ScriptedEnvironment;
use super::time::SimTime;
use super::world::World;
use crate::policy::Policy;

/// A simulation of one set: a policy, what its replicas do, and a timeline of actions. Times count from the start of the
/// simulation.
///
/// An invalid time passed to [`at`](Self::at) is reported when the simulation runs.
///
/// ```
/// use std::time::Duration;
/// use uphold::sim::{crash, scale, Simulation, World};
/// use uphold::{Policy, RetryPolicy, Status};
///
/// let policy = Policy::builder().replicas(2).retry(RetryPolicy::every(Duration::from_secs(10))).build()?;
/// let run = Simulation::new(policy)
///     .world(World::new().start(Duration::from_secs(1)))
///     .at("1m", crash(0).reason("disk full"))
///     .at("5m", scale(3))
///     .run_until("10m")?;
/// assert_eq!(run.status_at("1m 11s")?, Status::Healthy);
/// assert_eq!(run.available_at("6m")?, 3);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Simulation {
    pub(super) setup: Setup,
    world: World,
    pub(super) behaviours: Vec<Behaviour>,
    /// The first invalid time.
    error: Option<SimError>,
}

impl Simulation {
    /// Creates a simulation in which starts and stops take no time and nothing fails.
    pub fn new(policy: Policy) -> Self {
        let setup = Setup { policy, seed: 0, timeline: Vec::new(), keep_trace: true, allow_unknown_replicas: false };
        Self { setup, world: World::new(), behaviours: Vec::new(), error: None }
    }

    /// Sets the seed of all jitter. Default: 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.setup.seed = seed;
        self
    }

    /// Sets how long starts and stops take. Default: no time.
    pub fn world(mut self, world: World) -> Self {
        self.world = world;
        self
    }

    /// Adds something that replicas do of their own accord. If several behaviours apply, the first one added wins.
    pub fn behaviour(mut self, behaviour: Behaviour) -> Self {
        self.behaviours.push(behaviour);
        self
    }

    /// Adds an action at a time, such as [`crash`](super::crash). Actions of one instant reach the set as one batch.
    pub fn at(mut self, at: impl SimTime, action: Action) -> Self {
        match at.into_timestamp() {
            Ok(at) => self.setup.timeline.push((at, action.0)),
            Err(error) => {
                self.error.get_or_insert(error);
            }
        }
        self
    }

    /// Lets the set reject requests about replicas that it does not have at the time, as a set whose slots come and go may. By
    /// default such a request is a mistake in the simulation, and the run ends with an error.
    pub fn reject_unknown_replicas(mut self) -> Self {
        self.setup.allow_unknown_replicas = true;
        self
    }

    /// Keeps only [`RunStats`](super::RunStats): no trace, statuses or verdicts. Memory then does not grow with
    /// simulated time.
    pub fn stats_only(mut self) -> Self {
        self.setup.keep_trace = false;
        self
    }

    /// Runs from the start to `until`, inclusive.
    ///
    /// # Errors
    /// A time is invalid, an action is later than `until` or on a replica that the set does not have, or the simulation
    /// makes no progress within one instant.
    pub fn run_until(mut self, until: impl SimTime) -> Result<Run, SimError> {
        let behaviours = std::mem::take(&mut self.behaviours);
        let mut scripted = ScriptedEnvironment::new(self.world, behaviours);
        let mut run = self.run_in(&mut scripted, until)?;
        run.unused_behaviours = scripted.unused_behaviours();
        Ok(run)
    }

    /// Runs from the start to `until`, inclusive, in an environment of the caller's. It takes the place of the world and
    /// the behaviours, which are ignored. The timeline still applies.
    ///
    /// # Errors
    /// As for [`run_until`](Self::run_until).
    pub fn run_in<E: Environment>(self, environment: &mut E, until: impl SimTime) -> Result<Run, SimError> {
        let until = until.into_timestamp()?;
        match self.error {
            Some(error) => Err(error),
            None => Runner::new(self.setup, environment, until)?.run(),
        }
    }
}
