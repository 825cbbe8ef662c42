//! Code that the benches share: policies, sets whose replicas are ready, and the floor that they are compared with.
//!
//! A package of its own, so that instructions are counted without the default features of `uphold`, and because the
//! counting allocator needs unsafe code.

pub mod counting;
pub mod crashing;
pub mod fleet;
pub mod floor;
pub mod policies;
pub mod probed;
pub mod ready;
pub mod rows;
pub mod shuffle;
pub mod slots;
