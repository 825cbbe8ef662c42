//! The answer to a probe.

use crate::decide::Message;
use crate::engine::ProbeResult;

/// The result of a probe and a message about it.
///
/// ```
/// use uphold::backend::ProbeAnswer;
///
/// let answer = ProbeAnswer::failure("GET /ready answered 503");
/// assert_eq!(answer.message.as_deref(), Some("GET /ready answered 503"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct ProbeAnswer {
    /// The result.
    pub result: ProbeResult,
    /// What the probe received, for verdicts, tables and traces. Truncated to 256 bytes.
    pub message: Option<Message>,
}

impl ProbeAnswer {
    /// Returns the answer of a probe that passed.
    pub fn success() -> Self {
        ProbeResult::Success.into()
    }

    /// Returns the answer of a probe that failed: the replica gave a wrong answer, or none in time.
    pub fn failure(message: impl Into<Message>) -> Self {
        Self { result: ProbeResult::Failure, message: Some(message.into()) }
    }

    /// Returns the answer of a probe that could not be carried out, which does not count against the replica.
    pub fn unanswered(message: impl Into<Message>) -> Self {
        Self { result: ProbeResult::Unanswered, message: Some(message.into()) }
    }
}

impl From<ProbeResult> for ProbeAnswer {
    fn from(result: ProbeResult) -> Self {
        Self { result, message: None }
    }
}
