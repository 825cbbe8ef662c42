//! Drawing what happened.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use uphold::sim::{Recording, Run};
use uphold::{ReplicaSet, Timestamp};

use crate::output_file::{check_distinct, write_file};
use crate::{Answer, Streams};
use uphold_lab::files::{is_recording, read_recording, read_scenario};
use uphold_lab::picture::{PictureError, Timeline};

/// What is wanted of [`timeline`].
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Draw {
    /// Where the picture is written; `None`: to the results.
    pub output: Option<PathBuf>,
    /// Shows only what is after this, counted from the start. Default: all.
    pub from: Option<Timestamp>,
    /// Shows only what is before this, counted from the start. Default: all.
    pub until: Option<Timestamp>,
    /// In pixels, from 480 to 10000. Default 960.
    pub width: u32,
    /// What stands above it. Default: the name of the scenario or of the recorded set.
    pub title: Option<String>,
}

impl Default for Draw {
    fn default() -> Self {
        Self { output: None, from: None, until: None, width: 960, title: None }
    }
}

/// Draws the timeline of a scenario or of a recording as SVG: which of them a file is shows in what it holds.
///
/// [`Answer::BadInput`]: the file cannot be read, what is wanted cannot be drawn, or the picture cannot be written.
/// Never [`Answer::No`].
pub fn timeline(file: &Path, wanted: &Draw, streams: &mut Streams<'_>) -> Answer {
    match drawn(file, wanted, streams) {
        Ok(()) => Answer::Yes,
        Err(error) => {
            streams.tell(error);
            Answer::BadInput
        }
    }
}

/// A run, and what there is to say of it.
struct Shown {
    run: Run,
    title: String,
    note: Option<String>,
    before: Option<ReplicaSet>,
}

fn drawn(file: &Path, wanted: &Draw, streams: &mut Streams<'_>) -> Result<(), String> {
    if let Some(output) = &wanted.output {
        check_distinct(file, output)?;
    }
    let shown = if is_recording(file)? { recorded(file, streams)? } else { simulated(file)? };
    let svg = picture(&shown, wanted).map_err(|error| format!("{}: {error}", file.display()))?;
    match &wanted.output {
        Some(output) => write_file(output, &svg),
        None => {
            // Whoever reads may have read enough.
            let _ = streams.out.write_all(svg.as_bytes());
            Ok(())
        }
    }
}

fn picture(shown: &Shown, wanted: &Draw) -> Result<String, PictureError> {
    let title = wanted.title.as_deref().unwrap_or(&shown.title);
    let mut timeline = Timeline::of(&shown.run).title(title).width(wanted.width);
    if let Some(note) = &shown.note {
        timeline = timeline.note(note);
    }
    if let Some(before) = &shown.before {
        timeline = timeline.initial_set(before);
    }
    if let Some(from) = wanted.from {
        timeline = timeline.from(from);
    }
    if let Some(until) = wanted.until {
        timeline = timeline.until(until);
    }
    timeline.svg()
}

fn simulated(file: &Path) -> Result<Shown, String> {
    let scenario = read_scenario(file)?;
    let run = scenario.run().map_err(|error| format!("{}: {error}", file.display()))?;
    let named = scenario.name().map(str::to_owned);
    let title = named.or_else(|| Some(file.file_stem()?.to_string_lossy().into_owned())).unwrap_or_default();
    Ok(Shown { run, title, note: None, before: None })
}

fn recorded(file: &Path, streams: &mut Streams<'_>) -> Result<Shown, String> {
    let (recording, cut_off) = read_recording(file)?;
    if cut_off {
        streams.tell(format_args!("{}: the last line is cut off and left out", file.display()));
    }
    let said = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let run = recording.replay().map_err(|error| said(&error))?;
    let before = before(&recording).map_err(|error| said(&error))?;
    let began = recording.header().began.as_nanos();
    let began = UNIX_EPOCH + Duration::from_nanos(began);
    let note = format!("recorded from {} on", humantime::format_rfc3339_seconds(began));
    Ok(Shown { run, title: recording.header().name.clone(), note: Some(note), before })
}

/// The set as it was, where the recording goes on from an earlier one.
fn before(recording: &Recording) -> Result<Option<ReplicaSet>, uphold::engine::RestoreError> {
    let header = recording.header();
    let Some(snapshot) = header.snapshot.clone() else { return Ok(None) };
    ReplicaSet::restore(header.policy.clone(), snapshot, header.began).map(Some)
}
