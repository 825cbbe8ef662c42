//! Forwards the output of a child to this program's, line by line with a prefix.

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
use super::lines::{LineSplitter, MIN_READ};
use super::sink::Sink;

/// The buffer of a replica that prints much, in bytes.
const MAX_READ: usize = 64 * 1024;
/// At the end of a replica, its output is awaited until none has come for this long, for at most this many rounds.
const DRAIN_TIMEOUT: Duration = Duration::from_millis(200);
const MAX_DRAIN_ROUNDS: u32 = 10;
/// How long the rest of the pipes is then read, to count the lines that are dropped.
const FINAL_READ_TIMEOUT: Duration = Duration::from_millis(50);

/// The tasks that forward a child's output. Dropping it closes our ends of the pipes.
#[derive(Debug, Default)]
pub(super) struct Forwarding {
    streams: Vec<Stream>,
    /// Set when lines are to be dropped rather than wait for space in a sink.
    drop_if_full: watch::Sender<bool>,
}

#[derive(Debug)]
struct Stream {
    task: JoinHandle<()>,
    sink: &'static Sink,
    /// Bytes read so far.
    read: Arc<AtomicU64>,
}

impl Drop for Stream {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Forwarding {
    /// Forwards what the child writes to its pipes, if it has any.
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

    /// Forwards the remaining output of a child that has exited, then closes our ends of the pipes. The wait is bounded,
    /// because a process that left the group may keep the pipes open, and because our own output may be blocked.
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

    /// Counts bytes that were read or written; it changes while waiting is useful.
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
