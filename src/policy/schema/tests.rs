//! Tests that the schema and the reader accept the same documents, except for what a schema cannot express.

use jsonschema::Validator;
use serde_json::{Map, Value as Json, json};

use super::*;
use crate::policy::generate::{Draw, policies};
use crate::policy::{Policy, ReadError};

fn validator() -> Validator {
    jsonschema::draft202012::new(&serde_json::to_value(document()).unwrap()).unwrap()
}

/// What the reader says of the mistakes that a schema cannot express. The documentation of [`Policy::schema`] lists the
/// same.
const BEYOND_A_SCHEMA: [&str; 11] = [
    "is longer than 584 years",
    "has decimals too fine",
    "with at most two decimals",
    "the range is empty",
    "is not a range of statuses",
    "is not an exit code",
    "is below `min`",
    "is outside of `scaling`",
    "names must be unique",
    "in all; at most",
    "written with decimals",
];

/// Returns whether the schema accepts the document. Panics if the reader disagrees.
fn same(validator: &Validator, document: &Json) -> bool {
    let fits = validator.is_valid(document);
    match Policy::read(document) {
        Ok(_) => {
            let why: Vec<String> =
                validator.iter_errors(document).map(|e| format!("{e} at {}", e.instance_path())).collect();
            assert!(fits, "the reader accepts what the schema refuses: {document}\n{}", why.join("\n"));
        }
        Err(ReadError::Policy(error)) if fits => {
            let known = |message: &str| BEYOND_A_SCHEMA.iter().any(|known| message.contains(known));
            let unknown: Vec<_> = error.problems().iter().filter(|problem| !known(problem.message())).collect();
            assert!(unknown.is_empty(), "the schema accepts what the reader refuses: {document}\n{unknown:?}");
        }
        Err(_) => {}
    }
    fits
}

