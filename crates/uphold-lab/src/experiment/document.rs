//! Reads an experiment document.

use serde::de::{Deserialize, Deserializer, Error as _};
use uphold::document::{Value, Walk};
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

const EXPERIMENT: [&str; 10] =
    ["name", "question", "note", "answer", "policies", "faults", "until", "seeds", "seed", "healed_within"];

impl ExperimentDocument {
    /// Validates the document. `load` reads a policy that a `policy_file` names; its error is a message.
    ///
    /// # Errors
    /// Every mistake, each with its path.
    pub fn read(&self, mut load: impl FnMut(&str) -> Result<Policy, String>) -> Result<Experiment, PolicyError> {
        let mut walk = Walk::new();
        let experiment = experiment(&mut walk, &self.0, &mut load);
        walk.finish_with(experiment)
    }
}

type LoadPolicy<'l> = &'l mut dyn FnMut(&str) -> Result<Policy, String>;

fn experiment(walk: &mut Walk, value: &Value, load: LoadPolicy<'_>) -> Option<Experiment> {
    let fields = walk.fields(value, &EXPERIMENT)?;
    let policies =
        fields.require(walk, "policies", "a list of {name, policy}", |walk, value| Some(policies(walk, value, load)));
    let model = fields.read(walk, "faults", faults).unwrap_or_default();
    let until = fields.require(walk, "until", "the length of each history, such as 30d", |walk, value| {
        let until = walk.duration(value)?;
        if until.is_zero() {
            walk.problem("is 0s; it must be longer");
            return None;
        }
        Some(until)
    });
    let seeds = fields.read(walk, "seeds", |walk, value| walk.count(value, &(1..=MAX_SEEDS)));
    let first_seed = fields.read(walk, "seed", Walk::seed);
    let healed_within = fields.read(walk, "healed_within", Walk::duration);
    let mut text = |name| fields.read(walk, name, Walk::text).map(str::to_owned);
    let (name, question) = (text("name"), text("question"));
    let (note, answer) = (text("note"), text("answer"));
    let policies = policies?;
    check_replica_numbers(walk, &policies, &model);

    let mut experiment = Experiment::new(model, until?);
    experiment.policies = policies;
    (experiment.name, experiment.question, experiment.note, experiment.answer) = (name, question, note, answer);
    experiment.seeds = seeds.map_or(experiment.seeds, u64::from);
    experiment.first_seed = first_seed.unwrap_or(0);
    experiment.healed_within = healed_within.unwrap_or(experiment.healed_within);
    Some(experiment)
}

/// Reports a replica named in the faults that no policy has.
fn check_replica_numbers(walk: &mut Walk, policies: &[(String, Policy)], model: &FaultModel) {
    let Some(most) = policies.iter().map(|(_, policy)| policy.replicas()).max() else { return };
    if let Some(replica) = model.highest_replica().filter(|&replica| replica >= most) {
        let problem = format!("there is no replica {replica}: no policy has more than {most} (0 is the first)");
        walk.field("faults", |walk| walk.problem(problem));
    }
}

fn policies(walk: &mut Walk, value: &Value, load: LoadPolicy<'_>) -> Vec<(String, Policy)> {
    let mut policies = Vec::new();
    match value {
        Value::Seq(list) if list.len() > MAX_POLICIES => {
            walk.problem(format!("has more than {MAX_POLICIES} policies"));
            return policies;
        }
        Value::Seq(list) if list.is_empty() => walk.problem("is empty; give at least one policy"),
        Value::Null => walk.problem("is empty; give at least one policy"),
        _ => {}
    }
    let mut names: Vec<&str> = Vec::new();
    walk.list(value, "a list such as [{name: fast, policy: {replicas: 3, retry: true}}]", |walk, value| {
        let Some(fields) = walk.fields(value, &["name", "policy", "policy_file"]) else { return };
        let name = fields.require(walk, "name", "a few words for the table", |walk, value| {
            let name = walk.text(value)?.trim();
            if name.is_empty() || name.chars().count() > MAX_NAME_CHARS {
                walk.problem(format!("has {} characters; give it 1 to {MAX_NAME_CHARS}", name.chars().count()));
                return None;
            }
            if names.contains(&name) {
                walk.problem(format!("'{name}' is the name of a policy above; choose another"));
            }
            names.push(name);
            Some(name.to_owned())
        });
        let policy = fields.policy_or_file(walk, "the policy to try", &mut *load);
        policies.extend(name.zip(policy));
    });
    policies
}
