//! Writes output files, and checks beforehand that they can be written.

use std::fs::OpenOptions;
use std::path::Path;

/// Writes a file, and replaces an existing one.
///
/// # Errors
/// The file cannot be written: its path and the reason.
pub(crate) fn write_file(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| write_error(path, &error))
}

/// Checks that a file can be written, without changing an existing one.
///
/// # Errors
/// As [`write_file`].
pub(crate) fn check_writable(path: &Path) -> Result<(), String> {
    let existing = std::fs::symlink_metadata(path);
    match &existing {
        // Opening a pipe would block until there is a reader, and the target of a symbolic link may not exist yet.
        Ok(metadata) if !metadata.is_file() && !metadata.is_dir() => return Ok(()),
        _ => {}
    }
    let mut options = OpenOptions::new();
    let options = if existing.is_ok() { options.append(true) } else { options.write(true).create_new(true) };
    options.open(path).map_err(|error| write_error(path, &error))?;
    if existing.is_err() {
        std::fs::remove_file(path).map_err(|error| write_error(path, &error))?;
    }
    Ok(())
}

/// Checks that writing `output` would not overwrite `input`.
///
/// # Errors
/// Both are the same file.
pub(crate) fn check_distinct(input: &Path, output: &Path) -> Result<(), String> {
    match (input.canonicalize(), output.canonicalize()) {
        (Ok(input), Ok(same)) if input == same => {
            Err(format!("{}: is the input file; write to another file", output.display()))
        }
        _ => Ok(()),
    }
}

fn write_error(path: &Path, error: &std::io::Error) -> String {
    format!("{}: cannot be written: {error}", path.display())
}
