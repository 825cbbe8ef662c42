//! `uphold simulate`: runs scenarios and checks their expectations.

use std::path::{Path, PathBuf};

use uphold::sim::{Mismatch, Run, Scenario};

use crate::status::CommandStatus;
use crate::streams::{Streams, json};
use uphold_lab::files::Source;
use uphold_lab::sanitize::sanitize;

/// Options of [`simulate`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct SimulateOptions {
    /// Prints the trace. That of a single file without expectations is printed anyway. Default: false.
    pub trace: bool,
    /// Warns about settings of the policy that are probably mistakes, and about behaviours without effect. Default: true.
    pub lint: bool,
}

impl Default for SimulateOptions {
    fn default() -> Self {
        Self { trace: false, lint: true }
    }
}

/// Runs each scenario, checks its expectations, and prints a summary.
///
/// Returns [`CommandStatus::Failure`] if an expectation is not met, and [`CommandStatus::BadInput`] if a file cannot be read.
pub fn simulate(files: &[PathBuf], options: SimulateOptions, streams: &mut Streams<'_>) -> CommandStatus {
    let alone = files.len() == 1;
    let (mut expected, mut differ, mut bad) = (0, 0, 0);
    for file in files {
        match run(file, options.lint, streams) {
            Err(error) => {
                bad += 1;
                streams.eprintln(error);
            }
            Ok((scenario, run)) => {
                let nothing_expected = scenario.expectations().is_empty();
                if options.trace || (alone && nothing_expected) {
                    streams.print_trace(&run);
                }
                match scenario.check(&run) {
                    Ok(()) => expected += 1,
                    Err(mismatch) => {
                        differ += 1;
                        print_mismatch(file, &scenario, &mismatch, streams);
                    }
                }
                if alone && !nothing_expected && differ == 0 && !options.trace {
                    let name = scenario.name().map_or_else(|| file.display().to_string(), sanitize);
                    streams.println(format_args!("as expected: {name}"));
                }
            }
        }
    }
    if !alone {
        streams.println(format_args!(
            "{} scenarios: {expected} as expected, {differ} differ, {bad} cannot be read",
            files.len()
        ));
    }
    match (bad, differ) {
        (0, 0) => CommandStatus::Success,
        (0, _) => CommandStatus::Failure,
        _ => CommandStatus::BadInput,
    }
}

fn run(file: &Path, lint: bool, streams: &mut Streams<'_>) -> Result<(Scenario, Run), String> {
    let source = Source::read(file).map_err(|mistakes| mistakes.to_string())?;
    let scenario = source.scenario().map_err(|mistakes| mistakes.to_string())?;
    if lint {
        let allowed = source.allowed();
        for warning in scenario.policy().lint().iter().filter(|lint| !allowed.iter().any(|name| name == lint.name())) {
            streams.eprintln(format_args!("{}: warning: {warning}", file.display()));
        }
    }
    let run = scenario.run().map_err(|error| format!("{}: {error}", file.display()))?;
    if lint {
        for index in run.unused_behaviours() {
            streams
                .eprintln(format_args!("{}: warning: behaviour[{index}]: has no effect in this run", file.display()));
        }
    }
    Ok((scenario, run))
}

/// Prints what was expected, the nearest line of the trace, and the lines around it.
fn print_mismatch(file: &Path, scenario: &Scenario, mismatch: &Mismatch, streams: &mut Streams<'_>) {
    let name = sanitize(scenario.name().unwrap_or(""));
    streams.println(format_args!("{}: {name}: expect[{}] differs", file.display(), mismatch.index));
    let happened = match (&mismatch.counted, &mismatch.nearest) {
        (Some(counted), _) => format!("{counted} such lines"),
        (None, Some(line)) => json(line),
        (None, None) => "nothing happened at that instant".to_owned(),
    };
    streams.println(format_args!("  expected  {}", json(&mismatch.expected)));
    streams.println(format_args!("  happened  {happened}"));
    streams.println("  around it:");
    for line in &mismatch.around {
        let mark = if mismatch.nearest.as_ref() == Some(line) { '>' } else { ' ' };
        streams.println(format_args!("  {mark} {}", json(line)));
    }
}
