//! The next delay of an exponential backoff: 1 s, times 2, at most 60 s; ten delays of a streak, then a new streak.
//!
//! Timed in every row, per delay: the beginning of the streak and ten delays. uphold does more: `decide` matches rules,
//! counts limits, keeps the streak and gives a reason, and `start` begins the next incarnation.

use std::hint::black_box;
use std::time::{Duration, Instant};

use backon::{BackoffBuilder, ExponentialBuilder};
use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use taskvisor::{BackoffPolicy, JitterPolicy};
use uphold::decide::History;
use uphold::{Backoff, Jitter, Outcome, Policy, RetryPolicy, Timestamp, Verdict};

const STREAK: u32 = 10;
const FIRST: Duration = Duration::from_secs(1);
const CAP: Duration = Duration::from_secs(60);

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("next delay");
    group.throughput(criterion::Throughput::Elements(1));
    for jitter in [false, true] {
        backon(&mut group, jitter);
        exponential_backoff(&mut group, jitter);
        taskvisor(&mut group, jitter);
        ours(&mut group, jitter);
    }
}

fn row(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, jitter: bool, mut streak: impl FnMut()) {
    let name = format!("{}/{name}", if jitter { "jitter" } else { "no jitter" });
    group.bench_function(name, |bencher| {
        bencher.iter_custom(|iters| {
            let streaks = iters.div_ceil(STREAK.into());
            let began = Instant::now();
            for _ in 0..streaks {
                streak();
            }
            began.elapsed().mul_f64(iters as f64 / (streaks * u64::from(STREAK)) as f64)
        });
    });
}

/// Its jitter adds up to the whole delay, even beyond the cap.
fn backon(group: &mut BenchmarkGroup<'_, WallTime>, jitter: bool) {
    let settings =
        ExponentialBuilder::new().with_min_delay(FIRST).with_factor(2.0).with_max_delay(CAP).without_max_times();
    let settings = if jitter { settings.with_jitter() } else { settings };
    row(group, "backon", jitter, || {
        let mut delays = black_box(settings).build();
        for _ in 0..STREAK {
            black_box(delays.next());
        }
    });
}

/// Its jitter adds or subtracts up to a share of the delay, here 0.5.
fn exponential_backoff(group: &mut BenchmarkGroup<'_, WallTime>, jitter: bool) {
    let mut settings = exponential_backoff::Backoff::new(u32::MAX, FIRST, CAP);
    settings.set_factor(2);
    settings.set_jitter(if jitter { 0.5 } else { 0.0 });
    row(group, "exponential-backoff", jitter, || {
        let mut delays = black_box(&settings).iter();
        for _ in 0..STREAK {
            black_box(delays.next());
        }
    });
}

/// It keeps no state: the caller counts the retries.
fn taskvisor(group: &mut BenchmarkGroup<'_, WallTime>, jitter: bool) {
    let jittered = if jitter { JitterPolicy::Equal } else { JitterPolicy::None };
    let settings = BackoffPolicy::exponential(FIRST).with_max(CAP).with_jitter(jittered);
    row(group, "taskvisor", jitter, || {
        for retry in 0..STREAK {
            black_box(black_box(&settings).delay_for_retry(retry));
        }
    });
}

/// A new `History`, then ten times `start`, `record_ready` and `decide`.
fn ours(group: &mut BenchmarkGroup<'_, WallTime>, jitter: bool) {
    let jittered = if jitter { Jitter::Equal } else { Jitter::None };
    let retry = RetryPolicy::every(FIRST).backoff(Backoff::exponential()).max_interval(CAP).jitter(jittered);
    let policy = Policy::builder().replicas(3).retry(retry).build().expect("a valid policy");
    row(group, "uphold", jitter, || {
        let mut history = History::new(7, 1.into());
        let mut now = Timestamp::ZERO;
        for _ in 0..STREAK {
            policy.start(&mut history, now);
            policy.record_ready(&mut history, now);
            now = now + FIRST;
            let decision = policy.decide(&mut history, &Outcome::exited(137, now)).expect("it is live");
            let Verdict::Restart(restart) = black_box(&decision).verdict else { panic!("{decision}") };
            now = restart.due_after(now);
        }
    });
}
