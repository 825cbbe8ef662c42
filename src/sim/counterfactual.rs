//! What another policy would have done with what happened.
//!
//! The plans of the recorded incarnations (how long the n-th start of a replica took, how long it ran, how it ended)
//! are lived again under the other policy, and operators ask for the same at the same times. A start that never
//! happened has no recorded plan: it is assumed to come up as the replica's last recorded start did, and to run on.

use std::collections::BTreeMap;
use std::time::Duration;

use super::action::ActionKind;
use super::environment::{Environment, InstancePlan};
use super::error::SimError;
use super::replay::{Recording, RecordingError};
use super::run::Run;
use super::simulation::Simulation;
use crate::decide::{Incarnation, Outcome, ReplicaId};
use crate::engine::{Command, Event, InstanceState, Observed, Output, Phase, RecordedStep, ReplicaSet, Start, Told};
use crate::policy::Policy;
use crate::time::Timestamp;

/// The recorded plans, by replica and number of the start, from 1.
type InstancePlans = BTreeMap<(ReplicaId, u64), InstancePlan>;

/// Recorded plans, used again.
struct RecordedEnvironment {
    plans: InstancePlans,
    /// Starts that never happened, with the time from which on nothing is known of them.
    assumed: Vec<(Timestamp, ReplicaId)>,
}

impl Environment for RecordedEnvironment {
    /// Where none is recorded, it comes up as the last one did and runs on.
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

/// What another policy would have done.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Counterfactual {
    /// The run under the other policy.
    pub run: Run,
    /// Starts for which the recording does not tell what would have become of them, with the time from which on.
    pub assumed: Vec<(Timestamp, ReplicaId)>,
}

/// Why it cannot be told.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CounterfactualError {
    /// The recording cannot be replayed.
    #[error(transparent)]
    Recording(#[from] RecordingError),
    /// The simulation of the other policy failed.
    #[error(transparent)]
    Simulation(#[from] SimError),
    /// It goes on from a state, or begins with instances, whose plans began before.
    #[error(
        "what this recording begins with ran before: how it came up is not in it; compare the recording of its start"
    )]
    StartedBefore,
}

impl Recording {
    /// What `policy` would have done with what happened.
    ///
    /// # Errors
    /// The recording goes on from an earlier one or begins with what ran before, or the simulation fails.
    pub fn replay_under(&self, policy: Policy) -> Result<Counterfactual, CounterfactualError> {
        if self.header().snapshot.is_some() {
            return Err(CounterfactualError::StartedBefore);
        }
        let began = self.header().began;
        let mut simulation = Simulation::new(policy).seed(self.header().seed);
        // What was refused is refused again, and so is what another number of replicas makes impossible.
        simulation.allow_unknown_replicas = true;
        for step in self.steps() {
            let Told::Events(events) = &step.told else { continue };
            let at = Timestamp::ZERO + step.at.since(began);
            simulation.timeline.extend(events.iter().filter_map(operator_request).map(|act| (at, act)));
        }
        let mut recorded = RecordedEnvironment { plans: self.plans()?, assumed: Vec::new() };
        let run = simulation.run_in(&mut recorded, Timestamp::ZERO + self.ended().since(began))?;
        Ok(Counterfactual { run, assumed: recorded.assumed })
    }

    /// The plans of all starts that were commanded.
    fn plans(&self) -> Result<InstancePlans, CounterfactualError> {
        let mut plans = InstancePlans::new();
        let mut commanded: BTreeMap<(ReplicaId, u64), Timestamp> = BTreeMap::new();
        let mut ran: BTreeMap<(ReplicaId, u64), Timestamp> = BTreeMap::new();
        let mut set = self.initial_set()?;
        for step in self.steps() {
            for ((replica, incarnation), report) in reports_in(&step.told) {
                let key = (replica, incarnation.0);
                let Some(&start) = commanded.get(&key) else {
                    // One that was there before the first start was commanded: its plan began before.
                    let adopted = set.get(replica).is_some_and(|view| view.incarnation < incarnation);
                    if adopted && !matches!(report, InstanceReport::Ended(_)) {
                        return Err(CounterfactualError::StartedBefore);
                    }
                    continue;
                };
                let plan = plans.entry(key).or_insert_with(InstancePlan::hangs);
                match report {
                    InstanceReport::Running | InstanceReport::Ready => {
                        let running = *ran.entry(key).or_insert(step.at);
                        plan.start.get_or_insert(running.since(start));
                        if matches!(report, InstanceReport::Ready) {
                            plan.ready.get_or_insert(step.at.since(running));
                        }
                    }
                    InstanceReport::Ended(outcome) => {
                        let asked = set.get(replica).is_some_and(|view| view.phase == Phase::Stopping);
                        if !asked && plan.end.is_none() {
                            let from = ran.get(&key).copied().unwrap_or(start);
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

/// What became of an instance.
enum InstanceReport<'s> {
    Running,
    Ready,
    Ended(&'s Outcome),
}

/// What became of an instance, and of which.
type ReportOf<'s> = ((ReplicaId, Incarnation), InstanceReport<'s>);

fn report_of_event(event: &Event) -> Option<ReportOf<'_>> {
    let report = match event {
        Event::Started(_) => InstanceReport::Running,
        Event::Ready(_) => InstanceReport::Ready,
        Event::Exited(ended) | Event::StartFailed(ended) => InstanceReport::Ended(&ended.outcome),
        _ => return None,
    };
    Some((event.instance()?, report))
}

fn report_of_listed(seen: &Observed) -> Option<ReportOf<'_>> {
    let report = match &seen.state {
        InstanceState::Running => InstanceReport::Running,
        InstanceState::Ready => InstanceReport::Ready,
        InstanceState::Ended(outcome) => InstanceReport::Ended(outcome),
        InstanceState::Starting | InstanceState::Stopping => return None,
    };
    Some(((seen.replica, seen.incarnation), report))
}

/// What a step tells of instances, whether by events or by a list.
fn reports_in(told: &Told) -> Vec<ReportOf<'_>> {
    match told {
        Told::Events(events) => events.iter().filter_map(report_of_event).collect(),
        Told::Observed(list) => list.iter().filter_map(report_of_listed).collect(),
        _ => Vec::new(),
    }
}

/// Tells a step to a set, and hears of the starts it commands.
fn apply_step(set: &mut ReplicaSet, step: &RecordedStep, mut on_start: impl FnMut(Start, Timestamp)) {
    let _ = step.tell(set);
    while let Some(output) = set.poll_output() {
        if let Output::Command(Command::Start(start)) = output {
            on_start(start, step.at);
        }
    }
}

/// What an operator asked for.
fn operator_request(event: &Event) -> Option<ActionKind> {
    match event {
        Event::Scale(replicas) => Some(ActionKind::Scale(*replicas)),
        Event::Restart(id) => Some(ActionKind::Restart(id.0)),
        Event::Drain(id) => Some(ActionKind::Drain(id.0)),
        Event::Reset(selection) => Some(ActionKind::Reset(selection.clone())),
        Event::RetryNow(selection) => Some(ActionKind::RetryNow(selection.clone())),
        Event::Terminate => Some(ActionKind::Terminate),
        _ => None,
    }
}
