//! Errors of simulations and scenarios.

use crate::policy::PolicyError;

/// Why a simulation or a scenario cannot be run.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// A text is not a valid time.
    #[error("'{0}' is not a time; write it as 60s, 5m or 1h 30m")]
    InvalidTime(String),
    /// An action is later than the end of the simulation.
    #[error("there is an action at {at_ms} ms, after the end of the simulation at {until_ms} ms")]
    AfterEnd {
        /// When the action is, in milliseconds.
        at_ms: u64,
        /// When the simulation ends, in milliseconds.
        until_ms: u64,
    },
    /// An action is on a replica that the set does not have.
    #[error("there is no replica {replica} at {at_ms} ms: the set has had at most {had} by then")]
    NoSuchReplica {
        /// The replica.
        replica: u32,
        /// When the action is, in milliseconds.
        at_ms: u64,
        /// The highest number of replicas that the set has had by then.
        had: u32,
    },
    /// The simulated time does not advance.
    #[error("the simulation does not get past {at_ms} ms: more than {rounds} rounds of events at that instant")]
    Livelock {
        /// The instant, in milliseconds.
        at_ms: u64,
        /// The number of rounds.
        rounds: u32,
    },
    /// The trace is too long to be kept in memory.
    #[error("at {at_ms} ms the trace has more than {lines} lines; end the simulation earlier, or keep only statistics")]
    TraceTooLong {
        /// The instant, in milliseconds.
        at_ms: u64,
        /// The maximum number of lines.
        lines: usize,
    },
    /// The document of the scenario is wrong. Every mistake is listed.
    #[error("{0}")]
    Document(#[from] PolicyError),
}
