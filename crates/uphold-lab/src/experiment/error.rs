//! Errors of running an experiment.

use uphold::sim::SimError;

/// An error of running an experiment.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// The experiment has no policies.
    #[error("the experiment has no policies; give at least one")]
    NoPolicy,
    /// The length of the histories is 0.
    #[error("the length of the histories is 0; give 'until', such as 30d")]
    NoTime,
    /// The index of a policy is out of range: the index, and the number of policies.
    #[error("there is no policy {0}: the experiment has {1}")]
    NoSuchPolicy(usize, usize),
    /// The experiment was stopped before one seed was complete.
    #[error("stopped before the first seed was complete, so there is no report")]
    NothingDone,
    /// A simulation failed.
    #[error("policy '{policy}', seed {seed}: {error}")]
    Simulation {
        /// The name of the policy.
        policy: String,
        /// The seed.
        seed: u64,
        /// The reason.
        error: SimError,
    },
}

impl ExperimentError {
    /// Returns a function that adds policy and seed to the error of a simulation.
    pub(super) fn simulation(policy: &str, seed: u64) -> impl FnOnce(SimError) -> Self {
        move |error| Self::Simulation { policy: policy.to_owned(), seed, error }
    }
}
