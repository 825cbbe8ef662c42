//! Decides what becomes of a replicated service when replicas fail.
#![cfg_attr(docsrs, feature(doc_cfg))]

#[cfg(feature = "supervisor")]
pub mod backend;
mod decide;
mod engine;
mod policy;
pub mod sim;
#[cfg(feature = "supervisor")]
mod supervisor;
mod time;

pub use decide::*;
pub use engine::*;
pub use policy::*;
#[cfg(feature = "supervisor")]
pub use supervisor::*;
pub use time::Timestamp;
