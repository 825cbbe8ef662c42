//! Tests of reading whole documents.

use super::*;
use crate::policy::backoff::Backoff;
use crate::policy::jitter::Jitter;
use crate::policy::retry::{Recover, RetryPolicy};
use crate::policy::{
    Correlated, FailurePolicy, HealthPolicy, OnEvents, OnRolloutFailure, Probe, Promote, Quantity, RolloutPolicy, Rule,
    RuleAction, ScalingPolicy, StandIns,
};
use serde_json::{Value as Json, json};
use std::time::Duration;

const SEC: Duration = Duration::from_secs(1);

pub(crate) fn read(document: &Json) -> Result<Policy, Vec<String>> {
    Policy::read(document).map_err(|error| match error {
        ReadError::Policy(error) => error.problems().iter().map(ToString::to_string).collect(),
        ReadError::Format(error) => vec![error.to_string()],
    })
}

fn mistake(document: &Json) -> String {
    let problems = read(document).unwrap_err();
    assert_eq!(problems.len(), 1, "{problems:#?}");
    problems[0].clone()
}

/// Reads `retry` with this block.
fn retry(block: Json) -> RetryPolicy {
    read(&json!({"replicas": 3, "retry": block})).unwrap().settings().retry.clone().unwrap()
}

#[test]
fn a_small_document_reads_as_the_policy_built_in_code() {
    let policy = read(&json!({"replicas": 3, "retry": {"max_duration": "1h", "interval": "30s"}})).unwrap();
    let built = Policy::builder().replicas(3).retry(RetryPolicy::every(30 * SEC).max_duration(3600 * SEC)).build();
    assert_eq!(policy, built.unwrap());
    assert_eq!(read(&json!({})).unwrap(), Policy::builder().build().unwrap());
}

#[test]
fn a_document_with_every_key_is_read() {
    let policy = read(&json!({
        "replicas": 3, "success": "restart", "min_ready": "0s", "start_timeout": "20m", "stop_grace": "10s",
        "start_order": "ordered",
        "retry": {
            "interval": "1s", "backoff": "exponential", "max_interval": "60s", "jitter": "equal",
            "immediate_first": false, "max_attempts": 10, "max_duration": "1h",
            "limit": {"restarts": 5, "within": "10m"}, "recover": {"after": "2m", "by": "reset"},
            "stages": [
                {"max_attempts": 3, "interval": "1s"},
                {"max_attempts": 5, "interval": "10s", "backoff": "exponential", "max_interval": "2m",
                 "placement": "elsewhere"},
                {"max_attempts": 1, "scope": "all", "interval": "30s"},
            ],
        },
        "failure": {
            "rules": [
                {"name": "bad-config", "when": {"exit_code": [2, "64..=78"]}, "then": "terminate"},
                {"when": {"cause": ["interruption", "node-lost"]}, "then": "retry", "charge": false,
                 "retry": {"interval": "5s", "max_duration": "6h"}},
                {"when": {"cause": "out-of-memory", "attempts_over": 3}, "then": "degrade"},
                {"when": {"signal": ["SIGKILL", 15]}, "then": "retry"},
                {"when": {"reason": "quota*"}, "then": {"hold": "30m"}},
            ],
            "scope": "replica", "exhausted": "degrade", "min_available": 1, "outage_deadline": "10m",
            "clear_after": "0s", "budget": {"restarts": 10, "per": "10m", "empty": "wait"},
            "max_concurrent_starts": "25%", "correlated": {"share": "50%", "within": "30s"},
        },
        "health": {
            "startup": {"http": {"path": "/", "port": 8080}, "interval": "5s", "timeout": "1s", "failures": 30},
            "readiness": {"tcp": {"port": 8080}, "interval": "5s", "successes": 1, "failures": 3},
            "liveness": {"exec": ["pg_isready"], "interval": "10s", "timeout": "1s", "failures": 3,
                         "initial_delay": "5s"},
            "unready_timeout": "10m", "unknown_after": "60s", "lost_after": "5m", "max_probe_restarts": "25%",
        },
        "scaling": {"min": 2, "max": 10, "standby": 0},
        "rollout": {"max_surge": 1, "max_unavailable": 0, "canaries": 0, "bake": "5m", "promote": "auto",
                    "progress_deadline": "10m", "max_failures": 3, "on_failure": "rollback"},
    }))
    .unwrap();
    let settings = policy.settings();
    assert_eq!(
        settings.failure.rules[0],
        Rule::new(RuleAction::Terminate).name("bad-config").exit_code(2).exit_codes(64..=78)
    );
    assert_eq!(settings.failure.rules[4], Rule::new(RuleAction::Hold(Some(1800 * SEC))).reason("quota*"));
    assert_eq!(settings.retry.as_ref().unwrap().stages.len(), 3);
}

