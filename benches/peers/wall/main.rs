//! The same work through other crates and through uphold. Each module says what it times.
#![allow(clippy::disallowed_methods, missing_docs, reason = "a benchmark reads the clock")]

mod budgets;
mod pacing;
mod processes;
mod restarts;

use std::time::Duration;

use criterion::Criterion;

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(2000))
        .sample_size(20)
        .configure_from_args();
    pacing::bench(&mut criterion);
    budgets::bench(&mut criterion);
    restarts::bench(&mut criterion);
    criterion.final_summary();
    processes::compare_if_asked();
}
