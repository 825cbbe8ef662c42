//! Depth 1 on rows from a database: with an edited policy, and with a clock that goes backwards.
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

use std::time::Duration;

use uphold::decide::{Admission, Census, DueStart, History, SetHistory};
use uphold::{Decision, Exit, Outcome, Policy, Signal, Timestamp, Verdict};

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
fn a_clock_that_goes_backwards_is_treated_as_standing_still() {
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
