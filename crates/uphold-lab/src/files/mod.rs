//! Reading the files that people write, and saying everything that is wrong with them.

mod recording;
mod source;
mod write;

use std::path::Path;

use serde::de::DeserializeOwned;
use uphold::Policy;
use uphold::sim::Scenario;

use crate::experiment::Experiment;

pub use recording::{is_recording, read_recording};
pub use source::{DocumentKind, Mistake, Mistakes, Source};
pub use write::{check_distinct, check_writable, write_file};

/// Reads a YAML, JSON or TOML file, by its ending.
///
/// # Errors
/// The file cannot be read, or is not what is asked for: the path, and everything that is wrong.
pub fn read_yaml<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    Source::read(path).and_then(|source| source.parse()).map_err(|mistakes| mistakes.to_string())
}

/// Reads a YAML text.
///
/// # Errors
/// Everything that is wrong with it.
pub fn parse_yaml<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    // Sizes are bounded by the reader of the document itself, with better words.
    const MAX_NODES: usize = 100_000_000;
    let options = serde_saphyr::options! {
        with_snippet: false,
        // Told by the reader of the document, with its path and beside the other mistakes.
        duplicate_keys: serde_saphyr::DuplicateKeyPolicy::PassThrough,
        non_finite_float_policy: serde_saphyr::NonFiniteFloatPolicy::PassThrough,
        budget: serde_saphyr::budget! {
            max_events: MOST, max_nodes: MOST, max_total_scalar_bytes: 10 * MOST, max_recorded_anchor_events: 100_000,
        },
    };
    serde_saphyr::from_str_with_options(text, options).map_err(|error| friendly(&error.to_string()))
}

/// The errors of the format that people meet, in words that do not speak of its API.
fn friendly(error: &str) -> String {
    let at = error.find(" at line ").map_or("", |place| &error[place..]);
    let first = at.find(" (").map_or(at, |place| &at[..place]);
    if error.contains("multiple YAML documents") {
        return format!("holds several documents (`---`); give each a file of its own{first}");
    }
    if error.starts_with("budget breached") {
        let what = if error.contains("nchor") || error.contains("lias") {
            "aliases (`*name`) repeat more than a document may hold"
        } else {
            "is larger or more deeply nested than any document"
        };
        return format!("{what}{first}");
    }
    if error.starts_with("recursion limit exceeded") {
        return format!("nests too deep{first}");
    }
    error.to_owned()
}

/// Reads a policy file.
///
/// # Errors
/// A line for each mistake, with the file and the path in it.
pub fn read_policy(path: &Path) -> Result<Policy, String> {
    Source::read(path).and_then(|source| source.policy()).map_err(|mistakes| mistakes.to_string())
}

/// Reads a scenario file; a `policy_file` in it is looked for beside it.
///
/// # Errors
/// A line for each mistake, with the file and the path in it.
pub fn read_scenario(path: &Path) -> Result<Scenario, String> {
    Source::read(path).and_then(|source| source.scenario()).map_err(|mistakes| mistakes.to_string())
}

/// Reads an experiment file; a `policy_file` in it is looked for beside it.
///
/// # Errors
/// A line for each mistake, with the file and the path in it.
pub fn read_experiment(path: &Path) -> Result<Experiment, String> {
    Source::read(path).and_then(|source| source.experiment()).map_err(|mistakes| mistakes.to_string())
}
