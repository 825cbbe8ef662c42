use super::{Bench, at, retrying, secs};
use crate::engine::{Event, Phase, Rejection, ReplicaSet, Selection};
use crate::policy::{Cause, Exhausted, FailurePolicy, Policy, Quantity, RetryPolicy, Rule, RuleAction};

#[test]
fn a_restart_stops_the_replica_first_and_is_never_charged() {
    let policy = Policy::builder().replicas(2).retry(RetryPolicy::every(secs(30)).max_attempts(1));
    let mut bench = Bench::ready(policy.build().unwrap());
    assert_eq!(
        bench.handle(60, Event::Restart(1.into())),
        [
            "stop replica 1 incarnation 1",
            "replica 1 incarnation 1 is stopping",
            "status degraded (replica-restarting), 1 of 2 available"
        ]
    );
    assert_eq!(Bench::commands(bench.handle(62, Event::exited((1, 1), 143))), ["start replica 1 incarnation 2"]);
    let lines = bench.handle(63, Event::exited((1, 2), 1));
    assert!(lines[0].contains("attempt 1"), "{lines:?}");
}

#[test]
fn a_restart_of_a_waiting_replica_starts_it_at_once() {
    let mut bench = Bench::every(2, 30);
    bench.handle(60, Event::exited((1, 1), 1));
    assert_eq!(Bench::commands(bench.handle(61, Event::Restart(1.into()))), ["start replica 1 incarnation 2"]);
    assert_eq!(bench.handle(62, Event::Restart(7.into())), ["refused: there is no replica 7"]);
}

#[test]
fn an_operators_restart_in_a_set_of_one_is_an_outage() {
    let mut bench = Bench::every(1, 30);
    bench.handle(60, Event::Restart(0.into()));
    assert_eq!(bench.status(), "outage (replica-restarting)");
}

#[test]
fn a_refused_request_is_answered_reported_and_counted() {
    let mut bench = Bench::every(2, 30);
    let mut ask = |secs, event| {
        let answer = bench.set.request(at(secs), event);
        (answer, bench.drain().len())
    };
    assert_eq!(ask(60, Event::Restart(2.into())), (Err(Rejection::NoSuchReplica(2.into())), 1));
    assert_eq!(ask(60, Event::Scale(1_000_001)), (Err(Rejection::TooManyReplicas(1_000_001)), 1));
    assert_eq!(ask(60, Event::Scale(2)), (Ok(()), 0));
    assert_eq!(ask(60, Event::Start(1.into())), (Ok(()), 0), "it is up");
    assert_eq!(ask(61, Event::Stop(1.into())).0, Ok(()));
    assert_eq!(ask(61, Event::Stop(1.into())), (Ok(()), 0), "it is on its way already");
    let refused = Err(Rejection::Stopped(1.into()));
    assert_eq!(ask(61, Event::RetryNow(Selection::Replica(1.into()))), (refused, 1));
    assert_eq!(ask(62, Event::Terminate).0, Ok(()));
    assert_eq!(ask(62, Event::Terminate), (Err(Rejection::SetEnded), 1));
    assert_eq!(bench.set.summary(at(62)).refused, 4);
}

#[test]
fn a_stopped_replica_has_its_own_phase_which_a_snapshot_keeps() {
    let mut bench = Bench::every(2, 30);
    assert_eq!(
        bench.handle(60, Event::Stop(1.into())),
        [
            "stop replica 1 incarnation 1",
            "replica 1 incarnation 1 is stopping",
            "status degraded (replica-stopped), 1 of 2 available"
        ]
    );
    assert_eq!(bench.handle(61, Event::exited((1, 1), 143)), ["replica 1 incarnation 1 is stopped"]);
    assert_eq!((bench.set.census().stopped, bench.next()), (1, None));
    let mut restored =
        Bench { set: ReplicaSet::restore(bench.set.policy().clone(), bench.set.snapshot(), at(62)).unwrap() };
    assert_eq!(restored.tick(62), [""; 0]);
    assert_eq!(restored.set.get(1.into()).unwrap().phase, Phase::Stopped);
    assert_eq!(Bench::commands(restored.handle(63, Event::Start(1.into()))), ["start replica 1 incarnation 2"]);
}

#[test]
fn scaling_down_removes_the_highest_and_a_number_is_free_once_its_end_is_confirmed() {
    let mut bench = Bench::every(3, 30);
    assert_eq!(
        Bench::commands(bench.handle(60, Event::Scale(1))),
        ["stop replica 2 incarnation 1", "stop replica 1 incarnation 1"]
    );
    assert_eq!(bench.status(), "healthy (all-available)");
    // The end of a surplus replica is no failure.
    let lines = bench.handle(61, Event::exited((2, 1), 1));
    assert_eq!(lines, ["replica 2 incarnation 1 is removed"]);
    let starts = ["start replica 2 incarnation 2", "start replica 3 incarnation 1"];
    assert_eq!(Bench::commands(bench.handle(62, Event::Scale(3))), starts);
    bench.handle(63, Event::stopped((1, 1)));
    assert_eq!(Bench::commands(bench.handle(64, Event::Scale(4))), ["start replica 1 incarnation 2"]);
}

