//! Wall time. Each module says what it times.
#![allow(missing_docs, clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![allow(clippy::float_arithmetic, clippy::print_stdout, reason = "and prints fractions")]

mod decide;
mod floor;
mod lab;
mod many_sets;
mod policy;
mod set;
mod simulator;
mod slots;
mod snapshot;

use std::time::{Duration, Instant};

use criterion::{Bencher, Criterion};

/// A value that several rows share, created when the first of them runs.
struct Lazy<T, F>(Option<T>, F);

impl<T, F: Fn() -> T> Lazy<T, F> {
    fn new(create: F) -> Self {
        Self(None, create)
    }

    fn get(&mut self) -> &mut T {
        self.0.get_or_insert_with(&self.1)
    }
}

/// Times `timed` until it has done `iters` operations. `untimed` restores the state in between.
fn batches<S>(
    bencher: &mut Bencher<'_>,
    state: &mut S,
    timed: impl Fn(&mut S, usize) -> usize,
    untimed: impl Fn(&mut S, usize),
) {
    bencher.iter_custom(|iters| {
        let mut left = iters as usize;
        let mut elapsed = Duration::ZERO;
        while left > 0 {
            let begin = Instant::now();
            let done = timed(state, left);
            elapsed += begin.elapsed();
            untimed(state, done);
            left -= done;
        }
        elapsed
    });
}

/// Like `batches`, for operations that come n at a time.
fn batches_of<S>(bencher: &mut Bencher<'_>, state: &mut S, n: usize, timed: impl Fn(&mut S, usize) -> usize) {
    bencher.iter_custom(|iters| {
        let begin = Instant::now();
        let mut done = 0;
        while done < iters as usize {
            done += timed(state, n);
        }
        begin.elapsed().mul_f64(iters as f64 / done as f64)
    });
}

fn main() {
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(300))
        .measurement_time(Duration::from_millis(1500))
        .sample_size(20)
        .configure_from_args();
    many_sets::bench(&mut criterion);
    floor::bench(&mut criterion);
    decide::bench(&mut criterion);
    set::bench(&mut criterion);
    slots::bench(&mut criterion);
    snapshot::bench(&mut criterion);
    policy::bench(&mut criterion);
    lab::bench(&mut criterion);
    simulator::bench(&mut criterion);
    criterion.final_summary();
}
