//! `uphold timeline`: draws a scenario or a recording.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use uphold::sim::{Recording, Run};
use uphold::{ReplicaSet, Timestamp};

use crate::output_file::{check_distinct, write_file};
use crate::status::CommandStatus;
use crate::streams::Streams;
use uphold_lab::files::{is_recording, read_recording, read_scenario};
use uphold_lab::picture::{PictureError, Timeline};

/// Options of [`timeline`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TimelineOptions {
    /// The file of the picture. Default: [`Streams::out`].
    pub output: Option<PathBuf>,
    /// The left end of the picture, as the time since the start. Default: the start.
    pub from: Option<Timestamp>,
    /// The right end of the picture, as the time since the start. Default: the end.
    pub until: Option<Timestamp>,
    /// The width in pixels, 480 to 10000. Default: 960.
    pub width: u32,
    /// The title. Default: the name of the scenario or of the recorded set.
    pub title: Option<String>,
}

impl Default for TimelineOptions {
    fn default() -> Self {
        Self { output: None, from: None, until: None, width: 960, title: None }
    }
}

/// Draws the timeline of a scenario or of a recording as SVG. The content of the file determines which of them it is.
///
/// Returns [`CommandStatus::BadInput`] if the file cannot be read, the options do not fit it, or the picture cannot be written,
/// otherwise [`CommandStatus::Success`].
pub fn timeline(file: &Path, options: &TimelineOptions, streams: &mut Streams<'_>) -> CommandStatus {
    match draw(file, options, streams) {
        Ok(()) => CommandStatus::Success,
        Err(error) => {
            streams.eprintln(error);
            CommandStatus::BadInput
        }
    }
}

/// A run, and what the picture says about it.
struct Subject {
    run: Run,
    title: String,
    note: Option<String>,
    initial_set: Option<ReplicaSet>,
}

fn draw(file: &Path, options: &TimelineOptions, streams: &mut Streams<'_>) -> Result<(), String> {
    if let Some(output) = &options.output {
        check_distinct(file, output)?;
    }
    let subject = if is_recording(file)? { read_recorded(file, streams)? } else { read_simulated(file)? };
    let svg = picture(&subject, options).map_err(|error| format!("{}: {error}", file.display()))?;
    match &options.output {
        Some(output) => write_file(output, &svg),
        None => {
            let _ = streams.out.write_all(svg.as_bytes());
            Ok(())
        }
    }
}

fn picture(subject: &Subject, options: &TimelineOptions) -> Result<String, PictureError> {
    let title = options.title.as_deref().unwrap_or(&subject.title);
    let mut timeline = Timeline::of(&subject.run).title(title).width(options.width);
    if let Some(note) = &subject.note {
        timeline = timeline.note(note);
    }
    if let Some(set) = &subject.initial_set {
        timeline = timeline.initial_set(set);
    }
    if let Some(from) = options.from {
        timeline = timeline.from(from);
    }
    if let Some(until) = options.until {
        timeline = timeline.until(until);
    }
    timeline.svg()
}

fn read_simulated(file: &Path) -> Result<Subject, String> {
    let scenario = read_scenario(file)?;
    let run = scenario.run().map_err(|error| format!("{}: {error}", file.display()))?;
    let named = scenario.name().map(str::to_owned);
    let title = named.or_else(|| Some(file.file_stem()?.to_string_lossy().into_owned())).unwrap_or_default();
    Ok(Subject { run, title, note: None, initial_set: None })
}

fn read_recorded(file: &Path, streams: &mut Streams<'_>) -> Result<Subject, String> {
    let (recording, cut_off) = read_recording(file)?;
    if cut_off {
        streams.eprintln(format_args!("{}: the last line is incomplete and was ignored", file.display()));
    }
    let with_path = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let run = recording.replay().map_err(|error| with_path(&error))?;
    let initial_set = initial_set(&recording).map_err(|error| with_path(&error))?;
    let began = UNIX_EPOCH + Duration::from_nanos(recording.header().began.as_nanos());
    let note = format!("recorded from {} on", humantime::format_rfc3339_seconds(began));
    Ok(Subject { run, title: recording.header().name.clone(), note: Some(note), initial_set })
}

/// Returns the set from which the recording continues, if it does not begin with a new set.
fn initial_set(recording: &Recording) -> Result<Option<ReplicaSet>, uphold::engine::RestoreError> {
    let header = recording.header();
    let Some(snapshot) = header.snapshot.clone() else { return Ok(None) };
    ReplicaSet::restore(header.policy.clone(), snapshot, header.began).map(Some)
}
