//! Replays a recording under another policy.
//!
//! The n-th start of a replica behaves as its n-th start in the recording: it takes as long, runs as long and ends in
//! the same way. Operator requests are repeated at the recorded times. A start beyond the recorded ones is assumed to
//! take as long as the replica's last successful one, and never to end.

use std::collections::BTreeMap;
use std::time::Duration;

use super::action::ActionKind;
use super::environment::Environment;
use super::error::SimError;
use super::instance_plan::InstancePlan;
use super::replay::{Recording, RecordingError};
use super::run::Run;
use super::simulation::Simulation;
use crate::decide::{InstanceId, Outcome, ReplicaId};
use crate::engine::{Command, Event, Input, InstanceState, Observed, Output, Phase, RecordedStep, ReplicaSet, Start};
use crate::policy::Policy;
use crate::time::Timestamp;

/// The recorded plans, by replica and incarnation.
type InstancePlans = BTreeMap<(ReplicaId, u64), InstancePlan>;

struct RecordedEnvironment {
    plans: InstancePlans,
    /// Starts that are not recorded.
    assumed: Vec<(Timestamp, ReplicaId)>,
}

impl Environment for RecordedEnvironment {
    fn plan(&mut self, start: &Start, at: Timestamp, _starts_in_flight: u32) -> InstancePlan {
        let (replica, incarnation) = (start.replica, start.incarnation.0);
        if let Some(plan) = self.plans.get(&(replica, incarnation)) {
            return plan.clone();
        }
        self.assumed.push((at, replica));
        let earlier = self.plans.range((replica, 0)..(replica, incarnation));
        let came_up = earlier.rev().map(|(_, plan)| plan).find(|plan| plan.start.is_some());
        match came_up {
            Some(plan) => InstancePlan { end: None, ..plan.clone() },
            None => InstancePlan::new(Duration::ZERO),
        }
    }
}

/// What another policy would have done with a recording. Returned by [`Recording::replay_under`].
///
/// ```
/// use uphold::Policy;
/// use uphold::sim::{CounterfactualError, Recording};
///
/// fn compare(recording: &Recording, policy: Policy) -> Result<(), CounterfactualError> {
///     let recorded = recording.replay()?;
///     let other = recording.replay_under(policy)?;
///     println!("restarts: {} recorded, {} simulated", recorded.restarts(), other.run.restarts());
///     if let Some((at, replica)) = other.assumed.first() {
///         println!("from {at} on, the behaviour of replica {replica} is assumed, not recorded");
///     }
///     Ok(())
/// }
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Counterfactual {
    /// The run under the other policy.
    pub run: Run,
    /// Starts beyond the recorded ones, with their times. From then on, the behaviour of the replica is an assumption.
    pub assumed: Vec<(Timestamp, ReplicaId)>,
}

/// Why a recording cannot be replayed under another policy.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CounterfactualError {
    /// The recording cannot be replayed at all.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The simulation failed.
    #[error(transparent)]
    Simulation(#[from] SimError),
    /// The recording continues from a snapshot, or begins with instances that were started before it.
    #[error(
        "the recording begins with running instances, so it does not show how long their starts took; replay the \
         recording that contains their starts"
    )]
    StartedBefore,
}

impl Recording {
    /// Simulates what would have happened under `policy`.
    ///
    /// # Errors
    /// The recording continues from a snapshot or begins with running instances, or the simulation fails.
    pub fn replay_under(&self, policy: Policy) -> Result<Counterfactual, CounterfactualError> {
        if self.header().snapshot.is_some() {
            return Err(CounterfactualError::StartedBefore);
        }
        let began = self.header().began;
        let mut simulation = Simulation::new(policy).seed(self.header().seed);
        // The other policy may have fewer replicas, and rejected requests are repeated as well.
        simulation.setup.allow_unknown_replicas = true;
        for step in self.steps() {
            let Input::Events(events) = &step.input else { continue };
            let at = Timestamp::ZERO + step.at.since(began);
            let requests = events.iter().filter_map(operator_request);
            simulation.setup.timeline.extend(requests.map(|request| (at, request)));
        }
        let mut recorded = RecordedEnvironment { plans: self.instance_plans()?, assumed: Vec::new() };
        let run = simulation.run_in(&mut recorded, Timestamp::ZERO + self.ended().since(began))?;
        Ok(Counterfactual { run, assumed: recorded.assumed })
    }

