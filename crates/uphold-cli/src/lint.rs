//! Warning of policies that are legal and surely not meant.

use std::path::PathBuf;

use serde::Serialize;
use uphold::policy::Lint;

use crate::{Answer, Streams, json};
use uphold_lab::files::{Mistakes, Source};

/// What is wanted of [`lint`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Look {
    /// Prints a JSON object for each mistake and each lint, in place of a line of text. Default: no.
    pub json: bool,
    /// Lints that are not told, by name. Default: none.
    pub allow: Vec<String>,
}

/// A mistake or a lint, as JSON.
#[derive(Serialize)]
struct Finding<'f> {
    file: &'f str,
    /// `error` or `lint`.
    level: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    lint: Option<&'static str>,
    path: &'f str,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'f str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    effect: Option<&'f str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    advice: Option<&'f str>,
}

/// Reads policies, alone or in scenarios, experiments and service files, and prints every mistake and every lint, one a
/// line: what would happen, and what to write instead. Comments such as `# uphold: allow(endless-retry)` silence lints.
///
/// [`Answer::No`]: there is a lint. [`Answer::BadInput`]: a file cannot be read.
pub fn lint(files: &[PathBuf], wanted: &Look, streams: &mut Streams<'_>) -> Answer {
    let (mut found, mut bad) = (0, false);
    for unknown in wanted.allow.iter().filter(|name| !is_lint(name)) {
        streams.tell(format_args!(
            "--allow {unknown}: there is no such lint; known: {}",
            Lint::names().collect::<Vec<_>>().join(", ")
        ));
        bad = true;
    }
    for file in files {
        let read = Source::read(file).and_then(|source| Ok((source.policies()?, source)));
        let (policies, source) = match read {
            Ok(read) => read,
            Err(mistakes) => {
                bad = true;
                tell(&mistakes, &file.display().to_string(), wanted, streams);
                continue;
            }
        };
        let (name, mut allowed) = (source.name(), source.allowed());
        for unknown in allowed.iter().filter(|name| !is_lint(name)) {
            streams.tell(format_args!("{name}: allow({unknown}): there is no such lint"));
        }
        allowed.extend(wanted.allow.iter().cloned());
        for (at, policy) in policies {
            for lint in policy.lint().iter().filter(|lint| !allowed.iter().any(|allowed| allowed == lint.name())) {
                found += 1;
                say(&name, &at, lint, wanted, streams);
            }
        }
    }
    match (bad, found) {
        (true, _) => Answer::BadInput,
        (false, 0) => {
            if !wanted.json {
                streams.say(match files.len() {
                    1 => "no lints: the policy means what it says".to_owned(),
                    files => format!("no lints in {files} files"),
                });
            }
            Answer::Yes
        }
        (false, _) => Answer::No,
    }
}

fn is_lint(name: &str) -> bool {
    Lint::names().any(|known| known == name)
}

fn say(file: &str, at: &str, lint: &Lint, wanted: &Look, streams: &mut Streams<'_>) {
    let path = format!("{at}{}", lint.path());
    if !wanted.json {
        let (effect, advice, name) = (lint.effect(), lint.advice(), lint.name());
        streams.say(format_args!("{file}: warning: {path}: {effect}; {advice} [{name}]"));
        return;
    }
    let (effect, advice) = (Some(lint.effect()), Some(lint.advice()));
    let finding = Finding { file, level: "lint", lint: Some(lint.name()), path: &path, message: None, effect, advice };
    streams.say(json(&finding));
}

fn tell(mistakes: &Mistakes, file: &str, wanted: &Look, streams: &mut Streams<'_>) {
    if !wanted.json {
        streams.tell(mistakes);
        return;
    }
    for mistake in mistakes.list() {
        let (path, message) = (&*mistake.path, Some(&*mistake.message));
        let finding = Finding { file, level: "error", lint: None, path, message, effect: None, advice: None };
        streams.say(json(&finding));
    }
}
