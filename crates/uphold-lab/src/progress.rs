//! The progress of an experiment, on a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use uphold_lab::experiment::Progress;

/// A bar on the terminal that stderr is; nothing if it is none.
pub(crate) struct Bar(ProgressBar);

impl Bar {
    pub(crate) fn new() -> Self {
        let bar = ProgressBar::new(0);
        if let Ok(style) = ProgressStyle::with_template("{bar:40} {pos} of {len} seeds, about {eta} left") {
            bar.set_style(style);
        }
        Self(bar)
    }

    pub(crate) fn show(&self, progress: Progress) {
        if self.0.length() != Some(progress.of) {
            self.0.set_length(progress.of);
        }
        self.0.set_position(progress.done);
    }

    /// It goes.
    pub(crate) fn end(&self) {
        self.0.finish_and_clear();
    }
}
