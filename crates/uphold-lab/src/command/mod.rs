//! What the `uphold` command does, apart from reading its arguments: for programs that offer the same.
//!
//! Everything is written to the streams that the caller passes in, and what came of it is an [`Answer`], which is the
//! exit code too.

mod experiment;
mod lint;
mod replay;
mod simulate;
mod timeline;

use std::io::Write;
use std::process::ExitCode;

use serde::Serialize;
use uphold::sim::Run;

pub use experiment::{Try, Watch, experiment};
pub use lint::lint;
pub use replay::replay;
pub use simulate::{Simulate, simulate};
pub use timeline::{Draw, timeline};

/// Where a command writes: results, and apart from them warnings and errors.
pub struct Streams<'s> {
    /// Results. Whoever reads them may stop reading: that is no error.
    pub out: &'s mut dyn Write,
    /// Warnings and errors.
    pub err: &'s mut dyn Write,
}

/// What came of a command.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
#[must_use]
pub enum Answer {
    /// All is as it should be: exit code 0.
    Yes,
    /// Something is not: a difference, a lint, an experiment stopped early. Exit code 1.
    No,
    /// The input cannot be used: exit code 2.
    BadInput,
}

impl From<Answer> for ExitCode {
    fn from(answer: Answer) -> Self {
        match answer {
            Answer::Yes => Self::SUCCESS,
            Answer::No => Self::from(1),
            Answer::BadInput => Self::from(2),
        }
    }
}

impl Streams<'_> {
    /// Writes a line of results.
    fn say(&mut self, line: impl std::fmt::Display) {
        let _ = writeln!(self.out, "{line}");
    }

    /// Writes a line beside the results.
    fn tell(&mut self, line: impl std::fmt::Display) {
        let _ = writeln!(self.err, "{line}");
    }

    /// The trace of a run, one JSON object a line.
    fn trace(&mut self, run: &Run) {
        for line in run.trace().lines() {
            // Whoever reads may have read enough.
            if writeln!(self.out, "{}", json(line)).is_err() {
                return;
            }
        }
    }
}

fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_else(|error| error.to_string())
}
