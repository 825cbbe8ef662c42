//! What another policy would have done with what happened.
//!
//! The lives of the recorded incarnations (how long the n-th start of a replica took, how long it ran, how it ended)
//! are lived again under the other policy, and operators ask for the same at the same times. A start that never
//! happened has no recorded life: it is assumed to come up as the replica's last recorded start did, and to run on.

use std::collections::BTreeMap;
use std::time::Duration;

use super::environment::{Environment, Life};
use super::error::SimError;
use super::replay::{Recording, RecordingError};
use super::run::Run;
use super::simulation::Simulation;
use super::timeline::Act;
use crate::decide::{Incarnation, Outcome, ReplicaId};
use crate::engine::{Command, Event, InstanceState, Observed, Output, Phase, RecordedStep, ReplicaSet, Start, Told};
use crate::policy::Policy;
use crate::time::Timestamp;

/// The recorded lives, by replica and number of the start, from 1.
type Lives = BTreeMap<(ReplicaId, u64), Life>;

/// Recorded lives, lived again.
struct Recorded {
    lives: Lives,
    /// Starts that never happened, with the time from which on nothing is known of them.
    assumed: Vec<(Timestamp, ReplicaId)>,
}

impl Environment for Recorded {
    /// Where none is recorded, it comes up as the last one did and runs on.
    fn life(&mut self, start: &Start, at: Timestamp, _under_way: u32) -> Life {
        let (replica, incarnation) = (start.replica, start.incarnation.0);
        if let Some(life) = self.lives.get(&(replica, incarnation)) {
            return life.clone();
        }
        self.assumed.push((at, replica));
        let earlier = self.lives.range((replica, 0)..(replica, incarnation));
        let came_up = earlier.rev().map(|(_, life)| life).find(|life| life.start.is_some());
        match came_up {
            Some(life) => Life { end: None, ..life.clone() },
            None => Life::new(Duration::ZERO),
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
    /// It goes on from a state, or begins with instances, whose lives began before.
    #[error(
        "what this recording begins with ran before: how it came up is not in it; compare the recording of its start"
    )]
    Continued,
}

impl Recording {
    /// What `policy` would have done with what happened.
    ///
    /// # Errors
    /// The recording goes on from an earlier one or begins with what ran before, or the simulation fails.
    pub fn replay_under(&self, policy: Policy) -> Result<Counterfactual, CounterfactualError> {
        if self.header().snapshot.is_some() {
            return Err(CounterfactualError::Continued);
        }
        let began = self.header().began;
        let mut simulation = Simulation::new(policy).seed(self.header().seed);
        // What was refused is refused again, and so is what another number of replicas makes impossible.
        simulation.asks_amiss = true;
        for step in self.steps() {
            let Told::Events(events) = &step.told else { continue };
            let at = Timestamp::ZERO + step.at.since(began);
            simulation.timeline.extend(events.iter().filter_map(asked).map(|act| (at, act)));
        }
        let mut recorded = Recorded { lives: self.lives()?, assumed: Vec::new() };
        let run = simulation.run_in(&mut recorded, Timestamp::ZERO + self.ended().since(began))?;
        Ok(Counterfactual { run, assumed: recorded.assumed })
    }

    /// The lives of all starts that were commanded.
    fn lives(&self) -> Result<Lives, CounterfactualError> {
        let mut lives = Lives::new();
        let mut commanded: BTreeMap<(ReplicaId, u64), Timestamp> = BTreeMap::new();
        let mut ran: BTreeMap<(ReplicaId, u64), Timestamp> = BTreeMap::new();
        let mut set = self.replaying()?;
        for step in self.steps() {
            for ((replica, incarnation), news) in news_of(&step.told) {
                let key = (replica, incarnation.0);
                let Some(&start) = commanded.get(&key) else {
                    // One that was there before the first start was commanded: its life began before.
                    let adopted = set.get(replica).is_some_and(|view| view.incarnation < incarnation);
                    if adopted && !matches!(news, Lived::Ended(_)) {
                        return Err(CounterfactualError::Continued);
                    }
                    continue;
                };
                let life = lives.entry(key).or_insert_with(Life::silent);
                match news {
                    Lived::Ran | Lived::WasReady => {
                        let running = *ran.entry(key).or_insert(step.at);
                        life.start.get_or_insert(running.since(start));
                        if matches!(news, Lived::WasReady) {
                            life.ready.get_or_insert(step.at.since(running));
                        }
                    }
                    Lived::Ended(outcome) => {
                        let asked = set.get(replica).is_some_and(|view| view.phase == Phase::Stopping);
                        if !asked && life.end.is_none() {
                            let from = ran.get(&key).copied().unwrap_or(start);
                            life.end = Some((step.at.since(from), outcome.clone()));
                        }
                    }
                }
            }
            step_into(&mut set, step, |start, at| {
                commanded.insert((start.replica, start.incarnation.0), at);
                lives.entry((start.replica, start.incarnation.0)).or_insert_with(Life::silent);
            });
        }
        Ok(lives)
    }
}

/// What became of an instance.
enum Lived<'s> {
    Ran,
    WasReady,
    Ended(&'s Outcome),
}

/// What became of an instance, and of which.
type News<'s> = ((ReplicaId, Incarnation), Lived<'s>);

fn of_event(event: &Event) -> Option<News<'_>> {
    let lived = match event {
        Event::Started(_) => Lived::Ran,
        Event::Ready(_) => Lived::WasReady,
        Event::Exited(ended) | Event::StartFailed(ended) => Lived::Ended(&ended.outcome),
        _ => return None,
    };
    Some((event.instance()?, lived))
}

fn of_listed(seen: &Observed) -> Option<News<'_>> {
    let lived = match &seen.state {
        InstanceState::Running => Lived::Ran,
        InstanceState::Ready => Lived::WasReady,
        InstanceState::Ended(outcome) => Lived::Ended(outcome),
        InstanceState::Starting | InstanceState::Stopping => return None,
    };
    Some(((seen.replica, seen.incarnation), lived))
}

/// What a step tells of instances, whether by events or by a list.
fn news_of(told: &Told) -> Vec<News<'_>> {
    match told {
        Told::Events(events) => events.iter().filter_map(of_event).collect(),
        Told::Observed(list) => list.iter().filter_map(of_listed).collect(),
        _ => Vec::new(),
    }
}

/// Tells a step to a set, and hears of the starts it commands.
fn step_into(set: &mut ReplicaSet, step: &RecordedStep, mut started: impl FnMut(Start, Timestamp)) {
    let _ = step.tell(set);
    while let Some(output) = set.poll_output() {
        if let Output::Command(Command::Start(start)) = output {
            started(start, step.at);
        }
    }
}

/// What an operator asked for.
fn asked(event: &Event) -> Option<Act> {
    match event {
        Event::Scale(replicas) => Some(Act::Scale(*replicas)),
        Event::Restart(id) => Some(Act::Restart(id.0)),
        Event::Drain(id) => Some(Act::Drain(id.0)),
        Event::Reset(selection) => Some(Act::Reset(selection.clone())),
        Event::RetryNow(selection) => Some(Act::RetryNow(selection.clone())),
        Event::Terminate => Some(Act::Terminate),
        _ => None,
    }
}
