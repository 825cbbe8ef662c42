//! How the simulated world behaves: how long things take, and what replicas do by themselves.

use std::time::Duration;

use crate::engine::ProbeKind;
use crate::policy::{Cause, Exit};
use crate::time::Timestamp;

/// How long the simulated backend takes; all default to nothing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub struct World {
    pub(super) start: Duration,
    pub(super) ready: Duration,
    pub(super) stop: Duration,
}

impl World {
    /// A backend that takes no time for anything.
    pub fn new() -> Self {
        Self::default()
    }

    /// From the command to start until it runs.
    pub fn start(mut self, duration: Duration) -> Self {
        self.start = duration;
        self
    }

    /// From when it runs until it can serve.
    pub fn ready(mut self, duration: Duration) -> Self {
        self.ready = duration;
        self
    }

    /// From the command to stop until it has.
    pub fn stop(mut self, duration: Duration) -> Self {
        self.stop = duration;
        self
    }
}

/// What replicas do by themselves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Behaviour {
    pub(super) what: What,
    pub(super) replica: Option<u32>,
    pub(super) times: Option<u64>,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum What {
    Runs { runs: Duration, exit: Exit },
    StartFails(Cause),
    ProbeFails(ProbeKind),
}

impl Behaviour {
    fn new(what: What) -> Self {
        Self { what, replica: None, times: None, from: Timestamp::ZERO, to: Timestamp::MAX }
    }

    /// Each incarnation runs for this long and then exits so, counted from when it runs.
    pub fn runs(runs: Duration, exit: Exit) -> Self {
        Self::new(What::Runs { runs, exit })
    }

    /// Each start fails.
    pub fn start_fails(cause: Cause) -> Self {
        Self::new(What::StartFails(cause))
    }

    /// This probe fails.
    pub fn probe_fails(probe: ProbeKind) -> Self {
        Self::new(What::ProbeFails(probe))
    }

    /// Of this replica alone. Default: of all.
    pub fn of(mut self, replica: u32) -> Self {
        self.replica = Some(replica);
        self
    }

    /// Of its first so many incarnations. Default: always.
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// From this time on, included. Default: from the start.
    pub fn from(mut self, from: Duration) -> Self {
        self.from = Timestamp::ZERO + from;
        self
    }

    /// Until this time, excluded. Default: for ever.
    pub fn to(mut self, to: Duration) -> Self {
        self.to = Timestamp::ZERO + to;
        self
    }

    /// Whether it applies to an incarnation of a replica at a time.
    pub(super) fn applies(&self, replica: u32, incarnation: u64, at: Timestamp) -> bool {
        self.replica.is_none_or(|ours| ours == replica)
            && self.times.is_none_or(|times| incarnation <= times)
            && self.from <= at
            && at < self.to
    }
}
