//! Writes replicas' output to stdout and stderr, each from a thread of its own, so that a blocked write blocks no worker of
//! the runtime. A slow reader slows the replicas down; if it reads nothing for a while, lines are dropped and counted.

use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::lines::Batch;

/// The maximum size of the queue, in bytes, before senders wait.
const MAX_QUEUED: usize = 1024 * 1024;
/// The size of one write, in bytes: small, so that a slow reader can be told from one that has stopped reading.
const CHUNK: usize = 4 * 1024;
/// If nothing was written for this long although lines were queued, the reader has stopped reading.
const STALLED_AFTER: Duration = Duration::from_secs(1);

/// A standard stream and the queue of lines for it.
pub(super) struct Sink {
    state: Mutex<State>,
    /// Signalled when lines are queued.
    filled: Condvar,
    /// Signalled when bytes were written.
    drained: Notify,
}

#[derive(Default)]
struct State {
    waiting: Batch,
    /// Bytes that are queued or being written.
    unwritten: u64,
    /// Bytes written so far.
    progress: u64,
    stalled: bool,
    /// Lines dropped since their number was last printed.
    dropped: u64,
    dropped_total: u64,
    has_thread: bool,
}

impl std::fmt::Debug for Sink {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sink").finish_non_exhaustive()
    }
}

impl Sink {
    fn new() -> Self {
        Self { state: Mutex::default(), filled: Condvar::new(), drained: Notify::new() }
    }

    pub(super) fn stdout() -> &'static Self {
        static STDOUT: OnceLock<Sink> = OnceLock::new();
        let sink = STDOUT.get_or_init(Self::new);
        sink.ensure_thread("uphold-stdout", || Ok(io::stdout().lock()));
        sink
    }

    pub(super) fn stderr() -> &'static Self {
        static STDERR: OnceLock<Sink> = OnceLock::new();
        let sink = STDERR.get_or_init(Self::new);
        sink.ensure_thread("uphold-stderr", || Ok(io::stderr().lock()));
        sink
    }

    /// Returns the number of lines dropped so far, on both streams.
    pub(super) fn dropped_lines() -> u64 {
        [Self::stdout(), Self::stderr()].into_iter().map(|sink| sink.lock().dropped_total).sum()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Spawns the writer thread. If that fails, the next replica's stream tries again.
    fn ensure_thread<W: Write>(&'static self, name: &str, open: impl Fn() -> io::Result<W> + Send + 'static) {
        let mut state = self.lock();
        if !state.has_thread {
            let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || self.write_all(open));
            state.has_thread = thread.is_ok();
        }
    }

    /// Queues lines. Waits for space while the reader makes progress; otherwise, or if `drop_if_full` is set, drops them.
    pub(super) async fn send(&self, batch: Batch, drop_if_full: &mut watch::Receiver<bool>) {
        if batch.lines == 0 {
            return;
        }
        loop {
            let drained = self.drained.notified();
            let before = {
                let mut state = self.lock();
                if state.waiting.text.len() < MAX_QUEUED {
                    state.add(batch);
                    self.filled.notify_one();
                    return;
                }
                if state.stalled || !state.has_thread || *drop_if_full.borrow() {
                    state.drop_lines(batch.lines);
                    return;
                }
                state.progress
            };
            tokio::select! {
                () = drained => {}
                Ok(_) = drop_if_full.wait_for(|drop_if_full| *drop_if_full) => {}
                () = sleep(STALLED_AFTER) => self.mark_stalled_since(before),
            }
        }
    }

    /// Waits until everything queued so far is written, or the reader stalls.
    pub(super) async fn flushed(&self) {
        let target = {
            let state = self.lock();
            state.progress + state.unwritten
        };
        loop {
            let drained = self.drained.notified();
            {
                let state = self.lock();
                if state.progress >= target || state.unwritten == 0 || state.stalled {
                    return;
                }
            }
            drained.await;
        }
    }

    /// Marks the reader as stalled if `progress` has not changed since, until the next write succeeds.
    pub(super) fn mark_stalled_since(&self, progress: u64) {
        let mut state = self.lock();
        state.stalled |= state.progress == progress && state.unwritten > 0;
    }

    /// Returns the number of bytes written so far.
    pub(super) fn progress(&self) -> u64 {
        self.lock().progress
    }

    fn note_written(&self, bytes: usize) {
        let mut state = self.lock();
        state.unwritten -= bytes as u64;
        state.progress += bytes as u64;
        state.stalled = false;
        drop(state);
        self.drained.notify_waiters();
    }

    /// Runs the writer thread's loop, which never ends.
    fn write_all<W: Write>(&self, open: impl Fn() -> io::Result<W>) {
        loop {
            let batch = {
                let mut state = self.lock();
                while state.waiting.lines == 0 && state.dropped == 0 {
                    state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                state.take()
            };
            // The standard stream is locked for the whole batch, so that the program's own lines do not mix with it.
            let mut left = batch.text.len();
            let written = open().and_then(|mut to| {
                for chunk in batch.text.chunks(CHUNK) {
                    write_out(&mut to, chunk)?;
                    left -= chunk.len();
                    self.note_written(chunk.len());
                }
                flush(&mut to)
            });
            if written.is_err() {
                // The stream is closed.
                self.lock().dropped_total += batch.lines;
                self.note_written(left);
            }
        }
    }
}

