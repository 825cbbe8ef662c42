//! Where subcommands write.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};

use serde::Serialize;
use uphold::sim::Run;
use uphold_lab::sanitize::{is_unprintable, sanitize};

/// Where a subcommand writes.
///
/// Write errors are ignored here; [`StickyErrorWriter`] reports them at the end.
pub struct Streams<'s> {
    /// Results.
    pub out: &'s mut dyn Write,
    /// Warnings and errors.
    pub err: &'s mut dyn Write,
}

impl Streams<'_> {
    /// Prints a line of results.
    pub(crate) fn println(&mut self, line: impl Display) {
        let _ = writeln!(self.out, "{}", sanitize(&line.to_string()));
    }

    /// Prints a warning or an error.
    pub(crate) fn eprintln(&mut self, line: impl Display) {
        let _ = writeln!(self.err, "{}", sanitize(&line.to_string()));
    }

    /// Prints the trace of a run, one JSON object per line.
    pub(crate) fn print_trace(&mut self, run: &Run) {
        for line in run.trace().lines() {
            if writeln!(self.out, "{}", json(line)).is_err() {
                return;
            }
        }
    }
}

/// Returns JSON on one line that is safe to print on a terminal. serde_json itself escapes only ASCII control characters.
pub(crate) fn json(value: &impl Serialize) -> String {
    let text = serde_json::to_string(value).unwrap_or_else(|error| error.to_string());
    if !text.contains(is_unprintable) {
        return text;
    }
    let escaped = |c: char| if is_unprintable(c) { format!("\\u{:04x}", c as u32) } else { c.to_string() };
    text.chars().map(escaped).collect()
}

/// A writer that keeps its first error for [`finish`](Self::finish). A broken pipe is no error, because a reader may stop
/// reading.
#[derive(Debug)]
pub struct StickyErrorWriter<W> {
    inner: W,
    error: Option<io::Error>,
}

impl<W: Write> StickyErrorWriter<W> {
    /// Wraps a writer.
    pub fn new(inner: W) -> Self {
        Self { inner, error: None }
    }

    /// Flushes.
    ///
    /// # Errors
    /// The first error of any write.
    pub fn finish(mut self) -> io::Result<()> {
        let _ = self.flush();
        self.error.map_or(Ok(()), Err)
    }

    fn keep_error<T>(&mut self, result: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &result
            && !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::Interrupted)
        {
            self.error.get_or_insert_with(|| io::Error::new(error.kind(), error.to_string()));
        }
        result
    }
}

impl<W: Write> Write for StickyErrorWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let result = self.inner.write(bytes);
        self.keep_error(result)
    }

    fn flush(&mut self) -> io::Result<()> {
        let result = self.inner.flush();
        self.keep_error(result)
    }
}
