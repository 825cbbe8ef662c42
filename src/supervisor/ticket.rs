//! The order of calls about one instance: what stops it comes after what starts it.

use tokio::sync::watch;

/// A start that is under way, as the driver and the calls that follow it see it.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    wanted: watch::Sender<Wanted>,
    /// Closed when the start is over, however it ended.
    over: watch::Receiver<()>,
}

/// What is wanted of a start that is under way.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Wanted {
    /// To come about.
    Start,
    /// It is not repeated; a call that is under way may still answer.
    NoRepeat,
    /// It is not waited for any longer.
    Abandon,
}

/// What the task of a start holds.
#[derive(Debug)]
pub(super) struct Starting {
    wanted: watch::Receiver<Wanted>,
    _over: watch::Sender<()>,
}

impl Ticket {
    pub(super) fn new() -> (Self, Starting) {
        let (wanted, seen) = watch::channel(Wanted::Start);
        let (_over, over) = watch::channel(());
        (Self { wanted, over }, Starting { wanted: seen, _over })
    }

    fn want(&self, wanted: Wanted) {
        self.wanted.send_if_modified(|before| {
            let more = wanted > *before;
            *before = wanted.max(*before);
            more
        });
    }

    /// Whether the start is over, however it ended.
    pub(super) fn is_over(&self) -> bool {
        self.over.has_changed().is_err()
    }

    /// The instance is to be stopped: waits until its start is over, which is bounded by the time a call may take.
    pub(super) async fn stop(mut self) {
        self.want(Wanted::NoRepeat);
        while self.over.changed().await.is_ok() {}
    }

    /// The instance is to be killed: its start is not waited for.
    pub(super) async fn kill(mut self) {
        self.want(Wanted::Abandon);
        while self.over.changed().await.is_ok() {}
    }
}

impl Starting {
    pub(super) fn may_repeat(&self) -> bool {
        *self.wanted.borrow() == Wanted::Start
    }

    /// Waits until the instance is to be stopped or killed.
    pub(super) async fn unwanted(&mut self) {
        if self.wanted.wait_for(|wanted| *wanted >= Wanted::NoRepeat).await.is_err() {
            std::future::pending().await
        }
    }

    /// Waits until the instance is to be killed.
    pub(super) async fn abandoned(&mut self) {
        if self.wanted.wait_for(|wanted| *wanted == Wanted::Abandon).await.is_err() {
            std::future::pending().await
        }
    }
}
