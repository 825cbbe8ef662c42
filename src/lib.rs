//! Decides what to do with a replicated service when replicas fail: **restart** the failed replicas, keep serving
//! **degraded**, or **terminate** the set.
//!
//! A [`Policy`] is read from a document in any serde format, or built in code. A program embeds it at one of three depths: as
//! functions on database rows, as a state machine, or as a complete supervisor. A simulator tests it. Every decision has one
//! implementation, which all of these share. The guides are in [`_docs`].
//!
//! # Depth 1: functions on rows
//!
//! For a scheduler that keeps its state in its own database. A [`History`](decide::History) is the row of one replica, a
//! [`SetHistory`](decide::SetHistory) the row of the set, and a [`Census`](decide::Census) the number of replicas in each state.
//!
//! - [`Policy::decide`] returns the verdict on a replica that failed.
//! - [`Policy::admit`] returns whether a start that is due may happen now.
//! - [`Policy::assess`] returns the status of the set and whether the set must end.
//!
//! ```
//! use uphold::decide::History;
//! use uphold::{Outcome, Policy, RetryPolicy, Timestamp};
//! use std::time::Duration;
//!
//! let policy = Policy::builder().replicas(3).retry(RetryPolicy::every(Duration::from_secs(30))).build()?;
//! let mut row = History::new(7, 1.into());
//! policy.start(&mut row, Timestamp::ZERO);
//! let decision = policy.decide(&mut row, &Outcome::exited(137, Timestamp::from_secs(60)))?;
//! assert_eq!(decision.to_string(), "ended with exit code 137; restart in 30s (attempt 1)");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Depth 2: a state machine for your own event loop
//!
//! A [`ReplicaSet`] takes events with the current time, and returns commands, notices and the next deadline with its reason. It does
//! no I/O and reads no clock.
//!
//! ```
//! use uphold::{Event, Policy, ReplicaSet, RetryPolicy, Status, Timestamp};
//! use std::time::Duration;
//!
//! let policy = Policy::builder().replicas(1).retry(RetryPolicy::every(Duration::from_secs(30))).build()?;
//! let mut set = ReplicaSet::new(policy, 7, Timestamp::ZERO);
//! set.handle_timeout(Timestamp::ZERO);
//! let commands: Vec<String> = std::iter::from_fn(|| set.poll_output()).map(|output| output.to_string()).collect();
//! assert_eq!(commands[0], "start replica 0 incarnation 1");
//! set.handle(Timestamp::from_secs(1), Event::ready((0, 1)));
//! # while set.poll_output().is_some() {}
//! assert_eq!(set.status(), Status::Healthy);
//! # Ok::<(), uphold::PolicyError>(())
//! ```
//!
//! # Depth 3: a complete driver
#![cfg_attr(
    feature = "process",
    doc = "
`Supervisor` runs a set on a `Backend`, here operating system processes:

```no_run
use uphold::backend::process::{ProcessBackend, ProcessSpec};
use uphold::{Policy, RetryPolicy, Supervisor};
use std::time::Duration;

# #[tokio::main(flavor = \"current_thread\")]
# async fn main() -> Result<(), uphold::PolicyError> {
let policy = Policy::builder().replicas(3).retry(RetryPolicy::every(Duration::from_secs(30))).build()?;
let server = ProcessSpec::new(\"my-server\").args([\"--port\", \"{port}\"]).port(8000);
let mut handle = Supervisor::builder(policy, ProcessBackend::new(), server).name(\"web\").spawn();
println!(\"{}\", handle.wait().await.status);
# Ok(())
# }
```
"
)]
//!
//! # The simulator
//!
//! [`sim`] runs the same state machine under a virtual clock, so that a test of a policy takes microseconds.
//!
//! # Conventions
//!
//! A builder method has the name of its setting, and the getter has the prefix `get_`: `RetryPolicy::max_attempts` sets what
//! `RetryPolicy::get_max_attempts` returns. Types without builder methods have getters without a prefix.
//! Time never goes backwards: a method that takes the current time uses that of the last call instead of an earlier one.
//!
//! # Features
//!
//! `supervisor` (default): the tokio driver and the `Backend` trait. `process` (default): the process backend, unix.
//! `recording`: records the inputs of a set to a file. `metrics`, `tracing`: the facades of these names.
//! `schemars`: `JsonSchema` for `Policy`. Without default features the crate is pure: no clock, no I/O.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod _docs;
#[cfg(feature = "supervisor")]
pub mod backend;
pub mod decide;
pub mod document;
pub mod engine;
mod in_place_queue;
mod lazy_box;
pub mod policy;
mod redacted;
pub mod sim;
mod sparse;
#[cfg(feature = "supervisor")]
pub mod supervisor;
mod time;

/// The inputs of a set with their times, to be stored and replayed.
pub mod recording {
    pub use crate::engine::recording::{Input, RecordedLine, RecordedStep, RecordingHeader};
}

/// The trace of a set, one JSON object a line: see [`TraceLine`](trace::TraceLine).
pub mod trace {
    pub use crate::engine::trace::{TraceKind, TraceLine, TraceValue};
}

#[cfg(feature = "supervisor")]
pub use backend::Backend;
pub use decide::{Decision, Incarnation, InstanceId, Outcome, ReplicaId, Revision, Status, Verdict};
pub use engine::{Command, Event, Notice, Output, Phase, ReplicaSet};
pub use policy::{
    Backoff, Cause, Exit, FailurePolicy, HealthPolicy, Jitter, Policy, PolicyBuilder, PolicyError, Quantity,
    RetryPolicy, Rule, RuleAction, Signal,
};
#[cfg(feature = "supervisor")]
pub use supervisor::{Supervisor, SupervisorHandle};
pub use time::Timestamp;

/// The examples of the README, run as tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
