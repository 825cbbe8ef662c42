//! The loop of a simulation: the set's deadlines, the doings of its surroundings and the timeline, in the order of time.

use super::action::{Action, ActionKind};
use super::collector::Collector;
use super::environment::Environment;
use super::error::SimError;
use super::instances::{Progress, Regained, end_event};
use super::run::Run;
use super::simulated_backend::SimulatedBackend;
use super::simulation::Simulation;
use crate::decide::{Incarnation, Outcome, ReplicaId};
use crate::engine::{Event, News, Output, Phase, ReplicaSet};
use crate::places::Places;
use crate::policy::{Exit, MAX_REPLICAS};
use crate::time::Timestamp;

/// More rounds than this within one instant are no progress: every wait of a policy is at least 100 ms where nothing
/// runs in between.
const MAX_ROUNDS_PER_INSTANT: u32 = 100_000;

/// A trace of more lines than this is not read by anybody, and would fill the memory: a crash loop of many years.
const MAX_TRACE_LINES: usize = 2_000_000;

pub(super) struct Runner<'e, E> {
    set: ReplicaSet,
    backend: SimulatedBackend<'e, E>,
    /// Latest first, so that the next is popped.
    timeline: Vec<(Timestamp, ActionKind)>,
    /// When the timeline has something next, or never.
    next_action: Timestamp,
    now: Timestamp,
    until: Timestamp,
    /// What is asked for may be of a replica that the set has not: the set refuses it.
    allow_unknown_replicas: bool,
    collector: Collector,
    events: Places<Event>,
    injected: Vec<Action>,
}

impl<'e, E: Environment> Runner<'e, E> {
    pub(super) fn new(simulation: Simulation, environment: &'e mut E, until: Timestamp) -> Result<Self, SimError> {
        let Simulation { policy, seed, mut timeline, keep_trace, allow_unknown_replicas, .. } = simulation;
        timeline.sort_by_key(|(at, _)| *at);
        if let Some((at, _)) = timeline.last().filter(|(at, _)| *at > until) {
            return Err(SimError::AfterEnd { at_ms: at.as_millis(), until_ms: until.as_millis() });
        }
        timeline.reverse();
        let backend = SimulatedBackend::new(environment, policy.replicas());
        let set = ReplicaSet::new(policy, seed, Timestamp::ZERO);
        Ok(Self {
            collector: Collector::new(&set, Timestamp::ZERO, keep_trace),
            set,
            backend,
            next_action: next_action(&timeline),
            timeline,
            now: Timestamp::ZERO,
            until,
            allow_unknown_replicas,
            events: Places::default(),
            injected: Vec::new(),
        })
    }

    pub(super) fn run(mut self) -> Result<Run, SimError> {
        // What never happens comes after it.
        let last = self.until.min(Timestamp::LATEST);
        let mut rounds = 0;
        loop {
            let (due, next_event_at) = (self.set.wakes_at(), self.next_event_at());
            let next = due.min(next_event_at);
            if next > self.now {
                self.collector.end_instant(self.now);
                if next > last {
                    break;
                }
                self.now = next;
                rounds = 0;
            }
            rounds += 1;
            // What is due precedes what next_event_at.
            if due <= self.now {
                self.set.handle_timeout(self.now);
            } else {
                self.deliver_events()?;
            }
            self.drain_outputs();
            self.check_bounds(rounds)?;
        }
        self.collector.stats.restarts = self.backend.instances.restarts().collect();
        Ok(self.collector.finish(self.set, self.until))
    }

    /// When the set is told something next.
    #[inline]
    fn next_event_at(&self) -> Timestamp {
        self.backend.next().min(self.next_action)
    }

    /// Whether it may go on.
    #[inline]
    fn check_bounds(&self, rounds: u32) -> Result<(), SimError> {
        if rounds <= MAX_ROUNDS_PER_INSTANT && self.collector.trace.len() <= MAX_TRACE_LINES {
            return Ok(());
        }
        let at_ms = self.now.as_millis();
        // Where one starts after the other, there is a round for each.
        let most = MAX_ROUNDS_PER_INSTANT.saturating_add(self.backend.instances.count().saturating_mul(10));
        if rounds > most {
            Err(SimError::Livelock { at_ms, rounds: most })
        } else if self.collector.trace.len() > MAX_TRACE_LINES {
            Err(SimError::TraceTooLong { at_ms, lines: MAX_TRACE_LINES })
        } else {
            Ok(())
        }
    }

    /// Tells the set what happens now.
    #[inline(always)]
    fn deliver_events(&mut self) -> Result<(), SimError> {
        self.collect_events()?;
        let now = self.now;
        let hear = |event: &mut Event| {
            self.collector.record_event(event, now);
            self.set.hear(now, event);
        };
        if !self.events.use_only(Event::is_plain, hear) {
            if self.events.is_empty() {
                return Ok(());
            }
            // As the set takes them: who was known of first is no matter of what is known at one instant.
            self.events.sort_by_key(Event::turn);
            self.events.iter().for_each(|event| self.collector.record_event(event, self.now));
            self.set.handle_all(self.now, std::iter::from_fn(|| self.events.pop(true)));
        }
        Ok(())
    }

    /// What happens now: the timeline's doing and that of the surroundings, known at one instant.
    fn collect_events(&mut self) -> Result<(), SimError> {
        if self.next_action <= self.now {
            self.run_timeline()?;
        }
        if self.backend.environment.next_injection().is_some_and(|at| at <= self.now) {
            self.inject();
        }
        self.backend.poll_events(self.now, &mut self.events);
        Ok(())
    }

