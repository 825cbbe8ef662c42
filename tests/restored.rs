//! Sets restored: after downtime, under another policy, from snapshots that are damaged.
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod support;

use serde_json::{Value, json};
use support::{TestSet, at, exited, policy};
use uphold::engine::{InstanceState, Observed, ProbeKind, ProbeReport, ProbeResult};
use uphold::{Event, Outcome, Phase, Policy, ReplicaSet, Status};

/// The set after downtime until 100 s, its snapshot changed by hand on the way.
fn restored(test: &TestSet, change: impl FnOnce(&mut Value)) -> Result<TestSet, String> {
    let mut value = serde_json::to_value(test.set.snapshot()).unwrap();
    change(&mut value);
    let snapshot = serde_json::from_value(value).map_err(|error| error.to_string())?;
    let set = ReplicaSet::restore(test.set.policy().clone(), snapshot, at(100)).map_err(|error| error.to_string())?;
    let mut test = TestSet { set };
    test.drain();
    Ok(test)
}

fn seen(replica: u32, incarnation: u64, state: InstanceState) -> Observed {
    Observed { replica: replica.into(), incarnation: incarnation.into(), state }
}

fn retrying(replicas: u32, failure: Value) -> Policy {
    policy(json!({"replicas": replicas, "retry": {"interval": "10s"}, "failure": failure}))
}

/// One of two has failed at 60 s.
fn one_failed(failure: Value) -> TestSet {
    let mut test = TestSet::ready(retrying(2, failure));
    test.one(60, exited(0, 1, 60));
    test
}

#[track_caller]
fn refuses(test: &TestSet, why: &str, change: impl FnOnce(&mut Value)) {
    let error = restored(test, change).err().unwrap_or_else(|| panic!("it is restored; '{why}' was expected"));
    assert!(error.contains(why), "'{why}' is not in: {error}");
}

fn mark(value: &mut Value, replica: usize, mark: u64) {
    let marks = &mut value["replicas"][replica]["marks"];
    *marks = (marks.as_u64().unwrap() | mark).into();
}

#[test]
fn a_probe_in_flight_at_the_end_of_the_program_is_not_lost_contact() {
    let mut test = TestSet::ready(policy(json!({
        "replicas": 2, "retry": {"interval": "60s"}, "failure": {"min_available": 2},
        "health": {"readiness": {"tcp": {"port": 1}, "interval": "10s"}},
    })));
    let (probe, result) = (ProbeKind::Readiness, ProbeResult::Success);
    let answer = |id: u32| {
        Event::Probed(ProbeReport { replica: id.into(), incarnation: 1.into(), probe, result, at: None, message: None })
    };
    test.until(0);
    test.all(0, [answer(0), answer(1)]);
    test.tick(10);
    let mut test = restored(&test, |_| ()).unwrap();
    test.set.observe(at(100), &[seen(0, 1, InstanceState::Ready), seen(1, 1, InstanceState::Ready)]);
    test.tick(100);
    assert_eq!(test.set.status(), Status::Healthy);
}

#[test]
fn a_listed_end_of_a_later_incarnation_leaves_no_replica_waiting() {
    let mut test = TestSet::ready(retrying(3, json!({"max_concurrent_starts": 1})));
    test.all(60, [exited(0, 1, 60), exited(1, 1, 60)]);
    test.tick(70);
    // Of an older snapshot: replica 1 has been started since, and has ended.
    let mut test = restored(&test, |_| ()).unwrap();
    let ended = InstanceState::Ended(Outcome::exited(1, at(90)));
    test.set.observe(at(100), &[seen(0, 2, InstanceState::Ready), seen(1, 2, ended), seen(2, 1, InstanceState::Ready)]);
    test.tick(100);
    test.until(1000);
    assert_ne!(test.set.get(1.into()).unwrap().phase, Phase::Waiting);
}

#[test]
fn a_replica_to_be_held_after_its_stop_is_held_when_a_list_shows_its_end() {
    let hold = json!({"when": {"cause": "start-timeout"}, "then": "hold"});
    let held = json!({
        "replicas": 1, "start_timeout": "60s", "retry": {"interval": "1s"}, "failure": {"rules": [hold]},
    });
    let mut test = TestSet::new(policy(held));
    test.until(60);
    assert_eq!(test.set.get(0.into()).unwrap().phase, Phase::Stopping);
    test.set.observe(at(70), &[seen(0, 2, InstanceState::Ended(Outcome::exited(1, at(65))))]);
    test.drain();
    let view = test.set.get(0.into()).unwrap();
    assert_eq!((view.phase, view.gate), (Phase::Waiting, Some(uphold::decide::Gate::Hold)));
}

#[test]
fn an_instance_that_appears_after_the_end_is_stopped_and_the_set_stays_ended() {
    let mut test = TestSet::ready(policy(json!({"replicas": 1})));
    test.one(60, exited(0, 1, 60));
    assert_eq!(test.set.status(), Status::Terminated);
    test.set.observe(at(70), &[seen(0, 2, InstanceState::Running)]);
    assert_eq!(test.drain(), ["stop replica 0 incarnation 2"]);
    assert_eq!(test.set.status(), Status::Terminated);
}

#[test]
fn a_snapshot_with_an_endless_wait_is_refused() {
    refuses(&one_failed(json!({})), "end-told", |value| value["set"]["end"] = json!(["requested", 1]));
    let queued = 1 << 8;
    refuses(&one_failed(json!({})), "start-places", |value| mark(value, 1, queued));
    let holds_place = 1 << 5;
    refuses(&one_failed(json!({})), "start-places", |value| mark(value, 1, holds_place));
    let lost = 1 << 13;
    refuses(&one_failed(json!({})), "contact", |value| mark(value, 1, lost));
    refuses(&one_failed(json!({})), "cause-names", |value| value["replicas"][1]["failed_by"] = 9.into());
    let grouped = one_failed(json!({"scope": "all"}));
    refuses(&grouped, "open-gate", |value| value["group"] = Value::Null);
    let mut incident = TestSet::ready(retrying(2, json!({"correlated": {"share": "100%", "within": "30s"}})));
    incident.all(60, [exited(0, 1, 60), exited(1, 1, 60)]);
    refuses(&incident, "incident", |value| value["set"]["incident"]["stage"]["holding"]["canary"] = 1.into());
    let resuming = json!({"resuming": {"batch": 1, "to_release": 0, "undecided": 0}});
    refuses(&incident, "a start that does not exist", |value| value["set"]["incident"]["stage"] = resuming);
}

#[test]
fn what_can_be_counted_anew_is() {
    let grouped = one_failed(json!({"scope": "all"}));
    let mut test = restored(&grouped, |value| value["group"]["stopping"] = 5.into()).unwrap();
    test.tick(100);
    test.one(100, Event::stopped((1, 1)));
    test.until(1000);
    assert_ne!(test.set.get(0.into()).unwrap().phase, Phase::Waiting);
}

#[test]
fn counters_saturate() {
    let mut test = restored(&one_failed(json!({})), |value| {
        value["tally"]["starts"] = u64::MAX.into();
        value["tally"]["counts"]["stale"] = u64::MAX.into();
        value["tally"]["counts"]["duplicate"] = 1.into();
    })
    .unwrap();
    test.tick(100);
    assert_eq!(test.set.summary(at(100)).starts, u64::MAX);
    assert_eq!(test.set.summary(at(100)).ignored, u64::MAX);
}
