//! How the simulated world behaves: how long things take, and what replicas do by themselves.

use std::time::Duration;

use super::environment::{Environment, Life};
use super::runner::exited;
use crate::engine::{Kill, ProbeKind, ProbeRequest, ProbeResult, Start, Stop};
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

/// A world in which replicas behave as it is written down.
pub(super) struct Scripted {
    pub(super) world: World,
    /// Of several that apply, the first does.
    pub(super) behaviours: Vec<Behaviour>,
}

impl Scripted {
    fn applying(&self, replica: u32, incarnation: u64, at: Timestamp) -> impl Iterator<Item = &What> {
        let applying = self.behaviours.iter().filter(move |one| one.applies(replica, incarnation, at));
        applying.map(|one| &one.what)
    }
}

impl Environment for Scripted {
    fn life(&mut self, start: &Start, at: Timestamp, _under_way: u32) -> Life {
        let (replica, incarnation) = (start.replica.0, start.incarnation.0);
        let World { start: starts_in, ready, .. } = self.world;
        for what in self.applying(replica, incarnation, at) {
            match what {
                What::StartFails { cause, .. } => return Life::fails_to_start(starts_in, cause.clone()),
                What::Hangs => return Life::silent(),
                What::Runs { .. } | What::ProbeFails(_) | What::IgnoresStop | What::IgnoresKill => {}
            }
        }
        let life = Life::new(starts_in).ready(ready);
        let runs_at = at + starts_in;
        for what in self.applying(replica, incarnation, runs_at) {
            if let What::Runs { runs, exit } = what {
                return life.ends(*runs, exited(*exit, Timestamp::ZERO));
            }
        }
        life
    }

    fn comes_about(&mut self, start: &Start, at: Timestamp) -> Option<Duration> {
        self.applying(start.replica.0, start.incarnation.0, at).find_map(|what| match what {
            What::StartFails { comes_about, .. } => Some(*comes_about),
            _ => None,
        })?
    }

    fn stops_in(&mut self, stop: &Stop, at: Timestamp) -> Duration {
        let mut applying = self.applying(stop.replica.0, stop.incarnation.0, at);
        let ignores = applying.any(|what| matches!(what, What::IgnoresStop | What::IgnoresKill));
        if ignores { Duration::MAX } else { self.world.stop }
    }

    fn killed_in(&mut self, kill: &Kill, at: Timestamp) -> Duration {
        let mut applying = self.applying(kill.replica.0, kill.incarnation.0, at);
        if applying.any(|what| *what == What::IgnoresKill) { Duration::MAX } else { Duration::ZERO }
    }

    fn answer(&mut self, probe: &ProbeRequest, at: Timestamp) -> ProbeResult {
        let fails = What::ProbeFails(probe.probe);
        let mut applying = self.applying(probe.replica.0, probe.incarnation.0, at);
        if applying.any(|what| *what == fails) { ProbeResult::Failure } else { ProbeResult::Success }
    }
}

/// What replicas do by themselves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Behaviour {
    what: What,
    pub(super) replica: Option<u32>,
    pub(super) times: Option<u64>,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum What {
    Runs { runs: Duration, exit: Exit },
    StartFails { cause: Cause, comes_about: Option<Duration> },
    Hangs,
    ProbeFails(ProbeKind),
    IgnoresStop,
    IgnoresKill,
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
        Self::new(What::StartFails { cause, comes_about: None })
    }

    /// Each start is reported as failed, and comes about all the same, so long after its command.
    pub fn comes_about_late(cause: Cause, after: Duration) -> Self {
        Self::new(What::StartFails { cause, comes_about: Some(after) })
    }

    /// It does not stop when it is asked to, only when it is killed.
    pub fn ignores_stop() -> Self {
        Self::new(What::IgnoresStop)
    }

    /// Neither a stop nor a kill has an effect.
    pub fn ignores_kill() -> Self {
        Self::new(What::IgnoresKill)
    }

    /// Each start is accepted and never comes about: nothing is heard of it.
    pub fn hangs() -> Self {
        Self::new(What::Hangs)
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
    fn applies(&self, replica: u32, incarnation: u64, at: Timestamp) -> bool {
        self.replica.is_none_or(|ours| ours == replica)
            && self.times.is_none_or(|times| incarnation <= times)
            && self.from <= at
            && at < self.to
    }
}
