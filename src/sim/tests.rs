//! What a scenario's document means, and what is wrong with one.

use std::time::Duration;

use super::{Environment, InstancePlan, Scenario, Simulation, crash};
use crate::decide::Incarnation;
use crate::engine::{Start, TraceValue};
use crate::policy::{Policy, RetryPolicy};
use crate::time::Timestamp;

fn scenario(rest: &str) -> Result<Scenario, String> {
    let text = format!(r#"{{"policy": {{"replicas": 3, "retry": {{"interval": "30s"}}}}, "until": "1h", {rest}}}"#);
    serde_json::from_str(&text).map_err(|error| error.to_string())
}

/// One crash at 60 s, and this expected.
fn holds(expected: &str) -> bool {
    let scenario = scenario(&format!(
        r#""timeline": [{{"at": "60s", "replica": 1, "exit": 137, "reason": "oom?"}}], "expect": [{expected}]"#
    ));
    let scenario = scenario.unwrap_or_else(|error| panic!("{expected}: {error}"));
    let run = scenario.run().unwrap();
    scenario.check(&run).is_ok()
}

#[track_caller]
fn is_told(rest: &str, mistake: &str) {
    let error = scenario(rest).map(|_| ()).unwrap_err();
    assert!(error.contains(mistake), "'{mistake}' is not in:\n{error}");
}

#[test]
fn any_key_of_a_line_may_be_expected() {
    assert!(holds(r#"{"at": "60s", "event": "exited", "exit_code": 137, "incarnation": 1, "reason": "oom?"}"#));
    assert!(holds(r#"{"at_ms": 60000, "verdict": "restart", "due_ms": 90000, "rule": null, "charged": true}"#));
    assert!(!holds(r#"{"at": "60s", "verdict": "restart", "due_ms": 90001}"#));
    assert!(holds(r#"{"at": "90s", "start": 1}"#));
    assert!(!holds(r#"{"at": "90s", "start": 0}"#));
}

#[test]
fn the_status_in_effect_holds_where_no_line_tells_of_it() {
    for status in [r#""status": "degraded""#, r#""available": 2"#, r#""desired": 3"#, r#""reason": "replica-failed""#] {
        assert!(holds(&format!(r#"{{"at": "75s", {status}}}"#)), "{status}");
        assert!(!holds(&format!(r#"{{"at": "75s", {status}, "absent": true}}"#)), "{status}");
    }
    assert!(!holds(r#"{"at": "75s", "status": "degraded", "available": 3}"#));
    // Of an instant at which it changed, the end counts.
    assert!(!holds(r#"{"at": "90s", "status": "degraded"}"#));
    assert!(!holds(r#"{"at": "75s", "status": "degraded", "replica": 1}"#));
}

#[test]
fn lines_are_counted_at_an_instant_or_in_the_whole_run() {
    assert!(holds(r#"{"command": "start", "count": 4}"#));
    assert!(holds(r#"{"at": "0s", "command": "start", "count": 3}"#));
    assert!(holds(r#"{"at": "90s", "start": 0, "count": 0}"#));
    assert!(!holds(r#"{"at": "90s", "start": 1, "count": 0}"#));
}

#[test]
fn what_cannot_be_expected_is_told() {
    is_told(r#""expect": [{"at": "2h", "status": "healthy"}]"#, "expect[0]: looks at 7200000 ms, after the end");
    is_told(r#""expect": [{"at_ms": -1, "status": "healthy"}]"#, "expect[0].at_ms: expected milliseconds");
    is_told(r#""expect": [{"at": "1s", "at_ms": 1000, "start": 1}]"#, "expect[0].at_ms: stands beside 'at'");
    is_told(r#""expect": [{"at": "1s", "start": 1, "count": 0, "absent": true}]"#, "expect[0].absent: stands beside");
    is_told(r#""expect": [{"status": "healthy"}]"#, "expect[0]: 'at' is missing");
    is_told(r#""expect": [{"at": "1s", "strat": 1}]"#, "expect[0].strat: unknown field; did you mean 'start'?");
}

#[test]
fn what_cannot_happen_is_told() {
    is_told(r#""timeline": [{"at": "1s", "scale": 2, "reason": "quota"}]"#, "timeline[0].reason: has no meaning here");
    is_told(r#""timeline": [{"at": "1s", "restart": 1, "retry_after": "1s"}]"#, "timeline[0].retry_after: has no");
    is_told(r#""behaviour": [{"replica": 3, "runs": "1s", "exit": 1}]"#, "behaviour[0].replica: there is no replica 3");
    is_told(r#""behaviour": [{"hangs": "yes"}]"#, "behaviour[0].hangs: expected");
    is_told(r#""behaviour": [{"hangs": false}]"#, "behaviour[0].hangs: ");
    is_told(r#""behaviour": [{"replica": 3, "hangs": true}]"#, "behaviour[0].replica: there is no replica 3");
    is_told(r#""behaviour": [{"hangs": true, "runs": "1s", "exit": 1}]"#, "behaviour[0]: says what a replica does");
    for word in ["stop", "start"] {
        let act = |value: &str| format!(r#""timeline": [{{"at": "1s", "{word}": {value}}}]"#);
        is_told(&act("true"), &format!("timeline[0].{word}: expected"));
        is_told(&act("-1"), &format!("timeline[0].{word}: "));
        is_told(&act(r#"1, "replica": 1"#), "timeline[0].replica: has no meaning here");
        is_told(&act(r#"1, "reason": "quota""#), "timeline[0].reason: has no meaning here");
    }
    let grown = r#""behaviour": [{"replica": 3, "runs": "1s", "exit": 1}], "timeline": [{"at": "1s", "scale": 4}]"#;
    assert!(scenario(grown).is_ok());
}

#[test]
fn whatever_fails_a_replica_that_is_starting_is_a_failed_start() {
    let run = |world: &str| {
        let scenario = scenario(&format!(
            r#""world": {{{world}}}, "timeline": [{{"at": "5s", "replica": 1, "fail": "interruption"}}],
               "expect": [{{"at": "5s", "event": "start-failed", "cause": "interruption"}}]"#
        ));
        let scenario = scenario.unwrap();
        scenario.check(&scenario.run().unwrap()).is_ok()
    };
    assert!(run(r#""start": "10s""#));
    assert!(!run(r#""start": "0s""#));
}

#[test]
fn a_difference_shows_what_stands_around_it_however_crowded_its_instant() {
    let text =
        r#"{"policy": {"replicas": 1000}, "until": "1s", "expect": [{"at": "0s", "start": 500, "incarnation": 2}]}"#;
    let scenario: Scenario = serde_json::from_str(text).unwrap();
    let mismatch = scenario.check(&scenario.run().unwrap()).unwrap_err();
    let nearest = serde_json::to_string(&mismatch.nearest).unwrap();
    assert!(nearest.contains(r#""command":"start","replica":500,"incarnation":1"#), "{nearest}");
    assert!(mismatch.around.len() <= 13);
    assert!(mismatch.around.iter().any(|line| Some(line) == mismatch.nearest.as_ref()));
}

#[test]
fn what_ended_out_of_sight_is_told_when_it_is_found() {
    let scenario = scenario(
        r#""behaviour": [{"replica": 1, "runs": "2m", "exit": 1, "times": 1}],
           "timeline": [{"at": "1m", "replica": 1, "lost": true}, {"at": "3m", "replica": 1, "found": true}],
           "expect": [{"at": "2m", "event": "exited", "absent": true}, {"at": "3m", "event": "exited", "replica": 1},
                      {"at": "3m30s", "start": 1}]"#,
    );
    let scenario = scenario.unwrap();
    let run = scenario.run().unwrap();
    assert_eq!(scenario.check(&run), Ok(()));
}

/// Every restart runs at 110 s, whenever it was commanded.
struct AllAtOnce;

impl Environment for AllAtOnce {
    fn plan(&mut self, start: &Start, at: Timestamp, _: u32) -> InstancePlan {
        let first = start.incarnation == Incarnation(1);
        InstancePlan::new(if first { Duration::ZERO } else { Timestamp::from_secs(110).since(at) })
    }
}

#[test]
fn what_happens_at_one_instant_is_told_by_replica() {
    let policy = Policy::builder().replicas(3).retry(RetryPolicy::every(Duration::from_secs(30))).build().unwrap();
    let simulation = Simulation::new(policy).at("60s", crash(2)).at("70s", crash(0));
    let run = simulation.run_in(&mut AllAtOnce, "2m").unwrap();
    let lines = run.trace().lines().iter().filter(|line| line.at_ms() == 110_000 && line.get("event").is_some());
    let told: Vec<_> = lines.map(|line| (line.get("replica").cloned(), line.get("event").cloned())).collect();
    let expected = [(0u32, "started"), (0, "ready"), (2, "started"), (2, "ready")];
    assert_eq!(told, expected.map(|(replica, event)| (Some(TraceValue::from(replica)), Some(TraceValue::from(event)))));
}
