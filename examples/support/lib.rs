//! What the examples share.

mod service;
mod table;

pub use service::Service;
pub use table::{headline, table};
pub use uphold_lab::files::{parse_yaml, read_policy, read_recording, read_scenario, read_yaml};
