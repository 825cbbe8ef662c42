//! Simulations written in code and as documents: mistakes that are reported, and very long and very large runs.
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

use uphold::engine::Start;
use uphold::policy::Scope;
use uphold::sim::Scenario;
use uphold::sim::{
    Action, Behaviour, Environment, InstancePlan, SimError, Simulation, World, crash, fail, found, lost, scale,
};
use uphold::{Cause, Exit, FailurePolicy, Policy, Quantity, RetryPolicy, Status, Timestamp};
use uphold_lab::files::parse_yaml;

use std::time::Duration;

fn policy(replicas: u32) -> Policy {
    Policy::builder().replicas(replicas).retry(RetryPolicy::every(Duration::from_secs(30))).build().unwrap()
}

#[test]
fn all_mistakes_in_a_scenario_are_reported() {
    let text = r#"
policy: {replicas: 3, retry: {intervl: 3s}}
timelin: []
behaviour: [{replica: 1, runs: 10s}, {start_fails: No Capacity}, {probe: aliveness, fails: true}]
timeline:
  - {at: 60s, replica: 1, exit: 1}
  - {at: 50s, replica: 1, exit: 1}
  - {at: 50s, replica: 1, exit: 1, fail: error}
  - {at: 70s, replica: -1, exit: {sgnal: 9}}
  - {at: 80s, rollout: v2}
  - {at: 2h, scale: 4}
  - {at: 95s, exit: 1}
until: 1h
expect: [{at: 60s, statuss: degraded}, {at: 60s}, {at: -5s, status: healthy}]
"#;
    let error = parse_yaml::<Scenario>(text).unwrap_err();
    for mistake in [
        "policy.retry.intervl: unknown field; did you mean 'interval'?",
        "timelin: unknown field; did you mean 'timeline'?",
        "behaviour[0]: 'exit' is missing",
        "behaviour[1].start_fails: 'No Capacity' is not a cause",
        "behaviour[2].probe: unknown word 'aliveness'",
        "timeline[1]: is at 50s, before the entry above it",
        "timeline[2]: needs exactly one of",
        "timeline[3].replica: -1 is out of range",
        "timeline[3].exit.sgnal: unknown field; did you mean 'signal'?",
        "timeline[4].rollout: unknown field; did you mean 'roll_out'?",
        "timeline[5].at: is after the end",
        "timeline[6].replica: is missing",
        "expect[0].statuss: unknown field; did you mean 'status'?",
        "expect[1]: expects nothing",
        "expect[2].at: expected a duration",
    ] {
        assert!(error.contains(mistake), "'{mistake}' is not in:\n{error}");
    }
}

#[test]
fn a_mistake_in_a_scenario_does_not_hide_others_beside_it() {
    let text = r#"
policy: {replicas: 3}
behaviour: [{replica: -1, runs: x, exit: {signal: 0}, times: 0}, {start_fails: OOMKilled, from: y}, {times: 0}]
timeline:
  - {at: x, replica: 9999999, exit: 1x, fail: OOM, retry_after: 3}
  - {at: 1s, replicas: [-1], reason: 3}
until: 1h
expect: [{at: x, at_ms: -1, start: -1}, {at_ms: x, start: -1}]
"#;
    let error = parse_yaml::<Scenario>(text).unwrap_err();
    for mistake in [
        "behaviour[0].runs: ",
        "behaviour[0].exit.signal: ",
        "behaviour[0].replica: ",
        "behaviour[0].times: ",
        "behaviour[1].start_fails: 'OOMKilled' is not a cause; did you mean 'out-of-memory'?",
        "behaviour[1].from: ",
        "behaviour[2]: needs exactly one of",
        "behaviour[2].times: ",
        "timeline[0].at: ",
        "timeline[0]: needs exactly one of",
        "timeline[0].replica: ",
        "timeline[0].exit: ",
        "timeline[0].fail: ",
        "timeline[0].retry_after: ",
        "timeline[1]: needs exactly one of",
        "timeline[1].replicas[0]: ",
        "timeline[1].reason: ",
        "expect[0].at_ms: cannot be combined with",
        "expect[0].start: ",
        "expect[1].at_ms: ",
        "expect[1].start: ",
    ] {
        assert!(error.contains(mistake), "'{mistake}' is not in:\n{error}");
    }
}

