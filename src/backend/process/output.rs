//! What replicas print, line by line, with the replica's name before it.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{ChildStderr, ChildStdout};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::child::Child;
use super::sink::Sink;

/// A longer line is printed in pieces.
const MAX_LINE: usize = 8 * 1024;
/// What is read at once; more from replicas that print more.
const MIN_READ: usize = 4 * 1024;
const MAX_READ: usize = 64 * 1024;
/// How long the end of a replica waits for output that does not come, and how long at most.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(200);
const MAX_DRAIN_ROUNDS: u32 = 10;
/// How long what is left in the pipes then takes to be read and counted.
const FINAL_READ_TIMEOUT: Duration = Duration::from_millis(50);

/// What a child prints on its way to this program's output. Dropped, it closes our ends of the pipes.
#[derive(Debug, Default)]
pub(super) struct Forwarding {
    streams: Vec<Stream>,
    /// Set once lines are no longer to wait for room.
    drop_if_full: watch::Sender<bool>,
}

#[derive(Debug)]
struct Stream {
    task: JoinHandle<()>,
    sink: &'static Sink,
    /// Bytes that were read so far.
    read: Arc<AtomicU64>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Forwarding {
    /// Forwards what the child prints into its pipes, if it has any.
    pub(super) fn start(child: &mut Child, label: &str) -> io::Result<Self> {
        let (stdout, stderr) = child.take_pipes();
        let stdout = stdout.map(ChildStdout::from_std).transpose()?;
        let stderr = stderr.map(ChildStderr::from_std).transpose()?;
        let mut forwarding = Self::default();
        if let Some(stdout) = stdout {
            forwarding.add(stdout, Sink::stdout(), label);
        }
        if let Some(stderr) = stderr {
            forwarding.add(stderr, Sink::stderr(), label);
        }
        Ok(forwarding)
    }

    fn add(&mut self, from: impl AsyncRead + Unpin + Send + 'static, sink: &'static Sink, label: &str) {
        let read = Arc::new(AtomicU64::new(0));
        let task = tokio::spawn(forward(from, sink, label.to_owned(), read.clone(), self.drop_if_full.subscribe()));
        self.streams.push(Stream { task, sink, read });
    }

    /// Waits for the last words of a child that has ended, for as long as they come. Not longer: a process that left its
    /// group may hold the pipes for ever, and our own output may be blocked. Then our ends are closed.
    pub(super) async fn finish(mut self) {
        for _ in 0..MAX_DRAIN_ROUNDS {
            let before = self.progress();
            let written: Vec<u64> = self.streams.iter().map(|stream| stream.sink.progress()).collect();
            let all = async {
                for stream in &mut self.streams {
                    if !stream.task.is_finished() {
                        let _ = (&mut stream.task).await;
                    }
                    stream.sink.flushed().await;
                }
            };
            if timeout(DRAIN_TIMEOUT, all).await.is_ok() {
                return;
            }
            if self.progress() == before {
                for (stream, written) in self.streams.iter().zip(written) {
                    stream.sink.mark_stalled_since(written);
                }
                break;
            }
        }
        self.drop_if_full.send_replace(true);
        let all = async {
            for stream in self.streams.iter_mut().filter(|stream| !stream.task.is_finished()) {
                let _ = (&mut stream.task).await;
            }
        };
        let _ = timeout(FINAL_READ_TIMEOUT, all).await;
    }

    /// Grows while there is something to wait for.
    fn progress(&self) -> u64 {
        let of = |stream: &Stream| stream.read.load(Ordering::Relaxed).wrapping_add(stream.sink.progress());
        self.streams.iter().map(of).fold(0, u64::wrapping_add)
    }
}

async fn forward(
    mut from: impl AsyncRead + Unpin,
    sink: &'static Sink,
    label: String,
    read: Arc<AtomicU64>,
    mut drop_if_full: watch::Receiver<bool>,
) {
    let mut lines = LineSplitter::new(label);
    let mut most = MIN_READ;
    loop {
        lines.raw.reserve(most);
        let room = lines.raw.capacity() - lines.raw.len();
        let Ok(count @ 1..) = from.read_buf(&mut lines.raw).await else { break };
        read.fetch_add(count as u64, Ordering::Relaxed);
        most = if count >= room { (most * 2).min(MAX_READ) } else { MIN_READ };
        sink.send(lines.take_lines(), &mut drop_if_full).await;
    }
    sink.send(lines.take_rest(), &mut drop_if_full).await;
}

/// What was read and not forwarded yet.
struct LineSplitter {
    label: String,
    raw: Vec<u8>,
}

/// Whole lines, as they are printed.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) text: Vec<u8>,
    pub(super) lines: u64,
}

impl LineSplitter {
    fn new(label: String) -> Self {
        Self { label: format!("{label} | "), raw: Vec::new() }
    }

    /// Every whole line that was read, and long ones as far as they were.
    fn take_lines(&mut self) -> Batch {
        let mut batch = Batch::default();
        let mut begin = 0;
        while begin < self.raw.len() {
            let rest = &self.raw[begin..];
            let window = &rest[..rest.len().min(MAX_LINE)];
            let end = match window.iter().position(|&byte| byte == b'\n') {
                Some(newline) => newline + 1,
                None if window.len() == MAX_LINE => MAX_LINE,
                None => break,
            };
            batch.push(&self.label, &rest[..end]);
            begin += end;
        }
        self.raw.drain(..begin);
        if self.raw.is_empty() && self.raw.capacity() > MIN_READ {
            self.raw = Vec::new();
        }
        batch
    }

    /// The last line, which need not have an end.
    fn take_rest(&mut self) -> Batch {
        let mut batch = Batch::default();
        if !self.raw.is_empty() {
            batch.push(&self.label, &self.raw);
        }
        batch
    }
}

impl Batch {
    fn push(&mut self, label: &str, line: &[u8]) {
        self.text.extend_from_slice(label.as_bytes());
        self.text.extend_from_slice(line);
        if !line.ends_with(b"\n") {
            self.text.push(b'\n');
        }
        self.lines += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(text: &[u8], at_once: usize) -> Vec<String> {
        let mut lines = LineSplitter::new("web/1".into());
        let mut printed = Vec::new();
        for chunk in text.chunks(at_once) {
            lines.raw.extend_from_slice(chunk);
            printed.extend(lines.take_lines().text);
        }
        printed.extend(lines.take_rest().text);
        printed.split_inclusive(|&byte| byte == b'\n').map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }

    #[test]
    fn long_lines_come_in_pieces_and_the_last_line_needs_no_end() {
        let text = [vec![b'x'; MAX_LINE + 10], b"\nshort".to_vec()].concat();
        for at_once in [1, 100, 64 * 1024] {
            let lines = forwarded(&text, at_once);
            let lengths: Vec<usize> = lines.iter().map(|line| line.len() - "web/1 | \n".len()).collect();
            assert_eq!(lengths, [MAX_LINE, 10, 5]);
        }
    }

    #[test]
    fn every_line_has_the_name_before_it_in_order() {
        for at_once in [1, 3, 1024] {
            assert_eq!(
                forwarded(b"one\ntwo\n\nlast", at_once),
                ["web/1 | one\n", "web/1 | two\n", "web/1 | \n", "web/1 | last\n"]
            );
        }
    }
}
