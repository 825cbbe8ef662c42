use super::{Bench, at, retrying, secs};
use crate::decide::Outcome;
use crate::engine::{Ended, Event, Selection};
use crate::policy::{
    Backoff, Budget, BudgetEmpty, Correlated, FailurePolicy, Policy, PolicyBuilder, Quantity, RetryPolicy,
};

fn with(replicas: u32, interval: u64, failure: FailurePolicy) -> Bench {
    Bench::ready(retrying(replicas, interval).failure(failure).build().unwrap())
}

fn crash(replicas: impl IntoIterator<Item = u32>) -> Vec<Event> {
    replicas.into_iter().map(|replica| Event::exited((replica, 1), 1)).collect()
}

#[test]
fn concurrent_starts_stay_within_their_cap_and_the_rest_queue_by_due_time() {
    let mut bench = with(8, 10, FailurePolicy::new().max_concurrent_starts(Quantity::Percent(25)));
    bench.handle(58, Event::exited((7, 1), 1));
    bench.handle_all(60, crash([2, 5, 3]));
    bench.tick(68);
    let lines = bench.tick(70);
    assert_eq!(Bench::commands(lines.clone()), ["start replica 2 incarnation 2"]);
    assert!(lines.contains(&"replica 3 waits: concurrency".to_owned()), "{lines:?}");
    // A start frees its place when it is ready or fails.
    assert_eq!(Bench::commands(bench.handle(71, Event::ready((7, 2)))), ["start replica 3 incarnation 2"]);
    assert_eq!(Bench::commands(bench.handle(72, Event::exited((2, 2), 1))), ["start replica 5 incarnation 2"]);
    // A start that runs and is never ready keeps its place for `start_timeout`.
    bench.handle(73, Event::started((3, 2)));
    bench.handle(73, Event::started((5, 2)));
    bench.tick(82);
    assert_eq!(bench.next(), Some((1271, "slot-timeout")));
    assert_eq!(Bench::commands(bench.tick(1271)), ["start replica 2 incarnation 3"]);
}

#[test]
fn a_restart_that_finds_the_budget_empty_waits_for_the_next_token() {
    let mut bench = with(4, 10, FailurePolicy::new().budget(Budget::new(2, secs(120))));
    bench.handle_all(60, crash([0, 1, 2]));
    let lines = bench.tick(70);
    assert_eq!(Bench::commands(lines.clone()), ["start replica 0 incarnation 2", "start replica 1 incarnation 2"]);
    assert!(lines.contains(&"replica 2 waits: budget".to_owned()), "{lines:?}");
    assert_eq!(bench.next(), Some((130, "gate")));
    assert_eq!(Bench::commands(bench.tick(130)), ["start replica 2 incarnation 2"]);
}

#[test]
fn an_empty_budget_terminates_where_the_policy_says_so() {
    let budget = Budget::new(1, secs(120)).when_empty(BudgetEmpty::Terminate);
    let mut bench = with(3, 10, FailurePolicy::new().budget(budget));
    bench.handle_all(60, crash([0, 1]));
    bench.tick(70);
    assert_eq!(bench.status(), "terminating (exhausted)");
}

fn correlated(replicas: u32) -> PolicyBuilder {
    let retry = RetryPolicy::every(secs(10)).backoff(Backoff::exponential()).max_attempts(3);
    let failure = FailurePolicy::new().correlated(Correlated::new(Quantity::Percent(50), secs(30)));
    Policy::builder().replicas(replicas).retry(retry).failure(failure)
}

#[test]
fn half_of_the_set_failing_together_is_one_incident_with_a_canary() {
    let mut bench = Bench::ready(correlated(4).build().unwrap());
    let lines = bench.handle_all(60, crash([0, 1, 2]));
    assert_eq!(lines[0], "incident: 3 replicas failed together");
    assert!(lines[1].ends_with("restart in 10s (attempt 1, one of an incident, not charged)"), "{lines:?}");
    assert_eq!(Bench::commands(bench.tick(70)), ["start replica 0 incarnation 2"]);
    // The canary fails: the delay grows, and the next one is tried.
    let lines = bench.handle(71, Event::exited((0, 2), 1));
    assert!(lines[0].contains("restart in 20s"), "{lines:?}");
    assert_eq!(Bench::commands(bench.tick(90)), [""; 0]);
    assert_eq!(Bench::commands(bench.tick(91)), ["start replica 1 incarnation 2"]);
    // The canary is ready: the rest follow in batches of 1, 2, 4, ...
    let lines = bench.handle(92, Event::ready((1, 2)));
    assert_eq!(Bench::commands(lines.clone()), ["start replica 2 incarnation 2"]);
    assert!(lines.contains(&"incident: the canary is up, the rest follow".to_owned()));
    let lines = bench.handle(93, Event::ready((2, 2)));
    assert_eq!(Bench::commands(lines.clone()), ["start replica 0 incarnation 3"]);
    assert!(lines.contains(&"incident: over".to_owned()), "{lines:?}");
}

