//! Reads the files of users: policies, scenarios, experiments and recordings.

mod recording;
mod source;
mod yaml;

use std::path::Path;

use uphold::Policy;
use uphold::sim::Scenario;

use crate::experiment::Experiment;

pub use recording::{is_recording, read_recording};
pub use source::{Mistake, Mistakes, Source};
pub use yaml::parse_yaml;

/// Reads a policy file.
///
/// # Errors
/// A line for each mistake, with the file and the path of the key.
pub fn read_policy(path: &Path) -> Result<Policy, String> {
    Source::read(path).and_then(|source| source.policy()).map_err(|mistakes| mistakes.to_string())
}

/// Reads a scenario file. A `policy_file` in it is relative to the scenario file.
///
/// # Errors
/// A line for each mistake, with the file and the path of the key.
pub fn read_scenario(path: &Path) -> Result<Scenario, String> {
    Source::read(path).and_then(|source| source.scenario()).map_err(|mistakes| mistakes.to_string())
}

/// Reads an experiment file. A `policy_file` in it is relative to the experiment file.
///
/// # Errors
/// A line for each mistake, with the file and the path of the key.
pub fn read_experiment(path: &Path) -> Result<Experiment, String> {
    Source::read(path).and_then(|source| source.experiment()).map_err(|mistakes| mistakes.to_string())
}
