use super::{Bench, at, retrying, secs};
use crate::decide::Outcome;
use crate::engine::{Ended, Event};
use crate::policy::{Cause, Exhausted, FailurePolicy, OnSuccess, Policy, Quantity, RetryPolicy, Rule, RuleAction};

#[test]
fn a_handled_failure_releases_its_reason_and_the_matched_rule() {
    let named: Cause = "gpu-fell-off".parse().unwrap();
    let rule = Rule::new(RuleAction::Retry).cause(named.clone());
    let policy = retrying(3, 10).failure(FailurePolicy::new().rule(rule)).build().unwrap();
    let mut bench = Bench::ready(policy);
    let shown = || bench.set.policy().compiled().rules.rule(0).unwrap().matched.clone();
    let (shown, outcome) = (shown(), Outcome::failed(named, at(60)).because("bus error"));
    let reason = outcome.reason.clone().unwrap();
    let before = std::sync::Arc::strong_count(&shown);
    let ended = Ended { replica: 1.into(), incarnation: 1.into(), outcome: outcome.clone() };
    bench.set.handle(at(60), Event::Exited(ended));
    let mut verdicts = 0;
    bench.set.for_each_output(|output| verdicts += u32::from(output.to_string().contains("restart in")));
    assert_eq!(verdicts, 1);
    let ended = Ended { replica: 2.into(), incarnation: 1.into(), outcome };
    assert_eq!(bench.handle(65, Event::Exited(ended)).len(), 3);
    assert_eq!(std::sync::Arc::strong_count(&reason), 1);
    assert_eq!(std::sync::Arc::strong_count(&shown), before);
}

#[test]
fn one_of_three_crashes_and_alone_is_restarted_after_the_interval() {
    // Only replica 1 is restarted.
    let mut bench = Bench::every(3, 30);
    assert_eq!(
        bench.handle(60, Event::exited((1, 1), 137)),
        [
            "replica 1 incarnation 1 ended with exit code 137; restart in 30s (attempt 1)",
            "replica 1 incarnation 1 is waiting",
            "status degraded (replica-failed), 2 of 3 available"
        ]
    );
    assert_eq!(bench.next(), Some((90, "start-due")));
    assert_eq!(bench.tick(89), [""; 0]);
    assert_eq!(bench.tick(90), ["start replica 1 incarnation 2", "replica 1 incarnation 2 is starting"]);
    assert_eq!(
        bench.handle(90, Event::ready((1, 2))),
        [
            "replica 1 incarnation 2 is running",
            "replica 1 incarnation 2 is ready",
            "status healthy (recovered), 3 of 3 available"
        ]
    );
}

#[test]
fn without_retry_the_first_failure_terminates_the_set_in_reverse_order() {
    let mut bench = Bench::ready(Policy::builder().replicas(3).build().unwrap());
    assert_eq!(
        bench.handle(60, Event::exited((1, 1), 1)),
        [
            "replica 1 incarnation 1 ended with exit code 1; the set is terminated (attempt 1, no retry for it: fail-fast)",
            "replica 1 incarnation 1 is removed",
            "stop replica 2 incarnation 1",
            "replica 2 incarnation 1 is stopping",
            "stop replica 0 incarnation 1",
            "replica 0 incarnation 1 is stopping",
            "status terminating (fail-fast), 0 of 3 available"
        ]
    );
    bench.handle(61, Event::exited((0, 1), 143));
    assert_eq!(
        bench.handle(62, Event::stopped((2, 1))),
        ["replica 2 incarnation 1 is removed", "status terminated (fail-fast), 0 of 3 available"]
    );
    assert_eq!(bench.next(), None);
    assert_eq!(bench.handle(63, Event::Scale(5)), ["refused: the set has ended"]);
}

