//! Records to a file, with rotation by size.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::recorder::Recorder;
use crate::engine::{Input, RecordedLine, RecordedStep, RecordingHeader};

/// Writes a recording to a file as NDJSON, from a thread of its own.
///
/// When the file exceeds its maximum size it is renamed to `FILE.1`, which replaces an older one, and a new recording
/// begins with a snapshot, so that each file can be replayed on its own. Files are created with mode 0600 and without
/// the values of probes' headers. An I/O error ends the file and does not affect the set.
///
/// ```no_run
/// # fn run(supervisor: uphold::supervisor::SupervisorBuilder<uphold::backend::process::ProcessBackend>) -> std::io::Result<()> {
/// use uphold::supervisor::FileRecorder;
///
/// let recorder = FileRecorder::new("web.ndjson", 64 * 1024 * 1024)?;
/// let handle = supervisor.recorder(recorder).spawn();
/// # drop(handle);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FileRecorder {
    path: PathBuf,
    lines: Sender<Line>,
    size: u64,
    max_size: u64,
    keeps_secrets: bool,
}

enum Line {
    /// The first line of a new file.
    Begin(String),
    Step(String),
}

impl FileRecorder {
    /// Creates or truncates the file. `max_size`, in bytes, may be exceeded by one line.
    ///
    /// # Errors
    /// The file cannot be created, or the thread cannot be spawned.
    pub fn new(path: impl Into<PathBuf>, max_size: u64) -> io::Result<Self> {
        let path = path.into();
        let file = BufWriter::new(create(&path)?);
        let (lines, written) = channel();
        let target = path.clone();
        std::thread::Builder::new().name("uphold-recorder".into()).spawn(move || {
            // An I/O error ends the file. It cannot be reported from here.
            let _ = write_lines(&target, file, &written);
        })?;
        Ok(Self { path, lines, size: 0, max_size, keeps_secrets: false })
    }

    /// Keeps the values of probes' headers, such as `Authorization`, in the recording.
    #[must_use]
    pub fn keep_secrets(mut self) -> Self {
        self.keeps_secrets = true;
        self
    }

    /// Returns the path of the current file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn send(&mut self, line: &RecordedLine, begins: bool) {
        let Ok(text) = serde_json::to_string(line) else { return };
        self.size += text.len() as u64 + 1;
        // An error means that the thread has ended after an I/O error.
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
        if let Input::Policy(policy) = &mut step.input
            && !self.keeps_secrets
        {
            *policy = policy.redacted();
        }
        self.send(&RecordedLine::Step(step), false);
    }

    fn wants_rotation(&mut self) -> bool {
        self.size > self.max_size
    }
}

/// Creates or truncates a file, with mode 0600 even if it existed.
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

fn write_lines(path: &Path, mut file: BufWriter<File>, lines: &Receiver<Line>) -> io::Result<()> {
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
        // Flushed, because the last lines before a crash of this program are the most useful.
        file.flush()?;
    }
    Ok(())
}
