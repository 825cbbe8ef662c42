//! Tests of scenario documents: what they mean, and which mistakes are reported.

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

/// Whether this expectation is met in a run with one crash at 60 s.
fn holds(expected: &str) -> bool {
    let scenario = scenario(&format!(
        r#""timeline": [{{"at": "60s", "replica": 1, "exit": 137, "reason": "oom?"}}], "expect": [{expected}]"#
    ));
    let scenario = scenario.unwrap_or_else(|error| panic!("{expected}: {error}"));
    let run = scenario.run().unwrap();
    scenario.check(&run).is_ok()
}

#[track_caller]
fn rejects(rest: &str, mistake: &str) {
    let error = scenario(rest).map(|_| ()).unwrap_err();
    assert!(error.contains(mistake), "'{mistake}' is not in:\n{error}");
}

#[test]
fn any_key_of_a_trace_line_can_be_expected() {
    assert!(holds(r#"{"at": "60s", "event": "exited", "exit_code": 137, "incarnation": 1, "reason": "oom?"}"#));
    assert!(holds(r#"{"at_ms": 60000, "verdict": "restart", "due_ms": 90000, "rule": null, "charged": true}"#));
    assert!(!holds(r#"{"at": "60s", "verdict": "restart", "due_ms": 90001}"#));
    assert!(holds(r#"{"at": "90s", "start": 1}"#));
    assert!(!holds(r#"{"at": "90s", "start": 0}"#));
}

#[test]
fn a_status_expectation_is_compared_with_the_status_in_effect() {
    for status in [r#""status": "degraded""#, r#""available": 2"#, r#""desired": 3"#, r#""reason": "replica-failed""#] {
        assert!(holds(&format!(r#"{{"at": "75s", {status}}}"#)), "{status}");
        assert!(!holds(&format!(r#"{{"at": "75s", {status}, "absent": true}}"#)), "{status}");
    }
    assert!(!holds(r#"{"at": "75s", "status": "degraded", "available": 3}"#));
    // At an instant in which the status changes, the last one counts.
    assert!(!holds(r#"{"at": "90s", "status": "degraded"}"#));
    assert!(!holds(r#"{"at": "75s", "status": "degraded", "replica": 1}"#));
}

#[test]
fn count_is_of_lines_at_an_instant_or_in_the_whole_run() {
    assert!(holds(r#"{"command": "start", "count": 4}"#));
    assert!(holds(r#"{"at": "0s", "command": "start", "count": 3}"#));
    assert!(holds(r#"{"at": "90s", "start": 0, "count": 0}"#));
    assert!(!holds(r#"{"at": "90s", "start": 1, "count": 0}"#));
}

#[test]
fn invalid_expectations_are_rejected() {
    rejects(r#""expect": [{"at": "2h", "status": "healthy"}]"#, "expect[0]: is at 7200000 ms, after the end");
    rejects(r#""expect": [{"at_ms": -1, "status": "healthy"}]"#, "expect[0].at_ms: expected milliseconds");
    rejects(r#""expect": [{"at": "1s", "at_ms": 1000, "start": 1}]"#, "expect[0].at_ms: cannot be combined with 'at'");
    rejects(
        r#""expect": [{"at": "1s", "start": 1, "count": 0, "absent": true}]"#,
        "expect[0].absent: cannot be combined with",
    );
    rejects(r#""expect": [{"status": "healthy"}]"#, "expect[0]: 'at' is missing");
    rejects(r#""expect": [{"at": "1s", "strat": 1}]"#, "expect[0].strat: unknown field; did you mean 'start'?");
}

#[test]
fn invalid_actions_and_behaviours_are_rejected() {
    rejects(r#""timeline": [{"at": "1s", "scale": 2, "reason": "quota"}]"#, "timeline[0].reason: applies only to");
    rejects(r#""timeline": [{"at": "1s", "scale": 2000000}]"#, "timeline[0].scale: 2000000 is out of range");
    rejects(
        r#""timeline": [{"at": "1s", "restart": 1, "retry_after": "1s"}]"#,
        "timeline[0].retry_after: applies only to",
    );
    rejects(r#""behaviour": [{"replica": 3, "runs": "1s", "exit": 1}]"#, "behaviour[0].replica: there is no replica 3");
    rejects(r#""behaviour": [{"hangs": "yes"}]"#, "behaviour[0].hangs: expected");
    rejects(r#""behaviour": [{"hangs": false}]"#, "behaviour[0].hangs: ");
    rejects(r#""behaviour": [{"replica": 3, "hangs": true}]"#, "behaviour[0].replica: there is no replica 3");
    rejects(r#""behaviour": [{"hangs": true, "runs": "1s", "exit": 1}]"#, "behaviour[0]: needs exactly one of");
    for word in ["stop", "start"] {
        let entry = |value: &str| format!(r#""timeline": [{{"at": "1s", "{word}": {value}}}]"#);
        rejects(&entry("true"), &format!("timeline[0].{word}: expected"));
        rejects(&entry("-1"), &format!("timeline[0].{word}: "));
        rejects(&entry(r#"1, "replica": 1"#), "timeline[0].replica: does not apply");
        rejects(&entry(r#"1, "reason": "quota""#), "timeline[0].reason: applies only to");
    }
    let grown = r#""behaviour": [{"replica": 3, "runs": "1s", "exit": 1}], "timeline": [{"at": "1s", "scale": 4}]"#;
    assert!(scenario(grown).is_ok());
}

#[test]
fn behaviours_that_never_took_effect_are_listed() {
    let unused = |behaviour: &str| {
        let scenario = scenario(&format!(
            r#""behaviour": [{{"replica": 1, "runs": "60s", "exit": 1}}, {behaviour}],
               "timeline": [{{"at": "50m", "scale": 4}}, {{"at": "55m", "terminate": true}}]"#
        ));
        scenario.unwrap().run().unwrap().unused_behaviours().to_vec()
    };
    assert!(unused(r#"{"replica": 3, "runs": "10s", "exit": 1}"#).is_empty());
    assert!(unused(r#"{"replica": 2, "ignores_stop": true}"#).is_empty());
    // Replica 3 is not started before 50 min; there are no probes; the first entry applies to every start of replica 1.
    assert_eq!(unused(r#"{"replica": 3, "start_fails": "no-capacity", "to": "40m"}"#), [1]);
    assert_eq!(unused(r#"{"probe": "liveness", "fails": true}"#), [1]);
    assert_eq!(unused(r#"{"replica": 1, "runs": "10s", "exit": 1}"#), [1]);
}

#[test]
fn a_failure_while_starting_is_a_failed_start() {
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
fn a_mismatch_shows_the_lines_around_the_nearest_one() {
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
fn an_end_while_contact_is_lost_is_reported_when_it_is_regained() {
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

/// Every restart is running at 110 s, whenever it was commanded.
struct AllAtOnce;

impl Environment for AllAtOnce {
    fn plan(&mut self, start: &Start, at: Timestamp, _: u32) -> InstancePlan {
        let first = start.incarnation == Incarnation(1);
        InstancePlan::new(if first { Duration::ZERO } else { Timestamp::from_secs(110).since(at) })
    }
}

#[test]
fn events_of_one_instant_are_ordered_by_replica() {
    let policy = Policy::builder().replicas(3).retry(RetryPolicy::every(Duration::from_secs(30))).build().unwrap();
    let simulation = Simulation::new(policy).at("60s", crash(2)).at("70s", crash(0));
    let run = simulation.run_in(&mut AllAtOnce, "2m").unwrap();
    let lines = run.trace().lines().iter().filter(|line| line.at_ms() == 110_000 && line.get("event").is_some());
    let events: Vec<_> = lines.map(|line| (line.get("replica").cloned(), line.get("event").cloned())).collect();
    let expected = [(0u32, "started"), (0, "ready"), (2, "started"), (2, "ready")];
    assert_eq!(
        events,
        expected.map(|(replica, event)| (Some(TraceValue::from(replica)), Some(TraceValue::from(event))))
    );
}

#[test]
fn capacity_is_the_share_of_desired_replica_time_that_was_served() {
    // 4 desired for 100 s, one missing for 10 s; then 2 desired for 100 s.
    let policy: Policy = serde_json::from_str(r#"{"replicas": 4, "retry": {"interval": "10s"}}"#).unwrap();
    let simulation = Simulation::new(policy).at("50s", crash(3)).at("100s", super::scale(2));
    for run in [simulation.clone().run_until("200s").unwrap(), simulation.stats_only().run_until("200s").unwrap()] {
        assert_eq!(run.stats().desired, Duration::from_secs(4 * 100 + 2 * 100));
        assert_eq!(run.stats().served, Duration::from_secs(4 * 100 + 2 * 100 - 10));
        assert_eq!(run.capacity_ppm(), 983_333);
    }
}

#[test]
fn stand_ins_serve_capacity_and_standbys_do_not() {
    let run = |scaling: &str| {
        let policy = format!(r#"{{"replicas": 2, "retry": {{"interval": "100s"}}, "scaling": {scaling}}}"#);
        let policy: Policy = serde_json::from_str(&policy).unwrap();
        Simulation::new(policy).at("100s", crash(0)).run_until("1000s").unwrap()
    };
    let missing = |run: super::Run| run.stats().desired - run.stats().served;
    assert_eq!(missing(run("{}")), Duration::from_secs(100));
    assert_eq!(missing(run(r#"{"stand_ins": {"max": 1, "after": "30s"}}"#)), Duration::from_secs(30));
    assert_eq!(missing(run(r#"{"standby": 1}"#)), Duration::ZERO);
}

#[test]
fn a_set_that_is_terminated_serves_nothing_and_a_completed_one_owes_nothing() {
    let run = |policy: &str, action| {
        let policy: Policy = serde_json::from_str(policy).unwrap();
        Simulation::new(policy).at("100s", action).run_until("400s").unwrap().capacity_ppm()
    };
    assert_eq!(run(r#"{"replicas": 1}"#, crash(0)), 250_000);
    assert_eq!(run(r#"{"replicas": 1, "success": "complete"}"#, super::exit(0, 0)), 1_000_000);
    assert_eq!(run(r#"{"replicas": 0}"#, super::scale(0)), 1_000_000);
}

#[test]
fn a_timeline_may_name_a_slot_that_a_rollout_or_a_standby_has_added() {
    let policy = r#""policy": {"replicas": 3, "retry": {"interval": "30s"}, "scaling": {"standby": 1}, "rollout": {"max_surge": 1}}"#;
    let text = format!(
        r#"{{{policy}, "world": {{"stop": "10s"}}, "until": "1h", "timeline": [
            {{"at": "1m", "roll_out": "v2"}}, {{"at": "2m", "replica": 5, "exit": 1}}]}}"#
    );
    let scenario: Scenario = serde_json::from_str(&text).unwrap();
    assert!(scenario.run().is_ok());
}
