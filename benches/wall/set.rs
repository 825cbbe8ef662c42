//! Failures and restarts through a `ReplicaSet`.
//!
//! Every replica of a ready set fails once, in shuffled order, the next when the outputs of the last have been read;
//! then, untimed, all are brought up again and rest until their streaks are over. Of sets smaller than 64 there are
//! so many that 64 replicas fail between two looks at the clock; of large sets 16384 fail at a time.

use criterion::{BatchSize, BenchmarkId, Criterion};
use uphold::Timestamp;
use uphold_benches::policies;
use uphold_benches::probed::Probed;
use uphold_benches::ready::{Ready, ready_set, restart_all};

use super::{Made, batches};

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
        let mut ready = Made::new(|| Ready::new(policies::flat(n)));
        // Timed: `handle` of an exit, and the outputs drained.
        group.bench_function(BenchmarkId::new("failure", n), |bencher| {
            batches(bencher, ready.get(), Ready::fail, Ready::recover);
        });
        // The same, with outputs that are polled.
        group.bench_function(BenchmarkId::new("failure, polled", n), |bencher| {
            batches(bencher, ready.get(), Ready::fail_and_poll, Ready::recover);
        });
        // The first, and the next deadline asked for.
        group.bench_function(BenchmarkId::new("failure and deadline", n), |bencher| {
            batches(bencher, ready.get(), Ready::fail_and_ask, Ready::recover);
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
        let mut ready = Made::new(|| Ready::new(setup.clone()));
        group.bench_function(BenchmarkId::new("failure", name), |bencher| {
            batches(bencher, ready.get(), Ready::fail, Ready::recover);
        });
        group.bench_function(BenchmarkId::new("round trip", name), |bencher| {
            batches(bencher, ready.get(), Ready::round_trips, Ready::rest);
        });
    }
    // Its first restart is at once: the failure commands the start too.
    let mut ready = Made::new(|| Ready::new(policies::recommended(FEATURES_AT)));
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
        probed.ask();
        // Timed: `handle` of one good answer. Not timed: asking for the next.
        group.bench_function(BenchmarkId::new("answer", n), |bencher| {
            batches(bencher, &mut probed, Probed::answers, |probed, done| {
                if done == n as usize {
                    probed.ask();
                }
            });
        });
        // Timed: one call that asks all n, and their n answers, per probe.
        group.bench_function(BenchmarkId::new("question and answer", n), |bencher| {
            let timed = |probed: &mut Probed, _: usize| {
                probed.ask();
                probed.answers(usize::MAX)
            };
            batches_of(bencher, &mut probed, n as usize, timed);
        });
    }
}

/// For what is done for n things at a time.
fn batches_of<S>(
    bencher: &mut criterion::Bencher<'_>,
    state: &mut S,
    n: usize,
    timed: impl Fn(&mut S, usize) -> usize,
) {
    bencher.iter_custom(|iters| {
        let begin = std::time::Instant::now();
        let mut done = 0;
        while done < iters as usize {
            done += timed(state, n);
        }
        begin.elapsed().mul_f64(iters as f64 / done as f64)
    });
}

/// Timed: one exit, the stops of the others confirmed, all due, started and ready. Per set, not per replica.
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
