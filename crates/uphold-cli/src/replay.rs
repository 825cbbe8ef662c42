//! `uphold replay`: replays a recording, under its own policy or another one.

use std::path::Path;
use std::time::Duration;

use uphold::Status;
use uphold::sim::Run;
use uphold::trace::TraceKind;

use crate::status::CommandStatus;
use crate::streams::{Streams, json};
use uphold_lab::files::{read_policy, read_recording};

/// Prints the trace of a recording. With another policy, prints a comparison with what that policy would have done.
///
/// Returns [`CommandStatus::BadInput`] if a file cannot be read or the recording cannot be replayed, otherwise
/// [`CommandStatus::Success`].
pub fn replay(recording: &Path, other: Option<&Path>, streams: &mut Streams<'_>) -> CommandStatus {
    match run(recording, other, streams) {
        Ok(()) => CommandStatus::Success,
        Err(error) => {
            streams.eprintln(error);
            CommandStatus::BadInput
        }
    }
}

fn run(path: &Path, other: Option<&Path>, streams: &mut Streams<'_>) -> Result<(), String> {
    let (recording, cut_off) = read_recording(path)?;
    if cut_off {
        streams.eprintln(format_args!("{}: the last line is cut off and left out", path.display()));
    }
    let with_path = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let done = recording.replay().map_err(|error| with_path(&error))?;
    let Some(other) = other else {
        streams.print_trace(&done);
        return Ok(());
    };
    let policy = read_policy(other)?;
    let would = recording.replay_under(policy).map_err(|error| with_path(&error))?;
    print_comparison(&done, &would.run, streams);
    for (at, replica) in &would.assumed {
        streams.println(format_args!(
            "from {:.1} s on the recording does not tell of replica {replica}: it is assumed to come up as before and run on",
            at.as_nanos() as f64 / 1e9
        ));
    }
    Ok(())
}

fn print_comparison(done: &Run, would: &Run, streams: &mut Streams<'_>) {
    let secs = |duration: Duration| format!("{:.1} s", duration.as_secs_f64());
    let mut row =
        |what: &str, done: String, would: String| streams.println(format_args!("{what:<24}{done:>14}{would:>14}"));
    row("", "was done".into(), "would be".into());
    for status in [Status::Healthy, Status::Degraded, Status::Outage] {
        row(&format!("time {status}"), secs(done.time_in(status)), secs(would.time_in(status)));
    }
    row("restarts", done.restarts().to_string(), would.restarts().to_string());
    row("status at the end", done.set().status().to_string(), would.set().status().to_string());
    streams.println("\nverdicts that differ, in order:");
    let verdicts = |run: &Run| -> Vec<String> {
        let verdicts = run.trace().lines().iter().filter(|line| line.kind() == TraceKind::Verdict);
        verdicts.map(json).collect()
    };
    let (verdicts_done, verdicts_would) = (verdicts(done), verdicts(would));
    for index in 0..verdicts_done.len().max(verdicts_would.len()) {
        let (was, would) = (verdicts_done.get(index), verdicts_would.get(index));
        if was != would {
            streams.println(format_args!("  was   {}", was.map_or("-", String::as_str)));
            streams.println(format_args!("  would {}", would.map_or("-", String::as_str)));
        }
    }
}
