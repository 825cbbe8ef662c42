//! Standard output and standard error of this program, as replicas' output is written to them: by a thread of their own,
//! so that a reader who does not read holds up no worker. A slow reader slows the replicas down, as it does with
//! inherited output; once nothing was read for a while, lines are dropped and counted instead.

use std::io::{self, Write};
use std::sync::{Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::time::sleep;

use super::output::Batch;

/// What may wait to be written, in bytes.
const MAX_QUEUED: usize = 1024 * 1024;
/// What is written at once: small, so that a slow reader is told from one that has stopped.
const CHUNK: usize = 4 * 1024;
/// Nothing was written for this long though there was something to write: whoever reads has stopped.
const STALLED_AFTER: Duration = Duration::from_secs(1);

/// Where output goes, and what waits to be written to it.
pub(super) struct Sink {
    state: Mutex<State>,
    /// There is something to write.
    filled: Condvar,
    /// Something was written.
    drained: Notify,
}

#[derive(Default)]
struct State {
    waiting: Batch,
    /// Bytes in `waiting` and those that are being written.
    unwritten: u64,
    /// Counts bytes that were written.
    progress: u64,
    stalled: bool,
    /// Lines that were dropped since that was last printed, and in all.
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

    /// Lines that were dropped so far, of both outputs.
    pub(super) fn dropped_lines() -> u64 {
        [Self::stdout(), Self::stderr()].into_iter().map(|sink| sink.lock().dropped_total).sum()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tried again with the next stream while there is no thread to be had.
    fn ensure_thread<W: Write>(&'static self, name: &str, open: impl Fn() -> io::Result<W> + Send + 'static) {
        let mut state = self.lock();
        if !state.has_thread {
            let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || self.write_all(open));
            state.has_thread = thread.is_ok();
        }
    }

    /// Takes lines to be written. Waits while there is no room and the reader reads, unless they are to `drop_if_full`.
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

    /// Waits until all that was sent so far is written, unless nobody reads.
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

    /// Nothing was written since there was that much progress: nobody is waited for until something is.
    pub(super) fn mark_stalled_since(&self, progress: u64) {
        let mut state = self.lock();
        state.stalled |= state.progress == progress && state.unwritten > 0;
    }

    /// Counts bytes written.
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

    /// Writes what comes, for as long as the program runs.
    fn write_all<W: Write>(&self, open: impl Fn() -> io::Result<W>) {
        loop {
            let batch = {
                let mut state = self.lock();
                while state.waiting.lines == 0 && state.dropped == 0 {
                    state = self.filled.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                state.take()
            };
            // The lock of the standard stream is held for a batch: its lines do not mix with what the program prints.
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
                // Closed: nobody will read it.
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

    /// What is to be written next; what was dropped came after what waits.
    fn take(&mut self) -> Batch {
        let mut batch = std::mem::take(&mut self.waiting);
        let dropped = std::mem::take(&mut self.dropped);
        if dropped > 0 {
            let notice = format!("uphold: {dropped} lines were dropped: nobody read them\n");
            self.unwritten += notice.len() as u64;
            batch.text.extend_from_slice(notice.as_bytes());
        }
        batch
    }
}

/// Writes all of it, also where the descriptor was made non-blocking by somebody else who has it.
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
    async fn a_reader_that_reads_misses_nothing() {
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
    async fn lines_that_nobody_reads_are_dropped_and_counted_and_that_is_printed_once_somebody_reads() {
        let (sink, mut reader) = sink();
        // More than the socket and the buffer take.
        for _ in 0..200 {
            sink.send(lines(1_000), &mut watch::channel(false).1).await;
        }
        sink.flushed().await;
        let dropped = sink.lock().dropped_total;
        assert!(dropped > 0 && dropped < 200_000, "{dropped}");
        let (mut text, mut chunk) = (Vec::new(), [0; 64 * 1024]);
        while !text.ends_with(b"nobody read them\n") {
            let count = reader.read(&mut chunk).expect("it can be read");
            text.extend_from_slice(&chunk[..count]);
        }
        let text = String::from_utf8(text).expect("as it was sent");
        assert_eq!(text.lines().count() as u64 - 1 + dropped, 200_000);
        assert!(text.ends_with(&format!("uphold: {dropped} lines were dropped: nobody read them\n")));
    }
}
