//! What can be wrong with a simulation.

use crate::policy::PolicyError;

/// What can be wrong with a simulation or a scenario.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SimError {
    /// A time is not one.
    #[error("'{0}' is not a time; write it as 60s, 5m or 1h 30m")]
    InvalidTime(String),
    /// The timeline acts after the end.
    #[error("something happens at {at_ms} ms, after the end at {until_ms} ms")]
    AfterEnd {
        /// When it happens, in milliseconds.
        at_ms: u64,
        /// When the simulation ends, in milliseconds.
        until_ms: u64,
    },
    /// A replica that the set never has.
    #[error("there is no replica {replica} at {at_ms} ms: the set has had {had} by then")]
    NoSuchReplica {
        /// Which.
        replica: u32,
        /// When, in milliseconds.
        at_ms: u64,
        /// How many replicas the set has had by then.
        had: u32,
    },
    /// Something goes on for ever within one instant.
    #[error("at {at_ms} ms things go on for ever: more than {rounds} rounds within one instant")]
    Livelock {
        /// When, in milliseconds.
        at_ms: u64,
        /// How many rounds were tried.
        rounds: u32,
    },
    /// The trace would fill the memory.
    #[error("at {at_ms} ms the trace has more than {lines} lines; end the simulation earlier, or ask for figures only")]
    TraceTooLong {
        /// When, in milliseconds.
        at_ms: u64,
        /// How many lines a trace may have.
        lines: usize,
    },
    /// The scenario's document is wrong; every mistake is listed.
    #[error("{0}")]
    Document(#[from] PolicyError),
}