#[test]
fn a_replica_that_the_set_never_has_is_reported_with_its_path() {
    let text = "policy: {replicas: 3}\ntimeline: [{at: 1s, scale: 5}, {at: 2s, replica: 5, exit: 1}]\nuntil: 1m";
    let error = parse_yaml::<Scenario>(text).unwrap_err();
    assert!(error.contains("timeline[1]: there is no replica 5: the set has at most 5 by then"), "{error}");
}

#[test]
fn invalid_times_and_replicas_are_reported_when_the_simulation_runs() {
    let run = Simulation::new(policy(3)).at("soon", crash(1)).run_until("1h");
    assert_eq!(run.unwrap_err(), SimError::InvalidTime("soon".into()));
    let run = Simulation::new(policy(3)).at("2h", crash(1)).run_until("1h");
    assert!(matches!(run.unwrap_err(), SimError::AfterEnd { .. }));
    let run = Simulation::new(policy(3)).at("1m", crash(9)).run_until("1h");
    assert!(matches!(run.unwrap_err(), SimError::NoSuchReplica { replica: 9, .. }));
}

#[test]
fn a_set_without_replicas_is_healthy() {
    let run = Simulation::new(policy(0)).run_until("1000h").unwrap();
    assert_eq!(run.status_at("1h").unwrap(), Status::Healthy);
    assert_eq!(run.stats().starts, 0);
}

#[test]
fn a_timeline_of_a_million_actions_is_simulated() {
    let mut simulation = Simulation::new(policy(100)).stats_only();
    for second in 0..1_000_000u64 {
        simulation = simulation.at(Duration::from_secs(second), crash((second % 100) as u32));
    }
    let run = simulation.run_until(Duration::from_secs(1_000_000)).unwrap();
    assert!(run.stats().events >= 1_000_000);
}

#[test]
fn fifty_thousand_replicas_that_fail_at_one_instant_are_restarted_as_one_group() {
    // Does not finish if each member's failure visits the whole group.
    const MANY: u32 = 50_000;
    let failure = FailurePolicy::new().scope(Scope::All);
    let retry = RetryPolicy::every(Duration::from_secs(30));
    let policy = Policy::builder().replicas(MANY).retry(retry).failure(failure).build().unwrap();
    let mut simulation = Simulation::new(policy).stats_only();
    for replica in 0..MANY {
        simulation = simulation.at("1m", crash(replica));
    }
    let run = simulation.run_until("10m").unwrap();
    assert_eq!(run.restarts(), u64::from(MANY));
    assert_eq!(run.set().status(), Status::Healthy);
}

#[test]
fn fifty_thousand_starts_that_time_out_at_one_instant_are_one_incident() {
    const MANY: u32 = 50_000;
    let policy = Policy::builder().replicas(MANY).retry(RetryPolicy::recommended());
    let policy = policy.start_timeout(Duration::from_secs(60)).build().unwrap();
    let world = World::new().start(Duration::from_secs(3600));
    let run = Simulation::new(policy).world(world).stats_only().run_until("2m").unwrap();
    assert_eq!(run.set().summary(run.until()).incidents, 1);
    assert_eq!(run.set().census().given_up, 0);
}

#[test]
fn a_century_is_simulated_in_bounded_memory() {
    let run = Simulation::new(policy(3))
        .world(World::new().start(Duration::from_secs(2)))
        .behaviour(Behaviour::runs(Duration::from_secs(86_400), Exit::Code(1)).replica(1))
        .stats_only()
        .run_until(Duration::from_secs(100 * 365 * 86_400))
        .unwrap();
    assert!(run.trace().lines().is_empty());
    assert!(run.restarts_of(1) > 36_000);
    assert_eq!(run.restarts_of(0), 0);
    assert!(run.availability_ppm() >= 999_999);
}

#[test]
fn a_run_answers_questions_about_statuses_and_verdicts() {
    let run = Simulation::new(policy(3))
        .at("1m", fail(0, Cause::Interruption))
        .at("2m", lost(2))
        .at("10m", scale(4))
        .run_until("20m")
        .unwrap();
    assert_eq!(run.status_at("1m").unwrap(), Status::Degraded);
    assert_eq!(run.status_at("90s").unwrap(), Status::Healthy);
    assert_eq!(run.available_at("3m").unwrap(), 2);
    let verdicts: Vec<_> = run.verdicts_of(2).map(|(at, decision)| (at.as_millis(), decision.cause.clone())).collect();
    assert_eq!(verdicts, [(8 * 60_000, Some(Cause::NodeLost))]);
    assert_eq!(run.available_at("20m").unwrap(), 4);
}

