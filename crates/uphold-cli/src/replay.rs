//! Replaying a recording, as it was and under another policy.

use std::path::Path;
use std::time::Duration;

use uphold::Status;
use uphold::sim::Run;
use uphold::trace::TraceKind;

use crate::{Answer, Streams, json};
use uphold_lab::files::{read_policy, read_recording};

/// Prints what was done, or, with another policy, what it would have done beside that.
///
/// [`Answer::BadInput`]: a file cannot be read, or the recording cannot be replayed. Never [`Answer::No`].
pub fn replay(recording: &Path, other: Option<&Path>, streams: &mut Streams<'_>) -> Answer {
    match replayed(recording, other, streams) {
        Ok(()) => Answer::Yes,
        Err(error) => {
            streams.tell(error);
            Answer::BadInput
        }
    }
}

fn replayed(path: &Path, other: Option<&Path>, streams: &mut Streams<'_>) -> Result<(), String> {
    let (recording, cut_off) = read_recording(path)?;
    if cut_off {
        streams.tell(format_args!("{}: the last line is cut off and left out", path.display()));
    }
    let said = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let done = recording.replay().map_err(|error| said(&error))?;
    let Some(other) = other else {
        streams.trace(&done);
        return Ok(());
    };
    let policy = read_policy(other)?;
    let would = recording.replay_under(policy).map_err(|error| said(&error))?;
    compare(&done, &would.run, streams);
    for (at, replica) in &would.assumed {
        streams.say(format_args!(
            "from {:.1} s on the recording does not tell of replica {replica}: it is assumed to come up as before and run on",
            at.as_nanos() as f64 / 1e9
        ));
    }
    Ok(())
}

fn compare(done: &Run, would: &Run, streams: &mut Streams<'_>) {
    let secs = |duration: Duration| format!("{:.1} s", duration.as_secs_f64());
    let mut row =
        |what: &str, done: String, would: String| streams.say(format_args!("{what:<24}{done:>14}{would:>14}"));
    row("", "was done".into(), "would be".into());
    for status in [Status::Healthy, Status::Degraded, Status::Outage] {
        row(&format!("time {status}"), secs(done.time_in(status)), secs(would.time_in(status)));
    }
    row("restarts", done.restarts().to_string(), would.restarts().to_string());
    row("status at the end", done.set().status().to_string(), would.set().status().to_string());
    streams.say("\nverdicts that differ, in order:");
    let verdicts = |run: &Run| -> Vec<String> {
        let verdicts = run.trace().lines().iter().filter(|line| line.kind() == TraceKind::Verdict);
        verdicts.map(json).collect()
    };
    let (ours, theirs) = (verdicts(done), verdicts(would));
    for index in 0..ours.len().max(theirs.len()) {
        let (was, would) = (ours.get(index), theirs.get(index));
        if was != would {
            streams.say(format_args!("  was   {}", was.map_or("-", String::as_str)));
            streams.say(format_args!("  would {}", would.map_or("-", String::as_str)));
        }
    }
}
