//! Exponential pauses between attempts to watch, list or start.

use std::time::Duration;

/// The first pause.
const MIN: Duration = Duration::from_millis(100);
/// The longest pause.
const MAX: Duration = Duration::from_secs(30);

/// A pause that doubles from 100 ms to 30 s.
#[derive(Debug)]
pub(super) struct RetryPause(Duration);

impl RetryPause {
    pub(super) fn new() -> Self {
        Self(MIN)
    }

    /// Sleeps for the current pause and doubles it.
    pub(super) async fn sleep(&mut self) {
        let pause = self.0;
        self.0 = (pause * 2).min(MAX);
        tokio::time::sleep(pause).await;
    }

    pub(super) fn reset(&mut self) {
        self.0 = MIN;
    }
}
