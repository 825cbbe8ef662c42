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
pub(crate) struct Service {
    /// The name of the set.
    pub(crate) name: String,
    /// The command that each replica runs.
    pub(crate) process: ProcessSpec,
    /// The port of replica 0, if replicas have ports.
    pub(crate) port: Option<u16>,
    /// The policy.
    pub(crate) policy: Policy,
}

impl Service {
    /// Reads a service file.
    ///
    /// # Errors
    /// The file cannot be read, or has mistakes: all of them, one a line, each with its path in the file.
    pub(crate) fn read(path: &Path) -> Result<Self, String> {
        let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
        Self::parse(&text).map_err(|error| format!("{}:\n{error}", path.display()))
    }

    /// Reads the text of a service file.
    ///
    /// # Errors
    /// All mistakes, one a line, each with its path in the file.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let options = serde_saphyr::options! { with_snippet: false };
        let document = serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())?;
        let Value::Object(fields) = document else {
            return Err(format!("a service file must be a map with the keys {KEYS}"));
        };
        let mut problems = Vec::new();
        for key in fields.keys().filter(|key| !KEYS.split(", ").any(|known| known == *key)) {
            problems.push(format!("{key}: unknown field; known: {KEYS}"));
        }
        let name = name(&fields, &mut problems);
        let process = read_part(&fields, "process", &mut problems, |value| ProcessSpec::read(value));
        let policy = read_part(&fields, "policy", &mut problems, |value| Policy::read(value));
        let port = fields.get("process").and_then(|process| u16::try_from(process.get("port")?.as_u64()?).ok());
        match (name, process, policy) {
            (Some(name), Some(process), Some(policy)) if problems.is_empty() => {
                Ok(Self { name, process, port, policy })
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_ten_mistakes_in_a_service_file_are_reported() {
        let text = r#"
    name: web/1
    process:
      command: python3 -m http.server
      arguments: ["{port}"]
      output: [file]
    policy:
      replicas: -3
      min_redy: 5s
      start_timeout: 20
      retry:
        intervall: 30s
        stages: {interval: 1s}
      failure:
        min_available: 150%
    "#;
        let error = Service::parse(text).unwrap_err();
        let mistakes = [
            "name: \"web/1\" is not a valid set name: expected 1 to 40 of a-z, 0-9 and '-'",
            "process.arguments: unknown field; known: command,",
            "process.command: must be a program without arguments: write command: python3 and args: [-m, http.server], or",
            "process.output: expected one of: prefix, inherit, null, {file: PATH}, found a list",
            "policy.min_redy: unknown field; did you mean 'min_ready'?",
            "policy.replicas: -3 is out of range",
            "policy.start_timeout: a duration needs a unit, such as 20s or 20m",
            "policy.retry.intervall: unknown field; did you mean 'interval'?",
            "policy.retry.stages: expected a list",
            "policy.failure.min_available: expected a number of replicas, or a whole percentage",
        ];
        for mistake in mistakes {
            assert!(error.lines().any(|line| line.starts_with(mistake)), "'{mistake}' is not in:\n{error}");
        }
        assert_eq!(error.lines().count(), mistakes.len(), "{error}");
    }

    #[test]
    fn a_service_file_needs_its_three_keys() {
        let error = Service::parse("nmae: web\npolicy: 3").unwrap_err();
        assert_eq!(
            error,
            "nmae: unknown field; known: name, process, policy\n\
             'name' is missing: the name of the set, such as web\n\
             'process' is missing\n\
             policy: expected a policy, such as {replicas: 3, retry: {interval: 30s, max_duration: 1h}}, found 3"
        );
        assert!(Service::parse("- web").unwrap_err().contains("must be a map with the keys"));
        assert!(Service::parse("name: [web").is_err());
    }

    #[test]
    fn the_services_of_the_examples_are_valid() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/services");
        let mut count = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let service = Service::read(&path).unwrap();
            assert_eq!(service.policy.lint(), [], "{}", path.display());
            count += 1;
        }
        assert!(count >= 2);
    }
}
