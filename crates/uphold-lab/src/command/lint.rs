//! Warning of policies that are legal and surely not meant.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::IgnoredAny;
use uphold::Policy;

use super::{Answer, Streams};
use crate::files::{read_policy, read_scenario, read_yaml};

/// Reads policies, alone or in scenarios, and prints each lint: its name, what would happen, what to write instead.
///
/// [`Answer::No`]: there is a lint. [`Answer::BadInput`]: a file cannot be read.
pub fn lint(files: &[PathBuf], streams: &mut Streams<'_>) -> Answer {
    let (mut found, mut bad) = (0, 0);
    for file in files {
        match policy(file) {
            Err(error) => {
                bad += 1;
                streams.tell(error);
            }
            Ok(policy) => {
                for lint in policy.lint() {
                    found += 1;
                    streams.say(format_args!("{}: {}: {}", file.display(), lint.name(), lint.path()));
                    streams.say(format_args!("  happens  {}", lint.effect()));
                    streams.say(format_args!("  instead  {}", lint.advice()));
                }
            }
        }
    }
    match (bad, found) {
        (0, 0) => {
            streams.say(match files.len() {
                1 => "no lints: the policy means what it says".to_owned(),
                files => format!("no lints in {files} policies"),
            });
            Answer::Yes
        }
        (0, _) => Answer::No,
        _ => Answer::BadInput,
    }
}

/// What tells a scenario from a policy: no policy has one of these keys.
#[derive(Deserialize)]
struct Kind {
    policy: Option<IgnoredAny>,
    policy_file: Option<IgnoredAny>,
    until: Option<IgnoredAny>,
    timeline: Option<IgnoredAny>,
}

fn policy(file: &Path) -> Result<Policy, String> {
    let kind: Kind = read_yaml(file)?;
    if kind.policy.is_some() || kind.policy_file.is_some() || kind.until.is_some() || kind.timeline.is_some() {
        return Ok(read_scenario(file)?.policy().clone());
    }
    read_policy(file)
}
