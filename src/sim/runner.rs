//! The loop of a simulation: the set's deadlines, the doings of its surroundings and the timeline, in the order of time.

use super::backend::Backend;
use super::collect::Collector;
use super::environment::Environment;
use super::error::SimError;
use super::instances::{Began, Found, ended};
use super::run::Run;
use super::simulation::Simulation;
use super::timeline::{Act, Action};
use crate::decide::{Incarnation, Outcome, ReplicaId};
use crate::engine::{Event, News, Output, Phase, ReplicaSet};
use crate::places::Places;
use crate::policy::{Exit, MAX_REPLICAS};
use crate::time::Timestamp;

/// More rounds than this within one instant are no progress: every wait of a policy is at least 100 ms where nothing
/// runs in between.
const MOST_ROUNDS: u32 = 100_000;

/// A trace of more lines than this is not read by anybody, and would fill the memory: a crash loop of many years.
const MOST_LINES: usize = 2_000_000;

pub(super) struct Runner<'e, E> {
    set: ReplicaSet,
    backend: Backend<'e, E>,
    /// Latest first, so that the next is popped.
    timeline: Vec<(Timestamp, Act)>,
    /// When the timeline has something next, or never.
    next_act: Timestamp,
    now: Timestamp,
    until: Timestamp,
    /// What is asked for may be of a replica that the set has not: the set refuses it.
    asks_amiss: bool,
    collector: Collector,
    events: Places<Event>,
    befalling: Vec<Action>,
}

impl<'e, E: Environment> Runner<'e, E> {
    pub(super) fn new(simulation: Simulation, environment: &'e mut E, until: Timestamp) -> Result<Self, SimError> {
        let Simulation { policy, seed, mut timeline, keep, asks_amiss, .. } = simulation;
        timeline.sort_by_key(|(at, _)| *at);
        if let Some((at, _)) = timeline.last().filter(|(at, _)| *at > until) {
            return Err(SimError::AfterTheEnd { at_ms: at.as_millis(), until_ms: until.as_millis() });
        }
        timeline.reverse();
        let backend = Backend::new(environment, policy.replicas());
        let set = ReplicaSet::new(policy, seed, Timestamp::ZERO);
        Ok(Self {
            collector: Collector::new(&set, Timestamp::ZERO, keep),
            set,
            backend,
            next_act: next_act(&timeline),
            timeline,
            now: Timestamp::ZERO,
            until,
            asks_amiss,
            events: Places::default(),
            befalling: Vec::new(),
        })
    }

    pub(super) fn run(mut self) -> Result<Run, SimError> {
        // What never happens comes after it.
        let last = self.until.min(Timestamp::LATEST);
        let mut rounds = 0;
        loop {
            let (due, arrives) = (self.set.wakes_at(), self.arrives());
            let next = due.min(arrives);
            if next > self.now {
                self.collector.end_instant(self.now);
                if next > last {
                    break;
                }
                self.now = next;
                rounds = 0;
            }
            rounds += 1;
            // What is due precedes what arrives.
            if due <= self.now {
                self.set.handle_timeout(self.now);
            } else {
                self.tell()?;
            }
            self.obey();
            self.check(rounds)?;
        }
        self.collector.figures.restarts = self.backend.instances.restarts().collect();
        Ok(self.collector.finish(self.set, self.until))
    }

    /// When the set is told something next.
    #[inline]
    fn arrives(&self) -> Timestamp {
        self.backend.next().min(self.next_act)
    }

    /// Whether it may go on.
    #[inline]
    fn check(&self, rounds: u32) -> Result<(), SimError> {
        if rounds <= MOST_ROUNDS && self.collector.trace.len() <= MOST_LINES {
            return Ok(());
        }
        let at_ms = self.now.as_millis();
        // Where one starts after the other, there is a round for each.
        let most = MOST_ROUNDS.saturating_add(self.backend.instances.count().saturating_mul(10));
        if rounds > most {
            Err(SimError::Livelock { at_ms, rounds: most })
        } else if self.collector.trace.len() > MOST_LINES {
            Err(SimError::TooLong { at_ms, lines: MOST_LINES })
        } else {
            Ok(())
        }
    }

    /// Tells the set what happens now.
    #[inline(always)]
    fn tell(&mut self) -> Result<(), SimError> {
        self.gather()?;
        let now = self.now;
        let hear = |event: &mut Event| {
            self.collector.told(event, now);
            self.set.hear(now, event);
        };
        if !self.events.use_only(Event::is_plain, hear) {
            if self.events.is_empty() {
                return Ok(());
            }
            // As the set takes them: who was known of first is no matter of what is known at one instant.
            self.events.sort_by_key(Event::turn);
            self.events.iter().for_each(|event| self.collector.told(event, self.now));
            self.set.handle_all(self.now, std::iter::from_fn(|| self.events.pop(true)));
        }
        Ok(())
    }

    /// What happens now: the timeline's doing and that of the surroundings, known at one instant.
    fn gather(&mut self) -> Result<(), SimError> {
        if self.next_act <= self.now {
            self.follow_timeline()?;
        }
        if self.backend.environment.next().is_some_and(|at| at <= self.now) {
            self.be_befallen();
        }
        self.backend.tell(self.now, &mut self.events);
        Ok(())
    }

