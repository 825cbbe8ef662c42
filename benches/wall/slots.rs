//! Rollouts, drains, and failures that a standby covers. The commands of the set are executed at once.

use criterion::{BenchmarkId, Criterion};
use uphold_benches::slots::{Covered, Drained, Rolling};

use super::{Lazy, batches, batches_of};

pub(crate) fn bench(criterion: &mut Criterion) {
    // Timed, per slot that a rollout replaces, one at a time: stopped, ended, started, ready. Not timed: the beginning and the
    // end of the rollout, which look at every slot.
    let mut group = criterion.benchmark_group("rollout");
    for n in [1000, 10_000, 100_000] {
        for (name, create) in [("in place", Rolling::in_place as fn(u32) -> Rolling), ("surge", Rolling::with_surge)] {
            let mut rolling = Lazy::new(|| create(n));
            group.bench_function(BenchmarkId::new(name, n), |bencher| {
                batches(bencher, rolling.get(), Rolling::replace, Rolling::rest);
            });
        }
    }
    group.finish();
    // Timed, per replica: one request that drains 10,000 of 20,000 replicas, until each has started again elsewhere.
    let mut drained = Lazy::new(|| Drained::new(10_000));
    criterion.bench_function("drain/10000", |bencher| {
        batches_of(bencher, drained.get(), 10_000, |drained, _| drained.drain());
    });
    // Timed: `handle` of an exit, and the outputs read. The standby takes over, and another one is started.
    let mut covered = Lazy::new(Covered::new);
    criterion.bench_function("set of 16/failure/standby", |bencher| {
        batches(bencher, covered.get(), Covered::fail, Covered::recover);
    });
}
