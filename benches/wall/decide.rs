//! `decide()`: one failure of one row.
//!
//! Timed: making the outcome, judging it, dropping the decision. Not timed: starting the next incarnation. The rows
//! are 64 histories, each failed once per batch; the next one is known when the last decision is.

use criterion::Criterion;
use uphold_benches::policies;
use uphold_benches::rows::{ROWS, Rows};

use super::batches;

pub(crate) fn bench(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("decide");
    for (name, setup) in policies::features(ROWS).into_iter().chain([("recommended", policies::recommended(ROWS))]) {
        let mut rows = Rows::new(setup);
        group.bench_function(name, |bencher| {
            batches(bencher, &mut rows, Rows::fail, Rows::revive);
        });
    }
}
