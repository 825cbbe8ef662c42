//! The event loop of a simulation: timeouts of the set, events of the simulated backend, and the timeline.

use super::action::{Action, ActionKind};
use super::collector::Collector;
use super::environment::Environment;
use super::error::SimError;
use super::instances::{Progress, Regained};
use super::outcomes::{end_event, exit_outcome};
use super::run::Run;
use super::simulated_backend::SimulatedBackend;
use crate::decide::{Incarnation, InstanceId, Outcome, ReplicaId};
use crate::engine::{Drain, Event, InstanceEvent, InterruptionNotice, Output, Phase, ReplicaSet};
use crate::in_place_queue::InPlaceQueue;
use crate::policy::{MAX_REPLICAS, Policy};
use crate::time::Timestamp;

/// More rounds than this at one instant are a livelock, because every delay of a policy is at least 100 ms unless an
/// instance has run in between.
const MAX_ROUNDS_PER_INSTANT: u32 = 100_000;

/// Bounds the memory that the trace of a crash loop over many years needs.
const MAX_TRACE_LINES: usize = 2_000_000;

/// The input of a run, apart from its environment.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    pub(super) policy: Policy,
    pub(super) seed: u64,
    /// In any order.
    pub(super) timeline: Vec<(Timestamp, ActionKind)>,
    /// If false, only statistics are kept.
    pub(super) keep_trace: bool,
    /// If true, requests may name replicas that the set does not have; the set then rejects or ignores them.
    pub(super) allow_unknown_replicas: bool,
}

pub(super) struct Runner<'e, E> {
    set: ReplicaSet,
    backend: SimulatedBackend<'e, E>,
    /// Latest first, so that the next action can be popped.
    timeline: Vec<(Timestamp, ActionKind)>,
    /// When the next action of the timeline is due, or `MAX`.
    next_action: Timestamp,
    now: Timestamp,
    until: Timestamp,
    allow_unknown_replicas: bool,
    collector: Collector,
    /// Events that are due now.
    events: InPlaceQueue<Event>,
    /// Reused between injections.
    injected: Vec<Action>,
}

