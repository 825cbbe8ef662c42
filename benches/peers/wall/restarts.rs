//! A run fails and is restarted, one restart after the other, on a current-thread runtime: time per restart.
//!
//! Every delay and jitter is zero. Each run fails at once with an error; nothing panics. Timed: from one failure to the
//! next. Not timed: the runtime, the supervisor and the start of the first run.

use criterion::{Criterion, SamplingMode};
use uphold_peers::laps::restarts;
use uphold_peers::{by_kameo, by_ractor, by_task_supervisor, by_taskvisor, by_tokio, by_uphold};

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("restart");
    group.sample_size(10).sampling_mode(SamplingMode::Flat);
    macro_rules! row {
        ($name:literal, $supervise:expr) => {
            group.bench_function($name, |bencher| bencher.iter_custom(|iters| restarts(iters, $supervise)));
        };
    }
    // The floor: no supervisor at all.
    row!("tokio spawn and join", by_tokio::supervise);
    // The supervisor awaits the run in its own task and spawns nothing.
    row!("taskvisor", by_taskvisor::supervise);
    // The actor's task ends and another is spawned.
    row!("kameo", by_kameo::supervise);
    // It sets a timer for 0 s, and tokio rounds timers up to the next millisecond.
    row!("task-supervisor", by_task_supervisor::supervise);
    row!("ractor-supervisor, actor", by_ractor::supervise);
    // It sleeps for 10 ms before each restart in every configuration.
    row!("ractor-supervisor, task", by_ractor::supervise_task);
    // A task for each run, as with the other crates: reported ready, then ended.
    row!("uphold, one task per run", by_uphold::supervise);
    // The same without a task: from the failure reported to the next start.
    row!("uphold, no-op backend", by_uphold::supervise_no_op);
}
