//! Events that arrive late, in batches, or during a stop, a group restart or an incident.
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod support;

use serde_json::json;
use support::{TestSet, at, exited, is_incident, policy};
use uphold::engine::{InstanceEvent, ProbeKind, ProbeReport, ProbeResult};
use uphold::{Cause, Event, Phase, Status, Timestamp};

fn event(replica: u32, then: u64) -> InstanceEvent {
    InstanceEvent { replica: replica.into(), incarnation: 1.into(), at: Some(at(then)) }
}

fn correlated(replicas: u32) -> uphold::Policy {
    policy(json!({
        "replicas": replicas,
        "retry": {"interval": "10s", "max_attempts": 5},
        "failure": {"correlated": {"share": "50%", "within": "30s"}},
    }))
}

#[test]
fn a_crash_loop_reported_with_times_is_no_incident_and_is_given_up() {
    let mut test = TestSet::ready(correlated(4));
    test.one(60, exited(0, 1, 60));
    for incarnation in 2..=6 {
        let due = test.set.next_deadline().unwrap().at;
        test.set.handle_timeout(due);
        test.drain();
        let ran = |millis| due + std::time::Duration::from_millis(millis);
        let ended = Event::Exited(uphold::engine::Ended {
            replica: 0.into(),
            incarnation: incarnation.into(),
            outcome: uphold::Outcome::exited(1, ran(15)),
        });
        // Its start and its end are reported together, after both.
        test.set.handle_all(ran(20), [Event::started((0, incarnation)), ended]);
        let lines = test.drain();
        assert!(!is_incident(&lines), "{lines:?}");
    }
    assert_eq!(test.set.census().given_up, 1);
}

#[test]
fn a_stop_reported_late_counts_as_one_replica_of_an_incident() {
    let mut test = TestSet::ready(correlated(4));
    test.one(50, Event::not_ready((0, 1)));
    test.one(51, Event::ready((0, 1)));
    test.one(60, Event::Stopped(event(0, 45)));
    test.until(70);
    test.one(72, Event::ready((0, 2)));
    assert!(!is_incident(&test.one(73, exited(0, 2, 73))));
}

#[test]
fn a_slot_that_is_removed_and_added_counts_as_one_replica_of_an_incident() {
    let mut test = TestSet::ready(correlated(4));
    test.one(60, exited(3, 1, 60));
    test.one(60, Event::Scale(3));
    test.one(61, Event::Scale(4));
    test.one(61, Event::ready((3, 2)));
    assert!(!is_incident(&test.one(62, exited(3, 2, 62))));
}

#[test]
fn members_that_a_group_stopped_before_their_failure_was_handled_count_once() {
    let mut test = TestSet::new(policy(json!({
        "replicas": 6, "start_timeout": "60s", "retry": {"interval": "1s"},
        "failure": {"scope": "all", "correlated": {"share": "50%", "within": "10m"}},
    })));
    test.all(0, (2..6).map(|replica| Event::ready((replica, 1))));
    // 0 and 1 time out together; the group of the first stops the second.
    test.until(60);
    test.all(60, (0..6).map(|replica| Event::stopped((replica, 1))));
    test.until(62);
    test.all(62, (0..6).map(|replica| Event::ready((replica, 2))));
    assert!(!is_incident(&test.one(70, exited(1, 2, 70))), "two of six are no incident");
}

#[test]
fn failures_of_an_hour_ago_do_not_make_an_incident() {
    let mut test = TestSet::ready(correlated(6));
    test.all(60, [exited(0, 1, 60), exited(1, 1, 60)]);
    test.until(70);
    test.all(70, [Event::ready((0, 2)), Event::ready((1, 2))]);
    test.one(100, Event::Scale(4));
    test.all(100, (4..6).map(|replica| Event::stopped((replica, 1))));
    assert!(!is_incident(&test.one(3600, Event::exited((2, 1), 0))), "exit 0 is not even a failure");
}

#[test]
fn late_reports_of_simultaneous_failures_are_an_incident_despite_newer_failures() {
    let mut test = TestSet::ready(correlated(8));
    test.one(150, exited(7, 1, 150));
    assert!(is_incident(&test.all(200, (0..5).map(|replica| exited(replica, 1, 100)))));
}

