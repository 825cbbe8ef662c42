//! Fault models: random failures, outages and delays that a simulated set is exposed to.
//!
//! A [`FaultModel`] is built in code, or read from the `faults` block of an [experiment](crate::experiment). Every key
//! is optional; by default there are no faults and everything is instantaneous:
//!
//! ```yaml
//! faults:
//!   starts_in: 20s                 # from the start command until the instance runs; any duration can be random
//!   ready_in: {log_normal: {median: 2m, sigma: 0.3}}     # from when it runs until it is ready
//!   stops_in: 2s                   # from the stop command until the instance has ended
//!   refused_in: 1s                 # from the start command until a failed start is reported; default: starts_in
//!   slower_per_start: 10%          # by how much each other start in progress slows down starting and becoming ready
//!   failures:                      # failure modes; the earliest one ends an instance
//!     - {after: {exponential: {mean: 7d}}, exit: 1}                       # or `cause`, or `signal`
//!     - after: {weibull: {shape: 0.7, scale: 30d}}
//!       ends: [{weight: 3, cause: out-of-memory}, {weight: 1, signal: SIGSEGV}]
//!     - {replica: 3, after: {exponential: {mean: 2m}}}                    # one flapping replica
//!     - {node: 2, after: 30s}                                             # a bad node
//!     - {revision: v2, after: 5s, exit: 78}                               # a bad release
//!     - {from: 2h, to: 3h, after: 5s, exit: 78}                           # what starts in this hour
//!   droughts:                      # times at which starts fail
//!     - {every: {exponential: {mean: 1d}}, lasts: {log_normal: {median: 10m, sigma: 1}}}
//!     - {share: 2%, cause: start-error}                                   # at any time, one start in fifty
//!   dependencies:                  # services that replicas need and that have outages
//!     - {from: 1h, lasts: 5m, starts: crash, running: serve, crashes_after: 3s}
//!       # starts: crash | fail | wait; running: serve | crash | not-ready
//!   lost_contact:                  # times at which replicas are out of contact although they keep running
//!     - {every: {exponential: {mean: 10d}}, lasts: 2m}
//!   nodes:                         # replica r starts on node r modulo count; node n is in zone n modulo zones
//!     count: 12
//!     zones: 3
//!     node_fails: {every: {exponential: {mean: 30d}}, lasts: 1h}          # every node; or {node: 2, from: 1h, ..}
//!     zone_fails: {zone: 1, from: 6h, lasts: 20m}
//!     starts: fail                 # a start on a node that is down: fail | wait | move
//!     cause: node-lost             # the cause with which instances on a failed node end
//!     silent: false                # true: contact is lost, and no failure is reported until the node is back
//! ```
//!
//! Times are given by `from` and `lasts`, or drawn by `every` and `lasts`; see [`Episodes`]. For random durations see
//! [`Distribution`].

mod cluster;
mod dependency;
mod distribution;
mod document;
mod drought;
mod environment;
mod episodes;
mod failure;
mod instance;
mod lost_contact;
mod model;
mod nodes;
mod random;
mod schedule;
#[cfg(test)]
mod tests;

pub use dependency::{Dependency, RunningDuringOutage, StartDuringOutage};
pub use distribution::{Distribution, DistributionError};
pub use drought::Drought;
pub use environment::FaultEnvironment;
pub use episodes::Episodes;
pub use failure::{FailureMode, WeightError};
pub use lost_contact::LostContact;
pub use model::FaultModel;
pub use nodes::{Nodes, StartOnFailedNode};

pub(crate) use document::faults;
