//! Decides what becomes of a replicated service when replicas fail.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod policy;
mod time;

pub use policy::*;
pub use time::Timestamp;
