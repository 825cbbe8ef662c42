//! Wall time on a machine with other load, where a median mostly measures that load.
//!
//! Each row is timed in thousands of short batches, interleaved with the other rows. The result is the 2nd percentile. The
//! rows of the same names in `wall/` say what is timed.
#![allow(missing_docs, clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![allow(clippy::float_arithmetic, clippy::print_stdout, reason = "and prints fractions")]

use std::fmt::Display;
use std::time::{Duration, Instant};

use uphold_benches::crashing;
use uphold_benches::floor::Floor;
use uphold_benches::policies::{self, Setup};
use uphold_benches::probed::Probed;
use uphold_benches::ready::Ready;
use uphold_benches::rows::{ROWS, Rows};
use uphold_benches::slots::{Covered, Drained, Rolling};

/// Operations in one batch, if there are as many.
const BATCH_SIZE: usize = 64;
/// Turns of each row.
const TURNS: usize = 100;
/// Batches of a row in one turn.
const BATCHES: usize = 200;
/// Simulator runs in one turn; each is a batch of at least a millisecond.
const RUNS: usize = 4;
const EVENTS_A_RUN: u32 = 20_000;

/// The duration of a batch, and the number of operations in it.
type Batch = (Duration, usize);

struct Row {
    name: String,
    batches: usize,
    batch: Box<dyn FnMut() -> Batch>,
    /// Nanoseconds per operation, for each batch.
    samples: Vec<f64>,
}

impl Row {
    fn new(name: String, batches: usize, batch: impl FnMut() -> Batch + 'static) -> Self {
        Self { name, batches, batch: Box::new(batch), samples: Vec::new() }
    }

    /// Returns a row that times `timed`, and then runs `untimed` to restore the state.
    fn of<S: 'static>(
        name: String,
        mut state: S,
        timed: impl Fn(&mut S, usize) -> usize + 'static,
        untimed: impl Fn(&mut S, usize) + 'static,
    ) -> Self {
        Self::new(name, BATCHES, move || {
            let begin = Instant::now();
            let done = timed(&mut state, BATCH_SIZE);
            let elapsed = begin.elapsed();
            untimed(&mut state, done);
            (elapsed, done)
        })
    }

    fn turn(&mut self) {
        for _ in 0..self.batches {
            let (elapsed, done) = (self.batch)();
            self.samples.push(elapsed.as_nanos() as f64 / done as f64);
        }
    }

    /// Returns the 2nd percentile.
    fn least(&mut self) -> f64 {
        self.samples.sort_by(f64::total_cmp);
        self.samples[self.samples.len() / 50]
    }
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, setup) in policies::features(ROWS).into_iter().chain([("recommended", policies::recommended(ROWS))]) {
        rows.push(Row::of(format!("decide/{name}"), Rows::new(setup), Rows::fail, Rows::restart));
    }
    for n in [1, 3, 16, 256, 1024, 100_000, 1_000_000] {
        let touch = |floor: &mut Floor, count| {
            std::hint::black_box(floor.dependent(count));
            count
        };
        rows.push(Row::of(format!("floor/dependent touch/{n}"), Floor::new(n as usize), touch, |_, _| {}));
        rows.extend(failure_and_round_trip("set", n, &policies::flat(n)));
        let ready = Ready::new(policies::flat(n));
        rows.push(Row::of(format!("set/failure and deadline/{n}"), ready, Ready::fail_with_deadline, Ready::recover));
    }
    for (name, setup) in policies::features(16) {
        rows.extend(failure_and_round_trip("set of 16", name, &setup));
    }
    let ready = Ready::new(policies::recommended(16));
    rows.push(Row::of("set of 16/round trip/recommended".to_owned(), ready, Ready::round_trips, Ready::rest));
    for n in [1000, 10_000, 100_000] {
        rows.push(Row::of(format!("rollout/in place/{n}"), Rolling::in_place(n), Rolling::replace, Rolling::rest));
        rows.push(Row::of(format!("rollout/surge/{n}"), Rolling::with_surge(n), Rolling::replace, Rolling::rest));
    }
    let drain = |drained: &mut Drained, _| drained.drain();
    rows.push(Row { batches: 1, ..Row::of("drain/10000".to_owned(), Drained::new(10_000), drain, |_, _| {}) });
    rows.push(Row::of("set of 16/failure/standby".to_owned(), Covered::new(), Covered::fail, Covered::recover));
    for n in [16, 1024] {
        let mut probed = Probed::new(n);
        rows.push(Row::new(format!("probe/question and answer/{n}"), BATCHES, move || {
            let begin = Instant::now();
            probed.request();
            let done = probed.answer(usize::MAX);
            (begin.elapsed(), done)
        }));
    }
    for n in [3, 1000] {
        let policy = crashing::policy(n);
        rows.push(Row::new(format!("simulator/event/{n}"), RUNS, move || {
            let begin = Instant::now();
            let run = crashing::run(&policy, EVENTS_A_RUN.div_ceil(n));
            (begin.elapsed(), run.stats().events as usize)
        }));
    }
    rows
}

fn failure_and_round_trip(group: &str, name: impl Display, setup: &Setup) -> [Row; 2] {
    let ready = || Ready::new(setup.clone());
    [
        Row::of(format!("{group}/failure/{name}"), ready(), Ready::fail, Ready::recover),
        Row::of(format!("{group}/round trip/{name}"), ready(), Ready::round_trips, Ready::rest),
    ]
}

fn main() {
    let mut rows = rows();
    for _ in 0..TURNS {
        rows.iter_mut().for_each(Row::turn);
    }
    for row in &mut rows {
        let least = row.least();
        println!("{:<36}{least:8.1} ns", row.name);
    }
}