#[test]
fn ten_mistakes_are_found_in_one_reading() {
    let problems = read(&json!({
        "replica": 3,
        "success": "restrat",
        "min_ready": 5,
        "retry": {"intervall": "30s", "max_interval": "0s", "jitter": {"spread": "200%"}},
        "failure": {
            "rules": [{"then": "retry"}, {"then": "give-up"}, {"when": {"exit_code": [2, "64..78"]}, "then": "degrade"}],
            "min_available": "half",
        },
        "health": {"readiness": {"interval": "5s"}},
    }))
    .unwrap_err();
    assert_eq!(
        problems,
        [
            "replica: unknown field; did you mean 'replicas'?",
            "success: unknown word 'restrat'; did you mean 'restart'? known: restart, complete, failure",
            "min_ready: a duration needs a unit, such as 5s or 5m",
            "retry.intervall: unknown field; did you mean 'interval'? known: interval, backoff, max_interval, jitter, \
             max_attempts, max_duration, limit, placement, scope, immediate_first, recover, stages, \
             duration, keep_min_available, on_events",
            "retry.jitter.spread: expected a whole percentage such as 25%, at most 100%, found '200%'",
            "failure.rules[1].then: unknown word 'give-up'; known: retry, degrade, terminate, hold, {hold: 30m}",
            "failure.rules[2].when.exit_code[1]: a range includes both ends; write \"64..=78\"",
            "failure.min_available: expected a number of replicas, or a whole percentage such as 50%, found 'half'",
            "health.readiness: expected exactly one of 'http', 'tcp' and 'exec', found none",
            "retry.max_interval: must be longer than 0s",
        ]
    );
}

#[test]
fn the_error_of_the_format_carries_the_same_text_one_mistake_a_line() {
    let text = r#"{"replicas": -1, "retry": {"interval": "soon"}}"#;
    let error = serde_json::from_str::<Policy>(text).unwrap_err().to_string();
    let lines: Vec<&str> = error.lines().collect();
    assert_eq!(
        lines,
        [
            "replicas: -1 is out of range: 0 to 1000000",
            "retry.interval: expected a duration such as 30s, 5m or 1h 30m, found 'soon'",
        ]
    );
}

#[test]
fn replicas_is_a_number_or_the_bounds_of_scaling() {
    let long = read(&json!({"replicas": 2, "scaling": {"min": 2, "max": 10, "standby": 1}})).unwrap();
    for range in ["2..10", " 2 .. 10 ", "2..=10", "02..0010"] {
        assert_eq!(read(&json!({"replicas": range, "scaling": {"standby": 1}})).unwrap(), long, "{range}");
    }
    for (replicas, said) in [
        ("3", "replicas: is a text; write the number 3 without quotes"),
        ("10..2", "replicas: the range is empty; did you mean \"2..10\"?"),
        ("2-10", "replicas: a range is written \"2..10\""),
        (
            "2..",
            "replicas: expected a number of replicas such as 3, or a range such as 2..10, of at most 1000000, found '2..'",
        ),
    ] {
        assert_eq!(mistake(&json!({"replicas": replicas})), said);
    }
    for wrong in ["..10", "2..3..4", "2...4", "2..==4", "-1..3", "+1..3", "2..1000001", "a..b", "1.5..3", ""] {
        let said = mistake(&json!({"replicas": wrong}));
        assert!(said.starts_with("replicas: expected a number of replicas such as 3"), "{wrong}: {said}");
    }
}

