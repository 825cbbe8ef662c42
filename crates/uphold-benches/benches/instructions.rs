//! Instruction counts, measured by callgrind. They do not depend on the load of the machine and do not show cache misses,
//! so only small sets are counted.
//!
//! As in the wall benches, set-up and the drop of what was set up are not counted.
#![allow(missing_docs, reason = "a benchmark")]
#![allow(unused_qualifications, reason = "in the expansion of the macros")]

use gungraun::{library_benchmark, library_benchmark_group, main};
use std::hint::black_box;

use uphold::engine::Snapshot;
use uphold::{Policy, ReplicaSet, Timestamp};
use uphold_benches::policies::{self, Setup};
use uphold_benches::probed::Probed;
use uphold_benches::ready::{Ready, ready_set, restart_all};
use uphold_benches::rows::{ROWS, Rows};
use uphold_benches::slots::{Covered, Drained, Rolling};

fn rows(setup: fn(u32) -> Setup) -> Rows {
    Rows::new(setup(ROWS))
}

// 64 calls of `decide`.
#[library_benchmark(setup = rows)]
#[bench::flat(policies::flat)]
#[bench::window(policies::window)]
#[bench::jitter(policies::jitter)]
#[bench::correlated(policies::correlated)]
#[bench::recommended(policies::recommended)]
#[bench::rules_1(|n| policies::rules(n, 1))]
#[bench::rules_10(|n| policies::rules(n, 10))]
#[bench::rules_100(|n| policies::rules(n, 100))]
fn decide(mut rows: Rows) -> Rows {
    black_box(rows.fail(64));
    rows
}

fn ready(setup: fn(u32) -> Setup, n: u32) -> Ready {
    Ready::new(setup(n))
}

// At least 64 failures: every replica of every set fails once.
#[library_benchmark(setup = ready)]
#[bench::n_1(policies::flat, 1)]
#[bench::n_3(policies::flat, 3)]
#[bench::n_16(policies::flat, 16)]
#[bench::n_64(policies::flat, 64)]
#[bench::n_256(policies::flat, 256)]
#[bench::window(policies::window, 16)]
#[bench::jitter(policies::jitter, 16)]
#[bench::budget(policies::budget, 16)]
#[bench::correlated(policies::correlated, 16)]
#[bench::rules_1(|n| policies::rules(n, 1), 16)]
#[bench::rules_10(|n| policies::rules(n, 10), 16)]
#[bench::rules_100(|n| policies::rules(n, 100), 16)]
fn failure(mut ready: Ready) -> Ready {
    black_box(ready.fail(64));
    ready
}

// 64 round trips: exited, due, started, ready.
#[library_benchmark(setup = ready)]
#[bench::n_1(policies::flat, 1)]
#[bench::n_3(policies::flat, 3)]
#[bench::n_16(policies::flat, 16)]
#[bench::n_64(policies::flat, 64)]
#[bench::n_256(policies::flat, 256)]
#[bench::window(policies::window, 16)]
#[bench::jitter(policies::jitter, 16)]
#[bench::budget(policies::budget, 16)]
#[bench::correlated(policies::correlated, 16)]
#[bench::recommended(policies::recommended, 16)]
#[bench::rules_100(|n| policies::rules(n, 100), 16)]
fn round_trip(mut ready: Ready) -> Ready {
    black_box(ready.round_trips(64));
    ready
}

// One call that requests 64 probes, and their answers.
#[library_benchmark(setup = Probed::new)]
#[bench::n_64(64)]
fn probe(mut probed: Probed) -> Probed {
    probed.request();
    probed.answer(64);
    probed
}

// One failure that restarts all replicas.
#[library_benchmark(setup = whole)]
#[bench::n_64(64)]
fn whole_set((mut set, mut now): (ReplicaSet, Timestamp)) -> ReplicaSet {
    restart_all(&mut set, &mut now, 32);
    set
}

fn whole(n: u32) -> (ReplicaSet, Timestamp) {
    let mut now = Timestamp::ZERO;
    (ready_set(&policies::whole_set(n), 7, &mut now), now)
}

fn snapshot(n: u32) -> (Policy, Snapshot, Timestamp) {
    let setup = policies::window(n);
    let mut ready = Ready::new(setup.clone());
    ready.fail(n as usize / 2);
    let now = ready.now();
    (setup.policy, ready.set().snapshot(), now)
}

#[library_benchmark(setup = snapshot)]
#[bench::n_64(64)]
fn restore((policy, snapshot, now): (Policy, Snapshot, Timestamp)) -> Option<ReplicaSet> {
    ReplicaSet::restore(policy, snapshot, now).ok()
}

#[library_benchmark]
#[bench::small(r#"{"replicas": 3, "retry": {"max_duration": "1h", "interval": "30s"}}"#)]
fn read_policy(text: &str) -> Option<Policy> {
    Policy::read(&mut serde_json::Deserializer::from_str(text)).ok()
}

// 64 slots that a rollout replaces, one at a time: stopped, ended, started, ready.
#[library_benchmark]
#[bench::in_place_256(setup = Rolling::in_place, args = (256))]
#[bench::in_place_4096(setup = Rolling::in_place, args = (4096))]
#[bench::surge_256(setup = Rolling::with_surge, args = (256))]
#[bench::surge_4096(setup = Rolling::with_surge, args = (4096))]
fn rollout(mut rolling: Rolling) -> Rolling {
    black_box(rolling.replace(64));
    rolling
}

// A drain of 64 replicas of 128, until it is answered.
#[library_benchmark(setup = Drained::new)]
#[bench::n_64(64)]
fn drain(mut drained: Drained) -> Drained {
    black_box(drained.drain());
    drained
}

// 64 failures, each in a set of 16 with an available standby.
#[library_benchmark(setup = Covered::new)]
#[bench::n_16()]
fn standby(mut covered: Covered) -> Covered {
    black_box(covered.fail(64));
    covered
}

library_benchmark_group!(name = one, benchmarks = [decide, failure, round_trip]);
library_benchmark_group!(name = set, benchmarks = [probe, whole_set, rollout, drain, standby, restore, read_policy]);
main!(library_benchmark_groups = one, set);
