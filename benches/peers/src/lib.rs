//! The same restarts by uphold and by other crates: a run that fails repeatedly, with every delay set to zero.
#![allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]

pub mod by_kameo;
pub mod by_ractor;
pub mod by_task_supervisor;
pub mod by_taskvisor;
pub mod by_tokio;
pub mod by_uphold;
pub mod laps;
