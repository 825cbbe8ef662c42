//! Reads recordings: JSON Lines files that a supervisor wrote.

use std::io::Read;
use std::path::Path;

use uphold::recording::RecordedLine;
use uphold::sim::Recording;

/// Returns whether a file looks like a recording rather than a scenario, from the start of its first line.
///
/// # Errors
/// The file cannot be read.
pub fn is_recording(path: &Path) -> Result<bool, String> {
    let mut first = Vec::new();
    let file = std::fs::File::open(path).map_err(|error| format!("{}: {error}", path.display()))?;
    file.take(1024).read_to_end(&mut first).map_err(|error| format!("{}: {error}", path.display()))?;
    let first = first.trim_ascii_start();
    Ok(["{\"begin\":", "{\"step\":"].iter().any(|word| first.starts_with(word.as_bytes())))
}

/// The most bytes of a recording, so that an endless file does not exhaust memory.
const MAX_RECORDING_BYTES: u64 = 1 << 30;

/// Reads a recording. Also returns whether the last line was incomplete and has been dropped, which happens when the
/// recorder is killed.
///
/// # Errors
/// The file cannot be read, or a line other than the last is invalid.
pub fn read_recording(path: &Path) -> Result<(Recording, bool), String> {
    let with_path = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
    let file = std::fs::File::open(path).map_err(|error| with_path(&error))?;
    let text = super::source::read_text(file, MAX_RECORDING_BYTES).map_err(|error| with_path(&error))?;
    let lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).collect();
    let mut read = Vec::with_capacity(lines.len());
    let mut cut_off = false;
    for (index, line) in lines.iter().enumerate() {
        match serde_json::from_str::<RecordedLine>(line) {
            Ok(line) => read.push(line),
            Err(_) if index > 0 && index + 1 == lines.len() && !text.ends_with('\n') => cut_off = true,
            Err(error) => return Err(format!("{}: line {}: {error}", path.display(), index + 1)),
        }
    }
    let recording = Recording::from_lines(read).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok((recording, cut_off))
}