#[test]
fn terminating_is_reported_even_if_every_instance_is_gone_at_once() {
    let mut bench = Bench::ready(Policy::builder().replicas(1).build().unwrap());
    let lines = bench.handle(60, Event::exited((0, 1), 1));
    assert_eq!(
        lines[2..],
        ["status terminating (fail-fast), 0 of 1 available", "status terminated (fail-fast), 0 of 1 available"]
    );
}

#[test]
fn stale_and_duplicate_events_are_ignored() {
    let mut bench = Bench::every(2, 30);
    bench.handle(60, Event::exited((1, 1), 1));
    assert_eq!(bench.handle(61, Event::exited((1, 1), 1)), ["ignored: duplicate event about replica 1 incarnation 1"]);
    bench.tick(90);
    assert_eq!(bench.handle(91, Event::exited((1, 1), 1)), ["ignored: stale event about replica 1 incarnation 1"]);
    assert_eq!(bench.handle(91, Event::exited((9, 1), 1)), ["ignored: unheard event about replica 9 incarnation 1"]);
    assert_eq!(bench.handle(91, Event::exited((1, 7), 1)), ["ignored: unheard event about replica 1 incarnation 7"]);
}

#[test]
fn an_earlier_incarnation_that_is_alive_is_stopped() {
    let mut bench = Bench::every(2, 30);
    bench.handle(60, Event::exited((1, 1), 1));
    bench.tick(90);
    assert_eq!(
        bench.handle(91, Event::ready((1, 1))),
        ["ignored: stale event about replica 1 incarnation 1", "stop replica 1 incarnation 1"]
    );
}

#[test]
fn the_eleventh_failure_exhausts_ten_attempts() {
    let policy = Policy::builder().replicas(2).retry(RetryPolicy::every(secs(1)).max_attempts(10));
    let mut bench = Bench::ready(policy.build().unwrap());
    for attempt in 1..=10 {
        let time = attempt * 10;
        bench.handle(time, Event::exited((1, attempt), 1));
        bench.tick(time + 1);
        bench.handle(time + 2, Event::ready((1, attempt + 1)));
    }
    assert_eq!(
        bench.handle(110, Event::exited((1, 11), 1)),
        [
            "replica 1 incarnation 11 ended with exit code 1; given up, not started again by itself (attempt 11, max_attempts: 10 used up)",
            "replica 1 incarnation 11 is quarantined",
            "status degraded (replica-given-up), 1 of 2 available"
        ]
    );
    assert_eq!(bench.next(), None);
}

#[test]
fn a_failure_later_than_max_duration_exhausts_the_retry() {
    let policy = || Policy::builder().replicas(2).retry(RetryPolicy::every(secs(10)).max_duration(secs(100)));
    for (second, given_up) in [(160, false), (161, true)] {
        let mut bench = Bench::ready(policy().build().unwrap());
        bench.handle(60, Event::exited((1, 1), 1));
        bench.tick(70);
        bench.handle(75, Event::started((1, 2)));
        bench.handle(second, Event::exited((1, 2), 1));
        assert_eq!(bench.set.census().given_up == 1, given_up, "at {second}");
    }
}

#[test]
fn a_give_up_that_puts_min_available_out_of_reach_terminates_the_set() {
    let policy = || {
        Policy::builder()
            .replicas(2)
            .retry(RetryPolicy::every(secs(1)).max_attempts(0))
            .failure(FailurePolicy::new().min_available(Quantity::Count(2)))
    };
    let mut bench = Bench::ready(policy().build().unwrap());
    bench.handle(60, Event::exited((1, 1), 1));
    assert_eq!(bench.status(), "terminating (unrecoverable)");

    // With `outage_deadline`, the set ends only after that.
    let failure = FailurePolicy::new().min_available(Quantity::Count(2)).outage_deadline(secs(100));
    let mut bench = Bench::ready(policy().failure(failure).build().unwrap());
    bench.handle(60, Event::exited((1, 1), 1));
    assert_eq!(bench.status(), "outage (replica-given-up)");
    assert_eq!(bench.next(), Some((160, "status")));
    bench.tick(160);
    assert_eq!(bench.status(), "terminating (outage-deadline)");
}

