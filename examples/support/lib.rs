//! Code shared by the examples: service files, the table of `supervise`, and files of the lab.

mod service;
mod table;

pub use service::Service;
pub use table::{headline, table};
pub use uphold_lab::files::{parse_yaml, read_policy, read_recording, read_scenario, read_yaml};
