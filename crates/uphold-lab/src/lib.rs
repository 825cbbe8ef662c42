//! Choose a restart policy by numbers instead of by taste.
//!
//! Fault models, experiments on policies and pictures of incidents, on top of [`uphold::sim`]; and the `uphold`
//! command, which offers them to people who write no Rust.

pub mod command;
pub mod experiment;
pub mod fault;
pub mod files;
pub mod picture;
pub mod report;
mod sanitize;
