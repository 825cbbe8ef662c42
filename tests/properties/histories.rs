//! Random histories in which reports, lists, instances and clocks misbehave.

use proptest::prelude::*;
use uphold::engine::{InstanceState, Observed};
use uphold::{Command, Event, Output, ReplicaSet, Status, Timestamp};

use crate::hostile::{Hostile, Step, beginnings, steps};
use crate::policies;

/// Fewer and longer histories than the default.
fn long_histories() -> ProptestConfig {
    let cases = super::config().cases / 16;
    ProptestConfig { cases: cases.max(1), max_shrink_iters: 2000, ..super::config() }
}

proptest! {
    #![proptest_config(super::config())]

    #[test]
    fn the_invariants_hold_whatever_a_backend_says(
        policy in policies::any(),
        seed in any::<u64>(),
        begins in beginnings(),
        steps in steps(150),
    ) {
        let mut world = Hostile::new(&policy, seed, begins);
        for step in &steps {
            world.take(step);
            world.check();
        }
    }

    #[test]
    fn a_set_restored_again_and_again_has_the_same_future(
        policy in policies::any(),
        seed in any::<u64>(),
        begins in beginnings(),
        steps in steps(120),
    ) {
        let mut world = Hostile::new(&policy, seed, begins);
        let mut twin = world.clone();
        world.restores = false;
        for step in &steps {
            // The clocks of a rollout begin anew.
            if matches!(step, Step::Restore { .. }) && crate::slots::restarts_clocks(&world.set) {
                break;
            }
            world.take(step);
            twin.take(step);
            prop_assert_eq!(&world.log, &twin.log, "{:?}", step);
            prop_assert_eq!(world.set.next_deadline(), twin.set.next_deadline(), "{:?}", step);
        }
        prop_assert_eq!(world.set.census(), twin.set.census());
        prop_assert_eq!(twin.violations, [""; 0]);
    }

    #[test]
    fn a_set_heals_once_its_backend_is_honest(
        policy in policies::any(),
        seed in any::<u64>(),
        steps in steps(80),
    ) {
        let mut world = Hostile::new(&policy, seed, Timestamp::from_secs(1_700_000_000));
        let steps = steps.iter().filter(|step| !matches!(step, Step::EndOfTime));
        steps.for_each(|step| world.take(step));
        world.heal();
        world.check();
        prop_assert!(
            crate::world::is_at_rest(&world.set),
            "{}, {:?}, {:?}, next {:?}",
            world.set.status(),
            crate::slots::slots_at_rest(&world.set),
            world.set.replicas().collect::<Vec<_>>(),
            world.set.next_deadline(),
        );
        prop_assert_eq!(world.set.summary(world.now).strays, 0);
    }
}

proptest! {
    #![proptest_config(long_histories())]

    #[test]
    fn memory_stays_bounded_over_long_histories(
        policy in policies::any(),
        seed in any::<u64>(),
        steps in steps(400),
    ) {
        let mut world = Hostile::new(&policy, seed, Timestamp::from_secs(1_700_000_000));
        for _ in 0..10 {
            for step in &steps {
                if !matches!(step, Step::Terminate | Step::EndOfTime) {
                    world.take(step);
                }
            }
            world.log.clear();
            world.check();
        }
    }
}

#[test]
fn a_list_makes_no_stray_of_an_instance_that_a_completed_set_still_stops() {
    let policy = policies::read(r#"{"replicas": 2, "success": "complete"}"#);
    let now = Timestamp::ZERO;
    let mut set = ReplicaSet::new(policy, 0, now);
    let drain = |set: &mut ReplicaSet| std::iter::from_fn(|| set.poll_output()).collect::<Vec<_>>();
    set.handle_timeout(now);
    drain(&mut set);
    set.handle(now, Event::exited((0, 1), 0));
    drain(&mut set);
    set.handle(now, Event::Scale(1));
    assert_eq!(set.status(), Status::Completed);
    drain(&mut set);
    set.observe(now, &[Observed { replica: 1.into(), incarnation: 1.into(), state: InstanceState::Running }]);
    let outputs = drain(&mut set);
    assert!(!outputs.iter().any(|output| matches!(output, Output::Command(Command::Stop(_)))), "{outputs:?}");
    assert_eq!(set.check_invariants(), Ok(()));
    assert_eq!(set.summary(now).strays, 0);
}

#[test]
fn a_restored_set_that_has_ended_waits_for_nothing() {
    let policy = policies::read(r#"{"replicas": 2, "scaling": {"stand_ins": {"max": 1, "after": "20s"}}}"#);
    let now = Timestamp::from_secs(1000);
    let mut set = ReplicaSet::new(policy.clone(), 0, now);
    set.handle_timeout(now);
    set.for_each_output(|_| ());
    set.handle_all(now, [Event::ready((0, 1)), Event::ready((1, 1))]);
    set.for_each_output(|_| ());
    set.handle_all(now, [Event::exited((0, 1), 1), Event::exited((1, 1), 1)]);
    set.for_each_output(|_| ());
    assert_eq!((set.status(), set.next_deadline()), (Status::Terminated, None));
    let mut set = ReplicaSet::restore(policy, set.snapshot(), now).unwrap();
    set.handle_timeout(now);
    assert_eq!(set.next_deadline(), None);
}