    /// Derives the plan of each start from the reports about its instance.
    fn instance_plans(&self) -> Result<InstancePlans, CounterfactualError> {
        let mut plans = InstancePlans::new();
        let mut commanded: BTreeMap<(ReplicaId, u64), Timestamp> = BTreeMap::new();
        let mut running_since: BTreeMap<(ReplicaId, u64), Timestamp> = BTreeMap::new();
        let mut set = self.initial_set()?;
        for step in self.steps() {
            for (InstanceId { replica, incarnation }, report) in reports_in(&step.input) {
                let key = (replica, incarnation.0);
                let Some(&start) = commanded.get(&key) else {
                    let adopted = set.get(replica).is_some_and(|view| view.incarnation < incarnation);
                    if adopted && !matches!(report, InstanceReport::Ended(_)) {
                        return Err(CounterfactualError::StartedBefore);
                    }
                    continue;
                };
                let plan = plans.entry(key).or_insert_with(InstancePlan::hangs);
                match report {
                    InstanceReport::Running | InstanceReport::Ready => {
                        let running = *running_since.entry(key).or_insert(step.at);
                        plan.start.get_or_insert(running.since(start));
                        if matches!(report, InstanceReport::Ready) {
                            plan.ready.get_or_insert(step.at.since(running));
                        }
                    }
                    InstanceReport::Ended(outcome) => {
                        let stopping = set.get(replica).is_some_and(|view| view.phase == Phase::Stopping);
                        if !stopping && plan.end.is_none() {
                            let from = running_since.get(&key).copied().unwrap_or(start);
                            plan.end = Some((step.at.since(from), outcome.clone()));
                        }
                    }
                }
            }
            apply_step(&mut set, step, |start, at| {
                commanded.insert((start.replica, start.incarnation.0), at);
                plans.entry((start.replica, start.incarnation.0)).or_insert_with(InstancePlan::hangs);
            });
        }
        Ok(plans)
    }
}

/// What an event or a list reports about an instance.
enum InstanceReport<'s> {
    Running,
    Ready,
    Ended(&'s Outcome),
}

type ReportOf<'s> = (InstanceId, InstanceReport<'s>);

fn report_of_event(event: &Event) -> Option<ReportOf<'_>> {
    let report = match event {
        Event::Started(_) => InstanceReport::Running,
        Event::Ready(_) => InstanceReport::Ready,
        Event::Exited(ended) | Event::StartFailed(ended) => InstanceReport::Ended(&ended.outcome),
        _ => return None,
    };
    Some((event.instance()?, report))
}

fn report_of_listed(listed: &Observed) -> Option<ReportOf<'_>> {
    let report = match &listed.state {
        InstanceState::Running => InstanceReport::Running,
        InstanceState::Ready => InstanceReport::Ready,
        InstanceState::Ended(outcome) => InstanceReport::Ended(outcome),
        InstanceState::Starting | InstanceState::Stopping => return None,
    };
    Some((listed.instance(), report))
}

fn reports_in(input: &Input) -> Vec<ReportOf<'_>> {
    match input {
        Input::Events(events) => events.iter().filter_map(report_of_event).collect(),
        Input::Observed(list) => list.iter().filter_map(report_of_listed).collect(),
        _ => Vec::new(),
    }
}

/// Applies a step to a set and calls `on_start` for each start that it commands.
fn apply_step(set: &mut ReplicaSet, step: &RecordedStep, mut on_start: impl FnMut(Start, Timestamp)) {
    let _ = step.apply(set);
    while let Some(output) = set.poll_output() {
        if let Output::Command(Command::Start(start)) = output {
            on_start(start, step.at);
        }
    }
}

fn operator_request(event: &Event) -> Option<ActionKind> {
    match event {
        Event::Scale(replicas) => Some(ActionKind::Scale(*replicas)),
        Event::Restart(id) => Some(ActionKind::Restart(id.0)),
        Event::Stop(id) => Some(ActionKind::Stop(id.0)),
        Event::Start(id) => Some(ActionKind::Start(id.0)),
        Event::Drain(drain) => Some(ActionKind::Drain(drain.clone())),
        Event::Undrain(replicas) => Some(ActionKind::Undrain(replicas.clone())),
        Event::RollOut(revision) => Some(ActionKind::RollOut(revision.clone())),
        Event::Promote => Some(ActionKind::Promote),
        Event::RollBack => Some(ActionKind::RollBack),
        Event::Reset(selection) => Some(ActionKind::Reset(selection.clone())),
        Event::RetryNow(selection) => Some(ActionKind::RetryNow(selection.clone())),
        Event::Terminate => Some(ActionKind::Terminate),
        _ => None,
    }
}
