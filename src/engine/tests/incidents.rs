//! How incidents end: always with a notice, and without state that affects the next one.

use super::{Bench, at, retrying, secs};
use crate::engine::{Event, ReplicaSet, Selection};
use crate::policy::{Correlated, FailurePolicy, Policy, Quantity};

fn correlated() -> FailurePolicy {
    FailurePolicy::new().correlated(Correlated::new(Quantity::Percent(50), secs(30)))
}

fn policy() -> Policy {
    retrying(4, 10).failure(correlated()).build().unwrap()
}

/// Three of four fail at 60 s; replica 0 is started as the canary at 70 s.
fn with_canary() -> Bench {
    let mut bench = Bench::ready(policy());
    let lines = bench.handle_all(60, (0..3).map(|replica| Event::exited((replica, 1), 1)));
    assert_eq!(lines[0], "incident: 3 replicas failed together");
    assert_eq!(Bench::commands(bench.tick(70)), ["start replica 0 incarnation 2"]);
    bench
}

fn over(lines: &[String]) -> usize {
    lines.iter().filter(|line| *line == "incident: over").count()
}

#[test]
fn retry_now_of_all_ends_it_with_a_notice() {
    let mut bench = with_canary();
    let lines = bench.handle(71, Event::RetryNow(Selection::All));
    assert_eq!(over(&lines), 1, "{lines:?}");
    assert_eq!(Bench::commands(lines).len(), 2, "the others start at once");
    // A second request finds no incident.
    assert_eq!(over(&bench.handle(72, Event::RetryNow(Selection::All))), 0);
}

#[test]
fn the_canary_of_one_incident_is_not_the_canary_of_the_next() {
    let mut bench = with_canary();
    bench.handle(71, Event::RetryNow(Selection::All));
    for replica in 1..3 {
        bench.handle(72, Event::ready((replica, 2)));
    }
    // Replica 0 is still starting when the next incident begins, and is no member of it.
    let lines =
        bench.handle_all(200, (1..4).map(|replica| Event::exited((replica, if replica == 3 { 1 } else { 2 }), 1)));
    assert_eq!(lines[0], "incident: 3 replicas failed together");
    let lines = bench.handle(201, Event::ready((0, 2)));
    assert!(!lines.iter().any(|line| line.starts_with("incident")), "{lines:?}");
    assert_eq!(Bench::commands(bench.tick(210)), ["start replica 1 incarnation 3"], "the next canary goes alone");
}

#[test]
fn the_end_of_the_set_ends_it_with_a_notice() {
    let mut bench = with_canary();
    assert_eq!(over(&bench.handle(71, Event::Terminate)), 1);
    assert!(!bench.set.set.has_incident());
}

#[test]
fn scaling_its_members_away_ends_it_with_a_notice() {
    let mut bench = with_canary();
    assert_eq!(over(&bench.handle(71, Event::Scale(0))), 1);
    assert!(!bench.set.set.has_incident());
}

#[test]
fn a_policy_without_correlated_ends_it_with_a_notice() {
    let mut bench = with_canary();
    let snapshot = bench.set.snapshot();
    let without = retrying(4, 10).build().unwrap();
    bench.set.replace_policy(at(71), without.clone());
    let lines = bench.drain();
    assert_eq!(over(&lines), 1, "{lines:?}");
    assert_eq!(Bench::commands(lines), ["start replica 1 incarnation 2", "start replica 2 incarnation 2"]);
    let mut restored = Bench { set: ReplicaSet::restore(without, snapshot, at(70)).unwrap() };
    let lines = restored.tick(70);
    assert_eq!(over(&lines), 1, "{lines:?}");
    assert_eq!(Bench::commands(lines).len(), 2);
}

#[test]
fn replacing_the_policy_keeps_the_gradual_release_after_downtime() {
    let mut bench = Bench::ready(retrying(4, 10).build().unwrap());
    bench.handle_all(60, (0..4).map(|replica| Event::exited((replica, 1), 1)));
    let snapshot = bench.set.snapshot();
    let policy = retrying(4, 10).build().unwrap();
    let mut restored = Bench { set: ReplicaSet::restore(policy.clone(), snapshot, at(600)).unwrap() };
    assert_eq!(Bench::commands(restored.tick(600)).len(), 1);
    restored.set.replace_policy(at(601), policy);
    assert_eq!(Bench::commands(restored.drain()), [""; 0]);
    assert_eq!(Bench::commands(restored.handle(602, Event::ready((0, 2)))).len(), 2);
}
