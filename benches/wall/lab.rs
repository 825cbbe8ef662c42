//! Experiments of the lab, with their fault models.
//!
//! Timed: one history on one core, from the first start to the end. `a year of 1000` is a year of 1,000 replicas that
//! fail once a day on average (exponential), take 20 s to start and 2 min to become ready: 365,000 failures, each with a
//! verdict, a delay, a start and readiness. `a seed of an experiment` is one seed of a small experiment, with its metrics:
//! 30 days of 3 replicas under two policies.

use std::hint::black_box;
use std::num::NonZero;
use std::time::{Duration, Instant};

use criterion::Criterion;
use uphold::sim::Simulation;
use uphold::{Policy, RetryPolicy};
use uphold_lab::experiment::{Experiment, RunOptions};
use uphold_lab::fault::{Distribution, FailureMode, FaultModel};

const DAY: Duration = Duration::from_secs(86_400);

fn model() -> FaultModel {
    let to_failure = Distribution::exponential(DAY).expect("a day is not zero");
    FaultModel::new()
        .starts_in(Duration::from_secs(20))
        .ready_in(Duration::from_secs(120))
        .failure(FailureMode::new(to_failure))
}

fn policy(replicas: u32, interval: u64) -> Policy {
    let retry = RetryPolicy::every(Duration::from_secs(interval));
    Policy::builder().replicas(replicas).retry(retry).build().expect("a policy")
}

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("lab");
    group.sample_size(10);
    let (model, thousand) = (model(), policy(1000, 10));
    group.bench_function("a year of 1000", |bencher| {
        bencher.iter(|| {
            let simulation = Simulation::new(thousand.clone()).stats_only();
            let run = simulation.run_in(&mut model.environment(7, 1000), 365 * DAY);
            assert!(run.expect("a run").stats().events > 1_000_000);
        });
    });
    let small = Experiment::new(model.clone(), 30 * DAY).policy("fast", policy(3, 1)).policy("slow", policy(3, 60));
    group.bench_function("a seed of an experiment", |bencher| {
        bencher.iter_custom(|iters| {
            let experiment = small.clone().seeds(iters);
            let begin = Instant::now();
            let _ = black_box(experiment.run_with(&RunOptions::new().threads(NonZero::<usize>::MIN)));
            begin.elapsed()
        });
    });
    group.finish();
}