impl<'e, E: Environment> Runner<'e, E> {
    pub(super) fn new(setup: Setup, environment: &'e mut E, until: Timestamp) -> Result<Self, SimError> {
        let Setup { policy, seed, mut timeline, keep_trace, allow_unknown_replicas } = setup;
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
            events: InPlaceQueue::default(),
            injected: Vec::new(),
        })
    }

    pub(super) fn run(mut self) -> Result<Run, SimError> {
        // `MAX` means never, so a run to `MAX` ends just before it.
        let last = self.until.min(Timestamp::LATEST);
        let mut rounds = 0;
        loop {
            let (timeout, next_event) = (self.set.wakes_at(), self.next_event_at());
            let next = timeout.min(next_event);
            if next > self.now {
                self.collector.end_instant(self.now);
                if next > last {
                    break;
                }
                self.now = next;
                rounds = 0;
            }
            rounds += 1;
            // Timeouts are handled before events of the same instant.
            if timeout <= self.now {
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

    #[inline]
    fn next_event_at(&self) -> Timestamp {
        self.backend.next().min(self.next_action)
    }

    #[inline]
    fn check_bounds(&self, rounds: u32) -> Result<(), SimError> {
        if rounds <= MAX_ROUNDS_PER_INSTANT && self.collector.trace.len() <= MAX_TRACE_LINES {
            return Ok(());
        }
        let at_ms = self.now.as_millis();
        // Starts that are admitted one at a time take a round each.
        let max_rounds = MAX_ROUNDS_PER_INSTANT.saturating_add(self.backend.instances.count().saturating_mul(10));
        if rounds > max_rounds {
            Err(SimError::Livelock { at_ms, rounds: max_rounds })
        } else if self.collector.trace.len() > MAX_TRACE_LINES {
            Err(SimError::TraceTooLong { at_ms, lines: MAX_TRACE_LINES })
        } else {
            Ok(())
        }
    }

    /// Passes all events of this instant to the set, as one batch.
    #[inline]
    fn deliver_events(&mut self) -> Result<(), SimError> {
        self.collect_events()?;
        let now = self.now;
        let handle = |event: &mut Event| {
            self.collector.record_event(event, now);
            self.set.handle_in_place(now, event);
        };
        if !self.events.take_single(handle) {
            if self.events.is_empty() {
                return Ok(());
            }
            // Recorded in the order in which the set handles a batch.
            self.events.sort_by_key(Event::batch_order);
            self.events.iter().for_each(|event| self.collector.record_event(event, self.now));
            self.set.handle_all(self.now, std::iter::from_fn(|| self.events.pop(true)));
        }
        Ok(())
    }

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
            let Some((_, action)) = self.timeline.pop() else { break };
            let replica = action.replica();
            let Some(event) = self.event_for(action) else {
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
        for Action(action) in actions.drain(..) {
            if self.is_applicable(&action) {
                let event = self.event_for(action);
                event.into_iter().for_each(|event| self.events.push(event));
            }
        }
        self.injected = actions;
    }

    /// Returns whether the instance of an injected action is alive and in contact.
    fn is_applicable(&mut self, action: &ActionKind) -> bool {
        let Some(replica) = action.replica().map(ReplicaId) else { return true };
        let Some(incarnation) = self.set.get(replica).map(|view| view.incarnation) else { return false };
        match action {
            ActionKind::Found { .. } => self.backend.instances.get(replica).lost.is_some(),
            ActionKind::Exit { .. } | ActionKind::Fail { .. } | ActionKind::Ready { .. } | ActionKind::Lost { .. } => {
                let instance = self.backend.instances.get(replica);
                instance.may_be_alive(incarnation) && !instance.is_lost(incarnation)
            }
            _ => true,
        }
    }

    /// Applies an action to the simulated instances and returns the event that reports it; `None` if there is no such
    /// replica.
    fn event_for(&mut self, action: ActionKind) -> Option<Event> {
        let (id, incarnation, phase) = match action.replica().map(ReplicaId) {
            Some(id) => match self.set.get(id) {
                Some(view) => (id, view.incarnation, view.phase),
                None if self.allow_unknown_replicas && !action.is_fault() => (id, Incarnation(0), Phase::Removed),
                None => return None,
            },
            None => (ReplicaId(0), Incarnation(0), Phase::Removed),
        };
        let instance = InstanceId { replica: id, incarnation };
        let event = InstanceEvent::new(instance, None);
        Some(match action {
            ActionKind::Exit { exit, details, .. } => {
                self.end_instance(instance, details.add_to(exit_outcome(exit, self.now)))
            }
            ActionKind::Fail { cause, details, .. } => {
                let failed = if phase == Phase::Starting { Outcome::start_failed } else { Outcome::failed };
                self.end_instance(instance, details.add_to(failed(cause, self.now)))
            }
            ActionKind::Ready { ready: true, .. } => Event::Ready(event),
            ActionKind::Ready { ready: false, .. } => Event::NotReady(event),
            ActionKind::Lost { .. } => {
                let instance = self.backend.instances.get(id);
                instance.lost = instance.may_be_alive(incarnation).then_some(incarnation);
                Event::Lost(event)
            }
            ActionKind::Found { .. } => self.regain_contact(event),
            ActionKind::Scale(replicas) => Event::Scale(replicas.min(MAX_REPLICAS.saturating_add(1))),
            ActionKind::Restart(_) => Event::Restart(id),
            ActionKind::Stop(_) => Event::Stop(id),
            ActionKind::Start(_) => Event::Start(id),
            ActionKind::Drain(Drain { replicas, deadline, .. }) => {
                let mut drain = Drain::of(replicas);
                drain.deadline = deadline.map(|after| self.now.plus_nanos(after.as_nanos()));
                Event::Drain(drain)
            }
            ActionKind::Undrain(replicas) => Event::Undrain(replicas),
            ActionKind::Notice { deadline, .. } => Event::InterruptionNotice(InterruptionNotice {
                replica: id,
                incarnation,
                deadline: self.now.plus_nanos(deadline.as_nanos()),
            }),
            ActionKind::RollOut(revision) => Event::RollOut(revision),
            ActionKind::Promote => Event::Promote,
            ActionKind::RollBack => Event::RollBack,
            ActionKind::Reset(selection) => Event::Reset(selection),
            ActionKind::RetryNow(selection) => Event::RetryNow(selection),
            ActionKind::Terminate => Event::Terminate,
        })
    }

    /// Reports what the instance did while contact was lost. Progress comes after `Found`, an end instead of it.
    fn regain_contact(&mut self, event: InstanceEvent) -> Event {
        let replica = event.replica;
        let Some(Regained { incarnation, ended, progress }) = self.backend.instances.regain_contact(replica) else {
            return Event::Found(event);
        };
        let instance = InstanceId { replica, incarnation };
        if let Some(outcome) = ended {
            return end_event(instance, Outcome { at: self.now, ..outcome });
        }
        let found = Event::Found(InstanceEvent::new(instance, None));
        let Some(progress) = progress else { return found };
        self.events.push(found);
        match progress {
            Progress::Ready => Event::ready(instance),
            Progress::Running => Event::started(instance),
        }
    }

    fn end_instance(&mut self, instance: InstanceId, outcome: Outcome) -> Event {
        self.backend.instances.remove(instance);
        end_event(instance, outcome)
    }

    /// Takes the set's outputs; the backend executes the commands.
    #[inline]
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
