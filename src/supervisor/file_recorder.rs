//! A recording in a file, a line each, bounded by size.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::recorder::Recorder;
use crate::engine::{RecordedLine, RecordedStep, RecordingHeader, Told};

/// Records into a file as NDJSON. When it has grown to its size, it becomes `FILE.1` (an older one is replaced) and a
/// new recording begins, with the state as it is then: each of the two can be replayed on its own.
///
/// The files are readable for this user alone, and hold no values of probes' headers unless that is asked for.
///
/// A thread of its own writes, so that a slow disk does not slow the set. Where writing fails, the file ends there: a
/// recording never harms what it records.
#[derive(Debug)]
pub struct FileRecorder {
    path: PathBuf,
    lines: Sender<Line>,
    size: u64,
    most: u64,
    keeps_secrets: bool,
}

enum Line {
    /// Begins a file anew.
    Begin(String),
    Step(String),
}

impl FileRecorder {
    /// Records into this file, which is begun anew, up to about `most` bytes.
    ///
    /// # Errors
    /// The file cannot be made, or no thread can.
    pub fn new(path: impl Into<PathBuf>, most: u64) -> io::Result<Self> {
        let path = path.into();
        let file = BufWriter::new(create(&path)?);
        let (lines, written) = channel();
        let target = path.clone();
        std::thread::Builder::new().name("uphold-recorder".into()).spawn(move || {
            // Told by the file itself: it ends where writing failed.
            let _ = write(&target, file, &written);
        })?;
        Ok(Self { path, lines, size: 0, most, keeps_secrets: false })
    }

    /// Records the values of probes' headers as well, such as `Authorization`.
    #[must_use]
    pub fn keep_secrets(mut self) -> Self {
        self.keeps_secrets = true;
        self
    }

    /// The file that is written now.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn send(&mut self, line: &RecordedLine, begins: bool) {
        let Ok(text) = serde_json::to_string(line) else { return };
        self.size += text.len() as u64 + 1;
        // A writer that has failed writes no more.
        let _ = self.lines.send(if begins { Line::Begin(text) } else { Line::Step(text) });
    }
}

impl Recorder for FileRecorder {
    fn begin(&mut self, header: &RecordingHeader) {
        self.size = 0;
        let mut header = header.clone();
        if !self.keeps_secrets {
            header.policy = header.policy.redacted();
        }
        self.send(&RecordedLine::Begin(header), true);
    }

    fn step(&mut self, step: &RecordedStep) {
        let mut step = step.clone();
        if let Told::Policy(policy) = &mut step.told
            && !self.keeps_secrets
        {
            *policy = policy.redacted();
        }
        self.send(&RecordedLine::Step(step), false);
    }

    fn wants_rotation(&mut self) -> bool {
        self.size > self.most
    }
}

/// Begins a file anew, for this user alone.
fn create(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(path)?;
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    Ok(file)
}

fn write(path: &Path, mut file: BufWriter<File>, lines: &Receiver<Line>) -> io::Result<()> {
    let mut begun = false;
    while let Ok(line) = lines.recv() {
        let text = match line {
            Line::Begin(text) => {
                if std::mem::replace(&mut begun, true) {
                    file.flush()?;
                    let mut older = path.as_os_str().to_owned();
                    older.push(".1");
                    std::fs::rename(path, older)?;
                    file = BufWriter::new(create(path)?);
                }
                text
            }
            Line::Step(text) => text,
        };
        writeln!(file, "{text}")?;
        // Whoever reads it after a crash of this program wants the last lines most.
        file.flush()?;
    }
    Ok(())
}
