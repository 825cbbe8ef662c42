//! Damaged snapshots are refused. The error names the violated invariant and the replica.
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod support;

use serde_json::{Value, json};
use support::{TestSet, at, exited, policy};
use uphold::engine::Snapshot;
use uphold::{Event, ReplicaSet};

/// Returns a set of two in which replica 1 has failed and waits for its restart.
fn one_waits() -> TestSet {
    let mut test = TestSet::ready(policy(json!({"replicas": 2, "retry": {"interval": "30s"}})));
    test.one(60, exited(1, 1, 60));
    test
}

/// Returns the error for a snapshot of `test` after `damage`.
fn refusal(test: &TestSet, damage: impl FnOnce(&mut Value)) -> String {
    let mut text = serde_json::to_value(test.set.snapshot()).unwrap();
    damage(&mut text);
    let snapshot: Snapshot = serde_json::from_value(text).unwrap();
    match ReplicaSet::restore(test.set.policy().clone(), snapshot, test.set.now()) {
        Ok(_) => "nothing".to_owned(),
        Err(error) => error.to_string(),
    }
}

#[track_caller]
fn is_refused(test: &TestSet, place: &str, invariant: &str, damage: impl FnOnce(&mut Value)) {
    let refusal = refusal(test, damage);
    let expected = format!("the snapshot is damaged: {place}: {invariant}: ");
    assert!(refusal.starts_with(&expected), "{refusal}, not {expected}");
}

const QUEUED: u64 = 1 << 8;
const IN_FLIGHT: u64 = 1 << 4;
const BACKEND_READY: u64 = 1 << 9;

fn marks(replica: &mut Value, change: impl FnOnce(u64) -> u64) {
    replica["marks"] = change(replica["marks"].as_u64().unwrap()).into();
}

#[test]
fn an_untouched_snapshot_is_restored() {
    assert_eq!(refusal(&one_waits(), |_| {}), "nothing");
}

#[test]
fn a_set_that_ends_without_a_reason_is_refused() {
    is_refused(&one_waits(), "replica 0", "end-told", |text| text["ending"] = true.into());
}

#[test]
fn a_replica_that_waits_without_a_due_time_is_refused() {
    is_refused(&one_waits(), "replica 1", "open-gate", |text| text["replicas"][1]["due"] = Value::Null);
}

#[test]
fn a_replica_behind_a_gate_that_never_opens_is_refused() {
    is_refused(&one_waits(), "replica 1", "open-gate", |text| text["replicas"][1]["gate"] = "concurrency".into());
    is_refused(&one_waits(), "replica 1", "open-gate", |text| text["replicas"][1]["gate"] = "group".into());
    is_refused(&one_waits(), "replica 1", "open-gate", |text| text["replicas"][1]["gate"] = "stop".into());
}

#[test]
fn a_desired_replica_that_is_removed_is_refused() {
    is_refused(&one_waits(), "replica 1", "membership", |text| text["replicas"][1]["phase"] = "removed".into());
}

#[test]
fn a_live_replica_marked_as_removed_is_refused() {
    is_refused(&one_waits(), "replica 0", "liveness", |text| text["replicas"][0]["phase"] = "removed".into());
}

#[test]
fn a_waiting_replica_that_is_not_desired_is_refused() {
    is_refused(&one_waits(), "replica 1", "membership", |text| {
        text["replicas"][1]["role"] = Value::Null;
        text["desired"] = 1.into();
    });
    is_refused(&one_waits(), "the set", "membership", |text| text["desired"] = 3.into());
}

#[test]
fn a_snapshot_older_than_its_events_is_refused() {
    is_refused(&one_waits(), "replica 1", "past-times", |text| text["taken_at"] = at(30).as_nanos().into());
}

#[test]
fn a_ready_replica_that_the_backend_reports_not_ready_is_refused() {
    is_refused(&one_waits(), "replica 0", "readiness", |text| {
        marks(&mut text["replicas"][0], |marks| marks & !BACKEND_READY);
    });
}

#[test]
fn an_occupied_place_without_a_start_is_refused() {
    is_refused(&one_waits(), "replica 1", "start-places", |text| {
        marks(&mut text["replicas"][1], |marks| marks | IN_FLIGHT);
    });
    is_refused(&one_waits(), "replica 0", "start-places", |text| {
        marks(&mut text["replicas"][0], |marks| marks | QUEUED);
    });
}

#[test]
fn an_admitted_start_without_a_time_is_refused() {
    let mut test = one_waits();
    test.tick(90);
    is_refused(&test, "replica 1", "past-times", |text| text["replicas"][1]["due"] = Value::Null);
}

#[test]
fn a_stop_before_a_restart_behind_a_gate_that_never_opens_is_refused() {
    let mut test = one_waits();
    test.one(91, Event::Restart(0.into()));
    is_refused(&test, "replica 0", "after-stop", |text| text["replicas"][0]["gate"] = "concurrency".into());
}

#[test]
fn an_unknown_replica_that_is_not_out_of_contact_is_refused() {
    let mut test = one_waits();
    test.one(61, Event::lost((0, 1)));
    test.tick(125);
    is_refused(&test, "replica 0", "contact", |text| text["lost"] = json!([]));
}

#[test]
fn an_incident_that_waits_without_a_time_is_refused() {
    let document = json!({
        "replicas": 4, "retry": {"interval": "30s"},
        "failure": {"correlated": {"share": "50%", "within": "30s"}},
    });
    let mut test = TestSet::ready(policy(document));
    test.all(60, [exited(0, 1, 60), exited(1, 1, 60)]);
    let mut text = serde_json::to_value(test.set.snapshot()).unwrap();
    let holding = &mut text["set"]["incident"]["stage"]["holding"];
    assert!(holding.is_object(), "{text}");
    holding["not_before"] = Value::Null;
    let read = serde_json::from_value::<Snapshot>(text);
    let refused = read.map(|snapshot| ReplicaSet::restore(test.set.policy().clone(), snapshot, at(60)).is_err());
    assert!(refused.unwrap_or(true));
}
