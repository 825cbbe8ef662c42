//! Reads an experiment document.

use serde::de::{Deserialize, Deserializer, Error as _};
use uphold::document::{Reader, Value};
use uphold::sim::read_requests;
use uphold::{Policy, PolicyError};

use super::definition::Experiment;
use crate::fault::{FaultModel, faults};

/// An experiment document that has been parsed but not validated. Use it for documents that name a `policy_file`, or to
/// get every mistake with its path.
///
/// ```
/// use uphold_lab::experiment::ExperimentDocument;
/// use uphold_lab::files::parse_yaml;
///
/// let document: ExperimentDocument = parse_yaml("policies: [{name: a, policy_file: a.yaml}]\nuntil: 0s")?;
/// let error = document.read(|file| Err(format!("no {file} here"))).unwrap_err();
/// assert_eq!(error.problems().len(), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct ExperimentDocument(Value);

impl<'de> Deserialize<'de> for ExperimentDocument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Value::deserialize(deserializer).map(Self)
    }
}

impl<'de> Deserialize<'de> for Experiment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let load = |_: &str| Err("a policy file cannot be read here; write the policy itself".to_owned());
        ExperimentDocument::deserialize(deserializer)?.read(load).map_err(D::Error::custom)
    }
}

/// The most policies of an experiment. Reports have a column for each.
const MAX_POLICIES: usize = 64;
/// The most seeds of an experiment.
pub const MAX_SEEDS: u32 = 100_000_000;
/// The most characters of a policy's name.
const MAX_NAME_CHARS: usize = 64;

const EXPERIMENT: [&str; 11] =
    ["name", "question", "note", "answer", "policies", "faults", "timeline", "until", "seeds", "seed", "healed_within"];

impl ExperimentDocument {
    /// Validates the document. `load` reads a policy that a `policy_file` names; its error is a message.
    ///
    /// # Errors
    /// Every mistake, each with its path.
    pub fn read(&self, mut load: impl FnMut(&str) -> Result<Policy, String>) -> Result<Experiment, PolicyError> {
        let mut reader = Reader::new();
        let experiment = experiment(&mut reader, &self.0, &mut load);
        reader.finish_with(experiment)
    }
}

type LoadPolicy<'l> = &'l mut dyn FnMut(&str) -> Result<Policy, String>;

fn experiment(reader: &mut Reader, value: &Value, load: LoadPolicy<'_>) -> Option<Experiment> {
    let fields = reader.fields(value, &EXPERIMENT)?;
    let policies = fields
        .require(reader, "policies", "a list of {name, policy}", |reader, value| Some(policies(reader, value, load)));
    let model = fields.read(reader, "faults", faults).unwrap_or_default();
    let until = fields.require(reader, "until", "the length of each history, such as 30d", |reader, value| {
        let until = reader.duration(value)?;
        if until.is_zero() {
            reader.problem("is 0s; it must be longer");
            return None;
        }
        Some(until)
    });
    let known = policies.iter().flatten().map(|(_, policy)| policy);
    let timeline =
        fields.read(reader, "timeline", |reader, value| Some(read_requests(reader, value, until, known.clone())));
    let timeline = timeline.unwrap_or_else(|| read_requests(reader, &Value::Seq(Vec::new()), until, known));
    let seeds = fields.read(reader, "seeds", |reader, value| reader.count(value, &(1..=MAX_SEEDS)));
    let first_seed = fields.read(reader, "seed", Reader::seed);
    let healed_within = fields.read(reader, "healed_within", Reader::duration);
    let mut text = |name| fields.read(reader, name, Reader::text).map(str::to_owned);
    let (name, question) = (text("name"), text("question"));
    let (note, answer) = (text("note"), text("answer"));
    let policies = policies?;
    let (timeline, slots) = timeline;
    check_replica_numbers(reader, slots, &model);

    let mut experiment = Experiment::new(model, until?);
    (experiment.policies, experiment.timeline) = (policies, timeline);
    (experiment.name, experiment.question, experiment.note, experiment.answer) = (name, question, note, answer);
    experiment.seeds = seeds.map_or(experiment.seeds, u64::from);
    experiment.first_seed = first_seed.unwrap_or(0);
    experiment.healed_within = healed_within.unwrap_or(experiment.healed_within);
    Some(experiment)
}

/// Reports a replica named in the faults that no set has. `most`: the number of slots of the largest set.
fn check_replica_numbers(reader: &mut Reader, most: u32, model: &FaultModel) {
    if let Some(replica) = model.highest_replica().filter(|&replica| replica >= most) {
        let problem = format!("there is no replica {replica}: no policy has more than {most} (0 is the first)");
        reader.field("faults", |reader| reader.problem(problem));
    }
}

fn policies(reader: &mut Reader, value: &Value, load: LoadPolicy<'_>) -> Vec<(String, Policy)> {
    let mut policies = Vec::new();
    match value {
        Value::Seq(list) if list.len() > MAX_POLICIES => {
            reader.problem(format!("has more than {MAX_POLICIES} policies"));
            return policies;
        }
        Value::Seq(list) if list.is_empty() => reader.problem("is empty; give at least one policy"),
        Value::Null => reader.problem("is empty; give at least one policy"),
        _ => {}
    }
    let mut names: Vec<&str> = Vec::new();
    reader.list(value, "a list such as [{name: fast, policy: {replicas: 3, retry: true}}]", |reader, value| {
        let Some(fields) = reader.fields(value, &["name", "policy", "policy_file"]) else { return };
        let name = fields.require(reader, "name", "a few words for the table", |reader, value| {
            let name = reader.text(value)?.trim();
            if name.is_empty() || name.chars().count() > MAX_NAME_CHARS {
                reader.problem(format!("has {} characters; give it 1 to {MAX_NAME_CHARS}", name.chars().count()));
                return None;
            }
            if names.contains(&name) {
                reader.problem(format!("'{name}' is the name of a policy above; choose another"));
            }
            names.push(name);
            Some(name.to_owned())
        });
        let policy = fields.policy_or_file(reader, "the policy to simulate", &mut *load);
        policies.extend(name.zip(policy));
    });
    policies
}
