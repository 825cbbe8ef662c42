//! Reads and writes the files of users: policies, scenarios, experiments, recordings and reports.

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
/// The file cannot be read, or does not hold such a value: its path, and every mistake.
pub fn read_yaml<T: DeserializeOwned>(path: &Path) -> Result<T, String> {
    Source::read(path).and_then(|source| source.parse()).map_err(|mistakes| mistakes.to_string())
}

/// Parses a value from YAML text.
///
/// ```
/// use uphold::Policy;
/// use uphold_lab::files::parse_yaml;
///
/// let policy: Policy = parse_yaml("{replicas: 3, retry: {interval: 30s}}")?;
/// assert_eq!(policy.replicas(), 3);
/// assert!(parse_yaml::<Policy>("{replica: 3}").unwrap_err().contains("did you mean 'replicas'?"));
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// Every mistake in the text.
pub fn parse_yaml<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    // Generous: the readers of the documents have limits of their own, with better error messages.
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

/// Reads a scenario file. A `policy_file` in it is relative to the scenario file.
///
/// # Errors
/// A line for each mistake, with the file and the path in it.
pub fn read_scenario(path: &Path) -> Result<Scenario, String> {
    Source::read(path).and_then(|source| source.scenario()).map_err(|mistakes| mistakes.to_string())
}

/// Reads an experiment file. A `policy_file` in it is relative to the experiment file.
///
/// # Errors
/// A line for each mistake, with the file and the path in it.
pub fn read_experiment(path: &Path) -> Result<Experiment, String> {
    Source::read(path).and_then(|source| source.experiment()).map_err(|mistakes| mistakes.to_string())
}
