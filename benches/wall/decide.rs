//! `decide()`: one failure of one row.
//!
//! Timed: creating the outcome, deciding, dropping the decision. Not timed: starting the next incarnation. Each of 64
//! histories fails once per batch. The index of the next one depends on the last decision, so that calls do not overlap.

use criterion::Criterion;
use uphold_benches::policies;
use uphold_benches::rows::{ROWS, Rows};

use super::batches;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide");
    for (name, setup) in policies::features(ROWS).into_iter().chain([("recommended", policies::recommended(ROWS))]) {
        let mut rows = Rows::new(setup);
        group.bench_function(name, |bencher| {
            batches(bencher, &mut rows, Rows::fail, Rows::restart);
        });
    }
}