#[test]
fn exit_zero_is_paced_and_never_charged() {
    let policy = Policy::builder().replicas(2).retry(RetryPolicy::every(secs(5)).max_attempts(1));
    let mut bench = Bench::ready(policy.build().unwrap());
    for run in 1..=4 {
        let lines = bench.handle(run * 100, Event::exited((1, run), 0));
        assert_eq!(lines[0], format!("replica 1 incarnation {run} completed its run with exit code 0; restart in 5s"));
        bench.tick(run * 100 + 5);
        bench.handle(run * 100 + 6, Event::ready((1, run + 1)));
    }
}

#[test]
fn a_completed_replica_is_not_missing_and_all_completed_complete_the_set() {
    let policy = retrying(2, 30).success(OnSuccess::Complete).build().unwrap();
    let mut bench = Bench::ready(policy);
    bench.handle(60, Event::exited((1, 1), 0));
    assert_eq!(bench.status(), "healthy (all-available)");
    bench.handle(70, Event::exited((0, 1), 0));
    assert_eq!(bench.status(), "completed (completed)");
    assert_eq!(bench.handle(80, Event::Scale(3)), ["refused: the set has ended"]);
}

#[test]
fn delays_count_from_when_it_happened() {
    let mut bench = Bench::every(2, 30);
    let outcome = Outcome::exited(1, at(40));
    bench.handle(60, Event::Exited(Ended { replica: 1.into(), incarnation: 1.into(), outcome }));
    assert_eq!(bench.next(), Some((70, "start-due")));
    // An event from the future counts as of now.
    let outcome = Outcome::exited(1, at(4000));
    bench.handle(61, Event::Exited(Ended { replica: 0.into(), incarnation: 1.into(), outcome }));
    bench.tick(70);
    assert_eq!(bench.next(), Some((91, "start-due")));
}

#[test]
fn a_failed_restart_keeps_the_rule_of_the_first_failure() {
    let interruption = Rule::new(RuleAction::Retry)
        .cause(Cause::Interruption)
        .charge(false)
        .retry(RetryPolicy::every(secs(5)).max_attempts(3));
    let policy = Policy::builder().replicas(2).failure(FailurePolicy::new().rule(interruption));
    let mut bench = Bench::ready(policy.build().unwrap());
    bench.handle(60, Event::failed((1, 1), Cause::Interruption));
    bench.tick(65);
    let lines = bench.handle(66, Event::start_failed((1, 2), Cause::NoCapacity));
    assert_eq!(
        lines[0],
        "replica 1 incarnation 2 found no capacity to start; restart in 5s (attempt 2, rule 0, not charged, 1 attempt left)"
    );
}

#[test]
fn an_exhausted_quarantine_makes_one_trial_start() {
    let policy = Policy::builder()
        .replicas(2)
        .retry(RetryPolicy::every(secs(1)).max_attempts(1))
        .failure(FailurePolicy::new().exhausted(Exhausted::Quarantine(secs(3600).into())));
    let mut bench = Bench::ready(policy.build().unwrap());
    bench.handle(10, Event::exited((1, 1), 1));
    bench.tick(11);
    bench.handle(11, Event::started((1, 2)));
    bench.handle(20, Event::exited((1, 2), 1));
    assert_eq!(bench.next(), Some((3620, "hold-ends")));
    assert_eq!(Bench::commands(bench.tick(3620)), ["start replica 1 incarnation 3"]);
    bench.handle(3621, Event::started((1, 3)));
    bench.handle(3630, Event::exited((1, 3), 1));
    assert_eq!(bench.next(), Some((7230, "hold-ends")));
}

