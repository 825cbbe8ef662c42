//! The notifications of a supervisor and their stream.

use futures::{Stream, StreamExt};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::engine::{Command, Event, Notice};
use crate::time::Timestamp;

/// An event, a command, a notice or an error, with its time. Notifications are in the order in which they happened.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Notification {
    /// When it happened, in Unix time.
    pub at: Timestamp,
    /// What happened.
    pub kind: NotificationKind,
}

/// What a [`Notification`] is about.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum NotificationKind {
    /// The set received this event.
    Event(Event),
    /// The set issued this command.
    Command(Command),
    /// The set issued this notice.
    Notice(Notice),
    /// A backend call failed, or the watch broke: what failed, and why.
    BackendError(String),
    /// Something else that an operator should know: a recorder panicked, an instance never becomes ready, a shutdown was
    /// forced.
    Warning(String),
}

/// A stream of notifications. A slow receiver never delays the set: it misses the oldest notifications and receives their
/// number.
///
/// ```
/// use uphold::supervisor::{Notifications, Received};
///
/// async fn print(mut notifications: Notifications) {
///     while let Some(received) = notifications.next().await {
///         match received {
///             Received::Notification(notification) => println!("{:?}", notification.kind),
///             Received::Missed(count) => eprintln!("missed {count} notifications"),
///         }
///     }
/// }
/// ```
#[derive(Debug)]
pub struct Notifications {
    pub(super) receiver: broadcast::Receiver<Notification>,
}

/// An item of [`Notifications`].
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a broadcast channel has no third outcome")]
pub enum Received {
    /// The next notification.
    Notification(Notification),
    /// This many notifications were dropped because the receiver was too slow.
    Missed(u64),
}

impl Notifications {
    /// Waits for the next item. Returns `None` once the supervisor has ended and every notification was received.
    pub async fn next(&mut self) -> Option<Received> {
        match self.receiver.recv().await {
            Ok(notification) => Some(Received::Notification(notification)),
            Err(RecvError::Lagged(missed)) => Some(Received::Missed(missed)),
            Err(RecvError::Closed) => None,
        }
    }

    /// Converts this into a [`Stream`].
    pub fn into_stream(self) -> impl Stream<Item = Received> + Send {
        futures::stream::unfold(self, |mut notifications| async move {
            let received = notifications.next().await?;
            Some((received, notifications))
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
    async fn a_stream_yields_notifications_and_then_ends() {
        let (sender, receiver) = broadcast::channel(2);
        let notification = Notification { at: Timestamp::ZERO, kind: NotificationKind::Event(Event::Terminate) };
        for _ in 0..3 {
            sender.send(notification.clone()).unwrap();
        }
        drop(sender);
        let mut stream = Box::pin(Notifications { receiver }.into_stream());
        let mut received = Vec::new();
        while let Some(next) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
            received.push(next);
        }
        assert_eq!(
            received,
            [Received::Missed(1), Received::Notification(notification.clone()), Received::Notification(notification)]
        );
        assert_eq!(poll_fn(|context| stream.as_mut().poll_next(context)).await, None);
    }
}
