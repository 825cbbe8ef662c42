//! Fault models: what befalls replicas, drawn from a seed.
//!
//! [`FaultModel`] is put together in code, or read from the `faults` block of an
//! [experiment](crate::experiment). Every key may be left out; then nothing happens, and nothing takes time:
//!
//! ```yaml
//! faults:
//!   starts_in: 20s                 # from the command until it runs; a distribution, as all that is drawn
//!   ready_in: {log_normal: {median: 2m, sigma: 0.3}}     # from when it runs until it can serve
//!   stops_in: 2s                   # from the command to stop until it has
//!   refused_in: 1s                 # until it is known that a start comes to nothing; default: as starts_in
//!   slower_per_start: 10%          # each further start that is under way slows starting and becoming ready
//!   failures:                      # of several, the first to come true
//!     - {after: {exponential: {mean: 7d}}, exit: 1}                       # wear; also `cause`, `signal`
//!     - after: {weibull: {shape: 0.7, scale: 30d}}
//!       ends: [{weight: 3, cause: out-of-memory}, {weight: 1, signal: SIGSEGV}]
//!     - {replica: 3, after: {exponential: {mean: 2m}}}                    # it flaps
//!     - {node: 2, after: 30s}                                             # a bad node
//!     - {from: 2h, to: 3h, after: 5s, exit: 78}                           # a bad release, rolled back after an hour
//!   droughts:                      # starts fail
//!     - {every: {exponential: {mean: 1d}}, lasts: {log_normal: {median: 10m, sigma: 1}}}
//!     - {share: 2%, cause: start-error}                                   # always: one start in fifty
//!   dependencies:                  # something that replicas need is down
//!     - {from: 1h, lasts: 5m, starts: crash, running: serve, crashes_after: 3s}
//!       # starts: crash | fail | wait; running: serve | crash | not-ready
//!   lost_contact:                  # out of contact, and alive
//!     - {every: {exponential: {mean: 10d}}, lasts: 2m}
//!   nodes:                         # replica r begins on node r modulo count, node n is in zone n modulo zones
//!     count: 12
//!     zones: 3
//!     node_fails: {every: {exponential: {mean: 30d}}, lasts: 1h}          # each by itself; or {node: 2, from: 1h, ..}
//!     zone_fails: {zone: 1, from: 6h, lasts: 20m}
//!     starts: fail                 # on a node that is down: fail | wait | move
//!     cause: node-lost             # why what ran there fails
//!     silent: false                # true: contact is lost, and nobody is told
//! ```
//!
//! A time is given by `from` and `lasts`, or drawn by `every` and `lasts`; see [`Episodes`]. For what can be drawn, see
//! [`Distribution`].

mod distribution;
mod draw;
mod episodes;
mod failure;
mod model;
mod placing;
mod read;
mod surroundings;
#[cfg(test)]
mod tests;

pub use distribution::{Distribution, DistributionError};
pub use episodes::Episodes;
pub use failure::{Failure, WeightError};
pub use model::{Dependency, Drought, FaultModel, LostContact, Nodes, OnFailedNode, WhenRunning, WhenStarted};
pub use surroundings::Surroundings;

pub(crate) use read::faults;