#[test]
fn an_incident_detected_late_undoes_charges_and_give_ups() {
    let policy = correlated(4).retry(RetryPolicy::every(secs(5)).max_attempts(1)).build().unwrap();
    let mut bench = Bench::ready(policy);
    bench.handle(60, Event::exited((0, 1), 1));
    bench.tick(65);
    bench.handle(65, Event::started((0, 2)));
    bench.handle(70, Event::exited((0, 2), 1));
    assert_eq!(bench.set.census().given_up, 1);
    let lines = bench.handle(80, Event::exited((1, 1), 1));
    assert!(lines.contains(&"replica 0 incarnation 2 is waiting".to_owned()), "{lines:?}");
    assert_eq!(bench.set.census().given_up, 0);
    assert_eq!(Bench::commands(bench.tick(85)), ["start replica 0 incarnation 3"]);
    bench.handle(86, Event::ready((0, 3)));
    bench.handle(87, Event::ready((1, 2)));
    // The charge was returned, so the next failure is the first of a streak.
    let lines = bench.handle(500, Event::exited((0, 3), 1));
    assert!(lines[0].contains("attempt 1, no attempt left"), "{lines:?}");
}

#[test]
fn a_canary_that_has_run_for_long_enough_counts_as_up() {
    let mut bench = Bench::ready(correlated(4).build().unwrap());
    bench.handle_all(60, crash([0, 1, 2]));
    bench.tick(70);
    bench.handle(72, Event::started((0, 2)));
    assert_eq!(bench.next(), Some((102, "trial")));
    assert_eq!(Bench::commands(bench.tick(102)), ["start replica 1 incarnation 2"]);
}

#[test]
fn first_starts_wait_for_the_canary_too() {
    let mut bench = Bench::ready(correlated(4).build().unwrap());
    bench.handle_all(60, crash([0, 1, 2]));
    let lines = bench.handle(61, Event::Scale(5));
    assert!(lines.contains(&"replica 4 waits: incident".to_owned()), "{lines:?}");
    assert_eq!(Bench::commands(bench.tick(70)), ["start replica 0 incarnation 2"]);
    // The canary is up. The first start is due earliest.
    assert_eq!(Bench::commands(bench.handle(71, Event::ready((0, 2)))), ["start replica 4 incarnation 1"]);
}

#[test]
fn only_an_isolated_failure_is_restarted_immediately() {
    let policy = || Policy::builder().replicas(4).retry(RetryPolicy::recommended()).build().unwrap();
    let mut bench = Bench::ready(policy());
    assert_eq!(Bench::commands(bench.handle(60, Event::exited((1, 1), 1))), ["start replica 1 incarnation 2"]);

    let mut bench = Bench::ready(policy());
    let lines = bench.handle_all(60, crash([1, 2]));
    assert_eq!(Bench::commands(lines), [""; 0]);
}

#[test]
fn the_owners_cap_holds_every_start_back() {
    let mut bench = Bench::new(retrying(3, 10).build().unwrap());
    bench.set.limit_starts(at(0), Some(2));
    bench.drain();
    let lines = bench.tick(0);
    assert_eq!(Bench::commands(lines.clone()).len(), 2);
    assert!(lines.contains(&"replica 2 waits: owner".to_owned()), "{lines:?}");
    assert_eq!(Bench::commands(bench.handle(1, Event::ready((0, 1)))), ["start replica 2 incarnation 1"]);
}

