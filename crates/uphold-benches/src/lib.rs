//! What the benches share: policies, sets whose replicas are all ready, the floor they are measured against.
//!
//! A package apart from `uphold`, so that instructions are counted without its default features, and because the counting
//! allocator is unsafe code.

pub mod counting;
pub mod fleet;
pub mod floor;
pub mod policies;
pub mod probed;
pub mod ready;
pub mod restless;
pub mod rows;
pub mod shuffle;
