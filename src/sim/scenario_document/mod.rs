//! Reading scenarios from documents.

mod behaviour;
mod expectation;
mod timeline;
mod values;

use serde::de::{Deserialize, Deserializer, Error as _};

use super::behaviour::Behaviour;
use super::expectation::Expectation;
use super::scenario::Scenario;
use super::simulation::Simulation;
use super::world::World;
use crate::policy::read::{Value, Walk};
use crate::policy::{Policy, PolicyError, Settings};
use crate::time::Timestamp;

/// A scenario as written, not yet checked: for documents that name a `policy_file`, and for callers that want every
/// mistake separately.
///
/// ```
/// use uphold::Policy;
/// use uphold::sim::ScenarioDocument;
///
/// let text = r#"{"policy_file": "web.json", "until": "1h"}"#;
/// let document: ScenarioDocument = serde_json::from_str(text)?;
/// let scenario = document.read(|path| {
///     assert_eq!(path, "web.json");
///     serde_json::from_str::<Policy>(r#"{"replicas": 2}"#).map_err(|error| error.to_string())
/// })?;
/// assert_eq!(scenario.policy().replicas(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ScenarioDocument(Value);

/// Enough for a timeline of a million entries.
const MAX_VALUES: u32 = 20_000_000;

const MAX_BEHAVIOURS: usize = u16::MAX as usize;

impl<'de> Deserialize<'de> for ScenarioDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize_up_to(deserializer, MAX_VALUES).map(Self)
    }
}

impl ScenarioDocument {
    /// Reads the scenario. `load` reads the policy that `policy_file` names.
    ///
    /// # Errors
    /// Every mistake, each with its path.
    pub fn read(&self, load: impl FnOnce(&str) -> Result<Policy, String>) -> Result<Scenario, PolicyError> {
        let mut walk = Walk::new();
        let scenario = scenario(&mut walk, &self.0, load);
        walk.finish_with(scenario)
    }
}

impl<'de> Deserialize<'de> for Scenario {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let load = |_: &str| Err("a policy file cannot be read here; write the policy itself".to_owned());
        ScenarioDocument::deserialize(deserializer)?.read(load).map_err(D::Error::custom)
    }
}

const SCENARIO: [&str; 10] =
    ["name", "seed", "policy", "policy_file", "world", "behaviour", "timeline", "until", "expect", "note"];

fn scenario(walk: &mut Walk, value: &Value, load: impl FnOnce(&str) -> Result<Policy, String>) -> Option<Scenario> {
    let fields = walk.fields(value, &SCENARIO)?;
    let policy = fields.policy_or_file(walk, "the policy to simulate", load);
    let until = fields.require(walk, "until", "when the simulation ends, such as 1h", Walk::duration);
    let until = until.map(|until| Timestamp::ZERO + until);
    let seed = fields.read(walk, "seed", Walk::seed);
    let world = fields.read(walk, "world", world).unwrap_or_default();
    let behaviours = fields.read(walk, "behaviour", behaviours).unwrap_or_default();
    let initial = policy.as_ref().map_or(u32::MAX, Policy::replicas);
    let (timeline, max_replicas) = fields
        .read(walk, "timeline", |walk, value| Some(timeline::timeline(walk, value, until, initial)))
        .unwrap_or((Vec::new(), initial));
    check_replicas(walk, &behaviours, max_replicas);
    let expectations =
        fields.read(walk, "expect", |walk, value| Some(expectations(walk, value, until))).unwrap_or_default();
    let name = fields.read(walk, "name", Walk::text).map(str::to_owned);

    // A stand-in policy, so that all mistakes are found; the scenario is dropped if there are any.
    let stand_in = || Policy::from_valid(Settings::default());
    let mut simulation = Simulation::new(policy.clone().unwrap_or_else(stand_in)).seed(seed.unwrap_or(0)).world(world);
    simulation.setup.timeline = timeline;
    simulation.behaviours = behaviours;
    policy?;
    Some(Scenario { name, simulation, until: until?, expectations })
}

fn world(walk: &mut Walk, value: &Value) -> Option<World> {
    let fields = walk.fields(value, &["start", "ready", "stop"])?;
    let mut world = World::new();
    world.start = fields.read(walk, "start", Walk::duration).unwrap_or_default();
    world.ready = fields.read(walk, "ready", Walk::duration).unwrap_or_default();
    world.stop = fields.read(walk, "stop", Walk::duration).unwrap_or_default();
    Some(world)
}

fn behaviours(walk: &mut Walk, value: &Value) -> Option<Vec<Behaviour>> {
    let mut behaviours = Vec::new();
    walk.list(value, "a list of behaviours", |walk, value| behaviours.extend(behaviour::behaviour(walk, value)));
    if behaviours.len() > MAX_BEHAVIOURS {
        walk.problem(format!("has more than {MAX_BEHAVIOURS} behaviours"));
        return None;
    }
    Some(behaviours)
}

/// Reports behaviours of replicas that the set never has.
fn check_replicas(walk: &mut Walk, behaviours: &[Behaviour], max_replicas: u32) {
    for (index, behaviour) in behaviours.iter().enumerate() {
        if let Some(replica) = behaviour.replica.filter(|&replica| replica >= max_replicas) {
            let problem = format!("there is no replica {replica}: the set never has more than {max_replicas}");
            walk.field("behaviour", |walk| {
                walk.index(index, |walk| walk.field("replica", |walk| walk.problem(problem)))
            });
        }
    }
}

fn expectations(walk: &mut Walk, value: &Value, until: Option<Timestamp>) -> Vec<Expectation> {
    let mut expectations = Vec::new();
    walk.list(value, "a list of what is expected", |walk, value| {
        expectations.extend(expectation::expectation(walk, value, until));
    });
    expectations
}
