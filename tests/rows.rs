//! Depth 1 on rows from a database: with an edited policy, with a clock that goes backwards, and through a whole rollout.
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use uphold::decide::{Admission, Census, DueStart, History, Revision, RolloutCensus, RolloutStep, SetHistory};
use uphold::{
    Command, Decision, Event, Exit, InstanceId, Outcome, Output, Policy, ReplicaId, ReplicaSet, Signal, Timestamp,
    Verdict,
};

fn policy(document: &str) -> Policy {
    serde_json::from_str(document).unwrap_or_else(|error| panic!("{error}\n{document}"))
}

fn secs(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// Serialises and deserialises a row, as a database does.
fn reread(history: &History) -> History {
    serde_json::from_str(&serde_json::to_string(history).unwrap()).unwrap()
}

fn fail(policy: &Policy, history: &mut History, code: i32, at: u64) -> Decision {
    *history = reread(history);
    policy.start(history, secs(at - 1));
    policy.record_started(history, secs(at - 1));
    policy.decide(history, &Outcome::exited(code, secs(at))).unwrap()
}

#[test]
fn a_row_under_an_edited_policy_keeps_streaks_and_windows_by_rule_name() {
    let one = policy(
        r#"{"retry": {"interval": "1s", "limit": {"restarts": 3, "within": "1h"}}, "failure": {"rules": [
            {"name": "a", "when": {"exit_code": 1}, "then": "retry", "retry": {"interval": "1s", "max_attempts": 2}},
            {"name": "b", "when": {"exit_code": 2}, "then": "retry", "retry": {"limit": {"restarts": 2, "within": "1h"}}}
        ]}}"#,
    );
    // `b` is moved to the front, `a` is removed, and a new `c` is in its place.
    let other = policy(
        r#"{"retry": {"interval": "1s", "limit": {"restarts": 3, "within": "1h"}}, "failure": {"rules": [
            {"name": "b", "when": {"exit_code": 2}, "then": "retry", "retry": {"limit": {"restarts": 2, "within": "1h"}}},
            {"name": "c", "when": {"exit_code": 1}, "then": "retry", "retry": {"interval": "1s", "max_attempts": 2}}
        ]}}"#,
    );
    let mut history = History::new(7, 0.into());
    for (code, at, attempt) in [(1, 10, 1), (1, 20, 2), (2, 30, 1), (3, 40, 1), (3, 50, 2)] {
        assert_eq!(fail(&one, &mut history, code, at).attempt, attempt, "{code} at {at}");
    }
    let mut kept = history.clone();
    assert_eq!(fail(&one, &mut kept, 1, 60).verdict.as_str(), "degrade");

    let c = fail(&other, &mut history, 1, 60);
    assert_eq!((c.attempt, c.verdict.as_str()), (1, "restart"), "{c}");
    let b = fail(&other, &mut history, 2, 70);
    assert_eq!((b.attempt, b.verdict.as_str()), (2, "restart"), "{b}");
    assert_eq!(fail(&other, &mut history, 2, 80).verdict.as_str(), "degrade", "the window of b is kept");
    assert_eq!(fail(&other, &mut history, 3, 90).attempt, 3);
    assert_eq!(
        fail(&other, &mut history, 3, 100).verdict.as_str(),
        "degrade",
        "the window of the policy's own retry is kept"
    );

    // The state of `a` is dropped, and does not come back with the rule.
    assert_eq!(fail(&one, &mut history, 1, 110).attempt, 1);
}

#[test]
fn a_removed_rule_leaves_no_state() {
    let ruled = policy(
        r#"{"retry": {"interval": "1s"}, "failure": {"rules": [
            {"name": "a", "when": {"exit_code": 1}, "then": "retry", "retry": {"interval": "1s", "max_attempts": 1}}]}}"#,
    );
    let plain = policy(r#"{"retry": {"interval": "1s"}}"#);
    let mut history = History::new(7, 0.into());
    fail(&ruled, &mut history, 1, 10);
    assert_eq!(fail(&plain, &mut history, 1, 20).attempt, 1);
    assert_eq!(fail(&ruled, &mut history, 1, 30).attempt, 1);
}

