//! The status of a finished subcommand.

use std::process::ExitCode;

/// The status of a finished subcommand.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[must_use]
pub enum CommandStatus {
    /// Exit code 0.
    Success,
    /// The input was processed, and there is something to look at: a difference, a lint, or an experiment that was stopped
    /// early. Exit code 1.
    Failure,
    /// The input cannot be used. Exit code 2.
    BadInput,
}

impl From<CommandStatus> for ExitCode {
    fn from(status: CommandStatus) -> Self {
        match status {
            CommandStatus::Success => Self::SUCCESS,
            CommandStatus::Failure => Self::from(1),
            CommandStatus::BadInput => Self::from(2),
        }
    }
}