#[test]
fn after_a_scale_up_need_rises_as_new_replicas_become_available() {
    let failure = FailurePolicy::new().min_available(Quantity::Percent(100));
    let mut bench = Bench::ready(retrying(2, 30).failure(failure).build().unwrap());
    bench.handle(60, Event::Scale(4));
    assert_eq!(bench.status(), "healthy (starting)");
    bench.handle(61, Event::ready((2, 1)));
    assert_eq!(bench.status(), "healthy (starting)");
    bench.handle(62, Event::exited((2, 1), 1));
    assert_eq!(bench.status(), "outage (replica-failed)");
}

#[test]
fn scaling_to_zero_and_back_begins_anew() {
    let mut bench = Bench::every(2, 30);
    bench.handle(60, Event::Scale(0));
    assert_eq!(bench.status(), "healthy (scaled-to-zero)");
    bench.handle(61, Event::stopped((0, 1)));
    bench.handle(61, Event::stopped((1, 1)));
    bench.handle(62, Event::Scale(2));
    assert_eq!(bench.status(), "pending (starting)");
}

#[test]
fn too_many_replicas_are_refused() {
    let mut bench = Bench::every(1, 30);
    assert_eq!(
        bench.handle(60, Event::Scale(1_000_001)),
        ["refused: 1000001 replicas are asked for; a set has at most 1000000"]
    );
}

#[test]
fn a_reset_starts_a_quarantined_replica_with_a_new_streak() {
    let policy = Policy::builder().replicas(2).retry(RetryPolicy::every(secs(30)).max_attempts(0));
    let mut bench = Bench::ready(policy.build().unwrap());
    bench.handle(60, Event::exited((1, 1), 1));
    assert_eq!(Bench::commands(bench.handle(100, Event::RetryNow(Selection::All))), [""; 0]);
    let lines = bench.handle(101, Event::Reset(Selection::Replica(1.into())));
    assert_eq!(Bench::commands(lines), ["start replica 1 incarnation 2"]);
}

#[test]
fn a_hold_ends_by_retry_now_or_when_it_times_out() {
    let rules = FailurePolicy::new()
        .rule(Rule::new(RuleAction::Hold(None)).exit_code(2))
        .rule(Rule::new(RuleAction::Hold(Some(secs(1800)))).exit_code(3));
    let mut bench = Bench::ready(retrying(3, 30).failure(rules).build().unwrap());
    bench.handle(60, Event::exited((0, 1), 2));
    bench.handle(60, Event::exited((1, 1), 3));
    assert_eq!(bench.next(), Some((1860, "hold-ends")));
    assert_eq!(Bench::commands(bench.tick(1860)), ["start replica 1 incarnation 2"]);
    bench.handle(1861, Event::ready((1, 2)));
    assert_eq!(bench.next(), None);
    assert_eq!(Bench::commands(bench.handle(2000, Event::RetryNow(Selection::All))), ["start replica 0 incarnation 2"]);
}

#[test]
fn a_hold_by_the_window_waits_for_room_and_counts_when_it_is_released() {
    let failure = FailurePolicy::new().exhausted(Exhausted::Hold);
    let policy = Policy::builder().replicas(2).retry(RetryPolicy::every(secs(10)).limit(1, secs(100)));
    let mut bench = Bench::ready(policy.failure(failure).build().unwrap());
    bench.handle(60, Event::exited((1, 1), 1));
    bench.tick(70);
    bench.handle(70, Event::started((1, 2)));
    let lines = bench.handle(80, Event::exited((1, 2), 1));
    assert!(lines[0].contains("restart in 80s (attempt 2, waits for room in the window"), "{lines:?}");
    assert_eq!(Bench::commands(bench.tick(160)), ["start replica 1 incarnation 3"]);
    bench.handle(161, Event::started((1, 3)));
    bench.handle(170, Event::exited((1, 3), 1));
    assert_eq!(bench.next(), Some((260, "start-due")), "the restart at 160 counts from 160");
}

#[test]
fn retry_now_of_one_cause_starts_only_replicas_that_failed_by_it() {
    let mut bench = Bench::every(3, 30);
    bench.handle(60, Event::failed((0, 1), Cause::Interruption));
    bench.handle(60, Event::exited((1, 1), 1));
    let lines = bench.handle(61, Event::RetryNow(Selection::Cause(Cause::Interruption)));
    assert_eq!(Bench::commands(lines), ["start replica 0 incarnation 2"]);
}

#[test]
fn a_drain_moves_the_replica_elsewhere() {
    let mut bench = Bench::every(2, 30);
    bench.handle(60, Event::Drain(crate::engine::Drain::of([1])));
    let lines = Bench::commands(bench.handle(61, Event::stopped((1, 1))));
    assert_eq!(lines, ["start replica 1 incarnation 2 elsewhere"]);
}

#[test]
fn terminate_stops_every_replica_and_starts_none() {
    let mut bench = Bench::every(2, 30);
    bench.handle(60, Event::exited((1, 1), 1));
    assert_eq!(Bench::commands(bench.handle(61, Event::Terminate)), ["stop replica 0 incarnation 1"]);
    assert_eq!(bench.status(), "terminating (requested)");
    assert_eq!(bench.next(), Some((71, "kill")));
    bench.handle(65, Event::stopped((0, 1)));
    assert_eq!(bench.status(), "terminated (requested)");
    assert_eq!(bench.tick(1000), [""; 0]);
}
