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

    /// The instance cannot be started: a missing command or image, an invalid spec. Cause `start-error`.
    pub fn start_error(message: impl Into<String>) -> Self {
        Self::new(Kind::Cause(Cause::StartError), message)
    }

    /// There is no capacity for the instance. Cause `no-capacity`.
    pub fn no_capacity(message: impl Into<String>) -> Self {
        Self::new(Kind::Cause(Cause::NoCapacity), message)
    }

    /// Any other error, with the cause that a failed start has.
    pub fn caused_by(cause: Cause, message: impl Into<String>) -> Self {
        Self::new(Kind::Cause(cause), message)
    }

    /// The answer was lost, so whether the call succeeded is unknown. The supervisor retries a start, which must be
    /// idempotent.
    pub fn lost_answer(message: impl Into<String>) -> Self {
        Self::new(Kind::LostAnswer, message)
    }

    /// Sets the earliest delay after which the set starts the replica again.
    #[must_use]
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Whether the answer was lost.
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
