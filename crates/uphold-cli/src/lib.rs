//! What the `uphold` command does, apart from reading its arguments: for programs that offer the same.
//!
//! Everything is written to the streams that the caller passes in, and what came of it is an [`Answer`], which is the
//! exit code too.

mod experiment;
mod lint;
mod output_file;
mod replay;
mod schema;
mod simulate;
mod timeline;

use std::io::{self, ErrorKind, Write};
use std::process::ExitCode;

use serde::Serialize;
use uphold::sim::Run;

use uphold_lab::sanitize::{is_unprintable, sanitize};

pub use experiment::{Try, Watch, experiment};
pub use lint::{Look, lint};
pub use replay::replay;
pub use schema::schema;
pub use simulate::{Simulate, simulate};
pub use timeline::{Draw, timeline};

/// Where a command writes: results, and apart from them warnings and errors.
pub struct Streams<'s> {
    /// Results. Whoever reads them may stop reading: that is no error.
    pub out: &'s mut dyn Write,
    /// Warnings and errors.
    pub err: &'s mut dyn Write,
}

/// A writer that remembers what went wrong: a reader that has read enough is no error, a full disk is.
#[derive(Debug)]
pub struct Kept<W> {
    inner: W,
    error: Option<io::Error>,
}

impl<W: Write> Kept<W> {
    /// Nothing has gone wrong yet.
    pub fn new(inner: W) -> Self {
        Self { inner, error: None }
    }

    /// Writes out what is left.
    ///
    /// # Errors
    /// Something was not written, and a reader missed it.
    pub fn finish(mut self) -> io::Result<()> {
        let _ = self.flush();
        self.error.map_or(Ok(()), Err)
    }

    fn keep<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::Interrupted)
        {
            self.error.get_or_insert_with(|| io::Error::new(error.kind(), error.to_string()));
        }
        result
    }
}

impl<W: Write> Write for Kept<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.inner.write(bytes);
        self.keep(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.inner.flush();
        self.keep(result)
    }
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
        let _ = writeln!(self.out, "{}", sanitize(&line.to_string()));
    }

    /// Writes a line beside the results.
    fn tell(&mut self, line: impl std::fmt::Display) {
        let _ = writeln!(self.err, "{}", sanitize(&line.to_string()));
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

/// On one line, for terminals too: JSON itself escapes only the control characters of ASCII.
fn json(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_else(|error| error.to_string());
    if !text.contains(is_unprintable) {
        return text;
    }
    let escaped = |c: char| if is_unprintable(c) { format!("\\u{:04x}", c as u32) } else { c.to_string() };
    text.chars().map(escaped).collect()
}
