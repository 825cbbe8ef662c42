use super::{Bench, at, retrying, secs};
use crate::decide::{Outcome, Status};
use crate::engine::{Event, InstanceState, Observed};
use crate::policy::{FailurePolicy, HealthPolicy, LostAfter, Quantity, Rule, RuleAction};

pub(super) fn seen(replica: u32, incarnation: u64, state: InstanceState) -> Observed {
    Observed { replica: replica.into(), incarnation: incarnation.into(), state }
}

impl Bench {
    pub(super) fn observe(&mut self, secs: u64, listed: &[Observed]) -> Vec<String> {
        self.set.observe(at(secs), listed);
        self.drain()
    }
}

#[test]
fn running_instances_are_adopted_and_numbering_continues() {
    let mut bench = Bench::new(retrying(3, 30).build().unwrap());
    let listed = [seen(0, 7, InstanceState::Ready), seen(2, 4, InstanceState::Ended(Outcome::exited(1, at(0))))];
    assert_eq!(Bench::commands(bench.observe(5, &listed)), [""; 0]);
    assert_eq!(Bench::commands(bench.tick(5)), ["start replica 1 incarnation 1", "start replica 2 incarnation 5"]);
    assert_eq!(bench.set.census().available, 1);
}

#[test]
fn an_instance_of_an_unknown_slot_is_stopped() {
    let mut bench = Bench::new(retrying(1, 30).build().unwrap());
    let listed =
        [seen(0, 3, InstanceState::Ready), seen(0, 2, InstanceState::Running), seen(5, 1, InstanceState::Ready)];
    bench.observe(0, &listed);
    assert_eq!(Bench::commands(bench.tick(0)), ["stop replica 0 incarnation 2", "stop replica 5 incarnation 1"]);
}

#[test]
fn a_replica_missing_from_a_list_is_out_of_contact_and_not_failed() {
    let mut bench = Bench::every(3, 30);
    let all: Vec<_> = (0..3).map(|replica| seen(replica, 1, InstanceState::Ready)).collect();
    assert_eq!(bench.observe(60, &all[..2]), [""; 0]);
    assert_eq!(bench.next(), Some((120, "unknown")));
    assert_eq!(bench.observe(90, &all), [""; 0]);
    assert_eq!(bench.next(), None);
}

#[test]
fn a_list_implies_the_events_that_were_missed() {
    let mut bench = Bench::every(2, 30);
    let listed = [seen(0, 1, InstanceState::Running), seen(1, 1, InstanceState::Ended(Outcome::exited(9, at(50))))];
    let lines = bench.observe(60, &listed);
    assert!(lines.contains(&"replica 0 incarnation 1 is running".to_owned()), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("ended with exit code 9; restart in 30s")), "{lines:?}");
    assert_eq!(bench.next(), Some((80, "start-due")));
}

/// While a partition is assumed, no replica is declared lost. What became overdue is handled when the partition ends.
#[test]
fn a_set_that_ends_during_a_partition_does_not_wait_for_overdue_replicas() {
    let gives_up =
        FailurePolicy::new().rule(Rule::new(RuleAction::Degrade).exit_code(2)).min_available(Quantity::Count(4));
    let contact = HealthPolicy::new().unknown_after(secs(15)).lost_after(LostAfter::After(secs(30)));
    let mut bench = Bench::ready(retrying(4, 30).failure(gives_up).health(contact).build().unwrap());
    for replica in [1, 2] {
        bench.handle(0, Event::lost((replica, 1)));
    }
    bench.tick(15);
    assert_eq!(bench.tick(45), [""; 0], "half of the set is unknown");
    let ends = bench.handle(46, Event::exited((0, 1), 2));
    for gone in ["replica 1 incarnation 1 is removed", "replica 2 incarnation 1 is removed"] {
        assert!(ends.contains(&gone.to_owned()), "{ends:#?}");
    }
    assert_eq!(bench.tick(46), [""; 0]);
    bench.handle(47, Event::stopped((3, 1)));
    assert_eq!(bench.set.status(), Status::Terminated);
}
