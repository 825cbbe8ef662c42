//! Reads a policy: serde fills a [`Value`]; a [`Reader`] turns it into settings and reports every mistake.

mod failure;
mod health;
mod hints;
pub(crate) mod keys;
mod retry;
mod rollout;
mod scalars;
mod scaling;
#[cfg(test)]
mod tests;

use serde::de::{Deserialize, Deserializer, Error as _};

pub(crate) use failure::{cause, signal};
pub(crate) use hints::built_in_cause;

use super::policy::Policy;
use super::settings::{OnSuccess, Settings, StartOrder};
use super::validate;
use crate::document::{Fields, PolicyError, ReadError, Reader, Value, tokens};

impl Policy {
    /// Reads a policy from any self-describing format. Distinguishes an error of the format from mistakes in the
    /// policy, and reports all of those.
    ///
    /// `Policy` is also `Deserialize`; the error of the format then carries the same text, one mistake a line.
    ///
    /// ```
    /// use uphold::policy::ReadError;
    /// use uphold::Policy;
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
    /// Returns an error if the text is not a document of the format, or the document is not a valid policy.
    pub fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Self, ReadError<D::Error>> {
        let value = Value::deserialize(deserializer).map_err(ReadError::Format)?;
        Self::from_value(&value).map_err(ReadError::Policy)
    }

    fn from_value(value: &Value) -> Result<Self, PolicyError> {
        let mut reader = Reader::new();
        let policy = Self::read_part(&mut reader, value);
        reader.finish_with(policy)
    }

    /// Reads a policy that is a part of another document. `None` if anything was wrong with it, and was reported.
    pub(crate) fn read_part(reader: &mut Reader, value: &Value) -> Option<Self> {
        let before = reader.found();
        if !matches!(value, Value::Map(_)) {
            return reader.expected("a policy, such as {replicas: 3, retry: {interval: 30s, max_duration: 1h}}", value);
        }
        let mut settings = settings(reader, value)?;
        settings.resolve();
        validate::validate(reader, &settings);
        (reader.found() == before).then(|| Self::from_valid(settings))
    }
}

fn settings(reader: &mut Reader, value: &Value) -> Option<Settings> {
    let fields = reader.fields(value, &&keys::DOCUMENT)?;
    let success = [("restart", OnSuccess::Restart), ("complete", OnSuccess::Complete), ("failure", OnSuccess::Failure)];
    let orders = [("parallel", StartOrder::Parallel), ("ordered", StartOrder::Ordered)];
    let mut replicas = fields.read(reader, "replicas", scaling::replicas);
    let has_range = replicas.as_ref().is_some_and(|replicas| replicas.bounds.is_some());
    if has_range && fields.get("scaling").is_some_and(scaling::has_bounds) {
        reader.field("replicas", |reader| {
            reader.problem(
                "a range sets the bounds that `scaling.min` and `scaling.max` set too; write a number here, or take them out",
            );
        });
        replicas = None;
    }
    let mut settings = Settings {
        replicas: replicas.as_ref().map_or(1, |replicas| replicas.start),
        replicas_left_out: replicas.is_none(),
        success: fields.read(reader, "success", |reader, value| reader.word(value, &success, &[])),
        min_ready: fields.read(reader, "min_ready", Reader::duration),
        start_timeout: fields.read(reader, "start_timeout", Reader::duration),
        stop_grace: fields.read(reader, "stop_grace", Reader::duration),
        start_order: fields.read(reader, "start_order", |reader, value| reader.word(value, &orders, &[])),
        retry: fields.read(reader, "retry", retry::policy_retry),
        failure: fields.read(reader, "failure", failure::failure).unwrap_or_default(),
        health: fields.read(reader, "health", health::health).unwrap_or_default(),
        scaling: fields.read(reader, "scaling", scaling::scaling).unwrap_or_default(),
        rollout: fields.read(reader, "rollout", rollout::rollout).unwrap_or_default(),
    };
    if let Some((min, max)) = replicas.and_then(|replicas| replicas.bounds) {
        (settings.scaling.min, settings.scaling.max) = (Some(min), Some(max));
    }
    Some(settings)
}

impl Fields<'_> {
    /// Reads the policy under `policy`, or the file that `policy_file` names; exactly one of them must be given. `what`
    /// describes it in the message if both are missing, such as `the policy to try`; `load` reads the file.
    pub fn policy_or_file(
        &self,
        reader: &mut Reader,
        what: &str,
        load: impl FnOnce(&str) -> Result<Policy, String>,
    ) -> Option<Policy> {
        match (self.get("policy"), self.get("policy_file")) {
            (Some(_), Some(_)) => {
                reader.field("policy_file", |reader| reader.problem("is given beside 'policy'; keep one of them"));
                None
            }
            (None, Some(_)) => self.read(reader, "policy_file", |reader, value| {
                let path = reader.text(value)?;
                load(path).map_err(|error| reader.problem(format!("'{path}': {error}"))).ok()
            }),
            _ => self.require(reader, "policy", &format!("{what}, or 'policy_file'"), Reader::policy),
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
