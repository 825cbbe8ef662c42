//! Reads scenarios from documents.

mod behaviour;
mod expectation;
mod timeline;
mod values;

pub use timeline::read_requests;

use serde::de::{Deserialize, Deserializer, Error as _};

use super::behaviour::Behaviour;
use super::expectation::Expectation;
use super::scenario::Scenario;
use super::simulation::Simulation;
use super::world::World;
use crate::document::{Reader, Value};
use crate::policy::{Policy, PolicyError, Settings};
use crate::time::Timestamp;

/// A scenario document that has been parsed but not validated. Use it for documents that name a `policy_file`, or to get
/// every mistake with its path.
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

/// The most values of a document; enough for a timeline of a million entries.
const MAX_VALUES: u32 = 20_000_000;

const MAX_BEHAVIOURS: usize = u16::MAX as usize;

impl<'de> Deserialize<'de> for ScenarioDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize_up_to(deserializer, MAX_VALUES).map(Self)
    }
}

impl ScenarioDocument {
    /// Validates the document. `load` reads the policy that `policy_file` names; its error is a message.
    ///
    /// # Errors
    /// Every mistake, each with its path.
    pub fn read(&self, load: impl FnOnce(&str) -> Result<Policy, String>) -> Result<Scenario, PolicyError> {
        let mut reader = Reader::new();
        let scenario = scenario(&mut reader, &self.0, load);
        reader.finish_with(scenario)
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

fn scenario(reader: &mut Reader, value: &Value, load: impl FnOnce(&str) -> Result<Policy, String>) -> Option<Scenario> {
    let fields = reader.fields(value, &SCENARIO)?;
    let policy = fields.policy_or_file(reader, "the policy to simulate", load);
    let until = fields.require(reader, "until", "when the simulation ends, such as 1h", Reader::duration);
    let until = until.map(|until| Timestamp::ZERO + until);
    let seed = fields.read(reader, "seed", Reader::seed);
    let world = fields.read(reader, "world", world).unwrap_or_default();
    let behaviours = fields.read(reader, "behaviour", behaviours).unwrap_or_default();
    let slots = SlotCount::new(policy.as_ref());
    let at_first = slots.most();
    let (timeline, max_replicas) = fields
        .read(reader, "timeline", |reader, value| Some(timeline::timeline(reader, value, until, slots)))
        .unwrap_or((Vec::new(), at_first));
    check_replicas(reader, &behaviours, max_replicas);
    let expectations =
        fields.read(reader, "expect", |reader, value| Some(expectations(reader, value, until))).unwrap_or_default();
    let name = fields.read(reader, "name", Reader::text).map(str::to_owned);

    // With a stand-in for an invalid policy, so that all other mistakes are found.
    let stand_in = || Policy::from_valid(Settings::default());
    let mut simulation = Simulation::new(policy.clone().unwrap_or_else(stand_in)).seed(seed.unwrap_or(0)).world(world);
    simulation.setup.timeline = timeline;
    simulation.behaviours = behaviours;
    policy?;
    Some(Scenario { name, simulation, until: until?, expectations })
}

/// How many slots a set has at most, in the course of a timeline.
struct SlotCount<'p> {
    policy: Option<&'p Policy>,
    desired: u32,
    most: u32,
}

impl<'p> SlotCount<'p> {
    fn new(policy: Option<&'p Policy>) -> Self {
        let desired = policy.map_or(u32::MAX, Policy::replicas);
        let mut count = Self { policy, desired, most: 0 };
        count.most = count.with_extras(desired);
        count
    }

    fn most(&self) -> u32 {
        self.most
    }

    fn with_extras(&self, desired: u32) -> u32 {
        let extras = self.policy.map_or(0, |policy| {
            let scaling = policy.compiled().scaling;
            // Every slot that fails may take a standby, and another standby is started then.
            let stand_ins = if scaling.standby > 0 { desired.max(scaling.stand_ins) } else { scaling.stand_ins };
            policy.max_surge(desired).saturating_add(stand_ins).saturating_add(scaling.standby)
        });
        desired.saturating_add(extras)
    }

    /// Slots are replaced. The new ones do not take the numbers of those that are still being stopped.
    fn replace(&mut self) {
        let slots = self.with_extras(self.desired);
        if slots > self.desired {
            self.most = self.most.max(slots.saturating_mul(2));
        }
    }

    /// New slots do not take the numbers of slots that are still being stopped.
    fn scale(&mut self, desired: u32) {
        let added = desired.saturating_sub(self.desired);
        self.most = self.with_extras(desired).max(self.most.saturating_add(added));
        self.desired = desired;
    }
}

fn world(reader: &mut Reader, value: &Value) -> Option<World> {
    let fields = reader.fields(value, &["start", "ready", "stop"])?;
    let mut world = World::new();
    world.start = fields.read(reader, "start", Reader::duration).unwrap_or_default();
    world.ready = fields.read(reader, "ready", Reader::duration).unwrap_or_default();
    world.stop = fields.read(reader, "stop", Reader::duration).unwrap_or_default();
    Some(world)
}

fn behaviours(reader: &mut Reader, value: &Value) -> Option<Vec<Behaviour>> {
    let mut behaviours = Vec::new();
    reader.list(value, "a list of behaviours", |reader, value| behaviours.extend(behaviour::behaviour(reader, value)));
    if behaviours.len() > MAX_BEHAVIOURS {
        reader.problem(format!("has more than {MAX_BEHAVIOURS} behaviours"));
        return None;
    }
    Some(behaviours)
}

/// Reports behaviours of replicas that the set never has.
fn check_replicas(reader: &mut Reader, behaviours: &[Behaviour], max_replicas: u32) {
    for (index, behaviour) in behaviours.iter().enumerate() {
        if let Some(replica) = behaviour.replica.filter(|&replica| replica >= max_replicas) {
            let problem = format!("there is no replica {replica}: the set never has more than {max_replicas}");
            reader.field("behaviour", |reader| {
                reader.index(index, |reader| reader.field("replica", |reader| reader.problem(problem)))
            });
        }
    }
}

fn expectations(reader: &mut Reader, value: &Value, until: Option<Timestamp>) -> Vec<Expectation> {
    let mut expectations = Vec::new();
    reader.list(value, "a list of expectations", |reader, value| {
        expectations.extend(expectation::expectation(reader, value, until));
    });
    expectations
}