fn seeds(count: u64) -> impl Iterator<Item = Draw> {
    let most = std::env::var("UPHOLD_SCHEMA_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(count);
    (0..most).map(|seed: u64| Draw(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1))
}

#[test]
fn every_policy_that_is_written_fits_the_schema() {
    let validator = validator();
    for policy in policies(1000) {
        let document = serde_json::to_value(&policy).unwrap();
        assert!(same(&validator, &document), "{document}");
    }
}

#[test]
fn the_schema_and_the_reader_agree_on_damaged_policies() {
    let validator = validator();
    for (policy, mut draw) in policies(u64::MAX).zip(seeds(3000)) {
        let mut document = serde_json::to_value(&policy).unwrap();
        for _ in 0..=draw.below(2) {
            damage(&mut document, &mut draw);
        }
        same(&validator, &document);
    }
}

#[test]
fn the_schema_and_the_reader_agree_on_documents_made_from_the_table_of_keys() {
    let validator = validator();
    let mut fits = 0;
    for mut draw in seeds(3000) {
        // From every fifth value odd to none.
        let odd = draw.of(&[5, 20, 200, u64::MAX]);
        let mut document = sample_block(&DOCUMENT, &mut draw, odd);
        fits += usize::from(same(&validator, &document));
        damage(&mut document, &mut draw);
        same(&validator, &document);
    }
    assert!(fits > 100, "{fits} of the documents are valid");
}

/// Returns a random document for a block; one in `odd` values is odd.
fn sample_block(block: &Block, draw: &mut Draw, odd: u64) -> Json {
    let only = block.requires.iter().find_map(|requirement| match requirement {
        Requirement::ExactlyOne(keys) => Some(*keys),
        _ => None,
    });
    let chosen = only.map(|keys| draw.of(keys));
    let mut map = Map::new();
    for key in block.all() {
        let wanted = match (chosen, only) {
            (Some(chosen), Some(keys)) if keys.contains(&key.name) => key.name == chosen,
            _ => key.default == "required" || draw.below(3) == 0,
        };
        if wanted != (draw.below(odd) == 0) {
            map.insert(key.name.into(), sample(&key.kind, draw, odd));
        }
    }
    Json::Object(map)
}

fn sample(kind: &Kind, draw: &mut Draw, odd: u64) -> Json {
    if draw.below(odd) == 0 {
        return oddity(draw);
    }
    let durations =
        ["30s", "1h 30m", "1.5h", " 90min ", "2 days", "1y1M1w1d", "1000ms 5us", "7\u{b5}s", "0.000000001s"];
    match kind {
        Kind::Duration => {
            json!(if draw.below(4) == 0 { draw.of(&["0s", "0", " 0 ", "0.0s", "00s"]) } else { draw.of(&durations) })
        }
        Kind::Positive => json!(draw.of(&durations)),
        Kind::Count(range) => json!(draw.of(&[*range.start(), *range.end(), *range.start().max(&3)])),
        Kind::Quantity => draw.of(&[json!(0), json!(3), json!(u32::MAX), json!("0%"), json!("50%"), json!(" 007 % ")]),
        Kind::QuantityAboveZero => draw.of(&[json!(1), json!(u32::MAX), json!("1%"), json!("100%"), json!("050%")]),
        Kind::Percentage => json!(draw.of(&["1%", "25%", "100%", "0099 %"])),
        Kind::Flag => json!(draw.coin()),
        Kind::True => json!(true),
        Kind::Empty => Json::Null,
        Kind::Text(form) => json!(match form {
            Form::RuleName => draw.of(&["bad-config", "7 of 9", "\u{e9}t\u{e9}", "0x1"]),
            Form::Cause => draw.of(&["error", "gpu-fell-off", "a", "a.b_c-9", "out-of-memory"]),
            Form::Glob => draw.of(&["*", "quota*", "\u{1b}[31m", " "]),
            Form::Path => draw.of(&["/", "/a?b=%20", "/\u{e9}", "/{index}"]),
            Form::Host => draw.of(&["::1", "{host}", "db.example", "\u{e9}"]),
            Form::Argument => draw.of(&["", "sh", "a b", "\u{1b}"]),
        }),
        Kind::Command => json!(["sh", "-c", draw.of(&["", "true", "\n"])]),
        Kind::Seconds => json!(draw.of(&[0u64, 90, 18_429_638_400])),
        Kind::Factor => draw.of(&[json!(3), json!(1.5), json!(1.01), json!(100), json!(2.0)]),
        Kind::Port => {
            draw.of(&[json!(1), json!(65535), json!("080"), json!("{port}"), json!("9{a}0{b}"), json!("65535")])
        }
        Kind::ExitCode => {
            draw.of(&[json!(0), json!(-1), json!("64..=78"), json!(" -5 ..= 5 "), json!("3..=3"), json!(i32::MIN)])
        }
        Kind::Replica => draw.of(&[json!(0), json!(999_999), json!("1..=3"), json!(" 0 ..= 007 "), json!("5..=5")]),
        Kind::SetSize => {
            draw.of(&[json!(0), json!(3), json!(1_000_000), json!("2..10"), json!(" 0 ..= 0001000000 "), json!("3..3")])
        }
        Kind::Status => draw.of(&[json!(100), json!(599), json!("200..=399"), json!(" 200 ..= 200 ")]),
        Kind::Signal => draw.of(&[json!(1), json!(64), json!("SIGKILL"), json!("term"), json!("sigUsr1")]),
        Kind::Words(words) => json!(draw.of(words)),
        Kind::Headers => draw.of(&[json!({}), json!({"accept": "*/*", "x-a": ""}), json!({"a": "tab\t\u{e9}"})]),
        Kind::Block(inner) => {
            if may_be_empty(inner) && draw.below(8) == 0 {
                Json::Null
            } else {
                sample_block(inner, draw, odd)
            }
        }
        Kind::List(item, least, _) => {
            if *least == 0 && draw.below(8) == 0 {
                return Json::Null;
            }
            (0..*least as u64 + draw.below(3)).map(|_| sample(item, draw, odd)).collect()
        }
        Kind::OneOrMany(item) => {
            if draw.coin() {
                sample(item, draw, odd)
            } else {
                (0..=draw.below(2)).map(|_| sample(item, draw, odd)).collect()
            }
        }
        Kind::OneOf(kinds) => sample(&kinds[draw.below(kinds.len() as u64) as usize], draw, odd),
    }
}

/// Returns a value that is valid in few places: limits of ranges, texts close to valid ones, other types.
fn oddity(draw: &mut Draw) -> Json {
    let long = |count: usize| json!("x".repeat(count));
    let wide = |count: usize| json!("\u{e9}".repeat(count));
    match draw.below(10) {
        0 => draw.of(&[Json::Null, json!(true), json!(false), json!({}), json!([]), json!([null]), json!({"x": 1})]),
        1 => draw.of(&[json!(0), json!(1), json!(-1), json!(64), json!(65), json!(99), json!(100), json!(600)]),
        2 => draw.of(&[
            json!(65536),
            json!(1_000_000),
            json!(1_000_001),
            json!(u32::MAX),
            json!(u64::MAX),
            json!(i64::MIN),
        ]),
        3 => draw.of(&[json!(3.0), json!(1.005), json!(0.5), json!(1e300), json!(-0.0), json!(101), json!(1.009)]),
        4 => json!(draw.of(&[
            "30x", "0s", "0", "00", "-5s", "1.s", ".5s", "0.5ns", "0.0001us", "1 0s", "1s 0", "0.001h", "0.0ns",
            "1s,2s", "1H", "9y 600y", "1s\t", "\u{a0}1s"
        ])),
        5 => json!(draw.of(&["0%", "00%", "101%", "1000%", "+5%", "5 %%", "%", "\u{663}%", "-1%", "1.5%"])),
        6 => json!(draw.of(&[
            "OOM", "oom", "Error", "1a", "a b", "", " ", "7", "0007", "a/b", "/a b", "no-slash", "/\n", "\u{85}",
            "a\0b"
        ])),
        7 => json!(draw.of(&[
            "never",
            "SIGNOPE",
            "SIG",
            "sigkill",
            "SIGRTMIN",
            "9",
            "all",
            "retry",
            "terminate",
            "hold",
            "true"
        ])),
        8 => json!(draw.of(&[
            "64..78",
            "64-78",
            "78..=64",
            "..=5",
            "+1..=2",
            "99999999999..=1",
            "9999999999..=2",
            "99..=200",
            "300..=200",
            "0200..=299",
            "1..=2..=3"
        ])),
        _ => match draw.below(8) {
            0 => draw.of(&[long(64), long(65), wide(64), wide(65)]),
            1 => draw.of(&[long(1024), long(1025), wide(1024), wide(1025)]),
            2 => draw.of(&[long(255), long(256), long(2049), long(4096), wide(4097)]),
            3 => json!(
                draw.of(&["{port}", "{}", "{", "}", "8{", "{a}{b}", "a{b}", "0", "00000", "65536", "{a\n}", "{{a}}"])
            ),
            4 => json!({"a b": "x"}),
            5 => {
                draw.of(&[json!({"a": "\u{7f}"}), json!({"a": 3}), json!({"": ""}), json!(["", "x"]), json!(["a", 3])])
            }
            6 => draw.of(&[
                json!(["error", "error"]),
                json!({"hold": "0s"}),
                json!({"quarantine": "0s"}),
                json!({"by": "step", "after": "0s"}),
                json!({"by": "never", "after": "1s"}),
            ]),
            _ => draw.of(&[
                json!(vec!["1s"; 1000]),
                json!(vec!["1s"; 1001]),
                json!(vec!["a"; 101]),
                json!(vec![json!({"then": "hold"}); 1001]),
            ]),
        },
    }
}

/// Damages a document in one place: replaces a value, or removes, adds or renames a key.
fn damage(document: &mut Json, draw: &mut Draw) {
    match document {
        Json::Object(map) if !map.is_empty() && draw.below(4) != 0 => {
            let key = map.keys().nth(draw.below(map.len() as u64) as usize).unwrap().clone();
            match draw.below(12) {
                0 => drop(map.remove(&key)),
                1 => {
                    let value = map.remove(&key).unwrap();
                    map.insert(format!("{key}s"), value);
                }
                2 => drop(map.insert("duration".into(), json!("1h"))),
                3 => drop(map.insert("retry".into(), draw.of(&[json!(false), json!(true), json!({}), Json::Null]))),
                4 => drop(map.insert(key, Json::Null)),
                _ => damage(map.get_mut(&key).unwrap(), draw),
            }
        }
        Json::Array(items) if !items.is_empty() && draw.below(4) != 0 => {
            let index = draw.below(items.len() as u64) as usize;
            match draw.below(6) {
                0 => drop(items.remove(index)),
                1 => items.push(items[index].clone()),
                _ => damage(&mut items[index], draw),
            }
        }
        place => *place = oddity(draw),
    }
}

#[test]
fn the_schema_and_the_reader_agree_on_past_differences() {
    let validator = validator();
    let probe = |probe: Json| json!({"health": {"readiness": probe}});
    let right = [
        json!({"failure": null, "health": null}),
        json!({"retry": null}),
        json!({"retry": {"stages": null, "backoff": {"exponential": null}}}),
        json!({"retry": true, "failure": {"rules": null, "correlated": null, "max_concurrent_starts": null}}),
        json!({"failure": {"rules": [{"when": null, "then": "hold"}]}}),
        json!({"retry": {"duration": 90}}),
        json!({"scaling": null, "rollout": null}),
        json!({"replicas": "2..10", "scaling": null}),
        json!({"retry": true, "failure": {"rules": null}, "scaling": {"standby": 1, "stand_ins": {"max": 1}}}),
        json!({"failure": {"scope": "all"}, "scaling": {"min": 1, "standby": 0, "stand_ins": {"max": 0}}}),
    ];
    for document in right {
        assert!(same(&validator, &document) && Policy::read(&document).is_ok(), "{document}");
    }
    let wrong = [
        json!({"min_ready": "30x"}),
        json!({"start_timeout": "0s"}),
        json!({"failure": {"rules": [{"when": {"cause": "OOM"}, "then": "hold"}]}}),
        probe(json!({"http": {"port": 1, "path": "x"}})),
        probe(json!({"interval": "1s"})),
        probe(json!({"tcp": {"port": 1}, "exec": ["a"]})),
        json!({"health": {"liveness": {"tcp": {"port": 1}, "successes": 2}}}),
        json!({"retry": {"backoff": {}}}),
        json!({"retry": {"backoff": {"schedule": []}}}),
        json!({"retry": {"duration": "1h", "max_duration": "1h"}}),
        json!({"retry": {"recover": {"by": "never", "after": "1s"}}}),
        json!({"retry": {"recover": {"by": "step", "after": "0s"}}}),
        json!({"failure": {"rules": [{"then": "retry"}]}}),
        json!({"retry": false, "failure": {"rules": [{"then": "retry"}]}}),
        json!({"retry": true, "failure": {"rules": [{"then": "retry", "retry": {"on_events": ["error"]}}]}}),
        json!({"retry": true, "failure": {"rules": [{"then": "retry", "retry": null}]}}),
        json!({"failure": {"max_concurrent_starts": 0}}),
        json!({"replicas": -1}),
        json!({"retry": {"intervall": "1s"}}),
        json!({"retry": {"backoff": "quadratic"}}),
        json!({"failure": {"rules": [{"when": {}}]}}),
        json!({"retry": {"stages": [null]}}),
        json!({"replicas": "2..10", "scaling": {"max": 10}}),
        json!({"replicas": "2..1000001"}),
        json!({"scaling": {"stand_ins": {}}}),
        json!({"rollout": {"progress_deadline": "0s"}}),
        json!({"success": "complete", "scaling": {"standby": 1}}),
        json!({"failure": {"scope": "rest"}, "scaling": {"stand_ins": {"max": 1}}}),
        json!({"retry": {"stages": [{}, {"scope": "all"}]}, "scaling": {"standby": 1}}),
        json!({"failure": {"rules": [{"then": "retry", "retry": {"scope": "all"}}]}, "scaling": {"standby": 1}}),
    ];
    for document in wrong {
        assert!(!same(&validator, &document), "{document}");
        assert!(Policy::read(&document).is_err(), "{document}");
    }
}
