//! The subcommands of the `uphold` command as functions, without the parsing of arguments.
//!
//! Each function writes to the [`Streams`] that the caller passes, and returns a [`CommandStatus`], which is the exit code.

mod experiment;
mod lint;
mod output_file;
mod replay;
mod schema;
mod simulate;
mod status;
mod streams;
mod timeline;

pub use experiment::{ExperimentHooks, ExperimentOptions, experiment};
pub use lint::{LintOptions, lint};
pub use replay::replay;
pub use schema::schema;
pub use simulate::{SimulateOptions, simulate};
pub use status::CommandStatus;
pub use streams::{StickyErrorWriter, Streams};
pub use timeline::{TimelineOptions, timeline};
