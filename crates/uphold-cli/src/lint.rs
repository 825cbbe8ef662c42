//! `uphold lint`: reports errors in policies, and valid settings that are probably mistakes.

use std::path::PathBuf;

use serde::Serialize;
use uphold::policy::Lint;

use crate::status::CommandStatus;
use crate::streams::{Streams, json};
use uphold_lab::files::{Mistakes, Source};

/// Options of [`lint`].
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct LintOptions {
    /// Prints a JSON object per mistake and lint instead of a line of text. Default: false.
    pub json: bool,
    /// The names of lints that are not reported. Default: none.
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

/// Reads policies, alone or in scenarios, experiments and service files, and prints every mistake and every lint, one per
/// line: what would happen, and what to write instead. Comments such as `# uphold: allow(endless-retry)` silence lints.
///
/// Returns [`CommandStatus::Failure`] if there is a lint, and [`CommandStatus::BadInput`] if a file cannot be read.
pub fn lint(files: &[PathBuf], options: &LintOptions, streams: &mut Streams<'_>) -> CommandStatus {
    let (mut found, mut bad) = (0, false);
    for unknown in options.allow.iter().filter(|name| !is_lint(name)) {
        streams.eprintln(format_args!(
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
                print_mistakes(&mistakes, &file.display().to_string(), options, streams);
                continue;
            }
        };
        let (name, mut allowed) = (source.name(), source.allowed());
        for unknown in allowed.iter().filter(|name| !is_lint(name)) {
            streams.eprintln(format_args!("{name}: allow({unknown}): there is no such lint"));
        }
        allowed.extend(options.allow.iter().cloned());
        for (prefix, policy) in policies {
            for lint in policy.lint().iter().filter(|lint| !allowed.iter().any(|allowed| allowed == lint.name())) {
                found += 1;
                print_lint(&name, &prefix, lint, options, streams);
            }
        }
    }
    match (bad, found) {
        (true, _) => CommandStatus::BadInput,
        (false, 0) => {
            if !options.json {
                streams.println(match files.len() {
                    1 => "no lints".to_owned(),
                    files => format!("no lints in {files} files"),
                });
            }
            CommandStatus::Success
        }
        (false, _) => CommandStatus::Failure,
    }
}

fn is_lint(name: &str) -> bool {
    Lint::names().any(|known| known == name)
}

fn print_lint(file: &str, prefix: &str, lint: &Lint, options: &LintOptions, streams: &mut Streams<'_>) {
    let path = format!("{prefix}{}", lint.path());
    if !options.json {
        let (effect, advice, name) = (lint.effect(), lint.advice(), lint.name());
        streams.println(format_args!("{file}: warning: {path}: {effect}; {advice} [{name}]"));
        return;
    }
    let (effect, advice) = (Some(lint.effect()), Some(lint.advice()));
    let finding = Finding { file, level: "lint", lint: Some(lint.name()), path: &path, message: None, effect, advice };
    streams.println(json(&finding));
}

fn print_mistakes(mistakes: &Mistakes, file: &str, options: &LintOptions, streams: &mut Streams<'_>) {
    if !options.json {
        streams.eprintln(mistakes);
        return;
    }
    for mistake in mistakes.list() {
        let (path, message) = (&*mistake.path, Some(&*mistake.message));
        let finding = Finding { file, level: "error", lint: None, path, message, effect: None, advice: None };
        streams.println(json(&finding));
    }
}
