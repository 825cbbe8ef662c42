//! A simulation, put together in code.

use super::action::{Action, ActionKind};
use super::environment::Environment;
use super::error::SimError;
use super::run::Run;
use super::runner::Runner;
use super::time::SimTime;
use super::world::{Behaviour, ScriptedEnvironment, World};
use crate::policy::Policy;
use crate::time::Timestamp;

/// A policy, a world and a timeline. Time counts from the start of the simulation.
///
/// An error, such as a time that is not one, is told by [`run_until`](Self::run_until).
#[derive(Clone, Debug)]
#[must_use]
pub struct Simulation {
    pub(super) policy: Policy,
    pub(super) seed: u64,
    world: World,
    pub(super) behaviours: Vec<Behaviour>,
    pub(super) timeline: Vec<(Timestamp, ActionKind)>,
    pub(super) keep_trace: bool,
    /// What is asked for may be of a replica that the set has not by then.
    pub(super) allow_unknown_replicas: bool,
    error: Option<SimError>,
}

impl Simulation {
    /// A world in which nothing takes time and nothing goes wrong.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy,
            seed: 0,
            world: World::new(),
            behaviours: Vec::new(),
            timeline: Vec::new(),
            keep_trace: true,
            allow_unknown_replicas: false,
            error: None,
        }
    }

    /// Decides all jitter. Default 0.
    pub fn seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// How long things take.
    pub fn world(mut self, world: World) -> Self {
        self.world = world;
        self
    }

    /// Adds what replicas do by themselves. Of several that apply, the first does.
    pub fn behaviour(mut self, behaviour: Behaviour) -> Self {
        self.behaviours.push(behaviour);
        self
    }

    /// Makes something happen at a time. What happens at one instant is known at one instant.
    pub fn at(mut self, at: impl SimTime, action: Action) -> Self {
        match at.into_timestamp() {
            Ok(at) => self.timeline.push((at, action.0)),
            Err(error) => {
                self.error.get_or_insert(error);
            }
        }
        self
    }

    /// Keeps only stats: no trace, no statuses, no verdicts. Memory does not grow with simulated time then.
    pub fn stats_only(mut self) -> Self {
        self.keep_trace = false;
        self
    }

    /// Runs from the start until this time, included.
    ///
    /// # Errors
    /// A time is not one, something happens after the end or to a replica that the set never has, or things go on
    /// for ever within one instant.
    pub fn run_until(mut self, until: impl SimTime) -> Result<Run, SimError> {
        let behaviours = std::mem::take(&mut self.behaviours);
        let mut scripted = ScriptedEnvironment { world: self.world, behaviours };
        self.run_in(&mut scripted, until)
    }

    /// Runs in surroundings of your own, in place of the world and the behaviours, until this time, included. What
    /// the timeline holds happens as well.
    ///
    /// # Errors
    /// As for [`run_until`](Self::run_until).
    pub fn run_in<E: Environment>(self, environment: &mut E, until: impl SimTime) -> Result<Run, SimError> {
        let until = until.into_timestamp()?;
        match self.error {
            Some(error) => Err(error),
            None => Runner::new(self, environment, until)?.run(),
        }
    }
}
