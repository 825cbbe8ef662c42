//! `uphold replay`: replays a recording, under its own policy or another one.

use std::path::Path;
use std::time::Duration;

use uphold::Status;
use uphold::sim::Run;
use uphold::trace::TraceKind;

use crate::status::CommandStatus;
use crate::streams::{Streams, json};
use uphold_lab::files::{read_policy, read_recording};

/// Prints the trace of a recording. With another policy, compares the recording with a
/// simulation under that policy.
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
        streams.eprintln(format_args!("{}: the last line is incomplete and was ignored", path.display()));
    }
    let with_path = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let recorded = recording.replay().map_err(|error| with_path(&error))?;
    let Some(other) = other else {
        streams.print_trace(&recorded);
        return Ok(());
    };
    let policy = read_policy(other)?;
    let simulated = recording.replay_under(policy).map_err(|error| with_path(&error))?;
    print_comparison(&recorded, &simulated.run, streams);
    for (at, replica) in &simulated.assumed {
        streams.println(format_args!(
            "replica {replica}: not recorded from {:.1} s on; assumed to start as before and to keep running",
            at.as_nanos() as f64 / 1e9
        ));
    }
    Ok(())
}

fn print_comparison(recorded: &Run, simulated: &Run, streams: &mut Streams<'_>) {
    let secs = |duration: Duration| format!("{:.1} s", duration.as_secs_f64());
    let mut row = |label: &str, recorded: String, simulated: String| {
        streams.println(format_args!("{label:<24}{recorded:>14}{simulated:>14}"))
    };
    row("", "recorded".into(), "simulated".into());
    for status in [Status::Healthy, Status::Degraded, Status::Outage] {
        row(&format!("time {status}"), secs(recorded.time_in(status)), secs(simulated.time_in(status)));
    }
    row("restarts", recorded.restarts().to_string(), simulated.restarts().to_string());
    row("status at the end", recorded.set().status().to_string(), simulated.set().status().to_string());
    streams.println("\nverdicts that differ, in order:");
    let verdicts = |run: &Run| -> Vec<String> {
        let verdicts = run.trace().lines().iter().filter(|line| line.kind() == TraceKind::Verdict);
        verdicts.map(json).collect()
    };
    let (recorded_verdicts, simulated_verdicts) = (verdicts(recorded), verdicts(simulated));
    for index in 0..recorded_verdicts.len().max(simulated_verdicts.len()) {
        let (before, after) = (recorded_verdicts.get(index), simulated_verdicts.get(index));
        if before != after {
            streams.println(format_args!("  recorded  {}", before.map_or("-", String::as_str)));
            streams.println(format_args!("  simulated {}", after.map_or("-", String::as_str)));
        }
    }
}
