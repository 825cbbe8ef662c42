//! A simulation, put together in code.

use super::environment::Environment;
use super::error::SimError;
use super::run::Run;
use super::runner::Runner;
use super::time::SimTime;
use super::timeline::{Act, Action};
use super::world::{Behaviour, Scripted, World};
use crate::policy::Policy;
use crate::time::Timestamp;

/// A policy, a world and a timeline. Time counts from the start of the simulation.
///
/// A mistake, such as a time that is not one, is told by [`run_until`](Self::run_until).
#[derive(Clone, Debug)]
#[must_use]
pub struct Simulation {
    pub(super) policy: Policy,
    pub(super) seed: u64,
    world: World,
    pub(super) behaviours: Vec<Behaviour>,
    pub(super) timeline: Vec<(Timestamp, Act)>,
    pub(super) keep: bool,
    /// What is asked for may be of a replica that the set has not by then.
    pub(super) asks_amiss: bool,
    mistake: Option<SimError>,
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
            keep: true,
            asks_amiss: false,
            mistake: None,
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
        match at.timestamp() {
            Ok(at) => self.timeline.push((at, action.0)),
            Err(mistake) => {
                self.mistake.get_or_insert(mistake);
            }
        }
        self
    }

    /// Keeps only figures: no trace, no statuses, no verdicts. Memory does not grow with simulated time then.
    pub fn figures_only(mut self) -> Self {
        self.keep = false;
        self
    }

    /// Runs from the start until this time, included.
    ///
    /// # Errors
    /// A time is not one, something happens after the end or to a replica that the set never has, or things go on
    /// for ever within one instant.
    pub fn run_until(mut self, until: impl SimTime) -> Result<Run, SimError> {
        let behaviours = std::mem::take(&mut self.behaviours);
        let mut scripted = Scripted { world: self.world, behaviours };
        self.run_in(&mut scripted, until)
    }

    /// Runs in surroundings of your own, in place of the world and the behaviours, until this time, included. What
    /// the timeline holds happens as well.
    ///
    /// # Errors
    /// As for [`run_until`](Self::run_until).
    pub fn run_in<E: Environment>(self, environment: &mut E, until: impl SimTime) -> Result<Run, SimError> {
        let until = until.timestamp()?;
        match self.mistake {
            Some(mistake) => Err(mistake),
            None => Runner::new(self, environment, until)?.run(),
        }
    }
}