impl State {
    fn add(&mut self, batch: Batch) {
        self.unwritten += batch.text.len() as u64;
        self.waiting.lines += batch.lines;
        if self.waiting.text.is_empty() {
            self.waiting.text = batch.text;
        } else {
            self.waiting.text.extend_from_slice(&batch.text);
        }
    }

    fn drop_lines(&mut self, lines: u64) {
        self.dropped += lines;
        self.dropped_total += lines;
    }

    /// Takes the queue, followed by a line about the lines that were dropped since.
    fn take(&mut self) -> Batch {
        let mut batch = std::mem::take(&mut self.waiting);
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            let notice = format!("uphold: {dropped} lines were dropped because they were not read\n");
            self.unwritten += notice.len() as u64;
            batch.text.extend_from_slice(notice.as_bytes());
        }
        batch
    }
}

/// Writes everything, even if another process has made the shared descriptor non-blocking.
fn write_out(to: &mut impl Write, mut text: &[u8]) -> io::Result<()> {
    while !text.is_empty() {
        match to.write(text) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(written) => text = &text[written..],
            Err(error) => retry_or_fail(error)?,
        }
    }
    Ok(())
}

fn flush(to: &mut impl Write) -> io::Result<()> {
    while let Err(error) = to.flush() {
        retry_or_fail(error)?;
    }
    Ok(())
}

fn retry_or_fail(error: io::Error) -> io::Result<()> {
    match error.kind() {
        io::ErrorKind::Interrupted => Ok(()),
        io::ErrorKind::WouldBlock => {
            std::thread::sleep(Duration::from_millis(5));
            Ok(())
        }
        _ => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    use super::*;

    fn sink() -> (&'static Sink, UnixStream) {
        let (ours, theirs) = UnixStream::pair().expect("a pair");
        let sink: &'static Sink = Box::leak(Box::new(Sink::new()));
        sink.ensure_thread("test", move || theirs.try_clone());
        (sink, ours)
    }

    fn lines(count: usize) -> Batch {
        Batch { text: "0123456789abcde\n".repeat(count).into_bytes(), lines: count as u64 }
    }

    #[tokio::test]
    async fn no_line_is_dropped_while_the_reader_reads() {
        let (sink, mut reader) = sink();
        let reading = std::thread::spawn(move || {
            let mut all = vec![0; 16 * 400_000];
            reader.read_exact(&mut all).map(|()| all)
        });
        for _ in 0..400 {
            sink.send(lines(1_000), &mut watch::channel(false).1).await;
        }
        sink.flushed().await;
        let all = reading.join().expect("it reads").expect("all of it");
        assert!(all.chunks(16).all(|line| line == b"0123456789abcde\n"));
        assert_eq!(sink.lock().dropped_total, 0);
    }

    #[tokio::test]
    async fn lines_are_dropped_while_nothing_is_read_and_their_number_is_printed() {
        let (sink, mut reader) = sink();
        // More than the socket and the buffer take.
        for _ in 0..200 {
            sink.send(lines(1_000), &mut watch::channel(false).1).await;
        }
        sink.flushed().await;
        let dropped = sink.lock().dropped_total;
        assert!(dropped > 0 && dropped < 200_000, "{dropped}");
        let (mut text, mut chunk) = (Vec::new(), [0; 64 * 1024]);
        while !text.ends_with(b"they were not read\n") {
            let count = reader.read(&mut chunk).expect("it can be read");
            text.extend_from_slice(&chunk[..count]);
        }
        let text = String::from_utf8(text).expect("as it was sent");
        assert_eq!(text.lines().count() as u64 - 1 + dropped, 200_000);
        assert!(text.ends_with(&format!("uphold: {dropped} lines were dropped because they were not read\n")));
    }
}
