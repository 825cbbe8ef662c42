use super::{Bench, at, retrying, secs};
use crate::decide::Status;
use crate::engine::{Event, InstanceEvent, ReplicaSet};
use crate::policy::{Cause, Policy};

#[test]
fn nothing_is_commanded_before_the_first_timeout() {
    let mut bench = Bench::new(retrying(2, 30).build().unwrap());
    assert_eq!(bench.next(), Some((0, "begin")));
    assert_eq!(Bench::commands(bench.handle(5, Event::Scale(3))), [""; 0]);
    let begun = bench.tick(10);
    assert_eq!(
        Bench::commands(begun),
        ["start replica 0 incarnation 1", "start replica 1 incarnation 1", "start replica 2 incarnation 1"]
    );
}

#[test]
fn a_first_start_goes_through_its_phases_and_the_set_is_healthy() {
    let mut bench = Bench::new(retrying(1, 30).build().unwrap());
    assert_eq!(
        bench.tick(0),
        [
            "start replica 0 incarnation 1",
            "replica 0 incarnation 1 is starting",
            "status pending (starting), 0 of 1 available"
        ]
    );
    assert_eq!(bench.next(), Some((1200, "start-timeout")));
    assert_eq!(bench.handle(2, Event::started((0, 1))), ["replica 0 incarnation 1 is running"]);
    assert_eq!(
        bench.handle(3, Event::ready((0, 1))),
        ["replica 0 incarnation 1 is ready", "status healthy (all-available), 1 of 1 available"]
    );
    assert_eq!(bench.next(), None);
}

#[test]
fn a_replica_counts_once_it_has_been_ready_for_min_ready() {
    let mut bench = Bench::new(retrying(1, 30).min_ready(secs(10)).build().unwrap());
    bench.tick(0);
    assert_eq!(
        bench.handle(3, Event::ready((0, 1))),
        ["replica 0 incarnation 1 is running", "replica 0 incarnation 1 is ready"]
    );
    assert_eq!(bench.next(), Some((13, "min-ready")));
    assert_eq!(bench.handle(9, Event::not_ready((0, 1))), ["replica 0 incarnation 1 is running"]);
    bench.handle(10, Event::ready((0, 1)));
    assert_eq!(bench.tick(19), [""; 0]);
    assert_eq!(bench.tick(20), ["status healthy (all-available), 1 of 1 available"]);
}

#[test]
fn a_start_that_exceeds_start_timeout_is_a_failure_and_is_stopped_first() {
    let mut bench = Bench::new(retrying(1, 30).start_timeout(secs(60)).build().unwrap());
    bench.tick(0);
    assert_eq!(
        bench.tick(60),
        [
            "replica 0 incarnation 1 did not start in time; restart 30s after its end (attempt 1)",
            "stop replica 0 incarnation 1",
            "replica 0 incarnation 1 is stopping",
            "status pending (replica-failed), 0 of 1 available"
        ]
    );
    assert_eq!(bench.next(), Some((70, "kill")));
    assert_eq!(bench.handle(65, Event::stopped((0, 1))), ["replica 0 incarnation 1 is waiting"]);
    assert_eq!(bench.next(), Some((95, "start-due")));
    assert_eq!(Bench::commands(bench.tick(95)), ["start replica 0 incarnation 2"]);
}

#[test]
fn a_delay_counts_from_the_end_of_an_instance_that_must_be_stopped_also_after_a_restore() {
    let policy = retrying(1, 5).start_timeout(secs(60)).stop_grace(secs(20)).build().unwrap();
    let mut bench = Bench::new(policy);
    bench.tick(0);
    bench.tick(60);
    assert_eq!(bench.next(), Some((80, "kill")));
    assert_eq!(bench.set.get(0.into()).unwrap().due, None);
    let restored = ReplicaSet::restore(bench.set.policy().clone(), bench.set.snapshot(), at(61)).unwrap();
    let mut restored = Bench { set: restored };
    restored.tick(61);
    for bench in [&mut bench, &mut restored] {
        // Reported late: it stopped at 70 s.
        let stopped = InstanceEvent { replica: 0.into(), incarnation: 1.into(), at: Some(at(70)) };
        bench.handle(72, Event::Stopped(stopped));
        assert_eq!(bench.next(), Some((75, "start-due")));
        assert_eq!(Bench::commands(bench.tick(75)), ["start replica 0 incarnation 2"]);
    }
}

#[test]
fn a_requested_restart_waits_for_its_stop_with_one_notice() {
    let mut bench = Bench::every(1, 30);
    bench.handle(60, Event::Restart(0.into()));
    assert_eq!(Bench::commands(bench.handle(65, Event::stopped((0, 1)))), ["start replica 0 incarnation 2"]);
}

#[test]
fn a_failed_start_is_never_repeated_at_once() {
    let mut bench = Bench::new(retrying(1, 0).build().unwrap());
    bench.tick(0);
    bench.handle(0, Event::start_failed((0, 1), Cause::NoCapacity));
    assert_eq!(bench.set.next_deadline().unwrap().at.as_millis(), 100);
    // The same holds for a run of 0 s.
    bench.set.handle_timeout(crate::Timestamp::from_millis(100));
    bench.drain();
    bench.handle(1, Event::started((0, 2)));
    bench.handle(1, Event::exited((0, 2), 1));
    assert_eq!(bench.set.next_deadline().unwrap().at.as_millis(), 1100);
}

#[test]
fn an_empty_set_is_healthy_and_issues_no_command() {
    let mut bench = Bench::new(Policy::builder().replicas(0).build().unwrap());
    assert_eq!(bench.tick(0), ["status healthy (scaled-to-zero), 0 of 0 available"]);
    assert_eq!(bench.next(), None);
}

#[test]
fn time_that_goes_backwards_counts_as_no_progress() {
    let mut bench = Bench::every(2, 30);
    bench.handle(100, Event::exited((0, 1), 1));
    bench.handle(50, Event::exited((1, 1), 1));
    assert_eq!(bench.next(), Some((130, "start-due")));
    assert_eq!(bench.tick(10), [""; 0]);
    let commands = Bench::commands(bench.tick(130));
    assert_eq!(commands, ["start replica 0 incarnation 2", "start replica 1 incarnation 2"]);
}

#[test]
fn a_call_that_comes_an_hour_late_does_what_was_due_and_starts_its_clocks_now() {
    let mut bench = Bench::every(2, 30);
    bench.handle(60, Event::exited((1, 1), 1));
    assert_eq!(Bench::commands(bench.tick(3660)), ["start replica 1 incarnation 2"]);
    assert_eq!(bench.next(), Some((3660 + 1200, "start-timeout")));
}

#[test]
fn the_status_is_pending_until_the_set_has_been_up() {
    let mut bench = Bench::new(retrying(2, 30).build().unwrap());
    bench.tick(0);
    bench.handle(1, Event::start_failed((0, 1), Cause::NoCapacity));
    assert_eq!(bench.status(), "pending (replica-failed)");
    bench.handle(2, Event::ready((1, 1)));
    assert_eq!(bench.status(), "degraded (replica-failed)");
    bench.handle(3, Event::exited((1, 1), 1));
    assert_eq!(bench.set.status(), Status::Outage);
    assert_eq!(bench.set.status_since(), at(3));
}
