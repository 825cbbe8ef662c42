//! Opens the log files and environment files of a spec. Only regular files are opened, and without blocking on FIFOs.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use rustix::fs::OFlags;

/// The maximum size of an environment file, in bytes.
const MAX_ENV_FILE: u64 = 1024 * 1024;

/// Returns flags without which opening a FIFO would block, and a terminal would become the controlling one.
fn flags() -> i32 {
    i32::try_from((OFlags::NONBLOCK | OFlags::NOCTTY).bits()).unwrap_or(0)
}

fn regular(file: File) -> io::Result<File> {
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("it is not a regular file")) }
}

/// Opens a file for appending. Creates it with mode 0600 if necessary; does not follow a symbolic link.
pub(super) fn open_log(path: &Path) -> io::Result<File> {
    if let Ok(metadata) = path.symlink_metadata() {
        if !metadata.is_file() {
            return Err(io::Error::other("it is not a regular file"));
        }
    }
    let no_follow = i32::try_from(OFlags::NOFOLLOW.bits()).unwrap_or(0);
    regular(OpenOptions::new().create(true).append(true).mode(0o600).custom_flags(flags() | no_follow).open(path)?)
}

/// Reads lines of `NAME=value` or `export NAME=value`. Skips empty lines and lines that begin with `#`; removes one pair of
/// quotes around a value.
///
/// # Errors
/// The file cannot be read, or a line has another form. The error names the line and does not quote it.
pub(super) fn read_env_file(path: &Path) -> io::Result<Vec<(String, String)>> {
    let file = regular(OpenOptions::new().read(true).custom_flags(flags()).open(path)?)?;
    let mut text = String::new();
    file.take(MAX_ENV_FILE + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_ENV_FILE {
        return Err(io::Error::other("it is longer than 1 MiB"));
    }
    parse_env_file(&text)
}

fn parse_env_file(text: &str) -> io::Result<Vec<(String, String)>> {
    let mut variables = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (name, value) = line.strip_prefix("export ").unwrap_or(line).split_once('=').unwrap_or(("", ""));
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
        if name.is_empty() || !name.bytes().all(is_name) || value.contains('\0') {
            return Err(io::Error::other(format!("line {number} is not NAME=value")));
        }
        let quoted = ['"', '\''].iter().find_map(|quote| value.strip_prefix(*quote)?.strip_suffix(*quote));
        variables.push((name.to_owned(), quoted.unwrap_or(value).to_owned()));
    }
    Ok(variables)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn folder(name: &str) -> std::path::PathBuf {
        let folder = std::env::temp_dir().join(format!("uphold-files-{}-{name}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    #[test]
    fn a_log_has_mode_0600_and_is_neither_a_link_nor_a_fifo() {
        let folder = folder("log");
        let log = folder.join("a.log");
        open_log(&log).expect("it is made");
        assert_eq!(log.metadata().expect("it is there").permissions().mode() & 0o777, 0o600);
        open_log(&log).expect("and opened again");
        let link = folder.join("link");
        std::os::unix::fs::symlink(&log, &link).expect("a link");
        assert!(open_log(&link).is_err());
        let fifo = folder.join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().expect("it runs").success());
        assert_eq!(open_log(&fifo).expect_err("it is a pipe").to_string(), "it is not a regular file");
        assert!(read_env_file(&fifo).is_err());
        std::fs::remove_dir_all(folder).expect("it is ours");
    }

    #[test]
    fn variables_are_read_and_errors_do_not_quote_values() {
        let read = parse_env_file("# a comment\n\nA=1\nexport B='two words'\nC=\"x=y\"\nD=\n").expect("it is right");
        let read: Vec<_> = read.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(read, [("A", "1"), ("B", "two words"), ("C", "x=y"), ("D", "")]);
        let error = parse_env_file("A=1\nsecret").expect_err("no name");
        assert_eq!(error.to_string(), "line 2 is not NAME=value");
    }
}
