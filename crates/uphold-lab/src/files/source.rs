//! Reads documents in YAML, JSON or TOML from files or standard input, and reports every mistake in them.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, stdin};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use uphold::document::{Reader, Value};
use uphold::sim::{Scenario, ScenarioDocument};
use uphold::{Policy, PolicyError};

use super::yaml::parse_yaml;
use crate::experiment::{Experiment, ExperimentDocument};
use crate::sanitize::sanitize;

/// The most bytes of a document, so that endless input does not exhaust memory.
const MAX_DOCUMENT_BYTES: u64 = 1 << 28;

/// The text of a document that has not been parsed.
#[derive(Clone, Debug)]
pub struct Source {
    path: PathBuf,
    format: Format,
    text: String,
}

/// The format of a document: JSON or TOML by the file name extension, otherwise YAML.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Format {
    Yaml,
    Json,
    Toml,
}

/// All mistakes of a document. `Display` prints one mistake per line, each with the file name.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistakes {
    file: String,
    list: Vec<Mistake>,
}

/// One mistake in a document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistake {
    /// The path of the key, such as `policy.retry`; empty for the whole document.
    pub path: String,
    /// What is wrong and what would be right, on one line.
    pub message: String,
}

impl std::fmt::Display for Mistakes {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (index, Mistake { path, message }) in self.list.iter().enumerate() {
            let (line, colon) = (if index > 0 { "\n" } else { "" }, if path.is_empty() { "" } else { ": " });
            write!(f, "{line}{}: {path}{colon}{message}", self.file)?;
        }
        Ok(())
    }
}

impl std::error::Error for Mistakes {}

impl Mistakes {
    /// Returns the mistakes in the order of the document; those of single values before those between values.
    pub fn list(&self) -> &[Mistake] {
        &self.list
    }
}

/// The kind of a document.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum DocumentKind {
    /// A policy.
    Policy,
    /// A scenario: a policy and a timeline.
    Scenario,
    /// An experiment: several policies and faults.
    Experiment,
    /// A service: a process and a policy.
    Service,
}

impl Source {
    /// Reads a file, or the standard input if the path is `-`.
    ///
    /// # Errors
    /// The document cannot be read, is not UTF-8, or is longer than 256 MiB.
    pub fn read(path: &Path) -> Result<Self, Mistakes> {
        let text = if path == Path::new("-") {
            read_text(stdin().lock(), MAX_DOCUMENT_BYTES)
        } else {
            File::open(path).map_err(|error| error.to_string()).and_then(|file| read_text(file, MAX_DOCUMENT_BYTES))
        };
        let format = match path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("json") => Format::Json,
            Some("toml") => Format::Toml,
            _ => Format::Yaml,
        };
        let source = |text| Self { path: path.to_owned(), format, text };
        match text {
            Ok(text) => Ok(source(text)),
            Err(error) => Err(source(String::new()).document_mistake(error)),
        }
    }

    /// Returns the name that messages use: the path, or `standard input`.
    pub fn name(&self) -> String {
        if self.path == Path::new("-") {
            "standard input".to_owned()
        } else {
            sanitize(&self.path.display().to_string())
        }
    }

    /// Returns a mistake of the whole document.
    fn document_mistake(&self, message: impl Into<String>) -> Mistakes {
        let message = message.into().trim().replace('\n', "; ");
        Mistakes { file: self.name(), list: vec![Mistake { path: String::new(), message: sanitize(&message) }] }
    }

    fn mistakes(&self, error: &PolicyError) -> Mistakes {
        let mistake =
            |path: &str, message: &str| Mistake { path: path.to_owned(), message: message.replace('\n', "; ") };
        let problems = error.problems().iter();
        let mut list: Vec<Mistake> = problems.map(|problem| mistake(problem.path(), problem.message())).collect();
        if let Some(more) = error.to_string().lines().last().filter(|line| line.starts_with("and ")) {
            list.push(mistake("", more));
        }
        Mistakes { file: self.name(), list }
    }

    /// Parses the text.
    ///
    /// # Errors
    /// The text is not valid in its format, or is not a `T`.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Mistakes> {
        match self.format {
            Format::Yaml => parse_yaml(&self.text),
            Format::Json => serde_json::from_str(&self.text).map_err(|error| error.to_string()),
            Format::Toml => toml::from_str(&self.text).map_err(|error| match error.span() {
                Some(span) => {
                    let line = self.text[..span.start.min(self.text.len())].matches('\n').count() + 1;
                    format!("line {line}: {}", error.message())
                }
                None => error.message().to_owned(),
            }),
        }
        .map_err(|error| self.document_mistake(error))
    }

    /// Returns the kind of the document, judged by its top-level keys. Without any of the known keys it is a policy.
    fn kind(&self) -> Result<DocumentKind, Mistakes> {
        let Keys(keys) = self.parse()?;
        let any = |names: &[&str]| names.iter().any(|name| keys.contains(*name));
        Ok(if any(&["policies", "faults"]) {
            DocumentKind::Experiment
        } else if any(&["process"]) {
            DocumentKind::Service
        } else if any(&["policy", "policy_file", "until", "timeline", "behaviour", "expect"]) {
            DocumentKind::Scenario
        } else {
            DocumentKind::Policy
        })
    }

    /// Reads the document as a policy.
    ///
    /// # Errors
    /// Every mistake.
    pub fn policy(&self) -> Result<Policy, Mistakes> {
        let value: Value = self.parse()?;
        let mut reader = Reader::new();
        let policy = reader.policy(&value);
        reader.finish_with(policy).map_err(|error| self.mistakes(&error))
    }

    /// Reads every policy in the document, which may be a policy, a scenario, an experiment or a service file. Returns each
    /// with the prefix of its paths in the document, such as `policies[1].policy.`; empty if the document is the policy.
    ///
    /// # Errors
    /// Every mistake; of a service file, those in its policy.
    pub fn policies(&self) -> Result<Vec<(String, Policy)>, Mistakes> {
        Ok(match self.kind()? {
            DocumentKind::Policy => vec![(String::new(), self.policy()?)],
            DocumentKind::Service => vec![("policy.".to_owned(), self.policy_of_service()?)],
            DocumentKind::Scenario => vec![("policy.".to_owned(), self.scenario()?.policy().clone())],
            DocumentKind::Experiment => {
                let experiment = self.experiment()?;
                let numbered = experiment.policies().enumerate();
                numbered.map(|(index, (_, policy))| (format!("policies[{index}].policy."), policy.clone())).collect()
            }
        })
    }

    /// Reads the policy of a service file, and ignores its other keys.
    fn policy_of_service(&self) -> Result<Policy, Mistakes> {
        let value: Value = self.parse()?;
        let mut reader = Reader::new();
        let policy = match &value {
            Value::Map(entries) => match entries.iter().find(|(key, _)| key == "policy") {
                Some((_, policy)) => reader.field("policy", |reader| reader.policy(policy)),
                None => {
                    reader.problem("'policy' is missing");
                    None
                }
            },
            other => reader.expected("a service file", other),
        };
        reader.finish_with(policy).map_err(|error| self.mistakes(&error))
    }

    /// Reads the document as a scenario. A `policy_file` in it is relative to the document.
    ///
    /// # Errors
    /// Every mistake.
    pub fn scenario(&self) -> Result<Scenario, Mistakes> {
        let document: ScenarioDocument = self.parse()?;
        document.read(|name| self.read_policy_file(name)).map_err(|error| self.mistakes(&error))
    }

    /// Reads the document as an experiment. A `policy_file` in it is relative to the document.
    ///
    /// # Errors
    /// Every mistake.
    pub fn experiment(&self) -> Result<Experiment, Mistakes> {
        let document: ExperimentDocument = self.parse()?;
        document.read(|name| self.read_policy_file(name)).map_err(|error| self.mistakes(&error))
    }

    fn read_policy_file(&self, name: &str) -> Result<Policy, String> {
        let policy =
            Self::read(&self.path.parent().unwrap_or(Path::new(".")).join(name)).and_then(|file| file.policy());
        policy.map_err(|mistakes| {
            // The caller adds the name of the file.
            let format = |Mistake { path, message }: &Mistake| {
                if path.is_empty() { message.clone() } else { format!("{path}: {message}") }
            };
            mistakes.list.iter().map(format).collect::<Vec<_>>().join("; ")
        })
    }

    /// Returns the names of the lints that comments in the document allow, as in `# uphold: allow(endless-retry, fatal-blip)`.
    pub fn allowed(&self) -> Vec<String> {
        if self.format == Format::Json {
            return Vec::new();
        }
        let mut names = Vec::new();
        for line in self.text.lines() {
            let Some((_, comment)) = line.split_once('#') else { continue };
            let Some(allow) = comment.trim_start().strip_prefix("uphold:") else { continue };
            let Some(list) = allow.trim_start().strip_prefix("allow(").and_then(|list| list.split_once(')')) else {
                continue;
            };
            names.extend(list.0.split(',').map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()));
        }
        names
    }
}

