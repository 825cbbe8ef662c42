//! 100,000 sets of 3 replicas, driven from one queue of deadlines.
//!
//! Timed: taking the next crash or deadline off the queue, telling its set, obeying what it commands (a started
//! replica is ready at once), queueing its next deadline and the next crash. One iteration is one call of `handle` or
//! `handle_timeout`; each replica crashes after 10 min on average.

use std::time::{Duration, Instant};

use criterion::Criterion;
use uphold_benches::fleet::Fleet;
use uphold_benches::policies;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("fleet");
    let mut fleet = Fleet::new(&policies::flat(3).policy, 100_000, Duration::from_secs(600));
    fleet.run(600_000);
    group.bench_function("100000 sets of 3", |bencher| {
        bencher.iter_custom(|iters| {
            let begin = Instant::now();
            let mut done = 0;
            while done < iters {
                done += fleet.run(1024.min(iters - done));
            }
            begin.elapsed().mul_f64(iters as f64 / done as f64)
        });
    });
}
