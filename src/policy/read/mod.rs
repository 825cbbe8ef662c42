//! Reading a document: a value tree is collected, and one walk finds every mistake.
//!
//! [`Value`] and [`Walk`] know nothing of policies; other documents are read with them too.

mod duration;
mod failure;
mod health;
mod hints;
pub(crate) mod keys;
mod nearest;
mod problem;
mod retry;
mod scalars;
#[cfg(test)]
mod tests;
pub(crate) mod text;
pub(crate) mod tokens;
mod value;
pub(crate) mod walk;

use serde::de::{Deserialize, Deserializer, Error as _};

pub(crate) use duration::parse as parse_duration;
pub(crate) use duration::{LONGEST, LONGEST_WORDS, PATTERN as DURATION_PATTERN, format as format_duration};
pub(crate) use failure::{cause, signal};
pub(crate) use hints::built_in_cause;
pub(crate) use nearest::nearest;
pub use problem::{PolicyError, Problem, ReadError};
pub use value::Value;
pub use walk::{Fields, Known, Walk};

use super::check;
use super::document::{OnSuccess, Policy, Settings, StartOrder};
use super::range;

impl Policy {
    /// Reads a policy from any self-describing format, and keeps apart what went wrong: the format's own error,
    /// or the list of everything that is wrong with the policy.
    ///
    /// `Policy` is also `Deserialize`; the error of the format then carries the same text, one mistake a line.
    ///
    /// ```
    /// use uphold::{Policy, ReadError};
    ///
    /// let text = r#"{"replicas": 3, "retry": {"intervall": "30s", "max_attempts": -1}}"#;
    /// let Err(ReadError::Policy(error)) = Policy::read(&mut serde_json::Deserializer::from_str(text)) else {
    ///     unreachable!()
    /// };
    /// assert_eq!(error.problems()[0].path(), "retry.intervall");
    /// assert_eq!(error.problems()[1].path(), "retry.max_attempts");
    /// ```
    ///
    /// # Errors
    /// The text is not a document of the format, or the document is not a valid policy.
    pub fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, ReadError<D::Error>> {
        let value = Value::deserialize(deserializer).map_err(ReadError::Format)?;
        Self::from_value(&value).map_err(ReadError::Policy)
    }

    fn from_value(value: &Value) -> Result<Self, PolicyError> {
        let mut walk = Walk::new();
        let policy = Self::read_part(&mut walk, value);
        walk.finish_with(policy)
    }

    /// Reads a policy that is a part of another document. `None` if anything was wrong with it, and was reported.
    pub(crate) fn read_part(walk: &mut Walk, value: &Value) -> Option<Self> {
        let before = walk.found();
        if !matches!(value, Value::Map(_)) {
            return walk.expected("a policy, such as {replicas: 3, retry: {interval: 30s, max_duration: 1h}}", value);
        }
        let mut settings = settings(walk, value)?;
        settings.resolve();
        check::check(walk, &settings);
        (walk.found() == before).then(|| Self::from_valid(settings))
    }
}

fn settings(walk: &mut Walk, value: &Value) -> Option<Settings> {
    let fields = walk.fields(value, &&keys::DOCUMENT)?;
    let success = [("restart", OnSuccess::Restart), ("complete", OnSuccess::Complete), ("failure", OnSuccess::Failure)];
    let orders = [("parallel", StartOrder::Parallel), ("ordered", StartOrder::Ordered)];
    Some(Settings {
        replicas: fields.read(walk, "replicas", |walk, value| walk.count(value, &range::REPLICAS)).unwrap_or(1),
        success: fields.read(walk, "success", |walk, value| walk.word(value, &success, &[])),
        min_ready: fields.read(walk, "min_ready", Walk::duration),
        start_timeout: fields.read(walk, "start_timeout", Walk::duration),
        stop_grace: fields.read(walk, "stop_grace", Walk::duration),
        start_order: fields.read(walk, "start_order", |walk, value| walk.word(value, &orders, &[])),
        retry: fields.read(walk, "retry", retry::policy_retry),
        failure: fields.read(walk, "failure", failure::failure).unwrap_or_default(),
        health: fields.read(walk, "health", health::health).unwrap_or_default(),
    })
}

impl Fields<'_> {
    /// The policy that stands under `policy`, or in the file that `policy_file` names; one of them must be given.
    /// `what` is what the message asks for, such as `the policy to try`; `load` reads the file.
    pub fn policy_or_file(
        &self,
        walk: &mut Walk,
        what: &str,
        load: impl FnOnce(&str) -> Result<Policy, String>,
    ) -> Option<Policy> {
        match (self.get("policy"), self.get("policy_file")) {
            (Some(_), Some(_)) => {
                walk.field("policy_file", |walk| walk.problem("stands beside 'policy'; give one of them"));
                None
            }
            (None, Some(_)) => self.read(walk, "policy_file", |walk, value| {
                let path = walk.text(value)?;
                load(path).map_err(|error| walk.problem(format!("'{path}': {error}"))).ok()
            }),
            _ => self.require(walk, "policy", &format!("{what}, or 'policy_file'"), Walk::policy),
        }
    }
}

impl<'de> Deserialize<'de> for Policy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = if deserializer.is_human_readable() {
            Value::deserialize(deserializer)?
        } else {
            tokens::deserialize(deserializer)?
        };
        Self::from_value(&value).map_err(D::Error::custom)
    }
}
