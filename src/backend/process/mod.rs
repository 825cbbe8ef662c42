//! A backend that runs replicas as operating system processes (Unix).
//!
//! Each replica is a process group. A stop sends SIGTERM to the group, or does what the [`ProcessSpec`] says; a kill sends
//! SIGKILL to the group. When the process itself exits, the rest of its group is killed, so that no grandchild outlives
//! its incarnation.
//!
//! Dropping the backend kills its processes. If this program is itself killed, they are orphaned, and a new backend does
//! not find them: it lists only processes that it has started.

mod backend;
mod child;
mod children;
mod command;
mod exit_watcher;
mod files;
mod lines;
mod monitor;
mod orphans;
mod output;
mod ports;
mod read;
mod sets;
mod signal;
mod sink;
mod spec;
mod stopped;

pub use backend::ProcessBackend;
pub use spec::{ProcessOutput, ProcessSpec};
