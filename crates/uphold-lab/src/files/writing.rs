//! Writing files.

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
pub fn writable(path: &Path) -> Result<(), String> {
    let there = path.exists();
    std::fs::OpenOptions::new().create(true).append(true).open(path).map_err(|error| cannot(path, &error))?;
    if !there {
        std::fs::remove_file(path).map_err(|error| cannot(path, &error))?;
    }
    Ok(())
}

fn cannot(path: &Path, error: &std::io::Error) -> String {
    format!("{}: cannot be written: {error}", path.display())
}
