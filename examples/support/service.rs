//! A service file: what to run, and under which policy.

use serde::Deserialize;
use uphold::Policy;
use uphold::backend::process::ProcessSpec;

/// A service file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The name of the set.
    pub name: String,
    /// What each replica runs.
    pub process: ProcessSpec,
    /// What becomes of it when replicas fail.
    pub policy: Policy,
}
