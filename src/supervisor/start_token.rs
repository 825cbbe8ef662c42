//! Orders a stop or kill of an instance after its start.

use tokio::sync::watch;

/// A handle to a queued or running start, through which a stop or kill cancels it and waits for its end.
#[derive(Clone, Debug)]
pub(super) struct StartToken {
    cancellation: watch::Sender<Cancellation>,
    /// Closed when the guard is dropped.
    done: watch::Receiver<()>,
}

/// How far a start is cancelled.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Cancellation {
    None,
    /// The running call may complete, but is not retried.
    NoRetry,
    /// The running call is aborted.
    Abort,
}

/// Held by the task of a start; dropping it marks the start as done.
#[derive(Debug)]
pub(super) struct StartGuard {
    cancellation: watch::Receiver<Cancellation>,
    _done: watch::Sender<()>,
}

impl StartToken {
    pub(super) fn new() -> (Self, StartGuard) {
        let (sender, receiver) = watch::channel(Cancellation::None);
        let (_done, done) = watch::channel(());
        (Self { cancellation: sender, done }, StartGuard { cancellation: receiver, _done })
    }

    /// Raises the cancellation to `level`; it is never lowered.
    fn cancel(&self, level: Cancellation) {
        self.cancellation.send_if_modified(|current| {
            let raised = level > *current;
            *current = level.max(*current);
            raised
        });
    }

    pub(super) fn is_done(&self) -> bool {
        self.done.has_changed().is_err()
    }

    /// Prevents retries and waits until the running call has ended, which `call_timeout` bounds.
    pub(super) async fn cancel_retries_and_wait(mut self) {
        self.cancel(Cancellation::NoRetry);
        while self.done.changed().await.is_ok() {}
    }

    /// Aborts the start and waits until its task has ended.
    pub(super) async fn abort_and_wait(mut self) {
        self.cancel(Cancellation::Abort);
        while self.done.changed().await.is_ok() {}
    }
}

impl StartGuard {
    pub(super) fn may_retry(&self) -> bool {
        *self.cancellation.borrow() == Cancellation::None
    }

    /// Completes once the start may not be retried.
    pub(super) async fn retries_cancelled(&mut self) {
        self.cancelled(Cancellation::NoRetry).await;
    }

    /// Completes once the start is to be aborted.
    pub(super) async fn aborted(&mut self) {
        self.cancelled(Cancellation::Abort).await;
    }

    async fn cancelled(&mut self, level: Cancellation) {
        if self.cancellation.wait_for(|current| *current >= level).await.is_err() {
            std::future::pending().await
        }
    }
}
