//! What a supervisor tells whoever listens.

use futures::{Stream, StreamExt};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;

use crate::engine::{Command, Event, Notice};
use crate::time::Timestamp;

/// One thing that happened, in the order in which it did.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Happened {
    /// When, in Unix time.
    pub at: Timestamp,
    /// What.
    pub what: Happening,
}

/// What happened.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum Happening {
    /// The set was told this.
    Event(Event),
    /// The set commanded this.
    Command(Command),
    /// The set noticed this.
    Notice(Notice),
    /// A backend call went wrong: which, and how.
    Trouble(String),
}

/// A stream of what happens. A slow listener is told how much it missed, and never slows the set.
#[derive(Debug)]
pub struct Notices {
    pub(super) receiver: broadcast::Receiver<Happened>,
}

/// What [`Notices::next`] gives.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a listener gets a thing or has missed some")]
pub enum Heard {
    /// The next thing that happened.
    Happened(Happened),
    /// So many were missed: the listener was too slow.
    Missed(u64),
}

impl Notices {
    /// The next thing; `None` once the supervisor has ended and all is told.
    pub async fn next(&mut self) -> Option<Heard> {
        match self.receiver.recv().await {
            Ok(happened) => Some(Heard::Happened(happened)),
            Err(RecvError::Lagged(missed)) => Some(Heard::Missed(missed)),
            Err(RecvError::Closed) => None,
        }
    }

    /// The same as a stream.
    pub fn into_stream(self) -> impl Stream<Item = Heard> + Send {
        futures::stream::unfold(self, |mut notices| async move {
            let heard = notices.next().await?;
            Some((heard, notices))
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
        let happened = Happened { at: Timestamp::ZERO, what: Happening::Event(Event::Terminate) };
        for _ in 0..3 {
            sender.send(happened.clone()).unwrap();
        }
        drop(sender);
        let mut stream = Box::pin(Notices { receiver }.into_stream());
        let mut heard = Vec::new();
        while let Some(next) = poll_fn(|context| stream.as_mut().poll_next(context)).await {
            heard.push(next);
        }
        assert_eq!(heard, [Heard::Missed(1), Heard::Happened(happened.clone()), Heard::Happened(happened)]);
        assert_eq!(poll_fn(|context| stream.as_mut().poll_next(context)).await, None);
    }
}
