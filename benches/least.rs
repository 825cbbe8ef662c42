//! What the code takes while nobody disturbs it, for a machine that others use too: there a median tells of them.
//!
//! Each row is timed in thousands of short batches, a few at a time in turn with the other rows, and told is the time
//! than which one batch in fifty is shorter. What is and is not timed stands with the rows of the same names in `wall/`.
#![allow(missing_docs, clippy::disallowed_methods, reason = "a benchmark reads the clock")]
#![allow(clippy::float_arithmetic, clippy::print_stdout, reason = "and prints fractions")]

use std::fmt::Display;
use std::time::{Duration, Instant};

use uphold_benches::floor::Floor;
use uphold_benches::policies::{self, Setup};
use uphold_benches::probed::Probed;
use uphold_benches::ready::Ready;
use uphold_benches::restless;
use uphold_benches::rows::{ROWS, Rows};

/// So many things are timed together, where there are so many.
const TOGETHER: usize = 64;
/// Each row has its turn so often,
const TURNS: usize = 100;
/// and so many batches at each.
const BATCHES: usize = 200;
/// A batch of the simulator is one run, of a millisecond or more.
const RUNS: usize = 4;
const EVENTS_A_RUN: u32 = 20_000;

/// How long something took, and how many of it were done.
type Batch = (Duration, usize);

struct Row {
    name: String,
    batches: usize,
    batch: Box<dyn FnMut() -> Batch>,
    /// Nanoseconds of one thing, in each batch.
    each: Vec<f64>,
}

impl Row {
    fn new(name: String, batches: usize, batch: impl FnMut() -> Batch + 'static) -> Self {
        Self { name, batches, batch: Box::new(batch), each: Vec::new() }
    }

    /// Times `does` with what it is done to, and not `after`.
    fn of<S: 'static>(
        name: String,
        mut state: S,
        does: impl Fn(&mut S, usize) -> usize + 'static,
        after: impl Fn(&mut S, usize) + 'static,
    ) -> Self {
        Self::new(name, BATCHES, move || {
            let begin = Instant::now();
            let done = does(&mut state, TOGETHER);
            let elapsed = begin.elapsed();
            after(&mut state, done);
            (elapsed, done)
        })
    }

    fn turn(&mut self) {
        for _ in 0..self.batches {
            let (elapsed, done) = (self.batch)();
            self.each.push(elapsed.as_nanos() as f64 / done as f64);
        }
    }

    fn least(&mut self) -> f64 {
        self.each.sort_by(f64::total_cmp);
        self.each[self.each.len() / 50]
    }
}

fn rows() -> Vec<Row> {
    let mut rows = Vec::new();
    for (name, setup) in policies::features(ROWS).into_iter().chain([("recommended", policies::recommended(ROWS))]) {
        rows.push(Row::of(format!("decide/{name}"), Rows::new(setup), Rows::fail, Rows::revive));
    }
    for n in [1, 3, 16, 256, 1024, 100_000, 1_000_000] {
        let touch = |floor: &mut Floor, count| {
            std::hint::black_box(floor.dependent(count));
            count
        };
        rows.push(Row::of(format!("floor/dependent touch/{n}"), Floor::new(n as usize), touch, |_, _| {}));
        rows.extend(fails_and_returns("set", n, &policies::flat(n)));
        let ready = Ready::new(policies::flat(n));
        rows.push(Row::of(format!("set/failure and deadline/{n}"), ready, Ready::fail_and_ask, Ready::recover));
    }
    for (name, setup) in policies::features(16) {
        rows.extend(fails_and_returns("set of 16", name, &setup));
    }
    let ready = Ready::new(policies::recommended(16));
    rows.push(Row::of("set of 16/round trip/recommended".to_owned(), ready, Ready::round_trips, Ready::rest));
    for n in [16, 1024] {
        let mut probed = Probed::new(n);
        rows.push(Row::new(format!("probe/question and answer/{n}"), BATCHES, move || {
            let begin = Instant::now();
            probed.ask();
            let done = probed.answers(usize::MAX);
            (begin.elapsed(), done)
        }));
    }
    for n in [3, 1000] {
        let policy = restless::policy(n);
        rows.push(Row::new(format!("simulator/event/{n}"), RUNS, move || {
            let begin = Instant::now();
            let run = restless::run(&policy, EVENTS_A_RUN.div_ceil(n));
            (begin.elapsed(), run.stats().events as usize)
        }));
    }
    rows
}

fn fails_and_returns(group: &str, name: impl Display, setup: &Setup) -> [Row; 2] {
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
