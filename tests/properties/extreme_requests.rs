//! Requests about slots with values that no careful caller sends.

use std::time::Duration;

use uphold::decide::Gate;
use uphold::engine::{Drain, DrainOutcome, InterruptionNotice, Rejection, Role};

use uphold::{Command, Event, Notice, Output, Phase, ReplicaId, ReplicaSet, Status, Timestamp};

use crate::policies::read;

/// The most replicas that a set can have.
const MAX_REPLICAS: u32 = 1_000_000;

const NOW: Timestamp = Timestamp::from_secs(1000);

fn outputs(set: &mut ReplicaSet) -> Vec<Output> {
    std::iter::from_fn(|| set.poll_output()).collect()
}

/// The reports of a backend that starts and stops at once.
fn reports(outputs: &[Output]) -> Vec<Event> {
    let report = |output: &Output| match output {
        Output::Command(Command::Start(start)) => Some(Event::ready(start.instance())),
        Output::Command(Command::Stop(stop)) => Some(Event::stopped(stop.instance())),
        _ => None,
    };
    outputs.iter().filter_map(report).collect()
}

/// What is commanded comes about, until nothing more is.
fn obey(set: &mut ReplicaSet, mut pending: Vec<Output>) {
    loop {
        let events = reports(&pending);
        if events.is_empty() {
            return;
        }
        set.handle_all(set.now(), events);
        pending = outputs(set);
    }
}

/// A set in which every replica is available.
fn healthy(policy: &str) -> ReplicaSet {
    let mut set = ReplicaSet::new(read(policy), 7, NOW);
    set.handle_timeout(NOW);
    let pending = outputs(&mut set);
    obey(&mut set, pending);
    set
}

fn answers(outputs: &[Output]) -> Vec<DrainOutcome> {
    let answer = |output: &Output| match output {
        Output::Notice(Notice::Drain(answer)) => Some(answer.outcome),
        _ => None,
    };
    outputs.iter().filter_map(answer).collect()
}

/// The state of a set without its counts of refused requests.
fn state(set: &ReplicaSet) -> String {
    let views: Vec<_> = set.replicas().collect();
    let drains: Vec<_> = set.drains().collect();
    format!("{views:?} {drains:?} {:?} {} {:?}", set.rollout(), set.desired(), set.next_deadline())
}

