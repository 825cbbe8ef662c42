//! Tools to choose a restart policy by measurement: fault models, Monte Carlo experiments, and timelines of incidents.
//!
//! They build on the simulator, [`uphold::sim`]. The `uphold` command (package `uphold-cli`) offers them without writing Rust.
//!
//! | module | holds |
//! |---|---|
//! | [`fault`] | fault models: random failures, outages and delays that a simulated set is exposed to |
//! | [`experiment`] | comparisons of policies under the same random faults |
//! | [`picture`] | timelines and charts as SVG |
//! | [`report`] | the report of an experiment as an HTML page |
//! | [`files`] | reading and writing of policies, scenarios, experiments and recordings |
//! | [`sanitize`] | makes text of users safe to print on a terminal |

pub mod experiment;
pub mod fault;
pub mod files;
mod format_duration;
pub mod picture;
pub mod report;
pub mod sanitize;

/// The example of the README, run as a test.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
