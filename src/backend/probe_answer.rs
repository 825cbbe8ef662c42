//! What came of a probe, with what it got.

use crate::decide::Message;
use crate::engine::ProbeResult;

/// What came of a probe, with a few words on what it got.
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
    /// Whether it passed.
    pub result: ProbeResult,
    /// What it got, for people: in verdicts, tables and traces. Only the first 256 bytes are kept.
    pub message: Option<Message>,
}

impl ProbeAnswer {
    /// The replica answered well.
    pub fn success() -> Self {
        ProbeResult::Success.into()
    }

    /// The replica answered badly, or not in time: what it answered.
    pub fn failure(message: impl Into<Message>) -> Self {
        Self { result: ProbeResult::Failure, message: Some(message.into()) }
    }

    /// The prober itself could not ask: why.
    pub fn unanswered(message: impl Into<Message>) -> Self {
        Self { result: ProbeResult::Unanswered, message: Some(message.into()) }
    }
}

impl From<ProbeResult> for ProbeAnswer {
    fn from(result: ProbeResult) -> Self {
        Self { result, message: None }
    }
}
