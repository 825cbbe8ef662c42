//! Prints from a thread of its own, so that a blocked write does not delay supervision. Lines are dropped and counted if the
//! output is not read.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// The maximum number of queued texts.
const MAX_QUEUED: usize = 1024;
/// A reader that has read nothing for this long has stalled.
const STALL_TIMEOUT: Duration = Duration::from_secs(1);

enum Job {
    Text(String),
    /// Answered when everything before it is printed.
    Flush(oneshot::Sender<()>),
}

/// Prints to stdout and stderr. Clones share the queues.
#[derive(Clone)]
pub(crate) struct Printer {
    out: StreamQueue,
    err: StreamQueue,
}

/// The queue of one stream.
#[derive(Clone)]
struct StreamQueue {
    jobs: mpsc::Sender<Job>,
    stalled: Arc<AtomicBool>,
    dropped: Arc<AtomicU64>,
}

impl Printer {
    pub(crate) fn new() -> std::io::Result<Self> {
        let out = StreamQueue::new("stdout", |text| {
            let mut out = std::io::stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        })?;
        Ok(Self { out, err: StreamQueue::new("stderr", |text| std::io::stderr().write_all(text.as_bytes()))? })
    }

    /// Prints a text to stdout.
    pub(crate) async fn out(&self, text: String) {
        self.out.send(Job::Text(text)).await;
    }

    /// Prints a line to stderr.
    pub(crate) async fn err(&self, line: String) {
        self.err.send(Job::Text(line + "\n")).await;
    }

    /// Waits until everything is printed or the reader stalls, then prints how many lines were dropped.
    pub(crate) async fn finish(&self) {
        self.out.finish().await;
        let dropped = self.out.dropped.load(Ordering::Relaxed);
        if dropped > 0 {
            self.err(format!("{dropped} lines were dropped because they were not read")).await;
        }
        self.err.finish().await;
    }
}

impl StreamQueue {
    /// Errors of `write` are ignored, because supervision must continue if the stream is closed.
    fn new(name: &str, write: impl Fn(String) -> std::io::Result<()> + Send + 'static) -> std::io::Result<Self> {
        let (jobs, mut queue) = mpsc::channel(MAX_QUEUED);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            while let Some(job) = queue.blocking_recv() {
                match job {
                    Job::Text(text) => drop(write(text)),
                    Job::Flush(done) => drop(done.send(())),
                }
            }
        })?;
        Ok(Self { jobs, stalled: Arc::default(), dropped: Arc::default() })
    }

    async fn send(&self, job: Job) {
        let sent = if self.stalled.load(Ordering::Relaxed) {
            self.jobs.try_send(job).is_ok()
        } else {
            timeout(STALL_TIMEOUT, self.jobs.send(job)).await.is_ok_and(|sent| sent.is_ok())
        };
        self.stalled.store(!sent, Ordering::Relaxed);
        if !sent {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn finish(&self) {
        let (done, printed) = oneshot::channel();
        let printed = async {
            let _ = self.jobs.send(Job::Flush(done)).await;
            let _ = printed.await;
        };
        if timeout(STALL_TIMEOUT, printed).await.is_err() {
            // Queued texts are lost.
            let waiting = MAX_QUEUED.saturating_sub(self.jobs.capacity());
            self.dropped.fetch_add(waiting as u64, Ordering::Relaxed);
        }
    }
}
