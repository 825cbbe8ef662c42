use super::{Bench, at, retrying, secs};
use crate::engine::{Event, InstanceState, Observed};
use crate::policy::{FailurePolicy, Policy, RetryPolicy, Scope, StartOrder};

fn scoped(replicas: u32, scope: Scope) -> Bench {
    let policy = retrying(replicas, 30).failure(FailurePolicy::new().scope(scope)).stop_grace(secs(10));
    Bench::ready(policy.build().unwrap())
}

#[test]
fn scope_all_stops_the_others_in_reverse_order_and_starts_all_in_order_when_due() {
    let mut bench = scoped(3, Scope::All);
    assert_eq!(
        bench.handle(60, Event::exited((1, 1), 1)),
        [
            "replica 1 incarnation 1 ended with exit code 1; restart in 30s with the whole set (attempt 1)",
            "replica 1 incarnation 1 is waiting",
            "stop replica 2 incarnation 1",
            "replica 2 incarnation 1 is stopping",
            "stop replica 0 incarnation 1",
            "replica 0 incarnation 1 is stopping",
            "status outage (replica-failed), 0 of 3 available"
        ]
    );
    bench.handle(61, Event::stopped((0, 1)));
    bench.handle(62, Event::stopped((2, 1)));
    assert_eq!(
        Bench::commands(bench.tick(90)),
        ["start replica 0 incarnation 2", "start replica 1 incarnation 2", "start replica 2 incarnation 2"]
    );
}

#[test]
fn a_group_waits_until_every_member_has_stopped() {
    let mut bench = scoped(2, Scope::All);
    bench.handle(60, Event::exited((1, 1), 1));
    assert_eq!(Bench::commands(bench.tick(90)), ["kill replica 0 incarnation 1"]);
    assert_eq!(
        Bench::commands(bench.handle(95, Event::exited((0, 1), 137))),
        ["start replica 0 incarnation 2", "start replica 1 incarnation 2"]
    );
}

#[test]
fn scope_rest_leaves_lower_numbers_alone() {
    // Replica 2 of 0..5 fails: stop 4, 3; start 2, 3, 4.
    let mut bench = scoped(5, Scope::Rest);
    let lines = Bench::commands(bench.handle(60, Event::exited((2, 1), 1)));
    assert_eq!(lines, ["stop replica 4 incarnation 1", "stop replica 3 incarnation 1"]);
    bench.handle(61, Event::stopped((3, 1)));
    bench.handle(61, Event::stopped((4, 1)));
    let starts = Bench::commands(bench.tick(90));
    assert_eq!(
        starts,
        ["start replica 2 incarnation 2", "start replica 3 incarnation 2", "start replica 4 incarnation 2"]
    );
}

#[test]
fn members_that_failed_at_the_same_instant_are_one_incident_charged_once() {
    let mut bench = scoped(3, Scope::All);
    let lines = bench.handle_all(60, [Event::exited((2, 1), 1), Event::exited((0, 1), 1)]);
    assert_eq!(Bench::commands(lines.clone()), ["stop replica 1 incarnation 1"], "the dead are not told to stop");
    assert_eq!(
        lines[0],
        "replica 0 incarnation 1 ended with exit code 1; restart in 30s with the whole set (attempt 1)"
    );
    let joins = "(attempt 1, joins the restart of its group, not charged)";
    assert!(lines.iter().any(|line| line.starts_with("replica 2") && line.ends_with(joins)), "{lines:?}");
    bench.handle(61, Event::stopped((1, 1)));
    assert_eq!(Bench::commands(bench.tick(90)).len(), 3);
}

#[test]
fn every_failure_of_an_instant_is_decided_on_whatever_their_order() {
    // An interruption that is retried, and an error in the same batch that ends the set.
    let retry = RetryPolicy::every(secs(30)).on_events(crate::policy::OnEvents::new().interruption());
    let policy = Policy::builder().replicas(3).retry(retry).failure(FailurePolicy::new().scope(Scope::All));
    let policy = policy.build().unwrap();
    for (interrupted, crashed) in [(0, 2), (2, 0)] {
        let mut bench = Bench::ready(policy.clone());
        let interruption = Event::failed((interrupted, 1), crate::Cause::Interruption);
        bench.handle_all(60, [interruption, Event::exited((crashed, 1), 1)]);
        assert_eq!(bench.status(), "terminating (fail-fast)");
    }
}

