//! Reading the files that people write, and saying everything that is wrong with them.

mod recording;
mod writing;

use std::fs::File;
use std::io::Read;
use std::path::Path;

use serde::de::DeserializeOwned;
use uphold::Policy;
use uphold::sim::{Scenario, ScenarioDocument};

use crate::experiment::{Experiment, ExperimentDocument};

pub use recording::{is_recording, read_recording};
pub use writing::{apart, writable, write_file};

/// Reads a YAML file (JSON is YAML too).
///
/// # Errors
/// The file cannot be read, or is not what is asked for: the path, and everything that is wrong.
pub fn read_yaml<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    let text = read_text(path)?;
    parse_yaml(&text).map_err(|error| format!("{}: {error}", path.display()))
}

/// No file that anybody writes is longer: what is has no end.
const LONGEST_FILE: u64 = 1 << 30;

fn read_text(path: &Path) -> Result<String, String> {
    let said = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let mut text = String::new();
    let file = File::open(path).map_err(|error| said(&error))?;
    let read = file.take(LONGEST_FILE + 1).read_to_string(&mut text).map_err(|error| said(&error))?;
    if read as u64 > LONGEST_FILE { Err(said(&"is longer than 1 GiB")) } else { Ok(text) }
}

/// Reads a YAML text.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_yaml<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    // Sizes are bounded by the reader of the document itself, with better words.
    const MOST: usize = 100_000_000;
    let options = serde_saphyr::options! {
        with_snippet: false,
        budget: serde_saphyr::budget! { max_events: MOST, max_nodes: MOST, max_total_scalar_bytes: 10 * MOST },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())
}

/// Reads a policy file.
///
/// # Errors
/// As [`read_yaml`].
pub fn read_policy(path: &Path) -> Result<Policy, String> {
    read_yaml(path)
}

/// Reads a scenario file; a `policy_file` in it is looked for beside it.
///
/// # Errors
/// As [`read_yaml`].
pub fn read_scenario(path: &Path) -> Result<Scenario, String> {
    let document: ScenarioDocument = read_yaml(path)?;
    let load = |name: &str| read_policy(&path.parent().unwrap_or(Path::new(".")).join(name));
    document.read(load).map_err(|error| format!("{}:\n{error}", path.display()))
}

/// Reads an experiment file; a `policy_file` in it is looked for beside it.
///
/// # Errors
/// As [`read_yaml`].
pub fn read_experiment(path: &Path) -> Result<Experiment, String> {
    let document: ExperimentDocument = read_yaml(path)?;
    let load = |name: &str| read_policy(&path.parent().unwrap_or(Path::new(".")).join(name));
    document.read(load).map_err(|error| format!("{}:\n{error}", path.display()))
}
