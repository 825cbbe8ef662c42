//! How the simulated world behaves: how long things take, and what replicas do by themselves.

use std::time::Duration;

use super::environment::{Environment, InstancePlan};
use super::runner::exit_outcome;
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
pub(super) struct ScriptedEnvironment {
    pub(super) world: World,
    /// Of several that apply, the first does.
    pub(super) behaviours: Vec<Behaviour>,
}

impl ScriptedEnvironment {
    fn active(&self, replica: u32, incarnation: u64, at: Timestamp) -> impl Iterator<Item = &BehaviourKind> {
        let active = self.behaviours.iter().filter(move |one| one.is_active(replica, incarnation, at));
        active.map(|one| &one.kind)
    }
}

impl Environment for ScriptedEnvironment {
    fn plan(&mut self, start: &Start, at: Timestamp, _starts_in_flight: u32) -> InstancePlan {
        let (replica, incarnation) = (start.replica.0, start.incarnation.0);
        let World { start: starts_in, ready, .. } = self.world;
        for kind in self.active(replica, incarnation, at) {
            match kind {
                BehaviourKind::StartFails { cause, .. } => return InstancePlan::start_fails(starts_in, cause.clone()),
                BehaviourKind::Hangs => return InstancePlan::hangs(),
                BehaviourKind::Runs { .. }
                | BehaviourKind::ProbeFails(_)
                | BehaviourKind::IgnoresStop
                | BehaviourKind::IgnoresKill => {}
            }
        }
        let plan = InstancePlan::new(starts_in).ready_after(ready);
        let runs_at = at + starts_in;
        for kind in self.active(replica, incarnation, runs_at) {
            if let BehaviourKind::Runs { runs, exit } = kind {
                return plan.ends_after(*runs, exit_outcome(*exit, Timestamp::ZERO));
            }
        }
        plan
    }

    fn late_start(&mut self, start: &Start, at: Timestamp) -> Option<Duration> {
        self.active(start.replica.0, start.incarnation.0, at).find_map(|kind| match kind {
            BehaviourKind::StartFails { late_start, .. } => Some(*late_start),
            _ => None,
        })?
    }

    fn stop_duration(&mut self, stop: &Stop, at: Timestamp) -> Duration {
        let mut active = self.active(stop.replica.0, stop.incarnation.0, at);
        let ignores = active.any(|kind| matches!(kind, BehaviourKind::IgnoresStop | BehaviourKind::IgnoresKill));
        if ignores { Duration::MAX } else { self.world.stop }
    }

    fn kill_duration(&mut self, kill: &Kill, at: Timestamp) -> Duration {
        let mut active = self.active(kill.replica.0, kill.incarnation.0, at);
        if active.any(|kind| *kind == BehaviourKind::IgnoresKill) { Duration::MAX } else { Duration::ZERO }
    }

    fn probe_result(&mut self, probe: &ProbeRequest, at: Timestamp) -> ProbeResult {
        let fails = BehaviourKind::ProbeFails(probe.probe);
        let mut active = self.active(probe.replica.0, probe.incarnation.0, at);
        if active.any(|kind| *kind == fails) { ProbeResult::Failure } else { ProbeResult::Success }
    }
}

/// What replicas do by themselves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Behaviour {
    kind: BehaviourKind,
    pub(super) replica: Option<u32>,
    pub(super) times: Option<u64>,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

#[derive(Clone, PartialEq, Eq, Debug)]
enum BehaviourKind {
    Runs { runs: Duration, exit: Exit },
    StartFails { cause: Cause, late_start: Option<Duration> },
    Hangs,
    ProbeFails(ProbeKind),
    IgnoresStop,
    IgnoresKill,
}

impl Behaviour {
    fn new(kind: BehaviourKind) -> Self {
        Self { kind, replica: None, times: None, from: Timestamp::ZERO, to: Timestamp::MAX }
    }

    /// Each incarnation runs for this long and then exits so, counted from when it runs.
    pub fn runs(runs: Duration, exit: Exit) -> Self {
        Self::new(BehaviourKind::Runs { runs, exit })
    }

    /// Each start fails.
    pub fn start_fails(cause: Cause) -> Self {
        Self::new(BehaviourKind::StartFails { cause, late_start: None })
    }

    /// Each start is reported as failed, and comes about all the same, so long after its command.
    pub fn late_start(cause: Cause, after: Duration) -> Self {
        Self::new(BehaviourKind::StartFails { cause, late_start: Some(after) })
    }

    /// It does not stop when it is asked to, only when it is killed.
    pub fn ignores_stop() -> Self {
        Self::new(BehaviourKind::IgnoresStop)
    }

    /// Neither a stop nor a kill has an effect.
    pub fn ignores_kill() -> Self {
        Self::new(BehaviourKind::IgnoresKill)
    }

    /// Each start is accepted and never comes about: nothing is heard of it.
    pub fn hangs() -> Self {
        Self::new(BehaviourKind::Hangs)
    }

    /// This probe fails.
    pub fn probe_fails(probe: ProbeKind) -> Self {
        Self::new(BehaviourKind::ProbeFails(probe))
    }

    /// Of this replica alone. Default: of all.
    pub fn replica(mut self, replica: u32) -> Self {
        self.replica = Some(replica);
        self
    }

    /// Of its first so many incarnations. Default: always.
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// From this time on, included. Default: from the start.
    pub fn active_from(mut self, from: Duration) -> Self {
        self.from = Timestamp::ZERO + from;
        self
    }

    /// Until this time, excluded. Default: for ever.
    pub fn active_until(mut self, to: Duration) -> Self {
        self.to = Timestamp::ZERO + to;
        self
    }

    /// Whether it applies to an incarnation of a replica at a time.
    fn is_active(&self, replica: u32, incarnation: u64, at: Timestamp) -> bool {
        self.replica.is_none_or(|ours| ours == replica)
            && self.times.is_none_or(|times| incarnation <= times)
            && self.from <= at
            && at < self.to
    }
}