#[test]
fn a_replica_given_up_at_the_instant_of_a_group_restart_stays_down() {
    use crate::policy::{Rule, RuleAction};
    let failure = FailurePolicy::new().scope(Scope::All).rule(Rule::new(RuleAction::Degrade).exit_code(2));
    for (crashed, given_up) in [(0, 2), (2, 0)] {
        let mut bench = Bench::ready(retrying(3, 30).failure(failure.clone()).build().unwrap());
        bench.handle_all(60, [Event::exited((crashed, 1), 1), Event::exited((given_up, 1), 2)]);
        bench.handle(61, Event::stopped((1, 1)));
        assert_eq!(bench.set.census().given_up, 1);
        assert_eq!(Bench::commands(bench.tick(90)).len(), 2);
    }
}

#[test]
fn a_group_restarts_at_the_latest_due_time_of_its_failed_members() {
    use crate::policy::{Rule, RuleAction};
    let later = Rule::new(RuleAction::Retry).exit_code(2).retry(RetryPolicy::every(secs(50)));
    let failure = FailurePolicy::new().scope(Scope::All).rule(later);
    for (soon, late) in [(0, 2), (2, 0)] {
        let mut bench = Bench::ready(retrying(3, 30).failure(failure.clone()).build().unwrap());
        bench.handle_all(60, [Event::exited((soon, 1), 1), Event::exited((late, 1), 2)]);
        bench.handle(61, Event::stopped((1, 1)));
        assert_eq!(Bench::commands(bench.tick(109)), [""; 0]);
        assert_eq!(Bench::commands(bench.tick(110)).len(), 3);
    }
}

#[test]
fn a_failure_outside_the_group_joins_it_at_the_later_time() {
    let mut bench = scoped(3, Scope::Rest);
    bench.handle(60, Event::exited((1, 1), 1));
    bench.handle(61, Event::stopped((2, 1)));
    bench.handle(70, Event::exited((0, 1), 1));
    assert_eq!(Bench::commands(bench.tick(90)), [""; 0]);
    assert_eq!(Bench::commands(bench.tick(100)).len(), 3);
}

#[test]
fn a_replica_whose_start_fails_within_the_group_restarts_the_group() {
    let mut bench = scoped(2, Scope::All);
    bench.handle(60, Event::exited((1, 1), 1));
    bench.handle(61, Event::stopped((0, 1)));
    bench.tick(90);
    bench.handle(91, Event::started((0, 2)));
    let lines = Bench::commands(bench.handle(92, Event::start_failed((1, 2), crate::Cause::NoCapacity)));
    assert_eq!(lines, ["stop replica 0 incarnation 2"]);
    bench.handle(93, Event::stopped((0, 2)));
    assert_eq!(Bench::commands(bench.tick(122)), ["start replica 0 incarnation 3", "start replica 1 incarnation 3"]);
}

#[test]
fn a_group_continues_if_its_failed_member_is_scaled_away() {
    let mut bench = scoped(3, Scope::All);
    bench.handle(60, Event::exited((2, 1), 1));
    bench.handle(61, Event::stopped((0, 1)));
    bench.handle(61, Event::stopped((1, 1)));
    bench.handle(62, Event::Scale(2));
    assert_eq!(Bench::commands(bench.tick(90)), ["start replica 0 incarnation 2", "start replica 1 incarnation 2"]);
}

#[test]
fn quarantined_members_are_left_out() {
    let failure = FailurePolicy::new().scope(Scope::All);
    let policy = Policy::builder().replicas(3).retry(RetryPolicy::every(secs(10)).max_attempts(1)).failure(failure);
    let mut bench = Bench::ready(policy.build().unwrap());
    bench.handle(100, Event::exited((2, 1), 1));
    bench.handle_all(101, [Event::stopped((0, 1)), Event::stopped((1, 1))]);
    bench.tick(110);
    bench.handle_all(111, (0..3).map(|replica| Event::started((replica, 2))));
    bench.handle(120, Event::exited((2, 2), 1));
    assert_eq!(bench.set.census().given_up, 1);
    bench.handle(300, Event::exited((0, 2), 1));
    bench.handle(301, Event::stopped((1, 2)));
    assert_eq!(Bench::commands(bench.tick(310)), ["start replica 0 incarnation 3", "start replica 1 incarnation 3"]);
}

