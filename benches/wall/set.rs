//! Failures and restarts through a `ReplicaSet`.
//!
//! Every replica of a ready set fails once, in shuffled order. The outputs of a failure are read before the next one. Then,
//! untimed, all replicas are brought up again and run until their streaks end. A batch is at least 64 failures, of several
//! sets if they are small, and at most 16384.

use criterion::{BatchSize, BenchmarkId, Criterion};
use uphold::Timestamp;
use uphold_benches::policies;
use uphold_benches::probed::Probed;
use uphold_benches::ready::{Ready, ready_set, restart_all};

use super::{Lazy, batches, batches_of};

pub(crate) const SIZES: [u32; 8] = [1, 3, 16, 64, 256, 1024, 100_000, 1_000_000];
const FEATURES_AT: u32 = 16;

pub(crate) fn bench(criterion: &mut Criterion) {
    sizes(criterion);
    features(criterion);
    deadline(criterion);
    probes(criterion);
    whole_set(criterion);
}

fn sizes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("set");
    for n in SIZES {
        let mut ready = Lazy::new(|| Ready::new(policies::flat(n)));
        // Timed: `handle` of an exit, and the outputs drained.
        group.bench_function(BenchmarkId::new("failure", n), |bencher| {
            batches(bencher, ready.get(), Ready::fail, Ready::recover);
        });
        // The same with `poll_output`.
        group.bench_function(BenchmarkId::new("failure, polled", n), |bencher| {
            batches(bencher, ready.get(), Ready::fail_and_poll, Ready::recover);
        });
        // The same, with a call of `next_deadline`.
        group.bench_function(BenchmarkId::new("failure and deadline", n), |bencher| {
            batches(bencher, ready.get(), Ready::fail_with_deadline, Ready::recover);
        });
        // Timed: exited, due, started, ready; four calls and all outputs.
        group.bench_function(BenchmarkId::new("round trip", n), |bencher| {
            batches(bencher, ready.get(), Ready::round_trips, Ready::rest);
        });
    }
}

fn features(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("set of 16");
    for (name, setup) in policies::features(FEATURES_AT) {
        let mut ready = Lazy::new(|| Ready::new(setup.clone()));
        group.bench_function(BenchmarkId::new("failure", name), |bencher| {
            batches(bencher, ready.get(), Ready::fail, Ready::recover);
        });
        group.bench_function(BenchmarkId::new("round trip", name), |bencher| {
            batches(bencher, ready.get(), Ready::round_trips, Ready::rest);
        });
    }
    // The first restart is immediate, so the failure also commands the start.
    let mut ready = Lazy::new(|| Ready::new(policies::recommended(FEATURES_AT)));
    group.bench_function(BenchmarkId::new("round trip", "recommended"), |bencher| {
        batches(bencher, ready.get(), Ready::round_trips, Ready::rest);
    });
}

fn deadline(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("next deadline");
    for n in [3, 256, 100_000] {
        group.bench_function(BenchmarkId::from_parameter(n), |bencher| {
            let mut ready = Ready::new(policies::flat(n));
            ready.fail(usize::MAX);
            let set = ready.set();
            bencher.iter(|| std::hint::black_box(&*set).next_deadline());
        });
    }
}

fn probes(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("probe");
    for n in [16, 1024] {
        let mut probed = Probed::new(n);
        probed.request();
        // Timed: `handle` of one successful answer. Not timed: requesting the next probes.
        group.bench_function(BenchmarkId::new("answer", n), |bencher| {
            batches(bencher, &mut probed, Probed::answer, |probed, done| {
                if done == n as usize {
                    probed.request();
                }
            });
        });
        // Timed, per probe: one call that requests all n probes, and their n answers.
        group.bench_function(BenchmarkId::new("question and answer", n), |bencher| {
            let timed = |probed: &mut Probed, _: usize| {
                probed.request();
                probed.answer(usize::MAX)
            };
            batches_of(bencher, &mut probed, n as usize, timed);
        });
    }
}

/// Timed, per set: one exit, the confirmed stops of the others, and all replicas due, started and ready.
fn whole_set(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("whole set");
    for n in [3, 16, 256, 1024] {
        let setup = policies::whole_set(n);
        let mut now = Timestamp::ZERO;
        let fresh = ready_set(&setup, 7, &mut now);
        group.bench_function(BenchmarkId::from_parameter(n), |bencher| {
            bencher.iter_batched_ref(
                || (fresh.clone(), now),
                |(set, now)| restart_all(set, now, n / 2),
                BatchSize::SmallInput,
            );
        });
    }
}
