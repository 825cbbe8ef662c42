//! The loop of a simulation: the set's deadlines, the world's doings and the timeline, in the order of time.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use super::collect::Collector;
use super::counterfactual::{Life, Lives};
use super::error::SimError;
use super::run::Run;
use super::simulation::Simulation;
use super::timeline::Act;
use super::world::{Behaviour, What, World};
use crate::decide::{Incarnation, Outcome, ReplicaId};
use crate::engine::{Command, Ended, Event, News, Output, Phase, ProbeKind, ProbeNews, ProbeResult, ReplicaSet};
use crate::policy::{Exit, MAX_REPLICAS};
use crate::time::{Timestamp, nanos};

/// More rounds than this within one instant are no progress: every wait of a policy is at least 100 ms where nothing
/// runs in between.
const MOST_ROUNDS: u32 = 100_000;

/// A trace of more lines than this is not read by anybody, and would fill the memory: a crash loop of many years.
const MOST_LINES: usize = 10_000_000;

pub(super) struct Runner {
    set: ReplicaSet,
    world: World,
    behaviours: Vec<Behaviour>,
    /// Latest first, so that the next is popped.
    timeline: Vec<(Timestamp, Act)>,
    doings: BinaryHeap<Reverse<Doing>>,
    /// What the world does in the present instant, after what it had planned for it.
    at_once: VecDeque<Doing>,
    sequence: u64,
    /// What the world knows of the instances of each replica.
    instances: Vec<Instance>,
    now: Timestamp,
    until: Timestamp,
    lives: Option<Lives>,
    assumed: Vec<(Timestamp, ReplicaId)>,
    collector: Collector,
    events: Vec<Event>,
}

/// The instances of one replica, as the world knows them.
#[derive(Clone, Copy, Default)]
struct Instance {
    /// The incarnation that lives.
    live: Option<Incarnation>,
    /// The incarnation with which contact is lost: it lives, hears nothing, and is not heard of.
    lost: Option<Incarnation>,
    /// How often it was started again.
    restarts: u64,
}

/// Something that the world will do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Doing {
    at: Timestamp,
    sequence: u64,
    replica: ReplicaId,
    incarnation: Incarnation,
    what: Does,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Does {
    Start,
    /// It runs, as recorded.
    Run,
    /// It ends, as recorded.
    Die,
    /// By which behaviour.
    StartFail(u16),
    Ready,
    /// By which behaviour.
    Exit(u16),
    Stop,
    Answer(ProbeKind, bool),
}

impl Runner {
    pub(super) fn new(simulation: Simulation, until: Timestamp) -> Result<Self, SimError> {
        let Simulation { policy, seed, world, behaviours, mut timeline, keep, lives, .. } = simulation;
        timeline.sort_by_key(|(at, _)| *at);
        if let Some((at, _)) = timeline.last().filter(|(at, _)| *at > until) {
            return Err(SimError::AfterTheEnd { at_ms: at.as_millis(), until_ms: until.as_millis() });
        }
        timeline.reverse();
        let instances = vec![Instance::default(); policy.replicas() as usize];
        let set = ReplicaSet::new(policy, seed, Timestamp::ZERO);
        Ok(Self {
            collector: Collector::new(&set, Timestamp::ZERO, keep),
            set,
            world,
            behaviours,
            timeline,
            doings: BinaryHeap::new(),
            at_once: VecDeque::new(),
            sequence: 0,
            instances,
            now: Timestamp::ZERO,
            until,
            lives,
            assumed: Vec::new(),
            events: Vec::new(),
        })
    }

    pub(super) fn run(mut self) -> Result<Run, SimError> {
        while let Some(at) = self.next().filter(|&at| at <= self.until) {
            self.now = at.max(self.now);
            self.instant()?;
        }
        let restarts = (0u32..).zip(&self.instances).map(|(replica, instance)| (replica, instance.restarts));
        self.collector.figures.restarts = restarts.filter(|(_, restarts)| *restarts > 0).collect();
        Ok(self.collector.finish(self.set, self.until, self.assumed))
    }

