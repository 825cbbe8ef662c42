//! Reads service files.

use std::fmt::Display;
use std::path::Path;

use serde_json::{Map, Value};
use uphold::Policy;
use uphold::backend::SetName;
use uphold::backend::process::ProcessSpec;
use uphold::policy::ReadError;

const KEYS: &str = "name, process, policy";

/// A service file: what to run, and under which policy.
#[derive(Clone, Debug)]
pub struct Service {
    /// The name of the set.
    pub name: String,
    /// The command that each replica runs.
    pub process: ProcessSpec,
    /// The policy.
    pub policy: Policy,
}

impl Service {
    /// Reads a service file.
    ///
    /// # Errors
    /// The file cannot be read, or has mistakes: all of them, one a line, each with its path in the file.
    pub fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text).map_err(|error| format!("{}:\n{error}", path.display()))
    }

    /// Reads the text of a service file.
    ///
    /// # Errors
    /// All mistakes, one a line, each with its path in the file.
    pub fn parse(text: &str) -> Result<Self, String> {
        let Value::Object(fields) = crate::parse_yaml(text)? else {
            return Err(format!("a service file must be a map with the keys {KEYS}"));
        };
        let mut problems = Vec::new();
        for key in fields.keys().filter(|key| !KEYS.split(", ").any(|known| known == *key)) {
            problems.push(format!("{key}: unknown field; known: {KEYS}"));
        }
        let name = name(&fields, &mut problems);
        let process = read_part(&fields, "process", &mut problems, |value| ProcessSpec::read(value));
        let policy = read_part(&fields, "policy", &mut problems, |value| Policy::read(value));
        match (name, process, policy) {
            (Some(name), Some(process), Some(policy)) if problems.is_empty() => Ok(Self { name, process, policy }),
            _ => Err(problems.join("\n")),
        }
    }
}

fn name(fields: &Map<String, Value>, problems: &mut Vec<String>) -> Option<String> {
    let problem = match fields.get("name") {
        Some(Value::String(name)) => match SetName::new(name) {
            Ok(name) => return Some(name.to_string()),
            Err(error) => format!("name: {error}"),
        },
        Some(_) => "name: expected a text, such as web".to_owned(),
        None => "'name' is missing: the name of the set, such as web".to_owned(),
    };
    problems.push(problem);
    None
}

fn read_part<T, E: Display>(
    fields: &Map<String, Value>,
    key: &str,
    problems: &mut Vec<String>,
    read: impl FnOnce(&Value) -> Result<T, ReadError<E>>,
) -> Option<T> {
    let Some(value) = fields.get(key) else {
        problems.push(format!("'{key}' is missing"));
        return None;
    };
    match read(value) {
        Ok(part) => return Some(part),
        Err(ReadError::Policy(error)) => problems.extend(error.problems().iter().map(|problem| {
            let dot = if problem.path().is_empty() { ": " } else { "." };
            format!("{key}{dot}{problem}")
        })),
        Err(ReadError::Format(error)) => problems.push(format!("{key}: {error}")),
    }
    None
}
