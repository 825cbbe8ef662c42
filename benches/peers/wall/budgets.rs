//! One withdrawal from a budget: one of 500,000,000 a second, which is never empty, and an empty one.
//!
//! Timed: one call. The other crates read the clock in it; uphold takes the time as an argument, and has a second row that
//! reads the clock. uphold also checks the other gates: incident, concurrency, owner.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::time::{Duration, Instant};

use criterion::measurement::WallTime;
use criterion::{BenchmarkGroup, Criterion};
use governor::{Quota, RateLimiter};
use tower::retry::budget::{Budget as _, TpsBudget};
use uphold::decide::{Admission, Census, DueStart, SetHistory};
use uphold::policy::Budget;
use uphold::{FailurePolicy, Policy, RetryPolicy, Timestamp};

/// The tokens of the budget that is never empty, refilled within 2 ms.
const PLENTY: u32 = 1_000_000;
const REFILL: Duration = Duration::from_millis(2);
const PER_SECOND: u32 = 500 * PLENTY;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("budget");
    for empty in [false, true] {
        tower(&mut group, empty);
        governor(&mut group, empty);
        ours(&mut group, empty);
    }
}

fn row(group: &mut BenchmarkGroup<'_, WallTime>, name: &str, empty: bool, mut withdraw: impl FnMut() -> bool) {
    let state = if empty { "empty" } else { "has room" };
    group.bench_function(format!("{state}/{name}"), |bencher| {
        bencher.iter(|| assert_eq!(withdraw(), !empty));
    });
}

/// A budget over one second, the shortest possible, that retries only from its reserve.
fn tower(group: &mut BenchmarkGroup<'_, WallTime>, empty: bool) {
    let budget = TpsBudget::new(Duration::from_secs(1), if empty { 0 } else { PER_SECOND }, 0.0);
    row(group, "tower", empty, || black_box(&budget).withdraw());
}

/// The direct, unkeyed limiter, with its own fast clock.
fn governor(group: &mut BenchmarkGroup<'_, WallTime>, empty: bool) {
    let rate = |tokens| NonZeroU32::new(tokens).expect("it is not 0");
    let quota = if empty {
        Quota::with_period(Duration::from_secs(86_400)).expect("it is not 0")
    } else {
        Quota::per_second(rate(PER_SECOND)).allow_burst(rate(PLENTY))
    };
    let limiter = RateLimiter::direct(quota);
    if empty {
        let _ = limiter.check();
    }
    row(group, "governor", empty, || black_box(&limiter).check().is_ok());
}

fn ours(group: &mut BenchmarkGroup<'_, WallTime>, empty: bool) {
    let budget = if empty { Budget::new(1, Duration::from_secs(86_400)) } else { Budget::new(PLENTY, REFILL) };
    let policy = Policy::builder()
        .replicas(3)
        .retry(RetryPolicy::every(Duration::from_secs(1)))
        .failure(FailurePolicy::new().budget(budget))
        .build()
        .expect("a valid policy");
    let census = Census { available: 2, failed: 1, live: 2, ..Census::default() };
    let mut set = SetHistory::new(Timestamp::ZERO);
    let mut admit = |now| {
        let start = DueStart::restart(1.into(), true);
        policy.admit(black_box(&mut set), black_box(&census), start, now) == Admission::Start
    };
    if empty {
        admit(Timestamp::ZERO);
    }
    let mut now = Timestamp::ZERO;
    row(group, "uphold", empty, || {
        now = now + Duration::from_nanos(10);
        admit(now)
    });
    let (began, last) = (Instant::now(), now);
    row(group, "uphold and the clock", empty, || admit(last + began.elapsed()));
}
