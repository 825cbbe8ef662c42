//! The environment of a scripted simulation: a `World` and a list of `Behaviour`s.

use std::time::Duration;

use super::behaviour::{Behaviour, BehaviourKind};
use super::environment::Environment;
use super::instance_plan::InstancePlan;
use super::outcomes::exit_outcome;
use super::world::World;
use crate::engine::{Kill, ProbeRequest, ProbeResult, Start, Stop};
use crate::time::Timestamp;

/// An environment in which instances behave as written down.
pub(super) struct ScriptedEnvironment {
    pub(super) world: World,
    /// The first that is active and says something about the question at hand wins.
    pub(super) behaviours: Vec<Behaviour>,
}

impl ScriptedEnvironment {
    fn active(&self, replica: u32, incarnation: u64, at: Timestamp) -> impl Iterator<Item = &BehaviourKind> {
        let active = self.behaviours.iter().filter(move |behaviour| behaviour.is_active(replica, incarnation, at));
        active.map(|behaviour| &behaviour.kind)
    }
}

impl Environment for ScriptedEnvironment {
    fn plan(&mut self, start: &Start, at: Timestamp, _starts_in_flight: u32) -> InstancePlan {
        let (replica, incarnation) = (start.replica.0, start.incarnation.0);
        let World { start: start_duration, ready, .. } = self.world;
        for kind in self.active(replica, incarnation, at) {
            match kind {
                BehaviourKind::StartFails { cause, .. } => {
                    return InstancePlan::start_fails(start_duration, cause.clone());
                }
                BehaviourKind::Hangs => return InstancePlan::hangs(),
                BehaviourKind::Runs { .. }
                | BehaviourKind::ProbeFails(_)
                | BehaviourKind::IgnoresStop
                | BehaviourKind::IgnoresKill => {}
            }
        }
        let plan = InstancePlan::new(start_duration).ready_after(ready);
        let running_at = at + start_duration;
        for kind in self.active(replica, incarnation, running_at) {
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
