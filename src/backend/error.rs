//! Why a backend could not do what it was asked.

use std::time::Duration;

use crate::policy::Cause;

/// Why a backend could not do what it was asked: a text for people, and what kind of trouble it is.
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
    /// Nobody knows whether it was done.
    LostAnswer,
}

impl BackendError {
    fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), retry_after: None }
    }

    /// It cannot be started: no such command or image, a spec that does not work. Cause `start-error`.
    pub fn start_error(message: impl Into<String>) -> Self {
        Self::new(Kind::Cause(Cause::StartError), message)
    }

    /// There is no room for it. Cause `no-capacity`.
    pub fn no_capacity(message: impl Into<String>) -> Self {
        Self::new(Kind::Cause(Cause::NoCapacity), message)
    }

    /// Any other trouble, with the cause that a failed start then has.
    pub fn caused_by(cause: Cause, message: impl Into<String>) -> Self {
        Self::new(Kind::Cause(cause), message)
    }

    /// The answer was lost: it may have been done or not. A start is then repeated, which must be harmless.
    pub fn lost_answer(message: impl Into<String>) -> Self {
        Self::new(Kind::LostAnswer, message)
    }

    /// When it may be worth trying again.
    pub fn retry_after(mut self, delay: Duration) -> Self {
        self.retry_after = Some(delay);
        self
    }

    /// Whether nobody knows if it was done.
    pub fn is_lost_answer(&self) -> bool {
        self.kind == Kind::LostAnswer
    }

    /// The cause that a start failing with this has.
    pub fn cause(&self) -> Cause {
        match &self.kind {
            Kind::Cause(cause) => cause.clone(),
            Kind::LostAnswer => Cause::StartError,
        }
    }

    /// When it may be worth trying again.
    pub fn retry_delay(&self) -> Option<Duration> {
        self.retry_after
    }
}
