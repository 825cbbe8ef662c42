//! Decides what becomes of a replicated service when replicas fail.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod decide;
mod engine;
mod policy;
mod time;

pub use decide::*;
pub use engine::*;
pub use policy::*;
pub use time::Timestamp;
