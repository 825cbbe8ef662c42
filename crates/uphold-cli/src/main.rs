//! The `uphold` command: simulates and compares restart policies, and draws timelines.
#![forbid(unsafe_code)]

mod arguments;
mod progress;

use std::io::{BufWriter, Write, stderr, stdout};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{CommandFactory, Parser};
use uphold_cli::{
    CommandStatus, ExperimentHooks, ExperimentOptions, LintOptions, SimulateOptions, StickyErrorWriter, Streams,
    TimelineOptions, experiment, lint, replay, schema, simulate, timeline,
};

use arguments::{Arguments, Command, Experiment, Format, Timeline};

/// Set by the first Ctrl-C: the experiment stops and reports the seeds completed so far.
static STOP: AtomicBool = AtomicBool::new(false);
/// Whether at least one seed is complete, so that an early stop has something to report.
static HAS_RESULTS: AtomicBool = AtomicBool::new(false);

fn main() -> ExitCode {
    let command = Arguments::parse().command;
    let (mut out, mut err) = (StickyErrorWriter::new(BufWriter::new(stdout().lock())), stderr());
    let mut streams = Streams { out: &mut out, err: &mut err };
    let status = match command {
        Command::Simulate { files, trace, no_lint } => {
            simulate(&files, SimulateOptions { trace, lint: !no_lint }, &mut streams)
        }
        Command::Replay { recording, policy } => replay(&recording, policy.as_deref(), &mut streams),
        Command::Lint { files, format, allow } => {
            lint(&files, &LintOptions { json: format == Format::Json, allow }, &mut streams)
        }
        Command::Schema => schema(&mut streams),
        Command::Experiment(experiment) => run_experiment(experiment, &mut streams),
        Command::Timeline(Timeline { file, output, from, until, width, title }) => {
            let options = TimelineOptions { output, from, until, width, title };
            timeline(&file, &options, &mut streams)
        }
        Command::Completions { shell } => {
            // Into memory first: the generator panics if the reader has closed the pipe.
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "uphold", &mut script);
            let _ = streams.out.write_all(&script);
            CommandStatus::Success
        }
    };
    if let Err(error) = out.finish() {
        let _ = writeln!(err, "the results cannot be written: {error}");
        return CommandStatus::BadInput.into();
    }
    status.into()
}

fn run_experiment(arguments: Experiment, streams: &mut Streams<'_>) -> CommandStatus {
    let Experiment { file, json, report, seeds, threads } = arguments;
    // The first Ctrl-C stops the experiment; the second, or the first without results, exits at once.
    let installed = ctrlc::set_handler(|| {
        if STOP.swap(true, Ordering::Relaxed) || !HAS_RESULTS.load(Ordering::Relaxed) {
            std::process::exit(130);
        }
    });
    if let Err(error) = installed {
        let _ = writeln!(streams.err, "Ctrl-C will exit without a report: {error}");
    }
    let bar = progress::SeedProgress::new();
    let progress = |progress| {
        HAS_RESULTS.store(true, Ordering::Relaxed);
        bar.show(progress);
    };
    let ended = || {
        HAS_RESULTS.store(false, Ordering::Relaxed);
        bar.clear();
    };
    let hooks = ExperimentHooks { progress: Some(&progress), ended: Some(&ended), stop: Some(&STOP) };
    experiment(&file, &ExperimentOptions { json, report, seeds, threads }, hooks, streams)
}
