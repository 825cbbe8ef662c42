//! A recording in a file, a line each, bounded by size.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, Sender, channel};

use super::record::Record;
use crate::engine::{RecordedLine, RecordedStep, RecordingHeader};

/// Records into a file as NDJSON. When it has grown to its size, it becomes `FILE.1` (an older one is replaced) and a
/// new recording begins, with the state as it is then: each of the two can be replayed on its own.
///
/// A thread of its own writes, so that a slow disk does not slow the set. Where writing fails, the file ends there: a
/// recording never harms what it records.
#[derive(Debug)]
pub struct FileRecorder {
    path: PathBuf,
    lines: Sender<Line>,
    size: u64,
    most: u64,
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
        let file = BufWriter::new(File::create(&path)?);
        let (lines, written) = channel();
        let target = path.clone();
        std::thread::Builder::new().name("uphold-recorder".into()).spawn(move || {
            // Told by the file itself: it ends where writing failed.
            let _ = write(&target, file, &written);
        })?;
        Ok(Self { path, lines, size: 0, most })
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

impl Record for FileRecorder {
    fn begin(&mut self, header: &RecordingHeader) {
        self.size = 0;
        self.send(&RecordedLine::Begin(header.clone()), true);
    }

    fn step(&mut self, step: &RecordedStep) {
        self.send(&RecordedLine::Step(step.clone()), false);
    }

    fn wants_beginning(&mut self) -> bool {
        self.size > self.most
    }
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
                    file = BufWriter::new(File::create(path)?);
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
