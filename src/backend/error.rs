//! The error of backend calls.

use std::time::Duration;

use crate::policy::Cause;

/// Why a backend call failed: a message for operators and a kind, which decides what the set does.
///
/// ```
/// use std::time::Duration;
/// use uphold::Cause;
/// use uphold::backend::BackendError;
///
/// let error = BackendError::no_capacity("no node has 2 GPUs").retry_after(Duration::from_secs(60));
/// assert_eq!(error.cause(), Cause::NoCapacity);
/// assert!(!error.is_lost_answer());
/// ```
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{message}")]
pub struct BackendError {
    kind: Kind,
    message: String,
    retry_after: Option<Duration>,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum Kind {
    Cause(Cause),
    /// Whether the call succeeded is unknown.
    LostAnswer,
}

impl BackendError {
    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None }
    }

    /// Returns the error of an instance that cannot be started, such as one with a missing image or an invalid spec. Its
    /// cause is `start-error`.
    pub fn start_error(message: impl Into<String>) -> Self {
        Self::new(Kind::Cause(Cause::StartError), message)
    }

    /// Returns the error of an instance for which there is no capacity. Its cause is `no-capacity`.
    pub fn no_capacity(message: impl Into<String>) -> Self {
        Self::new(Kind::Cause(Cause::NoCapacity), message)
    }

    /// Returns an error with another cause, which a start that fails with it has.
    pub fn caused_by(cause: Cause, message: impl Into<String>) -> Self {
        Self::new(Kind::Cause(cause), message)
    }

    /// Returns the error of a call whose answer was lost, so that it is unknown whether it succeeded. The supervisor
    /// retries a start, which must be idempotent.
    pub fn lost_answer(message: impl Into<String>) -> Self {
        Self::new(Kind::LostAnswer, message)
    }

    /// Sets the earliest delay after which the set starts the replica again.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Returns whether the answer was lost.
    pub fn is_lost_answer(&self) -> bool {
        self.kind == Kind::LostAnswer
    }

    /// Returns the cause of a start that fails with this error.
    pub fn cause(&self) -> Cause {
        match &self.kind {
            Kind::Cause(cause) => cause.clone(),
            Kind::LostAnswer => Cause::StartError,
        }
    }

    /// Returns what [`retry_after`](Self::retry_after) has set.
    pub fn get_retry_after(&self) -> Option<Duration> {
        self.retry_after
    }
}