#[test]
fn lost_contact_is_unknown_first_and_failed_much_later() {
    let mut bench = Bench::every(3, 30);
    assert_eq!(bench.handle(60, Event::lost((1, 1))), [""; 0]);
    assert_eq!(
        bench.tick(120),
        ["replica 1 incarnation 1 is unknown", "status degraded (replica-unknown), 2 of 3 available"]
    );
    assert_eq!(bench.next(), Some((420, "node-lost")));
    bench.handle(200, Event::found((1, 1)));
    assert_eq!(bench.status(), "healthy (recovered)");

    bench.handle(300, Event::lost((1, 1)));
    bench.tick(360);
    let lines = bench.tick(660);
    assert_eq!(lines[0], "replica 1 incarnation 1 was lost with its node; restart in 30s (attempt 1)");
    // It is replaced without a confirmed end, and stopped when it returns.
    assert_eq!(Bench::commands(bench.tick(690)), ["start replica 1 incarnation 2"]);
    assert_eq!(Bench::commands(bench.handle(700, Event::found((1, 1)))), ["stop replica 1 incarnation 1"]);
}

#[test]
fn no_replica_is_declared_lost_while_a_partition_is_assumed() {
    let mut bench = Bench::every(4, 30);
    for replica in [0, 1] {
        bench.handle(60, Event::lost((replica, 1)));
    }
    bench.tick(120);
    assert_eq!(Bench::commands(bench.tick(10_000)), [""; 0]);
    assert_eq!(bench.set.census().unknown, 2);
    // Contact with one is restored, so the other, which is overdue, is declared lost.
    let lines = bench.handle(10_001, Event::found((0, 1)));
    assert!(lines.iter().any(|line| line.contains("replica 1 incarnation 1 was lost with its node")), "{lines:?}");
}

#[test]
fn an_unconfirmed_kill_is_repeated_with_growing_gaps() {
    let mut bench = Bench::every(2, 30);
    bench.handle(60, Event::Restart(1.into()));
    let mut kills = Vec::new();
    while kills.len() < 7 {
        let (at, why) = bench.next().unwrap();
        assert_eq!(why, "kill");
        assert_eq!(bench.tick(at), ["kill replica 1 incarnation 1"]);
        kills.push(at);
    }
    assert_eq!(kills, [70, 80, 100, 140, 220, 380, 680]);
    assert_eq!(Bench::commands(bench.handle(700, Event::exited((1, 1), 137))), ["start replica 1 incarnation 2"]);
}

#[test]
fn an_unrequested_stop_and_an_exit_are_one_end() {
    let sentence =
        "replica 1 incarnation 1 was interrupted (exit code 143): stopped by somebody else; restart in 30s (attempt 1)";
    for turned in [false, true] {
        let mut bench = Bench::every(3, 30);
        for id in 0..3 {
            bench.handle(0, Event::ready((id, 1)));
        }
        let mut told = [Event::stopped((1, 1)), Event::exited((1, 1), 143)];
        if turned {
            told.reverse();
        }
        let lines = bench.handle_all(60, told);
        assert_eq!(lines[0], sentence);
        assert!(!lines.iter().any(|line| line.contains("ignored")), "{lines:?}");
    }
}

#[test]
fn the_sentence_of_a_clean_exit_mentions_no_failure() {
    let policy = Policy::builder().replicas(1).retry(RetryPolicy::every(secs(5)).max_attempts(1));
    let mut bench = Bench::ready(policy.build().unwrap());
    let lines = bench.handle(60, Event::exited((0, 1), 0)).join("\n");
    assert_eq!(lines.lines().next(), Some("replica 0 incarnation 1 completed its run with exit code 0; restart in 5s"));
    assert!(lines.contains("(completed-run)"), "{lines}");
    assert!(!["fail", "error", "attempt", "charge"].iter().any(|word| lines.contains(word)), "{lines}");
    let summary = bench.set.summary(at(61));
    assert_eq!(
        (summary.successes, summary.failures.values().sum::<u64>(), summary.mean_time_to_recovery),
        (1, 0, None)
    );
}