#[test]
fn replicas_and_the_bounds_of_scaling_agree() {
    let replicas = |document: Json| read(&document).map(|policy| policy.replicas());
    let outside = ["replicas: 1 is outside of `scaling`: 2 to 10".to_owned()];
    assert_eq!(replicas(json!({"replicas": 1, "scaling": {"min": 2, "max": 10}})).unwrap_err(), outside);
    assert_eq!(
        replicas(json!({"replicas": 11, "scaling": {"max": 10}})).unwrap_err(),
        ["replicas: 11 is outside of `scaling`: 0 to 10"]
    );
    // Left out, or not readable, it is the nearest number within them.
    assert_eq!(replicas(json!({"scaling": {"min": 2}})).unwrap(), 2);
    assert_eq!(replicas(json!({"scaling": {"max": 10}})).unwrap(), 1);
    assert_eq!(replicas(json!({"scaling": {"max": 0}})).unwrap(), 0);
    assert_eq!(replicas(json!({"replicas": "x", "scaling": {"min": 2}})).unwrap_err().len(), 1);
    assert_eq!(mistake(&json!({"scaling": {"min": 3, "max": 2}})), "scaling.max: 2 is below `min`, which is 3");
    for bounds in [json!({"min": 2}), json!({"max": 20}), json!({"min": 2, "max": 10})] {
        let twice = mistake(&json!({"replicas": "2..10", "scaling": bounds}));
        assert!(twice.starts_with("replicas: a range sets the bounds that"), "{twice}");
    }
}

#[test]
fn scaling_and_rollout_are_read() {
    let policy = read(&json!({
        "replicas": 3, "retry": true,
        "scaling": {"min": 2, "max": 10, "standby": 1, "stand_ins": {"max": 2, "after": "30s"}},
        "rollout": {"max_surge": "25%", "max_unavailable": 0, "canaries": 1, "bake": "5m", "promote": "manual",
            "progress_deadline": "10m", "max_failures": 5, "on_failure": "pause"},
    }));
    let scaling = ScalingPolicy::new().min(2).max(10).standby(1).stand_ins(StandIns::new(2).after(30 * SEC));
    let rollout = RolloutPolicy::new()
        .max_surge(Quantity::Percent(25))
        .max_unavailable(Quantity::Count(0))
        .canaries(1)
        .bake(300 * SEC)
        .promote(Promote::Manual)
        .progress_deadline(600 * SEC)
        .max_failures(5)
        .on_failure(OnRolloutFailure::Pause);
    let built =
        Policy::builder().replicas(3).retry(RetryPolicy::recommended()).scaling(scaling).rollout(rollout).build();
    assert_eq!(policy.unwrap(), built.unwrap());
}

#[test]
fn every_mistake_of_scaling_and_rollout_is_found_in_one_reading() {
    let problems = read(&json!({
        "scaling": {"mim": 2, "max": -1, "standby": "50%", "stand_ins": {"after": 5}},
        "rollout": {"max_surge": "half", "canaries": "50%", "promote": "never", "progress_deadline": "0s",
            "max_failures": 0, "on_failure": "rolback"},
    }))
    .unwrap_err();
    assert_eq!(
        problems,
        [
            "scaling.mim: unknown field; did you mean 'min'? known: min, max, standby, stand_ins",
            "scaling.max: -1 is out of range: 0 to 1000000",
            "scaling.standby: expected a whole number from 0 to 1000000, found '50%'",
            "scaling.stand_ins: 'max' is missing: how many at a time, such as 2",
            "scaling.stand_ins.after: a duration needs a unit, such as 5s or 5m",
            "rollout.max_surge: expected a number of replicas, or a whole percentage such as 50%, found 'half'",
            "rollout.canaries: expected a whole number from 0 to 1000000, found '50%'",
            "rollout.promote: unknown word 'never'; known: auto, manual",
            "rollout.max_failures: 0 is out of range: 1 to 1000000",
            "rollout.on_failure: unknown word 'rolback'; did you mean 'rollback'? known: rollback, pause",
            "rollout.progress_deadline: must be longer than 0s",
        ]
    );
}