#[test]
fn an_unknown_member_is_stopped_and_waited_for() {
    let mut bench = scoped(3, Scope::All);
    bench.handle(10, Event::lost((2, 1)));
    bench.tick(70);
    assert_eq!(bench.set.census().unknown, 1);
    let lines = Bench::commands(bench.handle(80, Event::exited((0, 1), 1)));
    assert_eq!(lines, ["stop replica 2 incarnation 1", "stop replica 1 incarnation 1"]);
    bench.handle(81, Event::stopped((1, 1)));
    assert_eq!(Bench::commands(bench.tick(110)), ["kill replica 2 incarnation 1"], "due, and one is not confirmed");
    assert_eq!(Bench::commands(bench.handle(111, Event::stopped((2, 1)))).len(), 3);
}

#[test]
fn held_and_completed_members_are_left_out() {
    use crate::policy::{OnSuccess, Rule, RuleAction};
    let failure = FailurePolicy::new().scope(Scope::All).rule(Rule::new(RuleAction::Hold(None)).exit_code(2));
    let policy = retrying(4, 30).success(OnSuccess::Complete).failure(failure).build().unwrap();
    let mut bench = Bench::ready(policy);
    bench.handle(50, Event::exited((1, 1), 2));
    bench.handle(51, Event::exited((2, 1), 0));
    bench.handle(60, Event::exited((0, 1), 1));
    bench.handle(61, Event::stopped((3, 1)));
    assert_eq!(Bench::commands(bench.tick(90)), ["start replica 0 incarnation 2", "start replica 3 incarnation 2"]);
}

#[test]
fn an_ordered_group_occupies_one_place_of_max_concurrent_starts() {
    use crate::policy::{Quantity, StartOrder};
    let failure = FailurePolicy::new().scope(Scope::All).max_concurrent_starts(Quantity::Count(1));
    let policy = retrying(3, 30).failure(failure).start_order(StartOrder::Ordered).build().unwrap();
    let mut bench = Bench::ready(policy);
    bench.handle(60, Event::exited((2, 1), 1));
    bench.handle_all(61, [Event::stopped((0, 1)), Event::stopped((1, 1))]);
    let lines = bench.tick(90);
    assert_eq!(Bench::commands(lines.clone()), ["start replica 0 incarnation 2"]);
    assert!(lines.contains(&"replica 1 waits: order".to_owned()), "{lines:?}");
    assert_eq!(bench.set.census().starting, 1);
    assert_eq!(Bench::commands(bench.handle(91, Event::ready((0, 2)))), ["start replica 1 incarnation 2"]);
    assert_eq!(bench.set.census().starting, 1);
    // A request for all replicas keeps their order.
    assert_eq!(Bench::commands(bench.handle(92, Event::RetryNow(crate::engine::Selection::All))), [""; 0]);
    // A request for one replica does not wait for the order.
    let one = Event::RetryNow(crate::engine::Selection::Replica(2.into()));
    assert_eq!(Bench::commands(bench.handle(93, one)), ["start replica 2 incarnation 2"]);
}

#[test]
fn an_ordered_group_continues_if_another_instance_of_its_leader_is_adopted() {
    let failure = FailurePolicy::new().scope(Scope::All);
    let policy = retrying(3, 1).failure(failure).start_order(StartOrder::Ordered).build().unwrap();
    let mut bench = Bench::new(policy);
    bench.tick(0);
    let timed_out = bench.tick(1200);
    assert!(timed_out[0].contains("restart 1s after its end"), "{timed_out:?}");
    let seen = Observed { replica: 0.into(), incarnation: 2.into(), state: InstanceState::Running };
    bench.set.observe(at(1200), &[seen]);
    let mut lines = bench.drain();
    lines.extend(bench.handle(1200, Event::stopped((0, 1))));
    lines.extend(bench.handle(1200, Event::ready((0, 2))));
    lines.extend(bench.tick(1300));
    assert!(lines.contains(&"start replica 1 incarnation 1".to_owned()), "{lines:#?} {:#?}", bench.set.get(1.into()));
}
