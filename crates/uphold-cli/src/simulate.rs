//! Running scenarios and checking what they expect.

use std::path::{Path, PathBuf};

use uphold::sim::{Mismatch, Run, Scenario};

use crate::{Answer, Streams, json};
use uphold_lab::files::Source;
use uphold_lab::sanitize::sanitize;

/// What is wanted of [`simulate`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Simulate {
    /// Prints what happened. A single file that expects nothing is printed anyway. Default: no.
    pub trace: bool,
    /// Warns of policies that are legal and surely not meant. Default: yes.
    pub lint: bool,
}

impl Default for Simulate {
    fn default() -> Self {
        Self { trace: false, lint: true }
    }
}

/// Runs each scenario, checks what it expects, and sums up.
///
/// [`Answer::No`]: something differs from what is expected. [`Answer::BadInput`]: a file cannot be read.
pub fn simulate(files: &[PathBuf], wanted: Simulate, streams: &mut Streams<'_>) -> Answer {
    let alone = files.len() == 1;
    let (mut expected, mut differ, mut bad) = (0, 0, 0);
    for file in files {
        match run(file, wanted.lint, streams) {
            Err(error) => {
                bad += 1;
                streams.tell(error);
            }
            Ok((scenario, run)) => {
                let nothing_expected = scenario.expectations().is_empty();
                if wanted.trace || (alone && nothing_expected) {
                    streams.trace(&run);
                }
                match scenario.check(&run) {
                    Ok(()) => expected += 1,
                    Err(mismatch) => {
                        differ += 1;
                        show(file, &scenario, &mismatch, streams);
                    }
                }
                if alone && !nothing_expected && differ == 0 && !wanted.trace {
                    let name = scenario.name().map_or_else(|| file.display().to_string(), sanitize);
                    streams.say(format_args!("as expected: {name}"));
                }
            }
        }
    }
    if !alone {
        streams.say(format_args!(
            "{} scenarios: {expected} as expected, {differ} differ, {bad} cannot be read",
            files.len()
        ));
    }
    match (bad, differ) {
        (0, 0) => Answer::Yes,
        (0, _) => Answer::No,
        _ => Answer::BadInput,
    }
}

fn run(file: &Path, lint: bool, streams: &mut Streams<'_>) -> Result<(Scenario, Run), String> {
    let source = Source::read(file).map_err(|mistakes| mistakes.to_string())?;
    let scenario = source.scenario().map_err(|mistakes| mistakes.to_string())?;
    if lint {
        let allowed = source.allowed();
        for warning in scenario.policy().lint().iter().filter(|lint| !allowed.iter().any(|name| name == lint.name())) {
            streams.tell(format_args!("{}: warning: {warning}", file.display()));
        }
    }
    let run = scenario.run().map_err(|error| format!("{}: {error}", file.display()))?;
    Ok((scenario, run))
}

/// The first mismatch: what was expected beside the line that comes nearest, and the lines around.
fn show(file: &Path, scenario: &Scenario, mismatch: &Mismatch, streams: &mut Streams<'_>) {
    let name = sanitize(scenario.name().unwrap_or(""));
    streams.say(format_args!("{}: {name}: expect[{}] differs", file.display(), mismatch.index));
    let happened = match (&mismatch.counted, &mismatch.nearest) {
        (Some(counted), _) => format!("{counted} such lines"),
        (None, Some(line)) => json(line),
        (None, None) => "nothing happened at that instant".to_owned(),
    };
    streams.say(format_args!("  expected  {}", json(&mismatch.expected)));
    streams.say(format_args!("  happened  {happened}"));
    streams.say("  around it:");
    for line in &mismatch.around {
        let mark = if mismatch.nearest.as_ref() == Some(line) { '>' } else { ' ' };
        streams.say(format_args!("  {mark} {}", json(line)));
    }
}
