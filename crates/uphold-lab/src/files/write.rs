//! Writing files.

use std::fs::OpenOptions;
use std::path::Path;

/// Writes a file, in place of what may be there.
///
/// # Errors
/// It cannot be written: the path, and why.
pub fn write_file(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| cannot(path, &error))
}

/// Finds out whether a file can be written, without changing what may be there.
///
/// # Errors
/// As [`write_file`].
pub fn check_writable(path: &Path) -> Result<(), String> {
    let there = std::fs::symlink_metadata(path);
    match &there {
        // Opening a pipe would wait for a reader, and a link may lead to what is not there yet.
        Ok(found) if !found.is_file() && !found.is_dir() => return Ok(()),
        _ => {}
    }
    let mut options = OpenOptions::new();
    let options = if there.is_ok() { options.append(true) } else { options.write(true).create_new(true) };
    options.open(path).map_err(|error| cannot(path, &error))?;
    if there.is_err() {
        std::fs::remove_file(path).map_err(|error| cannot(path, &error))?;
    }
    Ok(())
}

/// Whether what is written would take the place of what is read.
///
/// # Errors
/// It would.
pub fn check_distinct(input: &Path, output: &Path) -> Result<(), String> {
    match (input.canonicalize(), output.canonicalize()) {
        (Ok(input), Ok(same)) if input == same => {
            Err(format!("{}: is what is read; write to another file", output.display()))
        }
        _ => Ok(()),
    }
}

fn cannot(path: &Path, error: &std::io::Error) -> String {
    format!("{}: cannot be written: {error}", path.display())
}
