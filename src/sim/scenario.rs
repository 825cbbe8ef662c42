//! A scenario: a simulation and what is expected of it.

use super::error::SimError;
use super::expectation::{Expectation, Mismatch};
use super::run::Run;
use super::simulation::Simulation;
use crate::policy::Policy;
use crate::time::Timestamp;

/// A simulation and what is expected of it, read from a document in any serde format.
///
/// ```
/// use uphold::sim::Scenario;
///
/// let scenario: Scenario = serde_json::from_str(r#"{
///     "policy": {"replicas": 3, "retry": {"interval": "30s", "max_duration": "1h"}},
///     "timeline": [{"at": "60s", "replica": 1, "exit": 137}],
///     "until": "1h",
///     "expect": [{"at": "60s", "status": "degraded"}, {"at": "90s", "start": 1}]
/// }"#)?;
/// let run = scenario.run()?;
/// assert!(scenario.check(&run).is_ok());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Scenario {
    pub(super) name: Option<String>,
    pub(super) simulation: Simulation,
    pub(super) until: Timestamp,
    pub(super) expectations: Vec<Expectation>,
}

impl Scenario {
    /// Returns its name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the policy that is simulated.
    pub fn policy(&self) -> &Policy {
        &self.simulation.setup.policy
    }

    /// Replaces the policy.
    #[must_use]
    pub fn with_policy(mut self, policy: Policy) -> Self {
        self.simulation.setup.policy = policy;
        self
    }

    /// Returns what is expected; may be empty.
    pub fn expectations(&self) -> &[Expectation] {
        &self.expectations
    }

    /// Runs the simulation.
    ///
    /// # Errors
    /// An action is on a replica that the set does not have, or the simulation makes no progress within one instant.
    pub fn run(&self) -> Result<Run, SimError> {
        self.simulation.clone().run_until(self.until)
    }

    /// Compares a run with the expectations.
    ///
    /// # Errors
    /// The first expectation that is not met.
    pub fn check(&self, run: &Run) -> Result<(), Box<Mismatch>> {
        let mut numbered = self.expectations.iter().enumerate();
        numbered.try_for_each(|(index, expected)| expected.check(index, run.trace()))
    }
}