    fn next(&self) -> Option<Timestamp> {
        let deadline = self.set.next_deadline().map(|next| next.at);
        let doing = match self.at_once.front() {
            Some(doing) => Some(doing.at),
            None => self.doings.peek().map(|Reverse(doing)| doing.at),
        };
        let acts = self.timeline.last().map(|(at, _)| *at);
        [deadline, doing, acts].into_iter().flatten().min()
    }

    /// Everything that happens at one time, until it is quiet.
    fn instant(&mut self) -> Result<(), SimError> {
        for round in 0.. {
            if round >= MOST_ROUNDS {
                return Err(SimError::Livelock { at_ms: self.now.as_millis(), rounds: MOST_ROUNDS });
            }
            if self.collector.trace.len() > MOST_LINES {
                return Err(SimError::TooLong { at_ms: self.now.as_millis(), lines: MOST_LINES });
            }
            // What is due precedes what arrives.
            if self.set.next_deadline().is_some_and(|next| next.at <= self.now) {
                self.set.handle_timeout(self.now);
                self.obey();
            }
            self.gather()?;
            if self.events.is_empty() {
                if self.next().is_none_or(|at| at > self.now) {
                    break;
                }
                continue;
            }
            self.collector.told(&self.events, self.now);
            self.set.handle_all(self.now, self.events.drain(..));
            self.obey();
        }
        self.collector.end_instant(self.now);
        Ok(())
    }

    /// What happens now: the timeline's doing and the world's, known at one instant.
    fn gather(&mut self) -> Result<(), SimError> {
        while self.timeline.last().is_some_and(|(at, _)| *at <= self.now) {
            if let Some((_, act)) = self.timeline.pop() {
                self.act(act)?;
            }
        }
        while let Some(Reverse(doing)) = self.doings.peek().copied().filter(|Reverse(doing)| doing.at <= self.now) {
            self.doings.pop();
            self.does(doing);
        }
        while let Some(doing) = self.at_once.pop_front() {
            self.does(doing);
        }
        Ok(())
    }

    fn instance(&mut self, replica: ReplicaId) -> &mut Instance {
        let place = replica.0 as usize;
        if self.instances.len() <= place {
            self.instances.resize(place + 1, Instance::default());
        }
        &mut self.instances[place]
    }

    fn schedule(&mut self, after: Duration, replica: ReplicaId, incarnation: Incarnation, what: Does) {
        self.sequence += 1;
        let at = self.now.plus_nanos(nanos(after));
        let doing = Doing { at, sequence: self.sequence, replica, incarnation, what };
        if at <= self.now {
            self.at_once.push_back(doing);
        } else {
            self.doings.push(Reverse(doing));
        }
    }

    fn act(&mut self, act: Act) -> Result<(), SimError> {
        let view = act.replica().map(|replica| (replica, self.set.get(ReplicaId(replica))));
        if let Some((replica, None)) = view {
            let had = self.instances.len() as u32;
            return Err(SimError::NoSuchReplica { replica, at_ms: self.now.as_millis(), had });
        }
        let view = view.and_then(|(_, view)| view);
        let (id, incarnation, phase) =
            view.map_or((ReplicaId(0), Incarnation(0), Phase::Removed), |v| (v.replica, v.incarnation, v.phase));
        let news = News { replica: id, incarnation, at: None };
        let event = match act {
            Act::Exit { exit, told, .. } => self.dies(id, incarnation, told.of(exited(exit, self.now))),
            Act::Fail { cause, told, .. } => {
                let outcome = if phase == Phase::Starting {
                    Outcome::start_failed(cause, self.now)
                } else {
                    Outcome::failed(cause, self.now)
                };
                self.dies(id, incarnation, told.of(outcome))
            }
            Act::Ready { ready: true, .. } => Event::Ready(news),
            Act::Ready { ready: false, .. } => Event::NotReady(news),
            Act::Lost { .. } => {
                let instance = self.instance(id);
                instance.lost = instance.live;
                Event::Lost(news)
            }
            Act::Found { .. } => {
                let instance = self.instance(id);
                let found = instance.lost.take().unwrap_or(incarnation);
                Event::Found(News { replica: id, incarnation: found, at: None })
            }
            Act::Scale(replicas) => Event::Scale(replicas.min(MAX_REPLICAS.saturating_add(1))),
            Act::Restart(_) => Event::Restart(id),
            Act::Drain(_) => Event::Drain(id),
            Act::Reset(selection) => Event::Reset(selection),
            Act::RetryNow(selection) => Event::RetryNow(selection),
            Act::Terminate => Event::Terminate,
        };
        self.events.push(event);
        Ok(())
    }

