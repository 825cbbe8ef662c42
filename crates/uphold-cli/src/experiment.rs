//! `uphold experiment`: runs an experiment and prints its report.

use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use crate::output_file::{check_distinct, check_writable, write_file};
use crate::status::CommandStatus;
use crate::streams::Streams;
use uphold_lab::experiment::{ExperimentReport, MAX_SEEDS, Progress, RunOptions};
use uphold_lab::files::read_experiment;
use uphold_lab::report::html;

/// Options of [`experiment`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ExperimentOptions {
    /// Prints JSON instead of tables. Default: false.
    pub json: bool,
    /// Also writes an HTML page to this file. Default: none.
    pub report: Option<PathBuf>,
    /// The number of histories. Default: what the file says.
    pub seeds: Option<NonZero<u64>>,
    /// The number of threads. Default: the number of cores.
    pub threads: Option<NonZero<usize>>,
}

/// Callbacks of a running [`experiment`], and how it is stopped.
#[derive(Clone, Copy, Default)]
pub struct ExperimentHooks<'w> {
    /// Called after each completed seed, from any thread.
    pub progress: Option<&'w (dyn Fn(Progress) + Sync)>,
    /// Called after the last progress, before anything is written.
    pub ended: Option<&'w dyn Fn()>,
    /// Once this is true, the experiment stops and reports the completed seeds.
    pub stop: Option<&'w AtomicBool>,
}

impl std::fmt::Debug for ExperimentHooks<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExperimentHooks").field("stop", &self.stop).finish_non_exhaustive()
    }
}

/// Runs an experiment and prints its report.
///
/// Returns [`CommandStatus::Failure`] if it was stopped early, after the report of the completed seeds, and
/// [`CommandStatus::BadInput`] if the file cannot be read, the page cannot be written, or a simulation fails.
pub fn experiment(
    file: &Path,
    options: &ExperimentOptions,
    hooks: ExperimentHooks<'_>,
    streams: &mut Streams<'_>,
) -> CommandStatus {
    match run(file, options, hooks, streams) {
        Ok(report) if report.is_partial() => CommandStatus::Failure,
        Ok(_) => CommandStatus::Success,
        Err(error) => {
            streams.eprintln(error);
            CommandStatus::BadInput
        }
    }
}

fn run(
    file: &Path,
    options: &ExperimentOptions,
    hooks: ExperimentHooks<'_>,
    streams: &mut Streams<'_>,
) -> Result<ExperimentReport, String> {
    let mut experiment = read_experiment(file)?;
    if let Some(seeds) = options.seeds {
        if seeds.get() > u64::from(MAX_SEEDS) {
            return Err(format!("{seeds} seeds are too many: at most {MAX_SEEDS}"));
        }
        experiment = experiment.seeds(seeds.get());
    }
    // Checked first, because an experiment may take hours.
    if let Some(page) = &options.report {
        check_distinct(file, page)?;
        check_writable(page)?;
    }
    let mut run_options = RunOptions::new();
    if let Some(threads) = options.threads {
        run_options = run_options.threads(threads);
    }
    if let Some(progress) = hooks.progress {
        run_options = run_options.progress(progress);
    }
    if let Some(stop) = hooks.stop {
        run_options = run_options.stop(stop);
    }
    let report = experiment.run_with(&run_options);
    if let Some(ended) = hooks.ended {
        ended();
    }
    let report = report.map_err(|error| format!("{}: {error}", file.display()))?;
    if options.json {
        streams.println(serde_json::to_string_pretty(&report).unwrap_or_else(|error| error.to_string()));
    } else {
        let _ = write!(streams.out, "{report}");
    }
    let _ = streams.out.flush();
    if let Some(page) = &options.report {
        write_file(page, &html(&experiment, &report))?;
    }
    Ok(report)
}
