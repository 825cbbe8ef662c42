//! Running an experiment.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use crate::output_file::{check_distinct, check_writable, write_file};
use crate::{Answer, Streams};
use uphold_lab::experiment::{ExperimentReport, MAX_SEEDS, Progress, RunOptions};
use uphold_lab::files::read_experiment;
use uphold_lab::report::html;

/// What is wanted of [`experiment`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Try {
    /// Prints JSON in place of tables. Default: no.
    pub json: bool,
    /// Writes an HTML page as well. Default: none.
    pub report: Option<PathBuf>,
    /// How many histories, in place of what the file says; at least 1.
    pub seeds: Option<NonZero<u64>>,
    /// How many threads. Default: as many as there are cores.
    pub threads: Option<NonZero<usize>>,
}

/// How an experiment is watched and stopped.
#[derive(Clone, Copy, Default)]
pub struct Watch<'w> {
    /// Told of progress, from any thread.
    pub progress: Option<&'w (dyn Fn(Progress) + Sync)>,
    /// Called when no more progress follows, before anything is written.
    pub ended: Option<&'w dyn Fn()>,
    /// Once it is true, the experiment ends, and what is done so far is reported.
    pub stop: Option<&'w AtomicBool>,
}

impl std::fmt::Debug for Watch<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watch").field("stop", &self.stop).finish_non_exhaustive()
    }
}

/// Runs an experiment and reports.
///
/// [`Answer::No`]: it was stopped early; what was done so far is reported. [`Answer::BadInput`]: the file cannot be
/// read, the page cannot be written, or a simulation fails.
pub fn experiment(file: &Path, wanted: &Try, watch: Watch<'_>, streams: &mut Streams<'_>) -> Answer {
    match report(file, wanted, watch, streams) {
        Ok(report) if report.is_partial() => Answer::No,
        Ok(_) => Answer::Yes,
        Err(error) => {
            streams.tell(error);
            Answer::BadInput
        }
    }
}

fn report(file: &Path, wanted: &Try, watch: Watch<'_>, streams: &mut Streams<'_>) -> Result<ExperimentReport, String> {
    let mut experiment = read_experiment(file)?;
    if let Some(seeds) = wanted.seeds {
        if seeds.get() > u64::from(MAX_SEEDS) {
            return Err(format!("{seeds} seeds are too many: at most {MAX_SEEDS}"));
        }
        experiment = experiment.seeds(seeds.get());
    }
    // Told before hours of work rather than after them.
    if let Some(page) = &wanted.report {
        check_distinct(file, page)?;
        check_writable(page)?;
    }
    let mut options = RunOptions::new();
    if let Some(threads) = wanted.threads {
        options = options.threads(threads);
    }
    if let Some(progress) = watch.progress {
        options = options.progress(progress);
    }
    if let Some(stop) = watch.stop {
        options = options.stop(stop);
    }
    let report = experiment.run_with(&options);
    if let Some(ended) = watch.ended {
        ended();
    }
    let report = report.map_err(|error| format!("{}: {error}", file.display()))?;
    if wanted.json {
        streams.say(serde_json::to_string_pretty(&report).unwrap_or_else(|error| error.to_string()));
    } else {
        let _ = write!(streams.out, "{report}");
    }
    let _ = streams.out.flush();
    if let Some(page) = &wanted.report {
        write_file(page, &html(&experiment, &report))?;
    }
    Ok(report)
}
