//! The environment of a scripted simulation: a `World` and a list of `Behaviour`s.

use std::time::Duration;

use super::behaviour::{Behaviour, BehaviourKind};
use super::environment::Environment;
use super::instance_plan::InstancePlan;
use super::outcomes::exit_outcome;
use super::world::World;
use crate::decide::{InstanceId, Revision};
use crate::engine::{Kill, ProbeCommand, ProbeResult, Start, Stop};
use crate::time::Timestamp;

/// An environment in which a [`World`] and [`Behaviour`]s determine what instances do.
pub(super) struct ScriptedEnvironment {
    world: World,
    behaviours: Vec<Behaviour>,
    /// For each behaviour, whether it has taken effect.
    applied: Vec<bool>,
    /// By replica, the revision of its newest instance, once a start has carried one.
    revisions: Vec<Option<Revision>>,
}

impl ScriptedEnvironment {
    pub(super) fn new(world: World, behaviours: Vec<Behaviour>) -> Self {
        let applied = vec![false; behaviours.len()];
        Self { world, behaviours, applied, revisions: Vec::new() }
    }

    /// Returns the indices of the behaviours that have taken no effect.
    pub(super) fn unused_behaviours(&self) -> Vec<usize> {
        (0..self.applied.len()).filter(|&index| !self.applied[index]).collect()
    }

    /// Applies the first active behaviour for which `apply` returns something.
    fn apply_first<T>(
        &mut self,
        instance: InstanceId,
        at: Timestamp,
        apply: impl Fn(&BehaviourKind) -> Option<T>,
    ) -> Option<T> {
        let revision = self.revisions.get(instance.replica.index()).and_then(Option::as_ref);
        let active = |behaviour: &Behaviour| behaviour.is_active(instance, revision, at);
        let mut numbered = self.behaviours.iter().enumerate().filter(|(_, behaviour)| active(behaviour));
        let (index, result) = numbered.find_map(|(index, behaviour)| Some((index, apply(&behaviour.kind)?)))?;
        self.applied[index] = true;
        Some(result)
    }

    fn note_revision(&mut self, start: &Start) {
        let place = start.replica.index();
        if start.revision.is_none() && self.revisions.is_empty() {
            return;
        }
        if self.revisions.len() <= place {
            self.revisions.resize(place + 1, None);
        }
        self.revisions[place].clone_from(&start.revision);
    }
}

impl Environment for ScriptedEnvironment {
    fn plan(&mut self, start: &Start, at: Timestamp, _starts_in_flight: u32) -> InstancePlan {
        self.note_revision(start);
        let instance = start.instance();
        let World { start: start_duration, ready, .. } = self.world;
        let never_runs = self.apply_first(instance, at, |kind| match kind {
            BehaviourKind::StartFails { cause, .. } => Some(InstancePlan::start_fails(start_duration, cause.clone())),
            BehaviourKind::Hangs => Some(InstancePlan::hangs()),
            _ => None,
        });
        if let Some(plan) = never_runs {
            return plan;
        }
        let plan = InstancePlan::new(start_duration).ready_after(ready);
        let end = self.apply_first(instance, at + start_duration, |kind| match kind {
            BehaviourKind::Runs { runs, exit } => Some((*runs, *exit)),
            _ => None,
        });
        match end {
            Some((runs, exit)) => plan.ends_after(runs, exit_outcome(exit, Timestamp::ZERO)),
            None => plan,
        }
    }

    fn late_start(&mut self, start: &Start, at: Timestamp) -> Option<Duration> {
        self.apply_first(start.instance(), at, |kind| match kind {
            BehaviourKind::StartFails { late_start, .. } => Some(*late_start),
            _ => None,
        })?
    }

    fn stop_duration(&mut self, stop: &Stop, at: Timestamp) -> Duration {
        let ignored = self.apply_first(stop.instance(), at, |kind| {
            matches!(kind, BehaviourKind::IgnoresStop | BehaviourKind::IgnoresKill).then_some(Duration::MAX)
        });
        ignored.unwrap_or(self.world.stop)
    }

    fn kill_duration(&mut self, kill: &Kill, at: Timestamp) -> Duration {
        let ignored = self
            .apply_first(kill.instance(), at, |kind| (*kind == BehaviourKind::IgnoresKill).then_some(Duration::MAX));
        ignored.unwrap_or_default()
    }

    fn probe_result(&mut self, probe: &ProbeCommand, at: Timestamp) -> ProbeResult {
        let failed = self.apply_first(probe.instance(), at, |kind| {
            (*kind == BehaviourKind::ProbeFails(probe.probe)).then_some(ProbeResult::Failure)
        });
        failed.unwrap_or(ProbeResult::Success)
    }
}