#[test]
fn rules_match_the_replica_run_time_and_readiness_of_a_row() {
    let rules = policy(
        r#"{"replicas": 3, "retry": {"interval": "1s"}, "failure": {"rules": [
            {"name": "leader", "when": {"replica": 0}, "then": "terminate"},
            {"name": "young", "when": {"ran_under": "1m", "was_ready": false}, "then": "degrade"}]}}"#,
    );
    let decided = |replica: u32, ready: bool, ran: u64| {
        let mut history = History::new(7, replica.into());
        rules.start(&mut history, secs(1));
        history = reread(&history);
        rules.record_started(&mut history, secs(1));
        if ready {
            rules.record_ready(&mut history, secs(1));
            rules.record_not_ready(&mut history, secs(1));
        }
        history = reread(&history);
        rules.decide(&mut history, &Outcome::exited(1, secs(1 + ran))).unwrap().verdict.as_str()
    };
    assert_eq!(decided(0, true, 100), "terminate");
    assert_eq!(decided(1, false, 59), "degrade");
    assert_eq!(decided(1, false, 60), "restart");
    assert_eq!(decided(1, true, 5), "restart");
}

#[test]
fn a_clock_that_goes_backwards_counts_as_no_progress() {
    let limited = policy(
        r#"{"replicas": 4, "retry": {"interval": "10s", "limit": {"restarts": 2, "within": "1m"}},
            "failure": {"budget": {"restarts": 3, "per": "30m"}}}"#,
    );
    let mut history = History::new(7, 0.into());
    let mut decide = |at: u64| {
        limited.start(&mut history, secs(at));
        limited.record_started(&mut history, secs(at));
        limited.record_ready(&mut history, secs(at));
        let decision = limited.decide(&mut history, &Outcome::exited(1, secs(at))).unwrap();
        history = reread(&history);
        (decision.verdict.as_str(), decision.verdict.due())
    };
    assert_eq!(decide(100), ("restart", Some(secs(110))));
    assert_eq!(decide(20), ("restart", Some(secs(110))));
    assert_eq!(decide(10).0, "degrade", "both count at 100 s");
    assert_eq!(decide(159).0, "degrade");
    assert_eq!(decide(160), ("restart", Some(secs(170))));

    let mut set = SetHistory::new(secs(0));
    let census = Census { available: 1, failed: 3, live: 1, ..Census::default() };
    let mut admitted = |at: u64| {
        let admission = limited.admit(&mut set, &census, DueStart::restart(1.into(), true), secs(at));
        admission == Admission::Start
    };
    assert!((0..3).all(|_| admitted(10_000)));
    // A token comes back after 10 min, and a clock that moves back and forth does not add one.
    assert!((0..100).all(|turn| !admitted(if turn % 2 == 0 { 0 } else { 10_000 })));
    assert!(admitted(10_600));
}