    fn dies(&mut self, replica: ReplicaId, incarnation: Incarnation, outcome: Outcome) -> Event {
        let instance = self.instance(replica);
        if instance.live == Some(incarnation) {
            instance.live = None;
        }
        let ended = Ended { replica, incarnation, outcome };
        if ended.outcome.is_failed_start() { Event::StartFailed(ended) } else { Event::Exited(ended) }
    }

    /// The world does what it was going to, if the instance still lives.
    fn does(&mut self, doing: Doing) {
        let Doing { replica, incarnation, what, .. } = doing;
        let instance = *self.instance(replica);
        let lives = instance.live == Some(incarnation) || instance.lost == Some(incarnation);
        let heard = instance.lost != Some(incarnation);
        let event = match what {
            Does::Stop => {
                let instance = self.instance(replica);
                if instance.live == Some(incarnation) {
                    instance.live = None;
                }
                Event::stopped(replica, incarnation)
            }
            _ if !lives => return,
            Does::Start => {
                let ready = self.world.ready;
                self.schedule(ready, replica, incarnation, Does::Ready);
                self.will_exit(replica, incarnation);
                Event::started(replica, incarnation)
            }
            Does::Run => Event::started(replica, incarnation),
            Does::Die => {
                let life = self.lives.as_ref().and_then(|lives| lives.get(&(replica, incarnation.0)));
                let Some((_, outcome)) = life.and_then(|life| life.end.clone()) else { return };
                self.dies(replica, incarnation, Outcome { at: self.now, ..outcome })
            }
            Does::StartFail(behaviour) => match &self.behaviours[usize::from(behaviour)].what {
                What::StartFails(cause) => {
                    let outcome = Outcome::start_failed(cause.clone(), self.now);
                    self.dies(replica, incarnation, outcome)
                }
                What::Runs { .. } | What::ProbeFails(_) => return,
            },
            Does::Ready => Event::ready(replica, incarnation),
            Does::Exit(behaviour) => match &self.behaviours[usize::from(behaviour)].what {
                What::Runs { exit, .. } => {
                    let outcome = exited(*exit, self.now);
                    self.dies(replica, incarnation, outcome)
                }
                What::StartFails(_) | What::ProbeFails(_) => return,
            },
            Does::Answer(probe, good) => {
                let result = match (heard, good) {
                    (false, _) => ProbeResult::Unanswered,
                    (true, true) => ProbeResult::Success,
                    (true, false) => ProbeResult::Failure,
                };
                Event::Probed(ProbeNews { replica, incarnation, probe, result, at: None })
            }
        };
        if heard || matches!(event, Event::Probed(_)) {
            self.events.push(event);
        }
    }

    fn applying(&self, replica: ReplicaId, incarnation: Incarnation) -> impl Iterator<Item = (usize, &Behaviour)> {
        let now = self.now;
        self.behaviours.iter().enumerate().filter(move |(_, one)| one.applies(replica.0, incarnation.0, now))
    }

