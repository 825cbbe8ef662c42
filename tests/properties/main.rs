//! What must always hold, whatever happens in whatever order: the invariants of ARCHITECTURE.md, checked on random policies
//! and random histories.
#![allow(clippy::unwrap_used, reason = "a test may unwrap")]

mod damage;
mod evidence;
mod extreme_requests;
mod histories;
mod hostile;
mod invariants;
mod limits;
mod order;
mod policies;
mod slots;
mod stored;
mod truth;
mod world;

use proptest::prelude::*;
use uphold::{Command, Output, ReplicaSet, Status, Timestamp};
use world::{Step, World, steps};

pub(crate) fn config() -> ProptestConfig {
    // More cases: PROPTEST_CASES=100000 cargo test --release --test properties
    ProptestConfig { failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn the_invariants_hold_after_every_step(policy in policies::any(), seed in any::<u64>(), steps in steps(120)) {
        let mut world = World::new(policy.0, seed);
        for step in &steps {
            world.take(step);
            invariants::check(&world);
        }
    }

    #[test]
    fn a_restored_set_has_the_same_future(
        policy in policies::any(),
        seed in any::<u64>(),
        before in steps(60),
        after in steps(60),
    ) {
        let mut world = World::new(policy.0, seed);
        before.iter().for_each(|step| world.take(step));
        // The clocks of a rollout begin anew.
        prop_assume!(!slots::restarts_clocks(&world.set));
        let snapshot = stored::reread(&world.set.beginning("web")).snapshot.unwrap();
        let restored = ReplicaSet::restore(world.set.policy().clone(), snapshot, world.now).unwrap();
        let mut twin = World { set: restored, ..world.clone() };
        // Both are woken once: a restored set commands nothing before that.
        for world in [&mut world, &mut twin] {
            world.log.clear();
            world.wake();
        }
        prop_assert_eq!(&world.log, &twin.log);
        for step in &after {
            if matches!(step, Step::Restore) && slots::restarts_clocks(&world.set) {
                break;
            }
            world.take(step);
            twin.take(step);
            prop_assert_eq!(&world.log, &twin.log);
        }
        prop_assert_eq!(world.set.next_deadline(), twin.set.next_deadline());
        prop_assert_eq!(world.set.census(), twin.set.census());
    }

    #[test]
    fn the_order_of_events_within_one_instant_makes_no_difference(
        policy in policies::any(),
        seed in any::<u64>(),
        steps in steps(40),
        codes in proptest::collection::vec(1..4i32, 8),
        order in Just((0..8u32).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let mut world = World::new(policy.0, seed);
        steps.iter().for_each(|step| world.take(step));
        let mut twin = world.clone();
        world.log.clear();
        twin.log.clear();
        let events: Vec<_> = (0..8u32).filter_map(|replica| world.crash(replica, codes[replica as usize])).collect();
        let shuffled: Vec<_> =
            order.iter().filter_map(|&replica| world.crash(replica, codes[replica as usize])).collect();
        world.handle_all(events);
        twin.handle_all(shuffled);
        prop_assert_eq!(&world.log, &twin.log);
        prop_assert_eq!(world.set.census(), twin.set.census());
        prop_assert_eq!(world.set.next_deadline(), twin.set.next_deadline());
    }

    #[test]
    fn a_timeout_with_nothing_due_changes_nothing(policy in policies::any(), seed in any::<u64>(), steps in steps(60)) {
        let mut world = World::new(policy.0, seed);
        for step in &steps {
            world.take(step);
            let before = world.set.next_deadline();
            if before.is_none_or(|next| next.at > world.now) {
                world.set.handle_timeout(world.now);
                let output = world.set.poll_output();
                prop_assert!(output.is_none(), "{output:?}");
                prop_assert_eq!(world.set.next_deadline(), before);
            }
        }
    }

    /// Every gate opens: once starts succeed again, the set comes back, unless a person has to act.
    #[test]
    fn a_set_whose_starts_succeed_comes_back(policy in policies::any(), seed in any::<u64>(), steps in steps(80)) {
        let mut world = World::new(policy.0, seed);
        steps.iter().for_each(|step| world.take(step));
        world.limit_starts(None);
        world.make_peace();
        invariants::check(&world);
        let status = world.set.status();
        prop_assert!(
            world.is_at_rest(),
            "status {status}, {:?}, {:?}, next {:?}",
            slots::slots_at_rest(&world.set),
            world.set.replicas().collect::<Vec<_>>(),
            world.set.next_deadline()
        );
    }
}

#[test]
fn the_same_seed_gives_the_same_outputs() {
    let policy = policies::read(r#"{"replicas": 5, "retry": true}"#);
    let run = || {
        let mut world = World::new(policy.clone(), 11);
        for replica in [0, 3, 1, 1, 4, 2] {
            world.take(&Step::Crash { replica, code: 1 });
            world.take(&Step::Wait);
        }
        world.log
    };
    assert_eq!(run(), run());
}

#[test]
fn a_million_replicas_begin_and_end() {
    let policy = policies::read(r#"{"replicas": 1000000, "retry": {"interval": "1s"}}"#);
    let mut set = ReplicaSet::new(policy, 0, Timestamp::ZERO);
    set.handle_timeout(Timestamp::ZERO);
    let mut starts = 0;
    while let Some(output) = set.poll_output() {
        starts += u32::from(matches!(output, Output::Command(Command::Start(_))));
    }
    assert_eq!(starts, 1_000_000);
    set.handle(Timestamp::from_secs(1), uphold::Event::Terminate);
    let mut stops = 0;
    while let Some(output) = set.poll_output() {
        stops += u32::from(matches!(output, Output::Command(Command::Stop(_))));
    }
    assert_eq!(stops, 1_000_000);
    assert_eq!(set.status(), Status::Terminating);
}
