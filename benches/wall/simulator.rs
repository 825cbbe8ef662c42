//! The simulator: how many events of a simulated world it gets through.
//!
//! Timed: a whole run, figures only, of replicas that crash after 20 to 40 s by chance, take 0.5 s to start and 1 s to
//! become ready, and are restarted after 10 s. One iteration is one event that the set is told: three for each start.

use std::time::{Duration, Instant};

use criterion::{BenchmarkId, Criterion, Throughput};
use uphold::sim::{Environment, Life, Simulation};
use uphold::{Outcome, Policy, RetryPolicy, Start, Timestamp};
use uphold_benches::shuffle::Random;

struct Restless(Random);

impl Environment for Restless {
    fn life(&mut self, _start: &Start, _at: Timestamp, _under_way: u32) -> Life {
        let runs = Duration::from_millis(20_000 + self.0.below(20_000));
        let life = Life::new(Duration::from_millis(500)).ready(Duration::from_secs(1));
        life.ends(runs, Outcome::exited(1, Timestamp::ZERO))
    }
}

/// From one start of a replica to the next.
const CYCLE: Duration = Duration::from_millis(40_500);
const EVENTS_A_CYCLE: u64 = 3;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("simulator");
    group.throughput(Throughput::Elements(1));
    for n in [3, 1000] {
        let policy = Policy::builder().replicas(n).retry(RetryPolicy::every(Duration::from_secs(10))).build();
        let policy = policy.expect("a valid policy");
        group.bench_function(BenchmarkId::new("event", n), |bencher| {
            bencher.iter_custom(|iters| {
                let cycles = (iters / EVENTS_A_CYCLE / u64::from(n)).clamp(10, u64::from(u32::MAX)) as u32;
                let simulation = Simulation::new(policy.clone()).figures_only();
                let begin = Instant::now();
                let run = simulation.run_in(&mut Restless(Random::new(7)), CYCLE * cycles).expect("it runs");
                begin.elapsed().mul_f64(iters as f64 / run.figures().events as f64)
            });
        });
    }
}
