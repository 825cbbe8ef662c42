//! How an incarnation ended: what is judged.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::policy::{Cause, Exit, Signal};
use crate::time::Timestamp;

/// How one incarnation ended, and when.
///
/// ```
/// use std::time::Duration;
/// use uphold::{Cause, Outcome, Timestamp};
///
/// let now = Timestamp::from_secs(60);
/// let crash = Outcome::exited(137, now);
/// let reclaimed = Outcome::failed(Cause::Interruption, now).because("spot reclaim");
/// let full = Outcome::start_failed(Cause::NoCapacity, now).retry_after(Duration::from_secs(90));
/// # let _ = (crash, reclaimed, full);
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Outcome {
    #[serde(with = "super::never", default = "super::never::value", skip_serializing_if = "super::never::is")]
    pub(crate) at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) exit: Option<Exit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) cause: Option<Cause>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reason: Option<Arc<str>>,
    /// Nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after: Option<u64>,
    /// It never ran: the start itself failed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) start_failed: bool,
}

impl Outcome {
    fn new(at: Timestamp) -> Self {
        Self { at, exit: None, cause: None, reason: None, retry_after: None, start_failed: false }
    }

    /// It ended with this exit code.
    pub fn exited(code: i32, at: Timestamp) -> Self {
        Self { exit: Some(Exit::Code(code)), ..Self::new(at) }
    }

    /// A signal ended it.
    pub fn signalled(signal: Signal, at: Timestamp) -> Self {
        Self { exit: Some(Exit::Signal(signal)), ..Self::new(at) }
    }

    /// It ended for this cause, with no exit code to tell.
    pub fn failed(cause: Cause, at: Timestamp) -> Self {
        Self { cause: Some(cause), ..Self::new(at) }
    }

    /// It could not be started: [`Cause::NoCapacity`], [`Cause::StartError`] or a cause of the user's own.
    pub fn start_failed(cause: Cause, at: Timestamp) -> Self {
        Self { cause: Some(cause), start_failed: true, ..Self::new(at) }
    }

    /// Names the cause of an exit.
    pub fn cause(mut self, cause: Cause) -> Self {
        self.cause = Some(cause);
        self
    }

    /// Adds the exit of a failure named by its cause.
    pub fn exit(mut self, exit: Exit) -> Self {
        self.exit = Some(exit);
        self
    }

    /// Adds a text, for rules that match reasons and for people.
    pub fn because(mut self, reason: impl Into<Arc<str>>) -> Self {
        self.reason = Some(reason.into());
        self
    }

    /// Asks that the restart waits this long: it replaces the delay, under the same cap.
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(crate::time::nanos(delay));
        self
    }

    /// When it happened.
    pub fn at(&self) -> Timestamp {
        self.at
    }

    /// The text that came with it.
    pub fn reason(&self) -> Option<&str> {
        self.reason.as_deref()
    }

    /// The exit code or signal, where there is one.
    pub fn exit_status(&self) -> Option<Exit> {
        self.exit
    }

    /// The cause that was named; `None` is [`Cause::Error`] unless it is a success.
    pub fn named_cause(&self) -> Option<&Cause> {
        self.cause.as_ref()
    }

    /// Whether the start itself failed, so that nothing ever ran.
    pub fn is_failed_start(&self) -> bool {
        self.start_failed
    }

    /// Whether it is exit code 0 with no cause that says otherwise.
    pub fn is_success(&self) -> bool {
        self.cause.is_none() && self.exit.is_some_and(Exit::is_success)
    }
}
