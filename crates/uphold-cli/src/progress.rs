//! Shows the progress of an experiment on a terminal.

use indicatif::{ProgressBar, ProgressStyle};
use uphold_lab::experiment::Progress;

/// A progress bar on stderr. It is hidden if stderr is not a terminal.
pub(crate) struct SeedProgress(ProgressBar);

impl SeedProgress {
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

    /// Removes the bar.
    pub(crate) fn clear(&self) {
        self.0.finish_and_clear();
    }
}
