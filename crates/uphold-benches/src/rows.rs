//! Histories of single replicas, for calls of `decide()` alone.

use uphold::decide::History;
use uphold::{Decision, Outcome, Timestamp, Verdict};

use crate::policies::{LATE, Setup};

/// The number of histories.
pub const ROWS: u32 = 64;

/// Histories of live replicas that have failed before.
#[derive(Debug)]
pub struct Rows {
    setup: Setup,
    histories: Vec<History>,
    cursor: usize,
    now: Timestamp,
}

impl Rows {
    /// Creates the histories.
    pub fn new(setup: Setup) -> Self {
        let histories = (0..ROWS).map(|replica| History::new(7, replica.into())).collect();
        let mut rows = Self { setup, histories, cursor: 0, now: Timestamp::ZERO };
        rows.begin(0, ROWS as usize);
        for _ in 0..2 {
            let done = rows.fail(ROWS as usize);
            rows.restart(done);
        }
        rows
    }

    /// Untimed: starts the next incarnation of the replicas that failed last.
    pub fn restart(&mut self, failed: usize) {
        self.begin(self.cursor, failed);
        self.cursor = (self.cursor + failed) % self.histories.len();
        if self.now > LATE {
            *self = Self::new(self.setup.clone());
        }
    }

    fn begin(&mut self, from: usize, count: usize) {
        for history in &mut self.histories[from..][..count] {
            self.setup.policy.start(history, self.now);
            self.setup.policy.record_ready(history, self.now);
        }
        self.now = self.now + self.setup.rest;
    }

    /// Timed: makes the next `count` replicas fail. Returns how many did.
    #[inline(never)]
    pub fn fail(&mut self, count: usize) -> usize {
        let rows = &mut self.histories[self.cursor..];
        let count = count.min(rows.len());
        // Always 0, but unknown to the processor before the decision, so that calls do not overlap.
        let mut twist = 0;
        for place in 0..count {
            self.now = self.now + self.setup.step;
            let outcome = Outcome::exited(137, self.now);
            let decision = self.setup.policy.decide(&mut rows[place ^ twist], &outcome);
            let Ok(Decision { verdict: Verdict::Restart(restart), .. }) = std::hint::black_box(&decision) else {
                panic!("{decision:?}")
            };
            twist = usize::from(restart.due_after(self.now) < self.now);
        }
        count
    }
}