#[test]
fn an_incident_does_not_bring_back_removed_replicas() {
    let mut test = TestSet::new(policy(json!({
        "replicas": 4, "start_timeout": "60s", "retry": {"interval": "10s", "max_attempts": 0},
        "failure": {"correlated": {"share": "50%", "within": "30s"}},
    })));
    test.all(0, (0..3).map(|replica| Event::ready((replica, 1))));
    test.until(60);
    test.one(61, Event::Scale(3));
    assert!(is_incident(&test.one(62, exited(0, 1, 62))));
    test.one(63, Event::stopped((3, 1)));
    test.until(1000);
    assert_eq!(test.set.get(3.into()).unwrap().phase, Phase::Removed);
}

#[test]
fn a_failure_is_isolated_by_the_time_at_which_it_happened() {
    let isolated = |lines: &[String], replica: u32| {
        lines.iter().any(|line| line.starts_with(&format!("replica {replica} ")) && line.contains("restart at once"))
    };
    let recommended = || policy(json!({"replicas": 9, "retry": true}));
    let mut test = TestSet::ready(recommended());
    let lines = test.all(200, [exited(0, 1, 120), exited(1, 1, 10), exited(2, 1, 11), exited(3, 1, 130)]);
    assert!(!isolated(&lines, 3), "0 failed 10 s before");
    let mut test = TestSet::ready(recommended());
    test.one(5000, exited(0, 1, 5000));
    assert!(isolated(&test.one(5001, exited(1, 1, 100)), 1), "0 failed long after");
}

#[test]
fn delays_count_from_the_failure_even_if_it_is_reported_late() {
    let due = |test: &TestSet| test.set.next_deadline().unwrap().at;
    let one = |min_ready: &str| {
        TestSet::new(policy(json!({"replicas": 1, "min_ready": min_ready, "retry": {"interval": "30s"}})))
    };
    let mut test = one("0s");
    test.all(60, [Event::Started(event(0, 40)), exited(0, 1, 50)]);
    assert_eq!(due(&test), at(80));
    let mut test = one("30s");
    test.all(60, [Event::Started(event(0, 40)), Event::Ready(event(0, 50))]);
    assert_eq!(due(&test), at(80));
    // Out of contact since 105, unknown since 165, and ended at 104.
    let mut test = TestSet::ready(policy(json!({"replicas": 4, "retry": {"interval": "300s"}})));
    test.one(105, Event::lost((0, 1)));
    test.until(165);
    test.one(200, exited(0, 1, 104));
    assert_eq!(due(&test), at(404));
}

#[test]
fn a_late_call_takes_into_account_that_the_set_was_up() {
    let status = |tick: Option<u64>| {
        let mut test = TestSet::new(policy(json!({
            "replicas": 1, "min_ready": "5s", "retry": {"interval": "60s"}, "failure": {"max_failures_before_ready": 1},
        })));
        test.one(0, Event::ready((0, 1)));
        tick.map(|now| test.tick(now));
        test.one(1000, exited(0, 1, 1000));
        test.set.status()
    };
    assert_eq!((status(Some(5)), status(None)), (Status::Outage, Status::Outage));
}

#[test]
fn a_replica_that_was_ready_and_ended_at_one_instant_was_ready() {
    let never = json!({"replicas": 1, "retry": {"interval": "60s"}, "failure": {"max_failures_before_ready": 1}});
    let mut test = TestSet::new(policy(never));
    test.all(1, [Event::ready((0, 1)), Event::exited((0, 1), 1)]);
    assert_eq!(test.set.status(), Status::Outage);
}

