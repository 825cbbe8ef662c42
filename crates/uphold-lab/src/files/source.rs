//! The text of a document, from a file or the standard input, in YAML, JSON or TOML.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::{Read, stdin};
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use uphold::document::{Value, Walk};
use uphold::sim::{Scenario, ScenarioDocument};
use uphold::{Policy, PolicyError};

use crate::experiment::{Experiment, ExperimentDocument};
use crate::sanitize::sanitize;

/// No document that anybody writes is longer: what is has no end.
const LONGEST_DOCUMENT: u64 = 1 << 28;

/// A document as it was read, not taken apart yet.
#[derive(Clone, Debug)]
pub struct Source {
    path: PathBuf,
    format: Format,
    text: String,
}

/// How a document is written: by the ending of its file, `.json` or `.toml`; everything else is YAML.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Format {
    Yaml,
    Json,
    Toml,
}

/// Everything that is wrong with a document. Printed one mistake a line, each with the file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistakes {
    file: String,
    list: Vec<Mistake>,
}

/// What is wrong at one place of a document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Mistake {
    /// Where it is, such as `policy.retry`; empty for the document as a whole.
    pub path: String,
    /// What is wrong, and what would be right. One line.
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
    /// The mistakes, first those of reading, in the order of the document.
    pub fn list(&self) -> &[Mistake] {
        &self.list
    }
}

/// What a document is, by its keys.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum DocumentKind {
    /// A policy by itself.
    Policy,
    /// A scenario: a policy, a timeline.
    Scenario,
    /// An experiment: several policies, faults.
    Experiment,
    /// A service: a process and a policy.
    Service,
}

impl Source {
    /// Reads a file, or the standard input if the path is `-`.
    ///
    /// # Errors
    /// It cannot be read, is no text, or is longer than 256 MiB.
    pub fn read(path: &Path) -> Result<Self, Mistakes> {
        let text = if path == Path::new("-") {
            read_text(stdin().lock(), LONGEST_DOCUMENT)
        } else {
            File::open(path).map_err(|error| error.to_string()).and_then(|file| read_text(file, LONGEST_DOCUMENT))
        };
        let format = match path.extension().and_then(|ending| ending.to_str()).map(str::to_ascii_lowercase).as_deref() {
            Some("json") => Format::Json,
            Some("toml") => Format::Toml,
            _ => Format::Yaml,
        };
        let source = |text| Self { path: path.to_owned(), format, text };
        match text {
            Ok(text) => Ok(source(text)),
            Err(error) => Err(source(String::new()).whole(error)),
        }
    }

    /// What it is called in messages: its path, or `standard input`.
    pub fn name(&self) -> String {
        if self.path == Path::new("-") {
            "standard input".to_owned()
        } else {
            sanitize(&self.path.display().to_string())
        }
    }

    /// A mistake of the document as a whole.
    fn whole(&self, message: impl Into<String>) -> Mistakes {
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

    /// Takes the text apart.
    ///
    /// # Errors
    /// It is not a document of its format, or not what is asked for.
    pub fn parse<T: DeserializeOwned>(&self) -> Result<T, Mistakes> {
        match self.format {
            Format::Yaml => super::parse_yaml(&self.text),
            Format::Json => serde_json::from_str(&self.text).map_err(|error| error.to_string()),
            Format::Toml => toml::from_str(&self.text).map_err(|error| match error.span() {
                Some(span) => {
                    let line = self.text[..span.start.min(self.text.len())].matches('\n').count() + 1;
                    format!("line {line}: {}", error.message())
                }
                None => error.message().to_owned(),
            }),
        }
        .map_err(|error| self.whole(error))
    }

    /// What the document is, by its keys. Anything that is not a block of keys is to be a policy.
    ///
    /// # Errors
    /// The text is not a document.
    pub fn kind(&self) -> Result<DocumentKind, Mistakes> {
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

    /// The document as a policy.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn policy(&self) -> Result<Policy, Mistakes> {
        let value: Value = self.parse()?;
        let mut walk = Walk::new();
        let policy = walk.policy(&value);
        walk.finish_with(policy).map_err(|error| self.mistakes(&error))
    }

    /// The policy of a service file; the rest of it is not looked at.
    ///
    /// # Errors
    /// Everything that is wrong with the policy.
    pub fn policy_of_service(&self) -> Result<Policy, Mistakes> {
        let value: Value = self.parse()?;
        let mut walk = Walk::new();
        let policy = match &value {
            Value::Map(entries) => match entries.iter().find(|(key, _)| key == "policy") {
                Some((_, policy)) => walk.field("policy", |walk| walk.policy(policy)),
                None => {
                    walk.problem("'policy' is missing");
                    None
                }
            },
            other => walk.expected("a service file", other),
        };
        walk.finish_with(policy).map_err(|error| self.mistakes(&error))
    }

    /// The document as a scenario; a `policy_file` in it is looked for beside it.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn scenario(&self) -> Result<Scenario, Mistakes> {
        let document: ScenarioDocument = self.parse()?;
        document.read(|name| self.beside(name)).map_err(|error| self.mistakes(&error))
    }

    /// The document as an experiment; a `policy_file` in it is looked for beside it.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub fn experiment(&self) -> Result<Experiment, Mistakes> {
        let document: ExperimentDocument = self.parse()?;
        document.read(|name| self.beside(name)).map_err(|error| self.mistakes(&error))
    }

    fn beside(&self, name: &str) -> Result<Policy, String> {
        let policy =
            Self::read(&self.path.parent().unwrap_or(Path::new(".")).join(name)).and_then(|file| file.policy());
        policy.map_err(|mistakes| {
            // The name of the file is told by who asks for it.
            let told = |Mistake { path, message }: &Mistake| {
                if path.is_empty() { message.clone() } else { format!("{path}: {message}") }
            };
            mistakes.list.iter().map(told).collect::<Vec<_>>().join("; ")
        })
    }

    /// The lints that comments of the document allow: `# uphold: allow(endless-retry, fatal-blip)`.
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

/// The keys of a document; none if it is something else than a block of keys.
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

/// All of a text, if it is one.
pub(super) fn read_text(from: impl Read, longest: u64) -> Result<String, String> {
    let mut bytes = Vec::new();
    let read = from.take(longest + 1).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
    if read as u64 > longest {
        return Err(format!("is longer than {} MiB", longest >> 20));
    }
    // What some editors write first.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").map(<[u8]>::to_vec).unwrap_or(bytes);
    String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let line = error.as_bytes()[..valid].iter().filter(|byte| **byte == b'\n').count() + 1;
        format!("is not a text in UTF-8: see line {line}")
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
