//! The clock of `progress_deadline`.

use serde::{Deserialize, Serialize};

use crate::policy::retry_schedule::FOREVER;
use crate::time::Timestamp;

/// How long a rollout has been without progress.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(super) struct ProgressClock {
    /// Up to when it last stood, in nanoseconds.
    spent: u64,
    /// Since when it runs; `None`: it stands.
    since: Option<Timestamp>,
}

impl ProgressClock {
    /// Lets it run, or stand.
    pub(super) fn run(&mut self, runs: bool, now: Timestamp) {
        match self.since {
            None if runs => self.since = Some(now),
            Some(since) if !runs => {
                self.spent = self.spent.saturating_add(now.nanos_since(since));
                self.since = None;
            }
            _ => {}
        }
    }

    /// Begins anew; a clock that stands goes on standing.
    pub(super) fn restart(&mut self, now: Timestamp) {
        self.spent = 0;
        self.since = self.since.map(|_| now);
    }

    pub(super) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        self.since = self.since.map(by);
    }

    /// When it reaches `deadline`.
    pub(super) fn ends_at(&self, deadline: u64) -> Timestamp {
        match self.since {
            Some(since) if deadline != FOREVER => since.plus_nanos(deadline.saturating_sub(self.spent)),
            _ => Timestamp::NEVER,
        }
    }
}
