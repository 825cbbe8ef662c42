//! Reads and writes the files of users: policies, scenarios, experiments, recordings and reports.

mod recording;
mod source;
mod write;
mod yaml;

use std::path::Path;

use serde::de::DeserializeOwned;
use uphold::Policy;
use uphold::sim::Scenario;

use crate::experiment::Experiment;

pub use recording::{is_recording, read_recording};
pub use source::{DocumentKind, Mistake, Mistakes, Source};
pub use write::{check_distinct, check_writable, write_file};
pub use yaml::parse_yaml;

/// Reads a value from a YAML, JSON or TOML file. The format follows from the file name extension.
///
/// # Errors
/// The file cannot be read, or does not hold such a value: its path, and every mistake.
pub fn read_yaml<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    Source::read(path).and_then(|source| source.parse()).map_err(|mistakes| mistakes.to_string())
}

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