#[test]
fn injected_actions_on_missing_or_dead_instances_are_ignored() {
    struct Wild(Option<Timestamp>);
    impl Environment for Wild {
        fn plan(&mut self, _start: &Start, _at: Timestamp, _starts_in_flight: u32) -> InstancePlan {
            InstancePlan::new(Duration::ZERO)
        }

        fn next_injection(&self) -> Option<Timestamp> {
            self.0
        }

        fn inject(&mut self, _at: Timestamp, actions: &mut Vec<Action>) {
            self.0 = None;
            actions.extend([crash(u32::MAX), lost(3), found(u32::MAX), crash(1)]);
        }
    }
    let run = Simulation::new(policy(3)).run_in(&mut Wild(Some(Timestamp::from_secs(10))), "1m").unwrap();
    assert_eq!(run.restarts(), 1);
}

#[test]
fn sequential_starts_at_one_instant_are_not_a_livelock() {
    const MANY: u32 = 100_001;
    let failure = FailurePolicy::new().max_concurrent_starts(Quantity::Count(1));
    let retry = RetryPolicy::every(Duration::from_secs(1));
    let policy = Policy::builder().replicas(MANY).retry(retry).failure(failure).build().unwrap();
    let crashes = (0..MANY).fold(Simulation::new(policy).stats_only(), |all, replica| all.at("1m", crash(replica)));
    assert_eq!(crashes.run_until("10m").unwrap().restarts(), u64::from(MANY));
}

#[test]
fn a_start_while_contact_is_lost_is_reported_when_it_is_regained() {
    let policy = Policy::builder().replicas(1).retry(RetryPolicy::every(Duration::from_secs(10)));
    let policy = policy.start_timeout(Duration::from_secs(300)).build().unwrap();
    let world = World::new().start(Duration::from_secs(30));
    let run = Simulation::new(policy).world(world).at("10s", lost(0)).at("60s", found(0)).run_until("10m").unwrap();
    assert_eq!(run.restarts(), 0);
    assert_eq!(run.status_at("60s").unwrap(), Status::Healthy);
}

/// The documents in the guides that are fenced as YAML.
fn documents_of(guide: &str) -> Vec<&str> {
    guide.split("\n```yaml\n").skip(1).filter_map(|rest| rest.split("\n```").next()).collect()
}

#[test]
fn the_policies_in_the_guides_are_read_and_those_on_extra_slots_have_no_lint() {
    let guides = [include_str!("../src/_docs/policies.md"), include_str!("../src/_docs/coming_from.md")];
    let documents: Vec<&str> = guides.into_iter().flat_map(documents_of).collect();
    assert!(documents.len() >= 6, "{documents:?}");
    for document in documents {
        let policy: Policy = parse_yaml(document).unwrap_or_else(|error| panic!("{document}: {error}"));
        if document.contains("scaling:") || document.contains("rollout:") {
            assert_eq!(policy.lint(), [], "{document}");
        }
    }
}

#[test]
fn a_summary_shows_roles_the_rollout_and_open_drains() {
    let policy: Policy = parse_yaml(
        "{replicas: 2, retry: {interval: 10s}, rollout: {max_surge: 2}, \
         scaling: {standby: 1}, min_ready: 1s}",
    )
    .unwrap();
    let world = World::new().start(Duration::from_secs(10));
    let v2 = uphold::Revision::new("v2").unwrap();
    let run = Simulation::new(policy)
        .world(world)
        .at("60s", uphold::sim::drain(1))
        .at("61s", uphold::sim::roll_out(v2))
        .run_until("65s")
        .unwrap();
    let summary = run.set().summary(Timestamp::from_secs(65));
    let json = serde_json::to_value(&summary).unwrap();
    assert_eq!(json["at_seconds"], 65);
    assert_eq!(json["roles"], serde_json::json!({"regular": 2, "surge": 2, "standby": 1}));
    assert_eq!((&json["rollout"]["revision"], &json["rollout"]["phase"]), (&"v2".into(), &"advancing".into()));
    assert_eq!((&json["rollout"]["since_seconds"], &json["rollout"]["remaining"]), (&61.into(), &2.into()));
    let drain = serde_json::json!(
        {"replica": 1, "since_seconds": 60, "deadline_seconds": null, "surge": 3, "gate": "disruption"}
    );
    assert_eq!(json["drains"], serde_json::json!([drain]));
    assert_eq!(summary.drains[0].to_string(), "replica 1 waits to be drained until surge replica 3 is available");
    assert_eq!(serde_json::from_value::<uphold::engine::Summary>(json).unwrap(), summary);
}
