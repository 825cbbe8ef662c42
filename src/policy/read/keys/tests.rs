//! Tests that the table of keys, the reader and the documentation agree.

use serde_json::{Value as Json, json};

use super::*;
use crate::policy::{Policy, range};

/// Returns the kind of value in the words of the documentation.
fn words(kind: &Kind) -> String {
    match kind {
        Kind::Duration => "duration".into(),
        Kind::Positive => "duration above 0s".into(),
        Kind::Count(range) => format!("{} to {}", range.start(), range.end()),
        Kind::Quantity => "count or percentage".into(),
        Kind::Percentage => "1% to 100%".into(),
        Kind::Flag => "`true`, `false`".into(),
        Kind::QuantityAboveZero => "count or percentage above 0".into(),
        Kind::True => "`true`".into(),
        Kind::Empty => "empty".into(),
        Kind::Text(Form::Cause) => "cause".into(),
        Kind::Text(_) => "text".into(),
        Kind::Command => "list of texts".into(),
        Kind::Seconds => "seconds".into(),
        Kind::Factor => "number".into(),
        Kind::Port => "1 to 65535, or text".into(),
        Kind::ExitCode => "exit code or range".into(),
        Kind::Replica => "replica or range".into(),
        Kind::SetSize => format!("{} to {}, or a range", range::REPLICAS.start(), range::REPLICAS.end()),
        Kind::Status => "status or range".into(),
        Kind::Signal => "signal".into(),
        Kind::Words(words) => words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", "),
        Kind::Headers => "names to texts".into(),
        Kind::Block(_) => "block".into(),
        Kind::List(item, ..) => format!("list of: {}", words(item)),
        Kind::OneOrMany(item) => format!("{}, or a list", words(item)),
        Kind::OneOf(kinds) => kinds.iter().map(words).collect::<Vec<_>>().join(", "),
    }
}

/// All blocks, except those that differ from a listed one only in a range.
const BLOCKS: [&Block; 22] = [
    &DOCUMENT,
    &RETRY,
    &STAGE,
    &BACKOFF,
    &EXPONENTIAL,
    &JITTER,
    &LIMIT,
    &RECOVER,
    &FAILURE,
    &RULE,
    &WHEN,
    &HOLD,
    &EXHAUSTED,
    &BUDGET,
    &CORRELATED,
    &HEALTH,
    &PROBE,
    &HTTP,
    &TCP,
    &SCALING,
    &STAND_INS,
    &ROLLOUT,
];

fn documentation() -> String {
    let mut text = String::from(
        "# Every key of the document\n\nDurations are texts such as `30s`, `5m` or `1h 30m`, at most 584 years; counts \
         of replicas are numbers or percentages such as `50%`.\n",
    );
    for block in BLOCKS {
        text.push_str(&format!(
            "
**{}**: {}

",
            block.title, block.about
        ));
        text.push_str("| key | value | default | meaning | example |\n|---|---|---|---|---|\n");
        for key in block.all() {
            let cells = [
                format!("`{}`", key.name),
                words(&key.kind),
                key.default.into(),
                key.about.into(),
                format!("`{}`", key.example),
            ];
            text.push_str(&format!("| {} |\n", cells.map(|cell| cell.replace('|', "\\|")).join(" | ")));
        }
    }
    text
}

#[test]
fn the_committed_documentation_matches_the_table() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/src/policy/document.md");
    let generated = documentation();
    if std::env::var_os("UPHOLD_WRITE_DOCS").is_some() {
        std::fs::write(path, &generated).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(committed == generated, "src/policy/document.md is out of date: run the tests with UPHOLD_WRITE_DOCS=1");
}

type Place = (&'static Block, fn(Json) -> Json, Json);

/// Returns each block, a document that contains it, and the keys that it needs to be valid.
fn places() -> Vec<Place> {
    let nothing = || json!({});
    let check = || json!({"tcp": {"port": 1}});
    vec![
        (&DOCUMENT, |block| block, nothing()),
        (&RETRY, |block| json!({"retry": block}), nothing()),
        (&STAGE, |block| json!({"retry": {"stages": [block]}}), nothing()),
        (&BACKOFF, |block| json!({"retry": {"backoff": block}}), json!({"exponential": {}})),
        (&EXPONENTIAL, |block| json!({"retry": {"backoff": {"exponential": block}}}), nothing()),
        (&JITTER, |block| json!({"retry": {"jitter": block}}), json!({"spread": "1%"})),
        (&LIMIT, |block| json!({"retry": {"limit": block}}), json!({"restarts": 1, "within": "1s"})),
        (&RECOVER, |block| json!({"retry": {"recover": block}}), nothing()),
        (&FAILURE, |block| json!({"failure": block}), nothing()),
        (&RULE, |block| json!({"failure": {"rules": [block]}}), json!({"then": "hold"})),
        (&WHEN, |block| json!({"failure": {"rules": [{"then": "hold", "when": block}]}}), nothing()),
        (&HOLD, |block| json!({"failure": {"rules": [{"then": block}]}}), json!({"hold": "1s"})),
        (&EXHAUSTED, |block| json!({"failure": {"exhausted": block}}), json!({"quarantine": "1s"})),
        (&BUDGET, |block| json!({"failure": {"budget": block}}), json!({"restarts": 1, "per": "1s"})),
        (&CORRELATED, |block| json!({"failure": {"correlated": block}}), nothing()),
        (&HEALTH, |block| json!({"health": block}), nothing()),
        (&PROBE, |block| json!({"health": {"readiness": block}}), check()),
        (&HTTP, |block| json!({"health": {"readiness": {"http": block}}}), json!({"port": 1})),
        (&TCP, |block| json!({"health": {"readiness": {"tcp": block}}}), json!({"port": 1})),
        (&SCALING, |block| json!({"scaling": block}), nothing()),
        (&STAND_INS, |block| json!({"scaling": {"stand_ins": block}}), json!({"max": 1})),
        (&ROLLOUT, |block| json!({"rollout": block}), nothing()),
    ]
}

#[test]
fn every_key_of_the_table_is_read_and_makes_a_difference() {
    assert_eq!(places().len(), BLOCKS.len());
    for (block, place, needed) in places() {
        for key in block.all() {
            let mut with = needed.clone();
            if ["http", "exec", "schedule"].contains(&key.name) {
                with = json!({});
            }
            with[key.name] = serde_json::from_str(key.example).unwrap();
            let (with, without) = (place(with), place(needed.clone()));
            let read = |document: &Json| Policy::read(document).map_err(|error| error.to_string());
            let (with, without) = (read(&with).unwrap_or_else(|error| panic!("{error}: {with}")), read(&without));
            assert_ne!(with, without.unwrap(), "{} in {} makes no difference", key.name, block.title);
        }
    }
}

#[test]
fn no_hint_hides_a_key_of_its_own_block() {
    for (block, _, _) in places() {
        for (field, _) in block.remarks {
            assert!(!block.all().any(|key| key.name == *field), "{field} in {}", block.title);
        }
    }
}
