//! A scenario: a simulation and its expectations.

use super::error::SimError;
use super::expectation::{Expectation, Mismatch};
use super::run::Run;
use super::simulation::Simulation;
use crate::policy::Policy;
use crate::time::Timestamp;

/// A simulation and its expectations, read from a document in any serde format.
///
/// ```yaml
/// name: one of three crashes
/// seed: 7                                    # of all jitter; default 0
/// policy: {replicas: 3, retry: {interval: 30s}}          # or `policy_file: web.yaml`
/// world: {start: 2s, ready: 10s, stop: 1s}   # how long starts and stops take; default: no time
/// behaviour:               # what replicas do of their own accord; the first entry that applies wins
///   - {replica: 2, runs: 10m, exit: 1, times: 3}         # the first three incarnations
///   - {revision: v2, runs: 5s, exit: 1}                  # instances of this revision
///   - {start_fails: no-capacity, from: 5m, to: 20m}      # every replica, in this period
///   # also: hangs, ignores_stop, ignores_kill: true; probe: liveness with fails: true; late_start with start_fails
/// timeline:                # sorted by time
///   - {at: 60s, replica: 1, exit: 137, reason: OOMKilled}
///   - {at: 70s, replicas: [0, 2], fail: interruption}    # also: ready: false; lost: true; found: true
///   - {at: 30m, scale: 5}  # also: restart, stop, start: 1; reset, retry_now: all; terminate: true
///   - {at: 35m, drain: {replicas: [0, 1], deadline: 2m}} # also: drain, undrain: 1. Deadlines count from the event
///   - {at: 38m, notice: {replica: 2, deadline: 2m}}      # the platform takes the instance away
///   - {at: 40m, roll_out: v2}                            # also: promote, roll_back: true
/// until: 1h                # the end of the simulation
/// expect:                  # see `Expectation`
///   - {at: 60s, status: degraded, available: 2}
///   - {at: 90s, start: 1}
///   - {at: 40m, rollout: started, revision: v2}          # also: role, for (of a start); drain: replaced; gate: disruption
/// ```
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

    /// Returns the expectations; may be empty.
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

    /// Checks whether a run meets the expectations.
    ///
    /// # Errors
    /// Returns the first expectation that is not met.
    pub fn check(&self, run: &Run) -> Result<(), Box<Mismatch>> {
        let mut numbered = self.expectations.iter().enumerate();
        numbered.try_for_each(|(index, expected)| expected.check(index, run.trace()))
    }
}
