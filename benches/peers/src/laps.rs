//! The supervised work: a run that fails until it has been restarted a given number of times.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

/// Counts runs. The first waits for a signal, the last never ends, and all others fail at once.
#[derive(Debug)]
pub struct Laps {
    restarts: u64,
    runs: AtomicU64,
    waits: Notify,
    begin: Notify,
    done: Notify,
}

impl Laps {
    fn new(restarts: u64) -> Self {
        Self { restarts, runs: AtomicU64::new(0), waits: Notify::new(), begin: Notify::new(), done: Notify::new() }
    }

    /// Runs once; returns when the run should fail.
    pub async fn run(&self) {
        let before = self.runs.fetch_add(1, Ordering::Relaxed);
        if before == 0 {
            self.waits.notify_one();
            self.begin.notified().await;
        } else if before == self.restarts {
            self.done.notify_one();
            std::future::pending::<()>().await;
        }
    }
}

/// Returns the time of this many restarts, one after the other, on a current-thread runtime. `supervise` and everything
/// before the first run are not timed.
///
/// # Panics
/// The runtime cannot be created.
pub fn restarts<F, Supervised>(restarts: u64, supervise: impl FnOnce(Arc<Laps>) -> F) -> Duration
where
    F: Future<Output = Supervised>,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let laps = Arc::new(Laps::new(restarts));
    let elapsed = runtime.block_on(async {
        let _supervised = supervise(laps.clone()).await;
        laps.waits.notified().await;
        let began = Instant::now();
        laps.begin.notify_one();
        laps.done.notified().await;
        began.elapsed()
    });
    runtime.shutdown_background();
    elapsed
}
