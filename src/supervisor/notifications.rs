//! What a supervisor tells whoever listens.

use futures::{Stream, StreamExt};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::engine::{Command, Event, Notice};
use crate::time::Timestamp;

/// One thing that happened, in the order in which it did.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Notification {
    /// When, in Unix time.
    pub at: Timestamp,
    /// What.
    pub kind: NotificationKind,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum NotificationKind {
    /// The set was told this.
    Event(Event),
    /// The set commanded this.
    Command(Command),
    /// The set noticed this.
    Notice(Notice),
    /// A backend call failed or the watch broke: which, and why.
    BackendError(String),
    /// Something else that an operator should know: a recorder panicked, an instance is never ready, a shutdown was forced.
    Warning(String),
}

/// A stream of what happens. A slow listener is told how much it missed, and never slows the set.
#[derive(Debug)]
pub struct Notifications {
    pub(super) receiver: broadcast::Receiver<Notification>,
}

/// What [`Notifications::next`] gives.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a listener gets a thing or has missed some")]
pub enum Received {
    /// The next thing that happened.
    Notification(Notification),
    /// So many were missed: the listener was too slow.
    Missed(u64),
}

impl Notifications {
    /// The next thing; `None` once the supervisor has ended and all is told.
    pub async fn next(&mut self) -> Option<Received> {
        match self.receiver.recv().await {
            Ok(notification) => Some(Received::Notification(notification)),
            Err(RecvError::Lagged(missed)) => Some(Received::Missed(missed)),
            Err(RecvError::Closed) => None,
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Received> + Send {
        futures::stream::unfold(self, |mut notifications| async move {
            let heard = notifications.next().await?;
            Some((heard, notifications))
        })
        .fuse()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;
    use crate::engine::Event;

    #[tokio::test]
    async fn a_stream_gives_what_happens_and_then_ends() {
        let (sender, receiver) = broadcast::channel(2);
        let notification = Notification { at: Timestamp::ZERO, kind: NotificationKind::Event(Event::Terminate) };
        for _ in 0..3 {
            sender.send(notification.clone()).unwrap();
        }
        drop(sender);
        let mut stream = Box::pin(Notifications { receiver }.into_stream());
        let mut heard = Vec::new();
        while let Some(next) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
            heard.push(next);
        }
        assert_eq!(
            heard,
            [Received::Missed(1), Received::Notification(notification.clone()), Received::Notification(notification)]
        );
        assert_eq!(poll_fn(|context| stream.as_mut().poll_next(context)).await, None);
    }
}