#[test]
fn a_time_out_of_range_does_not_mean_never() {
    let every = policy(r#"{"retry": {"interval": "10s"}, "failure": {"budget": {"restarts": 1, "per": "1h"}}}"#);
    let mut history = History::new(7, 0.into());
    every.start(&mut history, Timestamp::MAX);
    every.record_ready(&mut history, Timestamp::MAX);
    every.decide(&mut history, &Outcome::exited(1, Timestamp::MAX)).unwrap();
    every.start(&mut history, secs(60));
    let decision = every.decide(&mut history, &Outcome::exited(1, secs(70))).unwrap();
    assert_eq!(decision.verdict.due(), Some(secs(80)));

    let mut set = SetHistory::new(Timestamp::MAX);
    let census = Census { failed: 1, ..Census::default() };
    let mut set_admits = |at| every.admit(&mut set, &census, DueStart::restart(0.into(), true), at);
    assert_eq!(set_admits(Timestamp::MAX), Admission::Start);
    let waits = set_admits(Timestamp::MAX);
    assert!(matches!(waits, Admission::Wait(wait) if wait.until < Some(Timestamp::MAX)), "{waits:?}");
}

#[test]
fn retry_after_is_bounded_and_every_due_time_is_reached() {
    let uncapped = policy(r#"{"retry": {"interval": "584y"}, "failure": {"exhausted": {"quarantine": "584y"}}}"#);
    for at in [secs(60), Timestamp::LATEST] {
        for asks in [Some(Duration::MAX), None] {
            let mut history = History::new(7, 0.into());
            uncapped.start(&mut history, at);
            let mut outcome = Outcome::signalled(Signal::KILL, at);
            if let Some(delay) = asks {
                outcome = outcome.retry_after(delay);
            }
            let decision = uncapped.decide(&mut history, &outcome).unwrap();
            let Verdict::Restart(restart) = decision.verdict else { panic!("{decision}") };
            assert!(restart.due().is_some(), "{decision}");
            let ten_years = Duration::from_secs(10 * 31_557_600);
            assert!(asks.is_none() || decision.delay() <= ten_years, "{decision}");
            assert_eq!(decision.exit, Some(Exit::Signal(Signal::KILL)));
        }
    }
}

#[test]
fn rows_with_an_impossible_state_are_refused() {
    let mut history = History::new(7, 2.into());
    let every = policy(r#"{"retry": {"interval": "1s"}}"#);
    every.start(&mut history, secs(1));
    every.decide(&mut history, &Outcome::exited(1, secs(2))).unwrap();
    let row = serde_json::to_value(&history).unwrap();
    for (key, value) in [
        ("version", 1.into()),
        ("version", serde_json::Value::Null),
        ("last_cause", 77.into()),
        ("last_cause", "No Such Cause".into()),
        ("last_cause", serde_json::Value::Null),
        ("matched_rule", 9.into()),
        ("started_at", 1.into()),
        ("ready_since", 1.into()),
        ("last_exit", "never".into()),
        ("streak", serde_json::json!({"failures": 1, "charged": 2})),
    ] {
        let mut damaged = row.clone();
        damaged[key] = value.clone();
        assert!(serde_json::from_value::<History>(damaged).is_err(), "{key}: {value}");
    }
    for damaged in [r"{}", r#"{"up": true}"#, r#"{"version": 1}"#] {
        assert!(serde_json::from_str::<SetHistory>(damaged).is_err(), "{damaged}");
    }
    let set = serde_json::to_value(SetHistory::new(secs(0))).unwrap();
    for incident in [
        r#"{"since": 0, "stage": {"resuming": {"batch": 0, "to_release": 0, "undecided": 0}}, "charged": true}"#,
        r#"{"since": 0, "stage": "over", "charged": true}"#,
    ] {
        let mut damaged = set.clone();
        damaged["incident"] = serde_json::from_str(incident).unwrap();
        assert!(serde_json::from_value::<SetHistory>(damaged).is_err(), "{incident}");
    }
}

/// One row of a scheduler's table of slots.
#[derive(Clone, Copy)]
struct Slot {
    updated: bool,
    surge: bool,
    available_at: u64,
}

/// How long each start takes, in seconds.
const START: u64 = 10;

/// What happened: the second, `stop` or `start`, and the slot.
type Steps = Vec<(u64, &'static str, u32)>;

/// A rollout driven by `next_of_rollout` alone, over rows that are counted anew before each step.
fn steps_of_rows(policy: &Policy, replicas: u32, bake: u64) -> Steps {
    let old = Slot { updated: false, surge: false, available_at: 0 };
    let mut rows: BTreeMap<u32, Slot> = (0..replicas).map(|id| (id, old)).collect();
    let (set, mut promoted, mut baking_since, mut steps) = (SetHistory::default(), false, None, Vec::new());
    for now in (60..).step_by(START as usize) {
        let mut taken: BTreeSet<u32> = rows.keys().copied().collect();
        loop {
            let count = |wanted: &dyn Fn(&Slot) -> bool| rows.values().filter(|slot| wanted(slot)).count() as u32;
            let first = |wanted: &dyn Fn(&Slot) -> bool| {
                rows.iter().find(|(_, slot)| wanted(slot)).map(|(&id, _)| ReplicaId(id))
            };
            let up = |slot: &Slot| slot.available_at <= now;
            let census = Census {
                available: count(&|slot| !slot.surge && up(slot)),
                rolling_out: count(&|slot| !slot.surge && !up(slot)),
                ..Census::default()
            };
            let rollout = RolloutCensus {
                old: count(&|slot| !slot.updated),
                old_down: first(&|slot| !slot.updated && !up(slot)),
                old_available: first(&|slot| !slot.updated && up(slot)),
                updated: count(&|slot| slot.updated && !slot.surge),
                updated_available: count(&|slot| slot.updated && !slot.surge && up(slot)),
                surge: count(&|slot| slot.surge),
                surge_available: count(&|slot| slot.surge && up(slot)),
                surge_ready: first(&|slot| slot.surge && up(slot)),
                surge_of_drains: 0,
                promoted,
            };
            let new = |surge| Slot { updated: true, surge, available_at: now + START };
            match policy.next_of_rollout(&set, &census, &rollout) {
                RolloutStep::StartSurge => {
                    // The number of a slot is free once its instance has stopped.
                    let id = (0..).find(|id| !taken.contains(id)).unwrap();
                    taken.insert(id);
                    rows.insert(id, new(true));
                    steps.push((now, "start", id));
                }
                RolloutStep::Swap { surge, old } => {
                    rows.get_mut(&surge.0).unwrap().surge = false;
                    rows.remove(&old.0);
                    steps.push((now, "stop", old.0));
                }
                RolloutStep::RemoveSurge => unreachable!("nothing is scaled down"),
                RolloutStep::Replace(old) => {
                    rows.insert(old.0, new(false));
                    steps.extend([(now, "stop", old.0), (now, "start", old.0)]);
                }
                RolloutStep::Bake => {
                    promoted = *baking_since.get_or_insert(now) + bake <= now;
                    if !promoted {
                        break;
                    }
                }
                RolloutStep::Wait => break,
                RolloutStep::Complete => return steps,
            }
        }
    }
    steps
}

/// The same rollout in a `ReplicaSet`, whose backend takes as long.
fn steps_of_set(policy: &Policy) -> Steps {
    let mut set = ReplicaSet::new(policy.clone(), 0, Timestamp::ZERO);
    let (mut steps, mut ready) = (Vec::new(), BTreeMap::<u64, Vec<InstanceId>>::new());
    for now in (0..).step_by(START as usize) {
        set.handle_timeout(secs(now));
        let mut events: Vec<Event> = ready.remove(&now).into_iter().flatten().map(Event::ready).collect();
        if now == 60 {
            events.push(Event::RollOut(Revision::new("v2").unwrap()));
        }
        loop {
            while let Some(output) = set.poll_output() {
                match output {
                    Output::Command(Command::Start(start)) => {
                        let instance = InstanceId { replica: start.replica, incarnation: start.incarnation };
                        if start.revision.is_some() {
                            steps.push((now, "start", start.replica.0));
                        }
                        ready.entry(now + START).or_default().push(instance);
                    }
                    Output::Command(Command::Stop(stop)) => {
                        steps.push((now, "stop", stop.replica.0));
                        events
                            .push(Event::stopped(InstanceId { replica: stop.replica, incarnation: stop.incarnation }));
                    }
                    _ => {}
                }
            }
            if events.is_empty() {
                break;
            }
            set.handle_all(secs(now), std::mem::take(&mut events));
        }
        if now > 60 && set.rollout().is_none() {
            break;
        }
    }
    steps
}

/// Steps of one instant, whatever their order.
fn sorted(mut steps: Steps) -> Steps {
    steps.sort_unstable();
    steps
}

#[test]
fn a_scheduler_with_rows_takes_the_steps_of_a_set() {
    let limits = [
        "",
        r#""max_surge": 1"#,
        r#""max_surge": 2"#,
        r#""max_surge": "50%""#,
        r#""max_surge": 1, "max_unavailable": 2"#,
        r#""max_unavailable": 2"#,
        r#""max_unavailable": "100%""#,
    ];
    let canaries = ["", r#""canaries": 1"#, r#""canaries": 2, "bake": "50s""#, r#""canaries": 9, "bake": "20s""#];
    for (replicas, need) in [(1, 0), (1, 1), (3, 1), (3, 3), (5, 4)] {
        for limits in limits {
            for canaries in canaries {
                let bake = if canaries.contains("50s") {
                    50
                } else if canaries.contains("20s") {
                    20
                } else {
                    0
                };
                let both =
                    [limits, canaries].into_iter().filter(|keys| !keys.is_empty()).collect::<Vec<_>>().join(", ");
                let policy = policy(&format!(
                    r#"{{"replicas": {replicas}, "retry": true, "failure": {{"min_available": {need}}}, "rollout": {{{both}}}}}"#
                ));
                let of_set = steps_of_set(&policy);
                assert_eq!(
                    sorted(steps_of_rows(&policy, replicas, bake)),
                    sorted(of_set.clone()),
                    "{replicas} {need} {both}"
                );
                assert_eq!(of_set.iter().filter(|step| step.1 == "start").count() as u32, replicas);
            }
        }
    }
}
