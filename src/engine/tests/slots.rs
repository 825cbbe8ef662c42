use super::{Bench, at, retrying};
use crate::engine::{Drain, Event, InstanceState, Observed, ReplicaSet};
use crate::policy::{Policy, Quantity, RolloutPolicy};

fn with_surge(replicas: u32, surge: u32) -> Policy {
    retrying(replicas, 30).rollout(RolloutPolicy::new().max_surge(Quantity::Count(surge))).build().unwrap()
}

fn drain(replica: u32) -> Event {
    Event::Drain(Drain::of([replica]))
}

#[test]
fn a_drained_slot_that_is_removed_before_the_set_begins_is_answered_when_it_begins() {
    let mut bench = Bench::ready(with_surge(2, 1));
    bench.handle(10, drain(1));
    let restored = ReplicaSet::restore(with_surge(2, 1), bench.set.snapshot(), at(20)).unwrap();
    let mut bench = Bench { set: restored };
    bench.handle(20, Event::Scale(1));
    let restored = ReplicaSet::restore(with_surge(2, 1), bench.set.snapshot(), at(21)).unwrap();
    let mut bench = Bench { set: restored };
    bench.tick(21);
    let lines = bench.handle(22, Event::exited((1, 1), 0));
    assert!(lines.iter().any(|line| line.contains("replica 1 is drained")), "{lines:?}");
}

#[test]
fn the_number_of_a_removed_slot_is_not_free_while_a_later_instance_of_it_stops() {
    let mut bench = Bench::every(3, 30);
    bench.handle(10, Event::Scale(2));
    bench.handle(11, Event::exited((2, 1), 0));
    let listed = [(0, 1), (1, 1), (2, 5)].map(|instance| Observed::new(instance, InstanceState::Ready));
    bench.set.observe(at(12), &listed);
    assert_eq!(Bench::commands(bench.drain()), ["stop replica 2 incarnation 5"]);
    assert_eq!(Bench::commands(bench.handle(13, Event::Scale(3))), ["start replica 3 incarnation 1"]);
    bench.handle(14, Event::exited((2, 5), 0));
    assert_eq!(Bench::commands(bench.handle(15, Event::Scale(4))), ["start replica 2 incarnation 6"]);
}

#[test]
fn numbers_that_many_strays_block_are_passed_over() {
    let mut bench = Bench::every(1, 30);
    let strays = (1..4000).map(|replica| Observed::new((replica, 1), InstanceState::Running));
    let listed: Vec<_> = [Observed::new((0, 1), InstanceState::Ready)].into_iter().chain(strays).collect();
    bench.set.observe(at(10), &listed);
    bench.drain();
    assert_eq!(Bench::commands(bench.handle(11, Event::Scale(2))), ["start replica 4000 incarnation 1"]);
    bench.handle(12, Event::exited((7, 1), 0));
    assert_eq!(Bench::commands(bench.handle(13, Event::Scale(3))), ["start replica 7 incarnation 2"]);
}

#[test]
fn a_scale_down_prefers_a_slot_that_is_down_to_the_highest() {
    let mut bench = Bench::every(4, 30);
    bench.handle(10, Event::not_ready((1, 1)));
    assert_eq!(
        Bench::commands(bench.handle(11, Event::Scale(2))),
        ["stop replica 1 incarnation 1", "stop replica 3 incarnation 1"]
    );
}

#[test]
fn surge_slots_beyond_the_number_of_another_policy_are_removed() {
    let mut bench = Bench::ready(with_surge(3, 2));
    bench.handle(10, Event::Drain(Drain::of([0, 1])));
    bench.set.replace_policy(at(11), with_surge(3, 1));
    assert_eq!(Bench::commands(bench.drain()), ["stop replica 4 incarnation 1"]);
    bench.handle(12, Event::exited((4, 1), 0));
    let lines = Bench::commands(bench.handle(13, Event::ready((3, 1))));
    assert_eq!(
        lines,
        ["stop replica 0 incarnation 1", "start replica 4 incarnation 2 as surge for replica 1 elsewhere"]
    );
}
