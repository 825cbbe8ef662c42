//! What a supervisor tells whoever listens.

use futures::Stream;
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
    }
}