    #[inline(never)]
    fn follow_timeline(&mut self) -> Result<(), SimError> {
        while self.timeline.last().is_some_and(|(at, _)| *at <= self.now) {
            let Some((_, act)) = self.timeline.pop() else { break };
            let replica = act.replica();
            let Some(event) = self.event_of(act) else {
                return Err(SimError::NoSuchReplica {
                    replica: replica.unwrap_or(0),
                    at_ms: self.now.as_millis(),
                    had: self.backend.instances.count(),
                });
            };
            self.events.push(event);
        }
        self.next_act = next_act(&self.timeline);
        Ok(())
    }

    fn be_befallen(&mut self) {
        let mut actions = std::mem::take(&mut self.befalling);
        self.backend.environment.befalls(self.now, &mut actions);
        for Action(act) in actions.drain(..) {
            if self.can_befall(&act) {
                let event = self.event_of(act);
                event.into_iter().for_each(|event| self.events.push(event));
            }
        }
        self.befalling = actions;
    }

    /// Whether what would befall an instance finds it alive, and in sight.
    fn can_befall(&mut self, act: &Act) -> bool {
        let Some(replica) = act.replica().map(ReplicaId) else { return true };
        let Some(incarnation) = self.set.get(replica).map(|view| view.incarnation) else { return false };
        match act {
            Act::Found { .. } => self.backend.instances.get(replica).lost.is_some(),
            Act::Exit { .. } | Act::Fail { .. } | Act::Ready { .. } | Act::Lost { .. } => {
                let instance = self.backend.instances.get(replica);
                instance.lives(incarnation) && instance.lost != Some(incarnation)
            }
            _ => true,
        }
    }

    /// What the set is told of it; `None`: there is no such replica.
    fn event_of(&mut self, act: Act) -> Option<Event> {
        let (id, incarnation, phase) = match act.replica().map(ReplicaId) {
            Some(id) => match self.set.get(id) {
                Some(view) => (id, view.incarnation, view.phase),
                None if self.asks_amiss && act.is_asked() => (id, Incarnation(0), Phase::Removed),
                None => return None,
            },
            None => (ReplicaId(0), Incarnation(0), Phase::Removed),
        };
        let news = News { replica: id, incarnation, at: None };
        Some(match act {
            Act::Exit { exit, told, .. } => self.dies(id, incarnation, told.of(exited(exit, self.now))),
            Act::Fail { cause, told, .. } => {
                let fails = if phase == Phase::Starting { Outcome::start_failed } else { Outcome::failed };
                self.dies(id, incarnation, told.of(fails(cause, self.now)))
            }
            Act::Ready { ready: true, .. } => Event::Ready(news),
            Act::Ready { ready: false, .. } => Event::NotReady(news),
            Act::Lost { .. } => {
                let instance = self.backend.instances.get(id);
                instance.lost = instance.lives(incarnation).then_some(incarnation);
                Event::Lost(news)
            }
            Act::Found { .. } => match self.backend.instances.found(id) {
                Some(Found { incarnation, ended: Some(outcome), .. }) => {
                    ended(id, incarnation, Outcome { at: self.now, ..outcome })
                }
                Some(Found { incarnation, began, .. }) => {
                    let found = Event::Found(News { incarnation, ..news });
                    let Some(began) = began else { return Some(found) };
                    self.events.push(found);
                    match began {
                        Began::Ready => Event::ready(id, incarnation),
                        Began::Running => Event::started(id, incarnation),
                    }
                }
                None => Event::Found(news),
            },
            Act::Scale(replicas) => Event::Scale(replicas.min(MAX_REPLICAS.saturating_add(1))),
            Act::Restart(_) => Event::Restart(id),
            Act::Stop(_) => Event::Stop(id),
            Act::Start(_) => Event::Start(id),
            Act::Drain(_) => Event::Drain(id),
            Act::Reset(selection) => Event::Reset(selection),
            Act::RetryNow(selection) => Event::RetryNow(selection),
            Act::Terminate => Event::Terminate,
        })
    }

    fn dies(&mut self, replica: ReplicaId, incarnation: Incarnation, outcome: Outcome) -> Event {
        self.backend.instances.gone(replica, incarnation);
        ended(replica, incarnation, outcome)
    }

    /// Takes the set's outputs: the backend obeys its commands.
    #[inline(always)]
    fn obey(&mut self) {
        let in_flight = self.set.in_flight();
        self.collector.settled(in_flight);
        let now = self.now;
        self.set.for_each_output(|output| {
            self.backend.environment.hears(output, now);
            self.collector.output(output, now);
            if let Output::Command(command) = output {
                self.backend.carry_out(command, now, in_flight);
            }
        });
    }
}

fn next_act(timeline: &[(Timestamp, Act)]) -> Timestamp {
    timeline.last().map_or(Timestamp::MAX, |(at, _)| *at)
}

pub(super) fn exited(exit: Exit, at: Timestamp) -> Outcome {
    match exit {
        Exit::Code(code) => Outcome::exited(code, at),
        Exit::Signal(signal) => Outcome::signalled(signal, at),
    }
}