/// The top-level keys of a document; empty if it is not a map.
struct Keys(BTreeSet<String>);

impl<'de> Deserialize<'de> for Keys {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(KeysVisitor)
    }
}

struct KeysVisitor;

impl<'de> Visitor<'de> for KeysVisitor {
    type Value = Keys;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a document")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Keys, A::Error> {
        let mut keys = BTreeSet::new();
        while let Some(key) = access.next_key::<Value>()? {
            access.next_value::<IgnoredAny>()?;
            if let Value::Str(key) = key {
                keys.insert(key);
            }
        }
        Ok(Keys(keys))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Keys, A::Error> {
        while access.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Keys(BTreeSet::new()))
    }

    fn visit_unit<E>(self) -> Result<Keys, E> {
        Ok(Keys(BTreeSet::new()))
    }

    fn visit_bool<E>(self, _: bool) -> Result<Keys, E> {
        Ok(Keys(BTreeSet::new()))
    }

    fn visit_i64<E>(self, _: i64) -> Result<Keys, E> {
        Ok(Keys(BTreeSet::new()))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Keys, E> {
        Ok(Keys(BTreeSet::new()))
    }

    fn visit_i128<E>(self, _: i128) -> Result<Keys, E> {
        Ok(Keys(BTreeSet::new()))
    }

    fn visit_u128<E>(self, _: u128) -> Result<Keys, E> {
        Ok(Keys(BTreeSet::new()))
    }

    fn visit_f64<E>(self, _: f64) -> Result<Keys, E> {
        Ok(Keys(BTreeSet::new()))
    }

    fn visit_str<E>(self, _: &str) -> Result<Keys, E> {
        Ok(Keys(BTreeSet::new()))
    }
}

/// Reads UTF-8 text of at most `max_bytes` bytes, without a byte order mark.
pub(super) fn read_text(from: impl Read, max_bytes: u64) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = from.take(max_bytes + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if read as u64 > max_bytes {
        return Err(format!("is longer than {} MiB", max_bytes >> 20));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(bytes);
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("is not UTF-8 text: see line {line}")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_allow_lints() {
        let allowed = |text: &str| Source { path: "x".into(), format: Format::Yaml, text: text.into() }.allowed();
        assert_eq!(
            allowed("retry: {interval: 1s} # uphold: allow(endless-retry)\n#uphold:allow( a , b )\n# allow(c)\n"),
            ["endless-retry", "a", "b"]
        );
    }
}
