//! Snapshots: taking, writing, reading and restoring them. Half of the replicas have failed and wait.

use criterion::{BenchmarkId, Criterion};
use uphold::ReplicaSet;
use uphold::engine::Snapshot;
use uphold_benches::policies;
use uphold_benches::ready::Ready;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("snapshot");
    for n in [3, 1024] {
        let setup = policies::window(n);
        let mut ready = Ready::new(setup.clone());
        ready.fail(n as usize / 2);
        let now = ready.now();
        let set = ready.set();
        let snapshot = set.snapshot();
        let text = serde_json::to_vec(&snapshot).expect("a snapshot serialises");
        group.bench_function(BenchmarkId::new("take", n), |bencher| bencher.iter(|| set.snapshot()));
        group.bench_function(BenchmarkId::new("write as JSON", n), |bencher| {
            bencher.iter(|| serde_json::to_vec(&snapshot));
        });
        group.bench_function(BenchmarkId::new("read from JSON", n), |bencher| {
            bencher.iter(|| serde_json::from_slice::<Snapshot>(&text));
        });
        group.bench_function(BenchmarkId::new("restore", n), |bencher| {
            bencher.iter_batched(
                || snapshot.clone(),
                |snapshot| ReplicaSet::restore(setup.policy.clone(), snapshot, now),
                criterion::BatchSize::SmallInput,
            );
        });
    }
}
