//! The order of calls about one instance: what stops it comes after what starts it.

use tokio::sync::watch;

/// A start that is under way, as the driver and the calls that follow it see it.
#[derive(Clone, Debug)]
pub(super) struct StartToken {
    cancellation: watch::Sender<Cancellation>,
    /// Closed when the start is done, however it ended.
    done: watch::Receiver<()>,
}

/// What is cancellation of a start that is under way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Cancellation {
    /// To come about.
    None,
    /// It is not repeated; a call that is under way may still answer.
    NoRetry,
    /// It is not waited for any longer.
    Abort,
}

/// What the task of a start holds.
#[derive(Debug)]
pub(super) struct StartGuard {
    cancellation: watch::Receiver<Cancellation>,
    _done: watch::Sender<()>,
}

impl StartToken {
    pub(super) fn new() -> (Self, StartGuard) {
        let (cancellation, seen) = watch::channel(Cancellation::None);
        let (_done, done) = watch::channel(());
        (Self { cancellation, done }, StartGuard { cancellation: seen, _done })
    }

    fn cancel(&self, cancellation: Cancellation) {
        self.cancellation.send_if_modified(|before| {
            let more = cancellation > *before;
            *before = cancellation.max(*before);
            more
        });
    }

    /// Whether the start is done, however it ended.
    pub(super) fn is_done(&self) -> bool {
        self.done.has_changed().is_err()
    }

    /// The instance is to be stopped: waits until its start is done, which is bounded by the time a call may take.
    pub(super) async fn cancel_retries_and_wait(mut self) {
        self.cancel(Cancellation::NoRetry);
        while self.done.changed().await.is_ok() {}
    }

    /// The instance is to be killed: its start is not waited for.
    pub(super) async fn abort_and_wait(mut self) {
        self.cancel(Cancellation::Abort);
        while self.done.changed().await.is_ok() {}
    }
}

impl StartGuard {
    pub(super) fn may_retry(&self) -> bool {
        *self.cancellation.borrow() == Cancellation::None
    }

    /// Waits until the instance is to be stopped or killed.
    pub(super) async fn retries_cancelled(&mut self) {
        if self.cancellation.wait_for(|cancellation| *cancellation >= Cancellation::NoRetry).await.is_err() {
            std::future::pending().await
        }
    }

    /// Waits until the instance is to be killed.
    pub(super) async fn aborted(&mut self) {
        if self.cancellation.wait_for(|cancellation| *cancellation == Cancellation::Abort).await.is_err() {
            std::future::pending().await
        }
    }
}
