//! Allocations: none per event once every replica has failed once, and few bytes per set.
#![allow(clippy::print_stdout, missing_docs, reason = "a test that prints its counts")]

use uphold::decide::{History, SetHistory};
use uphold::{Cause, Decision, Event, Outcome, Output, Policy, ReplicaSet, Timestamp};
use uphold_benches::counting::{Counting, allocated, peak_bytes};
use uphold_benches::crashing;
use uphold_benches::policies::{self, Setup};
use uphold_benches::probed::Probed;
use uphold_benches::ready::{Ready, bring_up, drain, ready_set};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn assert_no_allocations(name: &str, setup: Setup) {
    let mut ready = Ready::new(setup);
    // Afterwards every replica has failed and restarted once.
    let done = ready.round_trips(usize::MAX);
    ready.rest(done);
    let before = allocated();
    for _ in 0..4 {
        let done = ready.round_trips(usize::MAX);
        ready.rest(done);
    }
    assert_eq!(allocated(), before, "{name}: allocations in the steady state");
}

#[test]
fn a_restart_allocates_nothing_in_the_steady_state() {
    for replicas in [1, 3, 16, 256] {
        for (name, setup) in policies::features(replicas) {
            assert_no_allocations(name, setup);
        }
        assert_no_allocations("recommended", policies::recommended(replicas));
    }
}

#[test]
fn a_probe_and_its_answer_allocate_nothing() {
    let mut probed = Probed::new(16);
    for _ in 0..2 {
        probed.request();
        probed.answer(16);
    }
    let before = allocated();
    for _ in 0..4 {
        probed.request();
        probed.answer(16);
    }
    assert_eq!(allocated(), before);
}

#[test]
fn failures_of_all_replicas_allocate_nothing_in_the_steady_state() {
    for (name, setup) in policies::features(16) {
        let mut ready = Ready::new(setup);
        for round in 0..4 {
            let before = allocated();
            let failed = ready.fail(usize::MAX);
            if round > 0 {
                assert_eq!(allocated(), before, "{name}: allocations in the steady state");
            }
            ready.recover(failed);
        }
    }
}

#[test]
fn a_custom_cause_is_freed() {
    let setup = policies::flat(3);
    let mut now = Timestamp::ZERO;
    let mut set = ready_set(&setup, 7, &mut now);
    let mut kept = 0;
    for incarnation in 1..6u64 {
        let cause: Cause = "gpu-fell-off".parse().expect("a cause");
        set.handle(now, Event::failed((1, incarnation), cause));
        drain(&mut set);
        bring_up(&mut set, &mut now);
        // The history holds the cause of the last failure, and no other.
        if incarnation > 2 {
            assert_eq!(allocated().1, kept, "bytes after {incarnation} failures");
        }
        kept = allocated().1;
    }
}

#[test]
fn deciding_allocates_nothing_in_the_steady_state() {
    for (name, Setup { policy, rest, .. }) in policies::features(3) {
        let mut history = History::new(7, 0.into());
        let mut now = Timestamp::ZERO;
        let mut before = allocated();
        for round in 0..5 {
            policy.start(&mut history, now);
            policy.record_ready(&mut history, now);
            now = now + rest;
            drop(policy.decide(&mut history, &Outcome::exited(137, now)));
            if round < 2 {
                before = allocated();
            }
        }
        assert_eq!(allocated(), before, "{name}: allocations in the steady state");
    }
}

/// Returns the bytes of one set under this policy, with its own size.
fn bytes_of_one(policy: &Policy) -> i64 {
    const SETS: i64 = 100;
    let mut now = Timestamp::ZERO;
    let setup = Setup { policy: policy.clone(), step: std::time::Duration::ZERO, rest: std::time::Duration::ZERO };
    let mut sets = Vec::with_capacity(SETS as usize);
    let before = allocated().1;
    sets.extend((0..SETS as u64).map(|seed| ready_set(&setup, seed, &mut now)));
    (allocated().1 - before) / SETS + size_of::<ReplicaSet>() as i64
}

#[test]
fn draining_the_outputs_of_the_first_starts_frees_their_memory() {
    let before = allocated().1;
    let mut set = ReplicaSet::new(policies::flat(100).policy, 7, Timestamp::ZERO);
    set.handle_timeout(Timestamp::ZERO);
    let with_outputs = allocated().1;
    set.for_each_output(|_| ());
    let starts = 100 * size_of::<Output>() as i64;
    assert!(with_outputs - allocated().1 >= starts, "{} of {}", allocated().1 - before, with_outputs - before);
}

#[test]
fn a_set_of_three_that_never_failed_is_small() {
    let three = bytes_of_one(&policies::flat(3).policy);
    let recommended = bytes_of_one(&policies::recommended(3).policy);
    let thousand = bytes_of_one(&policies::flat(1000).policy);
    println!("a set of 3: {three} bytes, recommended: {recommended} bytes");
    println!("of that ReplicaSet itself: {} bytes", size_of::<ReplicaSet>());
    println!("of that SetHistory: {} bytes", size_of::<SetHistory>());
    println!("a set of 1000: {} bytes a replica", thousand / 1000);
    println!(
        "History {}, Event {}, Output {}, Decision {}, Outcome {}",
        size_of::<History>(),
        size_of::<Event>(),
        size_of::<Output>(),
        size_of::<Decision>(),
        size_of::<Outcome>()
    );
    // The present size, rounded up; the aim is less than 1024.
    assert!(three <= 940, "{three}");
}

#[test]
fn the_memory_of_a_simulation_does_not_grow_with_its_length() {
    for n in [3, 100] {
        let policy = crashing::policy(n);
        let held = |cycles| peak_bytes(|| assert!(crashing::run(&policy, cycles).stats().starts > u64::from(cycles)));
        println!("a simulation of {n}: {} bytes at most", held(20));
        assert_eq!(held(20), held(2000));
    }
}
