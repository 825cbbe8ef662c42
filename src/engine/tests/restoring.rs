use super::observing::seen;
use super::{Bench, at, retrying, secs};
use crate::engine::{Event, InstanceState, ReplicaSet};
use crate::policy::{Budget, Exhausted, FailurePolicy, Policy, Quantity, RetryPolicy};

/// Restores the set after downtime until `now`, perhaps under another policy.
fn restored(bench: &Bench, policy: Policy, now: u64) -> Bench {
    let text = serde_json::to_value(bench.set.snapshot()).unwrap();
    let snapshot = serde_json::from_value(text).unwrap();
    let set = ReplicaSet::restore(policy, snapshot, at(now)).unwrap();
    let mut bench = Bench { set };
    bench.drain();
    bench
}

fn crash(replicas: impl IntoIterator<Item = u32>) -> Vec<Event> {
    replicas.into_iter().map(|replica| Event::exited((replica, 1), 1)).collect()
}

#[test]
fn restarts_that_fell_due_during_downtime_are_released_slowly() {
    let mut bench = Bench::every(8, 10);
    bench.handle_all(60, crash(0..4));
    let mut bench = restored(&bench, bench.set.policy().clone(), 100);
    assert_eq!(Bench::commands(bench.tick(100)), ["start replica 0 incarnation 2"]);
    assert_eq!(Bench::commands(bench.handle(101, Event::ready((0, 2)))).len(), 2);
}

#[test]
fn trials_and_holds_that_ended_during_downtime_are_released_slowly() {
    for exhausted in [Exhausted::Quarantine(secs(30).into()), Exhausted::Degrade] {
        let retry = RetryPolicy::every(secs(10)).max_attempts(u32::from(exhausted == Exhausted::Degrade));
        let hold = crate::policy::Rule::new(crate::policy::RuleAction::Hold(Some(secs(30)))).exit_code(1);
        let failure = FailurePolicy::new().exhausted(exhausted).min_available(Quantity::Count(1));
        let failure = if exhausted == Exhausted::Degrade { failure.rule(hold) } else { failure };
        let policy = Policy::builder().replicas(8).retry(retry).failure(failure).build().unwrap();
        let mut bench = Bench::ready(policy.clone());
        bench.handle_all(60, crash(0..4));
        let mut bench = restored(&bench, policy, 100);
        assert_eq!(Bench::commands(bench.tick(100)), ["start replica 0 incarnation 2"], "{exhausted:?}");
    }
}

#[test]
fn another_number_of_replicas_in_the_document_is_applied() {
    let mut bench = Bench::every(3, 10);
    let mut more = restored(&bench, retrying(5, 10).build().unwrap(), 100);
    assert_eq!(Bench::commands(more.tick(100)), ["start replica 3 incarnation 1", "start replica 4 incarnation 1"]);
    let mut fewer = restored(&bench, retrying(2, 10).build().unwrap(), 100);
    assert_eq!(Bench::commands(fewer.tick(100)), ["stop replica 2 incarnation 1"]);
    // An operator's scaling is kept if the document is the same.
    bench.handle(60, Event::Scale(4));
    let mut same = restored(&bench, retrying(3, 10).build().unwrap(), 100);
    same.tick(100);
    assert_eq!(same.set.desired(), 4);
}

#[test]
fn spent_tokens_carry_over_to_the_budget_of_a_new_policy() {
    let budget = |restarts| FailurePolicy::new().budget(Budget::new(restarts, secs(3600)));
    let mut bench = Bench::ready(retrying(8, 10).failure(budget(4)).build().unwrap());
    bench.handle_all(60, crash(0..3));
    bench.tick(70);
    let policy = retrying(8, 10).failure(budget(10)).build().unwrap();
    let bench = restored(&bench, policy, 70);
    assert_eq!(bench.set.summary(at(70)).budget_left, Some(7));
}

#[test]
fn ages_are_kept_if_the_clock_went_back_during_the_downtime() {
    let mut bench = Bench::every(2, 30);
    bench.handle(1000, Event::exited((0, 1), 1));
    let mut bench = restored(&bench, bench.set.policy().clone(), 500);
    bench.tick(500);
    assert_eq!(bench.next(), Some((530, "start-due")));
}

#[test]
fn restores_do_not_change_mean_times() {
    let steps = |bench: &mut Bench, second: u64| {
        match second {
            60 => drop(bench.handle(60, Event::exited((1, 1), 1))),
            70 => drop(bench.tick(70)),
            80 => drop(bench.handle(80, Event::ready((1, 2)))),
            _ => {}
        }
        let summary = bench.set.summary(at(second));
        (summary.mean_time_between_failures, summary.mean_time_to_recovery)
    };
    let mut straight = Bench::every(3, 10);
    let mut through = Bench::every(3, 10);
    for second in [30, 60, 65, 70, 75, 80, 90, 100] {
        through = restored(&through, through.set.policy().clone(), second);
        through.tick(second);
        assert_eq!(steps(&mut through, second), steps(&mut straight, second), "at {second} s");
    }
    // 3 replicas for 60 s, 2 for 20 s, 3 for 20 s; one failed for 20 s.
    let summary = straight.set.summary(at(100));
    assert_eq!(summary.mean_time_between_failures, Some(secs(3 * 60 + 2 * 20 + 3 * 20)));
    assert_eq!(summary.mean_time_to_recovery, Some(secs(20)));
}

#[test]
fn a_live_replica_without_a_start_is_refused_with_the_invariant_and_the_replica() {
    let bench = Bench::every(1, 10);
    let mut text = serde_json::to_value(bench.set.snapshot()).unwrap();
    text["replicas"][0]["history"]["incarnation"] = 0.into();
    let snapshot = serde_json::from_value(text).unwrap();
    let error = ReplicaSet::restore(bench.set.policy().clone(), snapshot, at(1)).unwrap_err();
    assert!(error.to_string().starts_with("the snapshot is damaged: replica 0: liveness: "), "{error}");
}

/// A status deadline that passed during downtime precedes starts that became due, as in a set that kept running.
#[test]
fn an_expired_outage_deadline_ends_a_restored_set_before_it_starts_a_replica() {
    let failure = FailurePolicy::new().outage_deadline(secs(120));
    let mut bench = Bench::ready(retrying(1, 300).failure(failure).build().unwrap());
    bench.handle(60, Event::exited((0, 1), 1));
    let mut other = restored(&bench, bench.set.policy().clone(), 60);
    let (straight, through) = (bench.tick(400), other.tick(400));
    assert_eq!(Bench::commands(straight.clone()), [""; 0]);
    assert_eq!(straight, through);
}

#[test]
fn stops_withheld_before_the_first_timeout_survive_a_restore() {
    let mut bench = Bench::new(retrying(2, 10).build().unwrap());
    let ready = InstanceState::Ready;
    bench.observe(
        5,
        &[seen(0, 3, ready.clone()), seen(0, 2, ready.clone()), seen(1, 4, ready.clone()), seen(7, 1, ready)],
    );
    bench.handle(5, Event::Stop(1.into()));
    let mut other = restored(&bench, bench.set.policy().clone(), 5);
    let (straight, through) = (Bench::commands(bench.tick(5)), Bench::commands(other.tick(5)));
    assert_eq!(straight, through);
    let stops = ["stop replica 0 incarnation 2", "stop replica 1 incarnation 4", "stop replica 7 incarnation 1"];
    assert!(stops.iter().all(|stop| through.contains(&(*stop).to_owned())), "{through:?}");
}