#[test]
fn a_charged_failure_that_joins_a_queued_group_late_does_not_stop_it() {
    let spot =
        json!({"when": {"cause": "interruption"}, "then": "retry", "charge": false, "retry": {"interval": "30s"}});
    let mut test = TestSet::ready(policy(json!({
        "replicas": 3, "retry": {"interval": "10s"}, "failure": {"scope": "all", "rules": [spot]},
    })));
    test.one(10, Event::failed((0, 1), Cause::Interruption));
    test.all(10, [Event::stopped((1, 1)), Event::stopped((2, 1))]);
    test.one(12, Event::Restart(1.into()));
    test.one(12, Event::ready((1, 2)));
    test.set.limit_starts(at(39), Some(0));
    test.drain();
    test.tick(40);
    test.one(45, exited(1, 2, 12));
    test.set.limit_starts(at(46), None);
    let starts = test.drain().iter().filter(|line| line.starts_with("start ")).count();
    assert_eq!(starts, 3);
}

#[test]
fn a_group_waits_for_a_member_that_joins_at_its_due_time_and_stops_later() {
    let sick = json!({
        "when": {"cause": "unhealthy"}, "then": "retry",
        "retry": {"interval": "30s", "immediate_first": true, "scope": "all"},
    });
    let mut test = TestSet::ready(policy(json!({
        "replicas": 3, "retry": {"interval": "60s"}, "failure": {"scope": "all", "rules": [sick]},
        "health": {"liveness": {"tcp": {"port": 1}, "interval": "10s", "failures": 1}},
    })));
    test.one(5, exited(0, 1, 5));
    test.all(5, [Event::stopped((1, 1)), Event::stopped((2, 1))]);
    test.one(20, Event::Restart(1.into()));
    test.one(20, Event::ready((1, 2)));
    test.until(64);
    let (probe, result) = (ProbeKind::Liveness, ProbeResult::Failure);
    test.one(
        65,
        Event::Probed(ProbeReport { replica: 1.into(), incarnation: 2.into(), probe, result, at: None, message: None }),
    );
    test.one(66, Event::stopped((1, 2)));
    test.until(1000);
    for replica in 0..3 {
        let view = test.set.get(replica.into()).unwrap();
        assert_ne!(view.phase, Phase::Waiting, "{view:?}");
    }
}

#[test]
fn charges_do_not_depend_on_whether_failures_are_recorded() {
    let verdict = |failure: serde_json::Value| {
        let mut test = TestSet::ready(policy(json!({"replicas": 3, "retry": {"interval": "60s"}, "failure": failure})));
        test.one(10, exited(0, 1, 10));
        test.all(10, [Event::stopped((1, 1)), Event::stopped((2, 1))]);
        test.one(20, Event::Restart(1.into()));
        test.one(20, Event::ready((1, 2)));
        test.one(60, exited(1, 2, 60))[0].clone()
    };
    assert_eq!(verdict(json!({"scope": "all"})), verdict(json!({"scope": "all", "max_failures_before_ready": 1000})));
}

#[test]
fn repeated_requests_behind_a_closed_gate_need_no_more_memory() {
    let mut test = TestSet::ready(policy(json!({"replicas": 1, "retry": {"interval": "10s"}})));
    test.set.limit_starts(at(1), Some(0));
    test.one(60, exited(0, 1, 60));
    // If each request were kept, this call would take as long as all earlier ones together.
    for _ in 0..100_000 {
        test.set.handle(at(70), Event::RetryNow(uphold::engine::Selection::Replica(0.into())));
        while test.set.poll_output().is_some() {}
    }
    test.set.limit_starts(Timestamp::from_secs(71), None);
    assert_eq!(test.drain().iter().filter(|line| line.starts_with("start ")).count(), 1);
}

#[test]
fn a_group_does_not_count_the_end_of_a_removed_member() {
    let rest = json!({"interval": "1s", "scope": "rest"});
    let mut test = TestSet::ready(policy(json!({"replicas": 6, "retry": rest})));
    test.one(10, Event::exited((4, 1), 0));
    test.one(10, Event::Drain(uphold::engine::Drain::of([3])));
    test.one(10, exited(2, 1, 10));
    test.one(10, Event::Scale(2));
    test.one(10, exited(0, 1, 10));
    test.one(10, Event::stopped((3, 1)));
    test.tick(11);
    assert!(test.tick(12).is_empty(), "replica 1 has not stopped yet");
    let starts = test.one(13, Event::stopped((1, 1)));
    assert_eq!(starts.iter().filter(|line| line.starts_with("start ")).count(), 2);
}
