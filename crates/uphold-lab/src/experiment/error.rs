//! What can go wrong with an experiment.

use uphold::sim::SimError;

/// What can go wrong when an experiment is run.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExperimentError {
    /// There is nothing to try.
    #[error("there is no policy to try; give at least one")]
    NoPolicy,
    /// There is no time to try it in.
    #[error("the histories last no time; give 'until', such as 30d")]
    NoTime,
    /// There is no such policy.
    #[error("there is no policy {0}: the experiment has {1}")]
    NoSuchPolicy(usize, usize),
    /// It was stopped before one history was done.
    #[error("stopped before the first seed was done; there is nothing to report")]
    NothingDone,
    /// A simulation failed.
    #[error("policy '{policy}', seed {seed}: {error}")]
    Simulation {
        /// Under which policy.
        policy: String,
        /// Under which seed.
        seed: u64,
        /// Why.
        error: SimError,
    },
}