    #[inline(never)]
    fn run_timeline(&mut self) -> Result<(), SimError> {
        while self.timeline.last().is_some_and(|(at, _)| *at <= self.now) {
            let Some((_, act)) = self.timeline.pop() else { break };
            let replica = act.replica();
            let Some(event) = self.event_for(act) else {
                return Err(SimError::NoSuchReplica {
                    replica: replica.unwrap_or(0),
                    at_ms: self.now.as_millis(),
                    had: self.backend.instances.count(),
                });
            };
            self.events.push(event);
        }
        self.next_action = next_action(&self.timeline);
        Ok(())
    }

    fn inject(&mut self) {
        let mut actions = std::mem::take(&mut self.injected);
        self.backend.environment.inject(self.now, &mut actions);
        for Action(act) in actions.drain(..) {
            if self.is_applicable(&act) {
                let event = self.event_for(act);
                event.into_iter().for_each(|event| self.events.push(event));
            }
        }
        self.injected = actions;
    }

    /// Whether what would befall an instance finds it alive, and in sight.
    fn is_applicable(&mut self, act: &ActionKind) -> bool {
        let Some(replica) = act.replica().map(ReplicaId) else { return true };
        let Some(incarnation) = self.set.get(replica).map(|view| view.incarnation) else { return false };
        match act {
            ActionKind::Found { .. } => self.backend.instances.get(replica).lost.is_some(),
            ActionKind::Exit { .. } | ActionKind::Fail { .. } | ActionKind::Ready { .. } | ActionKind::Lost { .. } => {
                let instance = self.backend.instances.get(replica);
                instance.lives(incarnation) && instance.lost != Some(incarnation)
            }
            _ => true,
        }
    }

    /// What the set is told of it; `None`: there is no such replica.
    fn event_for(&mut self, act: ActionKind) -> Option<Event> {
        let (id, incarnation, phase) = match act.replica().map(ReplicaId) {
            Some(id) => match self.set.get(id) {
                Some(view) => (id, view.incarnation, view.phase),
                None if self.allow_unknown_replicas && act.is_operator_request() => {
                    (id, Incarnation(0), Phase::Removed)
                }
                None => return None,
            },
            None => (ReplicaId(0), Incarnation(0), Phase::Removed),
        };
        let news = News { replica: id, incarnation, at: None };
        Some(match act {
            ActionKind::Exit { exit, details, .. } => {
                self.end_instance(id, incarnation, details.of(exit_outcome(exit, self.now)))
            }
            ActionKind::Fail { cause, details, .. } => {
                let fails = if phase == Phase::Starting { Outcome::start_failed } else { Outcome::failed };
                self.end_instance(id, incarnation, details.of(fails(cause, self.now)))
            }
            ActionKind::Ready { ready: true, .. } => Event::Ready(news),
            ActionKind::Ready { ready: false, .. } => Event::NotReady(news),
            ActionKind::Lost { .. } => {
                let instance = self.backend.instances.get(id);
                instance.lost = instance.lives(incarnation).then_some(incarnation);
                Event::Lost(news)
            }
            ActionKind::Found { .. } => match self.backend.instances.regain_contact(id) {
                Some(Regained { incarnation, ended: Some(outcome), .. }) => {
                    end_event(id, incarnation, Outcome { at: self.now, ..outcome })
                }
                Some(Regained { incarnation, progress, .. }) => {
                    let found = Event::Found(News { incarnation, ..news });
                    let Some(progress) = progress else { return Some(found) };
                    self.events.push(found);
                    match progress {
                        Progress::Ready => Event::ready(id, incarnation),
                        Progress::Running => Event::started(id, incarnation),
                    }
                }
                None => Event::Found(news),
            },
            ActionKind::Scale(replicas) => Event::Scale(replicas.min(MAX_REPLICAS.saturating_add(1))),
            ActionKind::Restart(_) => Event::Restart(id),
            ActionKind::Stop(_) => Event::Stop(id),
            ActionKind::Start(_) => Event::Start(id),
            ActionKind::Drain(_) => Event::Drain(id),
            ActionKind::Reset(selection) => Event::Reset(selection),
            ActionKind::RetryNow(selection) => Event::RetryNow(selection),
            ActionKind::Terminate => Event::Terminate,
        })
    }

    fn end_instance(&mut self, replica: ReplicaId, incarnation: Incarnation, outcome: Outcome) -> Event {
        self.backend.instances.remove(replica, incarnation);
        end_event(replica, incarnation, outcome)
    }

    /// Takes the set's outputs: the backend obeys its commands.
    #[inline(always)]
    fn drain_outputs(&mut self) {
        let in_flight = self.set.in_flight();
        self.collector.record_in_flight(in_flight);
        let now = self.now;
        self.set.for_each_output(|output| {
            self.backend.environment.observe(output, now);
            self.collector.record_output(output, now);
            if let Output::Command(command) = output {
                self.backend.execute(command, now, in_flight);
            }
        });
    }
}

fn next_action(timeline: &[(Timestamp, ActionKind)]) -> Timestamp {
    timeline.last().map_or(Timestamp::MAX, |(at, _)| *at)
}

pub(super) fn exit_outcome(exit: Exit, at: Timestamp) -> Outcome {
    match exit {
        Exit::Code(code) => Outcome::exited(code, at),
        Exit::Signal(signal) => Outcome::signalled(signal, at),
    }
}
