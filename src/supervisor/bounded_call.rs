//! Runs a backend's code in a task of its own, so that neither a hang nor a panic reaches the caller.

use std::future::Future;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::timeout;

/// Why a call has no answer.
#[derive(Debug)]
pub(super) enum CallFailure {
    TimedOut,
    Panicked,
}

impl CallFailure {
    pub(super) fn describe(&self, within: Duration) -> String {
        match self {
            Self::TimedOut => format!("no answer within {within:?}"),
            Self::Panicked => "the backend panicked".to_owned(),
        }
    }
}

/// Runs `call` for at most `within`, then aborts it.
pub(super) async fn bounded_call<T: Send + 'static>(
    within: Duration,
    call: impl Future<Output = T> + Send + 'static,
) -> Result<T, CallFailure> {
    let mut task = AbortOnDrop(tokio::spawn(call));
    match timeout(within, &mut task.0).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(_)) => Err(CallFailure::Panicked),
        Err(_) => Err(CallFailure::TimedOut),
    }
}

/// Aborts the task when its caller is dropped.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