#[test]
fn what_cannot_be_done_is_refused_and_changes_nothing() {
    let mut set = healthy(r#"{"replicas": 3, "retry": true, "rollout": {"canaries": 1}}"#);
    let before = state(&set);
    let nowhere = ReplicaId(3);
    for (event, reason) in [
        (Event::Scale(MAX_REPLICAS + 1), Rejection::TooManyReplicas(MAX_REPLICAS + 1)),
        (Event::Scale(u32::MAX), Rejection::TooManyReplicas(u32::MAX)),
        (Event::Drain(Drain::of([0, 3])), Rejection::NoSuchReplica(nowhere)),
        (Event::Drain(Drain::of(0..100_000)), Rejection::NoSuchReplica(nowhere)),
        (Event::Drain(Drain::of([u32::MAX])), Rejection::NoSuchReplica(ReplicaId(u32::MAX))),
        (Event::Undrain(vec![ReplicaId(1)]), Rejection::NotDraining(ReplicaId(1))),
        (Event::Undrain(vec![nowhere]), Rejection::NoSuchReplica(nowhere)),
        (Event::Promote, Rejection::NoCanary),
        (Event::RollBack, Rejection::NoRollout),
    ] {
        assert_eq!(set.request(NOW, event.clone()), Err(reason));
        assert_eq!(outputs(&mut set), [Output::Notice(Notice::Refused(reason))]);
        assert_eq!(state(&set), before, "{event:?}");
    }
    assert_eq!(set.check_invariants(), Ok(()));
}

#[test]
fn a_notice_of_an_instance_that_is_not_there_is_ignored() {
    let mut set = healthy(r#"{"replicas": 2, "retry": true}"#);
    let before = state(&set);
    for (replica, incarnation) in [(0, 0), (0, 2), (1, u64::MAX), (2, 1), (u32::MAX, 1)] {
        let (replica, incarnation) = (ReplicaId(replica), uphold::Incarnation(incarnation));
        set.handle(NOW, Event::InterruptionNotice(InterruptionNotice { replica, incarnation, deadline: NOW }));
        let outputs = outputs(&mut set);
        assert!(matches!(outputs[..], [Output::Notice(Notice::Ignored(_))]), "{outputs:?}");
        assert_eq!(state(&set), before);
    }
}

#[test]
fn a_deadline_in_the_past_forces_at_once_and_one_that_never_comes_does_not() {
    for deadline in [Timestamp::ZERO, NOW - Duration::from_secs(1), NOW] {
        let mut set = healthy(r#"{"replicas": 2, "retry": true, "failure": {"min_available": 2}}"#);
        set.request(NOW, Event::Drain(Drain::of([0, 1]).by(deadline))).unwrap();
        let stops = outputs(&mut set);
        assert_eq!(set.census().available, 0);
        obey(&mut set, stops);
        assert_eq!((set.status(), set.drains().count()), (Status::Healthy, 0));
    }
    for deadline in [None, Some(Timestamp::LATEST), Some(Timestamp::MAX)] {
        let mut set = healthy(r#"{"replicas": 2, "retry": true, "failure": {"min_available": 2}}"#);
        let drain = deadline.into_iter().fold(Drain::of([0, 1]), Drain::by);
        set.request(NOW, Event::Drain(drain)).unwrap();
        outputs(&mut set);
        set.handle_timeout(NOW + Duration::from_secs(1_000_000));
        assert_eq!((set.census().available, set.drains().count()), (2, 2), "{deadline:?}");
        assert!(set.drains().all(|drain| drain.gate == Gate::Disruption));
        assert_eq!(set.check_invariants(), Ok(()));
    }
}

#[test]
fn a_hundred_thousand_slots_are_drained_at_once() {
    for rollout in [r#"{"max_unavailable": "10%"}"#, r#"{"max_surge": "10%"}"#] {
        let mut set = healthy(&format!(r#"{{"replicas": 100000, "retry": true, "rollout": {rollout}}}"#));
        set.request(NOW, Event::Drain(Drain::of(0..100_000))).unwrap();
        let mut pending = outputs(&mut set);
        let mut answered = 0;
        while !pending.is_empty() {
            assert!(set.census().serving() >= 90_000);
            answered += answers(&pending).len();
            set.handle_all(NOW, reports(&pending));
            pending = outputs(&mut set);
        }
        assert_eq!((answered, set.drains().count(), set.status()), (100_000, 0, Status::Healthy), "{rollout}");
    }
}

#[test]
fn scaled_to_zero_there_are_no_standbys() {
    let mut set = healthy(r#"{"replicas": 0, "scaling": {"standby": 2}, "retry": true}"#);
    assert_eq!((set.replicas().count(), set.status()), (0, Status::Healthy));
    set.request(NOW, Event::RollOut("v2".parse().unwrap())).unwrap();
    outputs(&mut set);
    assert_eq!(set.revision().map(ToString::to_string).as_deref(), Some("v2"));
    set.request(NOW, Event::Scale(1)).unwrap();
    let starts = outputs(&mut set);
    obey(&mut set, starts);
    assert_eq!(set.replicas().filter(|view| view.role == Some(Role::Standby)).count(), 2);
    assert!(set.replicas().all(|view| view.revision.is_some()));
}

#[test]
fn stand_ins_that_follow_at_once_are_bounded_while_a_replica_flaps() {
    let mut set =
        healthy(r#"{"replicas": 2, "retry": {"interval": "1s"}, "scaling": {"stand_ins": {"max": 1, "after": "0s"}}}"#);
    for second in 1..500 {
        let now = NOW + Duration::from_secs(second);
        set.handle_timeout(now);
        let pending = outputs(&mut set);
        obey(&mut set, pending);
        let replica = set.get(ReplicaId(0)).unwrap();
        if replica.phase == Phase::Ready {
            set.handle(now, Event::exited(replica.instance(), 1));
            let pending = outputs(&mut set);
            obey(&mut set, pending);
        }
        assert_eq!(set.check_invariants(), Ok(()));
        assert!(set.replicas().count() <= 3 && set.entries() < 300, "{} entries", set.entries());
    }
}

#[test]
fn a_set_that_flaps_while_no_stop_is_confirmed_uses_new_slots() {
    let mut set = healthy(r#"{"replicas": 5, "retry": true, "scaling": {"standby": 1}}"#);
    for round in 0..200 {
        for replicas in [0, 5] {
            set.request(NOW, Event::Scale(replicas)).unwrap();
            let started = outputs(&mut set);
            let starts = reports(&started).into_iter().filter(|event| matches!(event, Event::Ready(_)));
            set.handle_all(NOW, starts);
            outputs(&mut set);
        }
        let slots = set.replicas().count();
        assert!(slots <= 6 * (round + 2), "{slots} slots");
        assert!(set.entries() <= 20 * slots + 256, "{} entries of {slots} slots", set.entries());
    }
    assert_eq!(set.check_invariants(), Ok(()));
}

#[test]
fn more_strays_than_slots_block_numbers_only() {
    let mut set = healthy(r#"{"replicas": 1, "retry": true}"#);
    let strays = (1..=4000u32)
        .map(|replica| uphold::engine::Observed::new((replica, 1), uphold::engine::InstanceState::Running));
    let own = uphold::engine::Observed::new((0, 1), uphold::engine::InstanceState::Ready);
    set.observe(NOW, &std::iter::once(own).chain(strays).collect::<Vec<_>>());
    outputs(&mut set);
    set.request(NOW, Event::Scale(100)).unwrap();
    let started = outputs(&mut set);
    let first = started.iter().find_map(|output| match output {
        Output::Command(Command::Start(start)) => Some(start.replica.0),
        _ => None,
    });
    assert!(first > Some(4000), "{first:?}");
    assert_eq!(set.check_invariants(), Ok(()));
}

/// Every slot up to the last is taken by an instance whose end nobody confirms. Takes a gigabyte.
#[test]
#[ignore = "takes a gigabyte of memory"]
fn a_million_replicas_flap_while_no_stop_is_confirmed() {
    let mut set = healthy(r#"{"replicas": 1000000, "retry": true}"#);
    for _ in 0..7 {
        for replicas in [0, MAX_REPLICAS] {
            set.request(NOW, Event::Scale(replicas)).unwrap();
            outputs(&mut set);
        }
    }
    assert!(set.replicas().count() <= 5 * MAX_REPLICAS as usize);
}
