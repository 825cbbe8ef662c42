//! Prints without ever holding up supervision: a thread of its own writes. Where nobody reads, lines are dropped and
//! counted.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// Texts that may wait to be printed.
const MOST_WAITING: usize = 1024;
/// A reader who has read nothing for this long has stopped.
const PATIENCE: Duration = Duration::from_secs(1);

enum Text {
    Text(String),
    /// Everything before it is printed.
    Done(oneshot::Sender<()>),
}

/// Prints to standard output and standard error, each in one order. Clones print to the same.
#[derive(Clone)]
pub(crate) struct Printer {
    out: Lane,
    err: Lane,
}

/// The way to one of the two.
#[derive(Clone)]
struct Lane {
    texts: mpsc::Sender<Text>,
    stalled: Arc<AtomicBool>,
    dropped: Arc<AtomicU64>,
}

impl Printer {
    pub(crate) fn new() -> std::io::Result<Self> {
        let out = Lane::new("stdout", |text| {
            let mut out = std::io::stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush())
        })?;
        Ok(Self { out, err: Lane::new("stderr", |text| std::io::stderr().write_all(text.as_bytes()))? })
    }

    /// Prints to standard output, as it is.
    pub(crate) async fn out(&self, text: String) {
        self.out.send(Text::Text(text)).await;
    }

    /// Prints a line to standard error.
    pub(crate) async fn err(&self, line: String) {
        self.err.send(Text::Text(line + "\n")).await;
    }

    /// Waits until everything is printed, but not for somebody who does not read; and says how much was dropped.
    pub(crate) async fn finish(&self) {
        self.out.finish().await;
        let dropped = self.out.dropped.load(Ordering::Relaxed);
        if dropped > 0 {
            self.err(format!("{dropped} lines were dropped: nobody read them")).await;
        }
        self.err.finish().await;
    }
}

impl Lane {
    /// A standard stream that is closed is no reason to stop supervising: what `write` says is ignored.
    fn new(name: &str, write: impl Fn(String) -> std::io::Result<()> + Send + 'static) -> std::io::Result<Self> {
        let (texts, mut printed) = mpsc::channel(MOST_WAITING);
        std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            while let Some(text) = printed.blocking_recv() {
                match text {
                    Text::Text(text) => drop(write(text)),
                    Text::Done(done) => drop(done.send(())),
                }
            }
        })?;
        Ok(Self { texts, stalled: Arc::default(), dropped: Arc::default() })
    }

    async fn send(&self, text: Text) {
        let sent = if self.stalled.load(Ordering::Relaxed) {
            self.texts.try_send(text).is_ok()
        } else {
            timeout(PATIENCE, self.texts.send(text)).await.is_ok_and(|sent| sent.is_ok())
        };
        self.stalled.store(!sent, Ordering::Relaxed);
        if !sent {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn finish(&self) {
        let (done, printed) = oneshot::channel();
        let printed = async {
            let _ = self.texts.send(Text::Done(done)).await;
            let _ = printed.await;
        };
        if timeout(PATIENCE, printed).await.is_err() {
            // What waits is lost with the program.
            let waiting = MOST_WAITING.saturating_sub(self.texts.capacity());
            self.dropped.fetch_add(waiting as u64, Ordering::Relaxed);
        }
    }
}
