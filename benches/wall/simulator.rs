//! The throughput of the simulator, in events.
//!
//! Times a whole run, with statistics only, of replicas that crash at random after 20 to 40 s, take 0.5 s to start and
//! 1 s to become ready, and are restarted after 10 s. One iteration is one event of the set: three for each start. The
//! timeout of each restart is not counted.

use std::time::Instant;

use criterion::{BenchmarkId, Criterion, Throughput};
use uphold_benches::crashing;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("simulator");
    group.throughput(Throughput::Elements(1));
    for n in [3, 1000] {
        let policy = crashing::policy(n);
        group.bench_function(BenchmarkId::new("event", n), |bencher| {
            bencher.iter_custom(|iters| {
                let cycles = iters / crashing::EVENTS_PER_CYCLE / u64::from(n);
                let cycles = cycles.clamp(10, u64::from(u32::MAX)) as u32;
                let begin = Instant::now();
                let run = crashing::run(&policy, cycles);
                begin.elapsed().mul_f64(iters as f64 / run.stats().events as f64)
            });
        });
    }
}