#[test]
fn an_outage_that_returns_soon_keeps_its_clock() {
    let failure = || FailurePolicy::new().outage_deadline(secs(600));
    let mut bench = with(1, 10, failure());
    bench.handle(100, Event::exited((0, 1), 1));
    assert_eq!(bench.status(), "outage (replica-failed)");
    bench.tick(110);
    bench.handle(110, Event::ready((0, 2)));
    // With `recover.after: 60s`, 59 s up do not end the outage, 60 s do.
    bench.handle(169, Event::exited((0, 2), 1));
    bench.tick(179);
    assert_eq!(bench.next(), Some((700, "status")));

    let mut bench = with(1, 10, failure());
    bench.handle(100, Event::exited((0, 1), 1));
    bench.tick(110);
    bench.handle(110, Event::ready((0, 2)));
    bench.handle(170, Event::exited((0, 2), 1));
    bench.tick(180);
    assert_eq!(bench.next(), Some((770, "status")));
}

#[test]
fn an_outage_deadline_added_during_an_outage_counts_from_the_change() {
    let under = |failure| retrying(1, 10).failure(failure).build().unwrap();
    let lasting = |deadline| under(FailurePolicy::new().outage_deadline(secs(deadline)));
    let mut bench = with(1, 10, FailurePolicy::new());
    let replace = |bench: &mut Bench, now, policy| {
        bench.set.replace_policy(at(now), policy);
        bench.drain();
    };
    bench.handle(100, Event::exited((0, 1), 1));
    bench.tick(110);
    replace(&mut bench, 300, lasting(600));
    assert_eq!(bench.status(), "outage (replica-failed)");
    assert_eq!(bench.next(), Some((900, "status")));
    replace(&mut bench, 400, lasting(700));
    assert_eq!(bench.next(), Some((1000, "status")), "the clock of one deadline is that of the next");

    // Without `outage_deadline`, the clock does not run.
    replace(&mut bench, 500, under(FailurePolicy::new()));
    assert_eq!(bench.next(), Some((1310, "start-timeout")));
    replace(&mut bench, 600, lasting(600));
    assert_eq!(bench.next(), Some((1200, "status")));
    bench.tick(1200);
    assert_eq!(bench.status(), "terminating (outage-deadline)");
}

#[test]
fn an_alarm_is_cleared_after_clear_after_without_a_break() {
    let mut bench = with(2, 10, FailurePolicy::new().clear_after(secs(60)));
    bench.handle(100, Event::exited((0, 1), 1));
    bench.tick(110);
    bench.handle(110, Event::ready((0, 2)));
    assert_eq!(bench.status(), "degraded (clearing)");
    bench.handle(160, Event::not_ready((0, 2)));
    bench.handle(165, Event::ready((0, 2)));
    bench.tick(170);
    assert_eq!(bench.status(), "degraded (clearing)");
    assert_eq!(bench.next(), Some((225, "status")));
    bench.tick(225);
    assert_eq!(bench.status(), "healthy (recovered)");
}

#[test]
fn late_events_are_one_incident_only_if_the_failures_happened_together() {
    let failure = FailurePolicy::new().correlated(Correlated::new(Quantity::Percent(50), secs(30)));
    let policy = || retrying(4, 10).failure(failure.clone()).build().unwrap();
    let ended = |replica: u32, then| {
        let outcome = Outcome::exited(1, at(then));
        Event::Exited(Ended { replica: replica.into(), incarnation: 1.into(), outcome })
    };
    let mut bench = Bench::ready(policy());
    let lines = bench.handle_all(200, [ended(0, 100), ended(1, 131)]);
    assert!(!lines.iter().any(|line| line.starts_with("incident")), "{lines:?}");
    let mut bench = Bench::ready(policy());
    let lines = bench.handle_all(200, [ended(0, 100), ended(1, 129)]);
    assert_eq!(lines[0], "incident: 2 replicas failed together");
}

#[test]
fn a_reset_does_not_count_one_replica_twice_in_an_incident() {
    let failure = FailurePolicy::new().correlated(Correlated::new(Quantity::Percent(50), secs(30)));
    let mut bench = Bench::ready(retrying(4, 1).failure(failure).build().unwrap());
    bench.handle(60, Event::exited((0, 1), 1));
    bench.handle(61, Event::Reset(Selection::All));
    bench.tick(61);
    bench.handle(61, Event::ready((0, 2)));
    let lines = bench.handle(62, Event::exited((0, 2), 1));
    assert!(!lines.iter().any(|line| line.starts_with("incident")), "{lines:?}");
}