#[test]
fn a_key_given_twice_is_a_mistake() {
    let problems = Policy::read(&mut serde_json::Deserializer::from_str(r#"{"replicas": 1, "replicas": 2}"#));
    let Err(ReadError::Policy(error)) = problems else { panic!("{problems:?}") };
    assert_eq!(error.to_string(), "replicas: is given twice; keep one of them");
}

#[test]
fn a_value_that_is_not_a_block_is_refused() {
    for document in [json!(null), json!([]), json!("replicas: 3"), json!(3)] {
        assert!(mistake(&document).starts_with("expected a policy"), "{document}");
    }
    assert!(matches!(Policy::read(&mut serde_json::Deserializer::from_str("{")), Err(ReadError::Format(_))));
}

#[test]
fn retry_is_a_switch_or_a_block() {
    let off = Policy::builder().build().unwrap();
    for off_word in [json!(false), json!(null)] {
        assert_eq!(read(&json!({"retry": off_word})).unwrap(), off);
    }
    let on = Policy::builder().replicas(4).retry(RetryPolicy::recommended()).build().unwrap();
    assert_eq!(read(&json!({"replicas": 4, "retry": true})).unwrap(), on);
    assert_eq!(retry(json!({})), RetryPolicy::default());
    assert!(mistake(&json!({"retry": "yes"})).starts_with("retry: expected true, false or a block"));
}

#[test]
fn settings_that_retry_true_implies_can_be_switched_off() {
    let on = read(&json!({"retry": true})).unwrap().settings().failure.clone();
    assert_eq!(on.max_concurrent_starts, Some(Quantity::Percent(25)));
    assert_eq!(on.correlated, Some(Correlated::new(Quantity::Percent(50), 30 * SEC)));
    assert_eq!(read(&json!({"retry": true})).unwrap().max_probe_restarts(8), Some(2));
    for off in [json!(false), json!(null)] {
        let document = json!({"retry": true, "failure": {"correlated": off, "max_concurrent_starts": off}});
        assert_eq!(read(&document).unwrap().settings().failure, FailurePolicy::new());
    }
    for off in [json!(false), json!(null)] {
        let document = json!({"retry": true, "health": {"max_probe_restarts": off}});
        assert_eq!(read(&document).unwrap().health(), &HealthPolicy::new());
    }
    let own = read(&json!({"retry": true, "failure": {"max_concurrent_starts": 1}})).unwrap();
    assert_eq!(own.settings().failure.max_concurrent_starts, Some(Quantity::Count(1)));
}

#[test]
fn a_block_pasted_from_dstack_works() {
    let dstack = retry(json!({"on_events": ["no-capacity", "interruption"], "duration": "4h"}));
    assert_eq!(dstack.on_events, Some(OnEvents::new().no_capacity().interruption()));
    assert_eq!(dstack.settings.max_duration, Some(4 * 3600 * SEC));
    // The default is one hour. A number is seconds. `max_duration` means the same.
    assert_eq!(retry(json!({"on_events": "error"})).settings.max_duration, Some(3600 * SEC));
    assert_eq!(retry(json!({"on_events": ["error"], "duration": 90})).settings.max_duration, Some(90 * SEC));
    assert_eq!(retry(json!({"on_events": ["error"], "max_duration": "2h"})).settings.max_duration, Some(7200 * SEC));
    assert_eq!(retry(json!({"duration": "2h"})).settings.max_duration, Some(7200 * SEC));
    assert_eq!(retry(json!({"interval": "1s"})).settings.max_duration, None);
}

#[test]
fn mistakes_in_dstacks_spelling_are_reported() {
    let both = json!({"retry": {"on_events": ["error"], "duration": "1h", "max_duration": "1h"}});
    assert_eq!(
        mistake(&both),
        "retry.duration: is dstack's name for 'max_duration', which is also given; keep one of them"
    );
    let none = mistake(&json!({"retry": {"on_events": []}}));
    assert!(none.starts_with("retry.on_events: is empty"), "{none}");
    assert!(
        mistake(&json!({"retry": {"on_events": ["eror"]}}))
            .starts_with("retry.on_events[0]: unknown word 'eror'; did you mean 'error'?")
    );
    assert!(mistake(&json!({"retry": {"duration": -1}})).starts_with("retry.duration: expected a duration"));
}

#[test]
fn every_spelling_of_backoff_and_jitter_is_read() {
    let backoff = |value: Json| retry(json!({"backoff": value})).settings.backoff.unwrap();
    assert_eq!(backoff(json!("fibonacci")), Backoff::Fibonacci);
    assert_eq!(backoff(json!({"exponential": {}})), Backoff::exponential());
    for (factor, hundredths) in [(json!(3), 300), (json!(1.5), 150), (json!(1.05), 105), (json!(100), 10_000)] {
        let Backoff::Exponential(read) = backoff(json!({"exponential": {"factor": factor}})) else { panic!() };
        assert_eq!(read.hundredths(), hundredths);
    }
    assert_eq!(backoff(json!({"schedule": ["1s", "0s"]})), Backoff::Schedule(vec![SEC, Duration::ZERO]));
    for wrong in [json!(1), json!(1.001), json!(101), json!("2"), json!(1e300), json!(-2), json!(1e-7)] {
        let message = mistake(&json!({"retry": {"backoff": {"exponential": {"factor": wrong}}}}));
        assert!(message.starts_with("retry.backoff.exponential.factor: expected a number from 1.01"), "{message}");
    }
    assert_eq!(retry(json!({"jitter": {"spread": "25%"}})).settings.jitter, Some(Jitter::Spread(25)));
    assert_eq!(
        mistake(&json!({"retry": {"jitter": {"spread": "0%"}}})),
        "retry.jitter.spread: 0 is out of range: 1 to 100"
    );
    assert!(mistake(&json!({"retry": {"backoff": {"schedule": []}}})).starts_with("retry.backoff.schedule: is empty"));
    assert!(mistake(&json!({"retry": {"backoff": {}}})).starts_with("retry.backoff: expected exactly one of"));
}

#[test]
fn every_spelling_of_recover_is_read() {
    let recover = |value: Json| retry(json!({"recover": value})).recover.unwrap();
    assert_eq!(recover(json!("never")), Recover::Never);
    assert_eq!(recover(json!({"by": "never"})), Recover::Never);
    assert_eq!(recover(json!({})), Recover::Reset(None));
    assert_eq!(recover(json!({"after": "2m", "by": "step"})), Recover::Step(Some(120 * SEC)));
    let both = mistake(&json!({"retry": {"recover": {"after": "2m", "by": "never"}}}));
    assert!(both.starts_with("retry.recover.after: has no meaning"), "{both}");
}

#[test]
fn probes_take_ports_and_placeholders() {
    let probe = |check: Json| {
        read(&json!({"health": {"readiness": check}})).map(|policy| policy.settings().health.readiness.clone())
    };
    let expected = Probe::new(crate::policy::ProbeCheck::Http(
        crate::policy::HttpCheck::new("{port}").path("/live").host("{host}").header("accept", "*/*").status(200, 299),
    ));
    let http = json!({"port": "{port}", "path": "/live", "host": "{host}", "headers": {"accept": "*/*"}, "status": "200..=299"});
    assert_eq!(probe(json!({"http": http})).unwrap(), Some(expected));
    assert!(probe(json!({"tcp": {"port": "80{index}"}})).is_ok());
    for port in [json!(0), json!(65536), json!("http"), json!("{port"), json!("p{port}"), json!("")] {
        let problem = probe(json!({"tcp": {"port": port}})).unwrap_err();
        assert!(problem[0].starts_with("health.readiness.tcp.port: "), "{problem:?}");
    }
    let shell = probe(json!({"exec": "curl -f localhost"})).unwrap_err();
    assert!(shell[0].contains("expected a list of the command"), "{shell:?}");
}

#[test]
fn blocks_and_lists_may_be_empty() {
    assert!(read(&json!({"failure": null, "health": {}})).is_ok());
    assert!(read(&json!({"failure": {"rules": null}, "retry": {"stages": []}})).is_ok());
}

#[test]
fn a_hostile_document_gives_a_bounded_error() {
    let many: serde_json::Map<String, Json> =
        (0..5000).map(|index| (format!("{index}-{}", "x".repeat(500)), json!(1))).collect();
    let Err(ReadError::Policy(error)) = Policy::read(Json::Object(many)) else { panic!() };
    assert_eq!(error.problems().len(), 1000);
    assert!(error.to_string().ends_with("and 4000 more"));
}

#[test]
fn numbers_of_the_wrong_kind_are_shown_as_written() {
    assert_eq!(
        mistake(&json!({"replicas": 3.0})),
        "replicas: expected a whole number from 0 to 1000000, found 3.0, written with decimals"
    );
    assert!(mistake(&json!({"min_ready": -5})).ends_with("expected a duration such as 30s, 5m or 1h 30m, found -5"));
    assert_eq!(mistake(&json!({"min_ready": "585y"})), "min_ready: '585y' is longer than 584 years, the maximum");
}

/// Returns the paths of all mistakes of a document.
fn paths(document: &Json) -> Vec<String> {
    let Err(ReadError::Policy(error)) = Policy::read(document) else { panic!("{document} is valid") };
    error.problems().iter().map(|problem| problem.path().to_owned()).collect()
}

#[test]
fn a_mistake_does_not_hide_others_beside_or_below_it() {
    let probe = |probe: Json| json!({"health": {"readiness": probe}});
    for (document, expected) in [
        (probe(json!({"http": {"path": "x"}})), &["health.readiness.http", "health.readiness.http.path"][..]),
        (probe(json!({"tcp": {"port": 0, "host": ""}})), &["health.readiness.tcp.port", "health.readiness.tcp.host"]),
        (
            probe(json!({"http": {"port": 1, "path": "x"}, "tcp": {"port": "y"}, "exec": []})),
            &["health.readiness", "health.readiness.tcp.port", "health.readiness.exec", "health.readiness.http.path"],
        ),
        (
            probe(json!({"http": {"port": 1, "headers": {"a b": 3, "c": "\u{1}"}}})),
            &[
                "health.readiness.http.headers.a b",
                "health.readiness.http.headers.a b",
                "health.readiness.http.headers.c",
            ],
        ),
        (probe(json!({"exec": [3, "a\0"]})), &["health.readiness.exec[0]", "health.readiness.exec[1]"]),
        (
            json!({"failure": {"budget": {"restarts": 0, "per": "0s"}}}),
            &["failure.budget.restarts", "failure.budget.per"],
        ),
        (json!({"failure": {"budget": {"per": "0s"}}}), &["failure.budget", "failure.budget.per"]),
        (
            json!({"retry": {"limit": {"restarts": -1, "within": "0s"}}}),
            &["retry.limit.restarts", "retry.limit.within"],
        ),
        (
            json!({"retry": true, "failure": {"rules": [{"when": {"reason": [3, ""]}, "then": "retry"}]}}),
            &["failure.rules[0].when.reason[0]", "failure.rules[0].when.reason[1]"],
        ),
        (
            json!({"retry": {"backoff": {"exponential": {"factor": 0}, "schedule": []}}}),
            &["retry.backoff", "retry.backoff.exponential.factor", "retry.backoff.schedule"],
        ),
    ] {
        assert_eq!(paths(&document), expected, "{document}");
    }
}

#[test]
fn messages_contain_no_terminal_control_characters() {
    let hostile = "\u{1b}[2J\u{9b}31m\u{202e}\u{7}";
    for document in [
        json!({hostile: 1}),
        json!({"retry": {hostile: 1}}),
        json!({"success": hostile, "min_ready": hostile, "failure": {"min_available": hostile, "scope": hostile}}),
        json!({"failure": {"rules": [{"name": hostile, "when": {"cause": hostile, "signal": hostile}, "then": hostile}]}}),
        json!({"health": {"liveness": {"http": {"port": hostile, "path": hostile, "headers": {hostile: hostile}}}}}),
        json!({"health": {"liveness": {"exec": hostile}}}),
    ] {
        let Err(error) = Policy::read(&document) else { panic!("{document} is valid") };
        let text = error.to_string();
        assert!(!text.contains(|c: char| c != '\n' && crate::document::is_unprintable(c)), "{text:?}");
        assert!(text.contains("\\u{1b}[2J"), "{text}");
    }
}

#[test]
fn texts_are_bounded_in_length() {
    let probe = |check: Json| json!({"health": {"readiness": check}});
    let rule = |key: &str, value: String| json!({"failure": {"rules": [{"when": {key: value}, "then": "hold"}]}});
    let of = |most: usize| "\u{e9}".repeat(most);
    let headers = |count: usize| -> Json {
        (0..count).map(|index| (format!("x-{index}"), json!("y"))).collect::<serde_json::Map<_, _>>().into()
    };
    let http = |key: &str, value: Json| {
        let mut check = json!({"port": 1});
        check[key] = value;
        probe(json!({"http": check}))
    };
    type Long<'a> = &'a dyn Fn(usize) -> Json;
    let texts: [(usize, Long<'_>); 9] = [
        (1024, &|length| rule("reason", of(length))),
        (64, &|length| rule("cause", "x".repeat(length))),
        (64, &|length| json!({"failure": {"rules": [{"name": of(length), "then": "hold"}]}})),
        (2048, &|length| http("path", json!("/".to_owned() + &of(length - 1)))),
        (255, &|length| http("host", json!(of(length)))),
        (100, &|length| http("headers", headers(length))),
        (4096, &|length| http("headers", json!({"a": of(length)}))),
        (4096, &|length| probe(json!({"exec": ["sh", of(length)]}))),
        (100, &|length| probe(json!({"exec": vec!["a"; length]}))),
    ];
    for (most, document) in texts {
        assert!(read(&document(most)).is_ok(), "{:?}", read(&document(most)));
        assert_eq!(read(&document(most + 1)).unwrap_err().len(), 1, "{most}");
    }
}