    /// The behaviour by which a start that is commanded now will fail.
    fn start_fails(&self, replica: ReplicaId, incarnation: Incarnation) -> Option<u16> {
        let fails = |(_, one): &(usize, &Behaviour)| matches!(one.what, What::StartFails(_));
        self.applying(replica, incarnation).find(fails).map(|(place, _)| place as u16)
    }

    fn will_exit(&mut self, replica: ReplicaId, incarnation: Incarnation) {
        let exits = self.applying(replica, incarnation).find_map(|(place, one)| match one.what {
            What::Runs { runs, .. } => Some((place, runs)),
            What::StartFails(_) | What::ProbeFails(_) => None,
        });
        if let Some((place, runs)) = exits {
            self.schedule(runs, replica, incarnation, Does::Exit(place as u16));
        }
    }

    /// Takes the set's outputs: the world obeys its commands.
    fn obey(&mut self) {
        self.collector.settled(&self.set);
        while let Some(output) = self.set.poll_output() {
            self.collector.output(&output, self.now);
            if let Output::Command(command) = output {
                self.carry_out(command);
            }
        }
    }

    fn carry_out(&mut self, command: Command) {
        let (replica, incarnation) = command.instance();
        match command {
            Command::Start(_) => {
                self.collector.figures.starts += 1;
                let instance = self.instance(replica);
                instance.live = Some(incarnation);
                instance.restarts += u64::from(incarnation.0 > 1);
                if self.lives.is_some() {
                    self.live_again(replica, incarnation);
                    return;
                }
                let what = self.start_fails(replica, incarnation).map_or(Does::Start, Does::StartFail);
                self.schedule(self.world.start, replica, incarnation, what);
            }
            Command::Stop(_) => {
                // An instance that hears nothing does not stop.
                if self.instance(replica).lost != Some(incarnation) {
                    self.schedule(self.world.stop, replica, incarnation, Does::Stop);
                }
            }
            Command::Kill(_) => {
                if self.instance(replica).lost != Some(incarnation) {
                    self.schedule(Duration::ZERO, replica, incarnation, Does::Stop);
                }
            }
            Command::Probe(probe) => {
                let fails =
                    self.applying(replica, incarnation).any(|(_, one)| one.what == What::ProbeFails(probe.probe));
                self.schedule(Duration::ZERO, replica, incarnation, Does::Answer(probe.probe, !fails));
            }
        }
    }

    /// Lives a recorded life again; where none is recorded, it comes up as the last one did and runs on.
    fn live_again(&mut self, replica: ReplicaId, incarnation: Incarnation) {
        let Some(lives) = &self.lives else { return };
        let recorded = lives.get(&(replica, incarnation.0)).cloned();
        let life = recorded.unwrap_or_else(|| {
            self.assumed.push((self.now, replica));
            let earlier = lives.range((replica, 0)..(replica, incarnation.0));
            let came_up = earlier.rev().map(|(_, life)| life).find(|life| life.start.is_some());
            let (start, ready) = came_up
                .map_or((Duration::ZERO, Some(Duration::ZERO)), |life| (life.start.unwrap_or_default(), life.ready));
            Life { start: Some(start), ready, end: None }
        });
        if let Some(start) = life.start {
            self.schedule(start, replica, incarnation, Does::Run);
            if let Some(ready) = life.ready {
                self.schedule(start.saturating_add(ready), replica, incarnation, Does::Ready);
            }
        }
        if let Some((ran, _)) = life.end {
            self.schedule(life.start.unwrap_or_default().saturating_add(ran), replica, incarnation, Does::Die);
        }
    }
}

fn exited(exit: Exit, at: Timestamp) -> Outcome {
    match exit {
        Exit::Code(code) => Outcome::exited(code, at),
        Exit::Signal(signal) => Outcome::signalled(signal, at),
    }
}
