//! A world in which a set lives: it obeys commands when a step says so, and remembers what it believes to be live.

use std::collections::{BTreeMap, BTreeSet};

use crate::policies::{self, Document};
use crate::slots::{SlotChecks, SlotStep, is_broken, slot_steps, slots_at_rest};
use proptest::prelude::*;
use std::time::Duration;
use uphold::engine::{Ended, InstanceState, Observed, ProbeKind, ProbeReport, ProbeResult, Selection};
use uphold::recording::{Input, RecordedStep};
use uphold::{
    Cause, Command, Event, Incarnation, InstanceId, Notice, Outcome, Output, Phase, Policy, ReplicaId, ReplicaSet,
    Signal, Status, Timestamp,
};

/// One thing that happens. Replicas are taken modulo what there is.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Up to the next deadline.
    Wait,
    /// So many milliseconds, deadlines on the way being served.
    Pass(u32),
    /// So many milliseconds without anybody looking.
    Jump(u32),
    Start(u32),
    Ready(u32),
    NotReady(u32),
    Crash {
        replica: u32,
        code: i32,
    },
    Fail {
        replica: u32,
        cause: u8,
    },
    /// An end that is reported so many milliseconds later, with the start of the same replica or without.
    Late {
        replica: u32,
        code: i32,
        ago: u32,
        flash: bool,
    },
    /// One ends and another becomes ready, known at one instant.
    Together {
        replica: u32,
        ready: u32,
    },
    StartFails(u32),
    Stop(u32),
    Lost(u32),
    Found(u32),
    Probe {
        replica: u32,
        good: bool,
    },
    Stale(u32),
    Scale(u32),
    Restart(u32),
    Drain(u32),
    OperatorStop(u32),
    OperatorStart(u32),
    Reset(u32),
    RetryNow(u32),
    LimitStarts(Option<u32>),
    /// Everything that was commanded comes about.
    Obey,
    Observe(u32),
    /// A complete list that shows one replica's next incarnation, as after a restore: it runs, or has ended.
    ObserveNext {
        replica: u32,
        ended: bool,
    },
    Slots(SlotStep),
    Replace(Box<Document>),
    /// The set is stored, and read again.
    Restore,
    Terminate,
}

pub(crate) fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let replica = 0..10u32;
    let step = prop_oneof![
        8 => Just(Step::Wait),
        4 => (1..40_000u32).prop_map(Step::Pass),
        1 => (1..400_000u32).prop_map(Step::Jump),
        3 => replica.clone().prop_map(Step::Start),
        4 => replica.clone().prop_map(Step::Ready),
        1 => replica.clone().prop_map(Step::NotReady),
        6 => (replica.clone(), 0..4i32).prop_map(|(replica, code)| Step::Crash { replica, code }),
        3 => (replica.clone(), 0..6u8).prop_map(|(replica, cause)| Step::Fail { replica, cause }),
        4 => (replica.clone(), 0..4i32, 0..90_000u32, any::<bool>())
            .prop_map(|(replica, code, ago, flash)| Step::Late { replica, code, ago, flash }),
        2 => (replica.clone(), replica.clone()).prop_map(|(replica, ready)| Step::Together { replica, ready }),
        1 => (replica.clone(), any::<bool>()).prop_map(|(replica, ended)| Step::ObserveNext { replica, ended }),
        2 => replica.clone().prop_map(Step::StartFails),
        4 => replica.clone().prop_map(Step::Stop),
        1 => replica.clone().prop_map(Step::Lost),
        1 => replica.clone().prop_map(Step::Found),
        4 => (replica.clone(), any::<bool>()).prop_map(|(replica, good)| Step::Probe { replica, good }),
        1 => replica.clone().prop_map(Step::Stale),
        1 => (0..9u32).prop_map(Step::Scale),
        1 => replica.clone().prop_map(Step::Restart),
        1 => replica.clone().prop_map(Step::Drain),
        1 => replica.clone().prop_map(Step::OperatorStop),
        1 => replica.clone().prop_map(Step::OperatorStart),
        1 => replica.clone().prop_map(Step::Reset),
        1 => replica.clone().prop_map(Step::RetryNow),
        1 => proptest::option::of(0..4u32).prop_map(Step::LimitStarts),
        8 => Just(Step::Obey),
        1 => replica.prop_map(Step::Observe),
        8 => slot_steps().prop_map(Step::Slots),
        1 => policies::any().prop_map(|policy| Step::Replace(Box::new(policy))),
        1 => Just(Step::Restore),
    ];
    // A set that is terminated early shows little: at most one step in a run terminates it.
    (proptest::collection::vec(step, 1..most), proptest::option::weighted(0.2, 0..most)).prop_map(|(mut steps, end)| {
        if let Some(end) = end.filter(|&end| end < steps.len()) {
            steps[end] = Step::Terminate;
        }
        steps
    })
}

#[derive(Clone)]
pub(crate) struct World {
    pub(crate) set: ReplicaSet,
    pub(crate) now: Timestamp,
    /// What was handed out, one line each.
    pub(crate) log: Vec<String>,
    /// Believed live: every incarnation that was started and whose end was not reported.
    pub(crate) live: BTreeMap<ReplicaId, Incarnation>,
    /// Asked to stop or killed, and not known to be gone: a stray among them is waited for.
    pub(crate) asked: BTreeSet<InstanceId>,
    pub(crate) ended: Option<Status>,
    pub(crate) violations: Vec<String>,
    pub(crate) limited: Option<u32>,
    /// Restarts that were under way before the last step.
    pub(crate) starting_before: u32,
    pub(crate) checks: SlotChecks,
}

impl World {
    pub(crate) fn new(policy: Policy, seed: u64) -> Self {
        let now = Timestamp::from_secs(1000);
        let mut world = Self {
            set: ReplicaSet::new(policy, seed, now),
            now,
            log: Vec::new(),
            live: BTreeMap::new(),
            asked: BTreeSet::new(),
            ended: None,
            violations: Vec::new(),
            limited: None,
            starting_before: 0,
            checks: SlotChecks::new(),
        };
        world.wake();
        world
    }

    pub(crate) fn wake(&mut self) {
        self.checks.asks(&[]);
        self.set.handle_timeout(self.now);
        self.drain();
    }

    pub(crate) fn handle(&mut self, event: Event) {
        self.handle_all(vec![event]);
    }

    pub(crate) fn handle_all(&mut self, events: Vec<Event>) {
        for event in &events {
            let ends = matches!(event, Event::Exited(_) | Event::StartFailed(_) | Event::Stopped(_));
            if let Some(instance) = event.instance().filter(|_| ends)
                && self.live.get(&instance.replica) == Some(&instance.incarnation)
            {
                self.live.remove(&instance.replica);
            }
        }
        let step = crate::stored::reread(&RecordedStep::new(self.now, Input::Events(events)));
        let Input::Events(events) = step.input else { unreachable!("it is what was stored") };
        self.checks.asks(&events);
        self.set.handle_all(self.now, events);
        self.drain();
    }

    pub(crate) fn limit_starts(&mut self, most: Option<u32>) {
        self.limited = most;
        self.set.limit_starts(self.now, most);
        self.drain();
    }

    pub(crate) fn drain(&mut self) {
        let outputs: Vec<Output> = std::iter::from_fn(|| self.set.poll_output()).collect();
        self.violations.extend(self.checks.after(&self.set, &outputs));
        for output in outputs {
            self.log.push(output.to_string());
            match output {
                Output::Command(Command::Start(start)) => {
                    if let Some(live) = self.live.insert(start.replica, start.incarnation) {
                        self.violations.push(format!("{start:?} while {live} is believed live"));
                    }
                    if let Some(ended) = self.ended {
                        self.violations.push(format!("{start:?} after {ended}"));
                    }
                }
                Output::Command(command @ (Command::Stop(_) | Command::Kill(_))) => {
                    self.asked.insert(command.instance());
                }
                // Lost, it is replaced without a report of its end.
                Output::Notice(Notice::Verdict(judged)) if judged.decision.cause == Some(Cause::NodeLost) => {
                    self.live.remove(&judged.replica);
                }
                Output::Notice(Notice::Replica(change)) if !change.phase.is_live() => {
                    // A stop of one out of contact is given up after lost_after.
                    self.live.remove(&change.replica);
                }
                Output::Notice(Notice::Status(change)) => {
                    if self.ended.is_some_and(Status::is_final) {
                        self.violations.push(format!("{change:?} after {:?}", self.ended));
                    }
                    if matches!(change.status, Status::Terminating | Status::Terminated | Status::Completed) {
                        self.ended = Some(change.status);
                    }
                }
                _ => {}
            }
        }
    }

    fn restore(&mut self) {
        self.wake();
        let snapshot = crate::stored::reread(&self.set.snapshot());
        match ReplicaSet::restore(self.set.policy().clone(), snapshot, self.now) {
            Ok(set) => self.set = set,
            Err(error) => self.violations.push(format!("its own snapshot is refused: {error}")),
        }
        // A restored set issues no command before it is woken.
        self.wake();
    }

    fn pick(&self, replica: u32) -> Option<(ReplicaId, Incarnation, Phase)> {
        let views: Vec<_> = self.set.replicas().collect();
        let view = views.get(replica as usize % views.len().max(1))?;
        Some((view.replica, view.incarnation, view.phase))
    }

    /// The end of one replica, if it lives.
    pub(crate) fn crash(&self, replica: u32, code: i32) -> Option<Event> {
        let (id, incarnation, phase) = self.pick(replica)?;
        (phase.is_live() && id.0 == replica).then(|| Event::exited((id, incarnation), code))
    }

    pub(crate) fn take(&mut self, step: &Step) {
        self.starting_before = self.set.census().starting;
        match *step {
            Step::Wait => {
                if let Some(next) = self.set.next_deadline() {
                    // Not into the far future: a start that is never obeyed times out in 20 minutes.
                    self.now = self.now.max(next.at.min(self.now + Duration::from_secs(1800)));
                    self.wake();
                }
            }
            Step::Pass(millis) => {
                let until = self.now + Duration::from_millis(millis.into());
                while let Some(next) = self.set.next_deadline().filter(|next| next.at <= until) {
                    self.now = self.now.max(next.at);
                    self.wake();
                }
                self.now = until;
                self.wake();
            }
            Step::Jump(millis) => {
                self.now = self.now + Duration::from_millis(millis.into());
                self.wake();
            }
            Step::Obey => self.obey(),
            Step::Slots(ref step) => {
                let event = step.event(&self.set, self.now);
                self.handle(event);
            }
            Step::Replace(ref policy) => {
                self.set.replace_policy(self.now, policy.0.clone());
                self.drain();
            }
            Step::Restore => self.restore(),
            Step::Scale(replicas) => self.handle(Event::Scale(replicas)),
            Step::LimitStarts(most) => self.limit_starts(most),
            Step::Terminate => self.handle(Event::Terminate),
            Step::Reset(9) => self.handle(Event::Reset(Selection::All)),
            Step::RetryNow(9) => self.handle(Event::RetryNow(Selection::All)),
            Step::RetryNow(8) => self.handle(Event::RetryNow(Selection::Cause(Cause::Error))),
            Step::Start(replica)
            | Step::Ready(replica)
            | Step::NotReady(replica)
            | Step::Crash { replica, .. }
            | Step::Fail { replica, .. }
            | Step::Late { replica, .. }
            | Step::Together { replica, .. }
            | Step::ObserveNext { replica, .. }
            | Step::StartFails(replica)
            | Step::Stop(replica)
            | Step::Lost(replica)
            | Step::Found(replica)
            | Step::Probe { replica, .. }
            | Step::Stale(replica)
            | Step::Restart(replica)
            | Step::Drain(replica)
            | Step::OperatorStop(replica)
            | Step::OperatorStart(replica)
            | Step::Reset(replica)
            | Step::RetryNow(replica)
            | Step::Observe(replica) => {
                if let Some((id, incarnation, phase)) = self.pick(replica) {
                    self.take_one(step, id, incarnation, phase);
                }
            }
        }
    }

    fn take_one(&mut self, step: &Step, id: ReplicaId, incarnation: Incarnation, phase: Phase) {
        let event = match *step {
            Step::Start(_) => Event::started((id, incarnation)),
            Step::Ready(_) if self.set.get(id).is_some_and(|view| is_broken(&self.set, &view)) => return,
            Step::Ready(_) => Event::ready((id, incarnation)),
            Step::NotReady(_) => Event::not_ready((id, incarnation)),
            Step::Crash { code: 0, .. } => Event::exited((id, incarnation), 0),
            Step::Crash { code, .. } => Event::exited((id, incarnation), code),
            Step::Fail { cause: 0, .. } => Event::signalled((id, incarnation), Signal::KILL),
            Step::Fail { cause, .. } => {
                Event::failed((id, incarnation), Cause::BUILT_IN[usize::from(cause) % Cause::BUILT_IN.len()].clone())
            }
            Step::Late { code, ago, flash, .. } => {
                let at = self.now - Duration::from_millis(ago.into());
                let outcome = Outcome::exited(code, at);
                let ended = Event::Exited(Ended { replica: id, incarnation, outcome });
                let started = flash.then(|| Event::started((id, incarnation)));
                return self.handle_all(started.into_iter().chain([ended]).collect());
            }
            Step::Together { ready, .. } => {
                let works = |id| self.set.get(id).is_some_and(|view| !is_broken(&self.set, &view));
                let other = self.pick(ready).filter(|(other, ..)| *other != id && works(*other));
                let ready = other.map(|(other, incarnation, _)| Event::ready((other, incarnation)));
                return self.handle_all(ready.into_iter().chain([Event::exited((id, incarnation), 1)]).collect());
            }
            Step::ObserveNext { ended, .. } => return self.observe_next(id, incarnation, ended),
            Step::StartFails(_) if phase == Phase::Starting => {
                Event::start_failed((id, incarnation), Cause::NoCapacity)
            }
            Step::Stop(_) => Event::stopped((id, incarnation)),
            Step::Lost(_) => Event::lost((id, incarnation)),
            Step::Found(_) => Event::found((id, incarnation)),
            Step::Probe { good, .. } => {
                let result = if good { ProbeResult::Success } else { ProbeResult::Failure };
                for probe in [ProbeKind::Startup, ProbeKind::Readiness, ProbeKind::Liveness] {
                    self.handle(Event::Probed(ProbeReport {
                        replica: id,
                        incarnation,
                        probe,
                        result,
                        at: None,
                        message: None,
                    }));
                }
                return;
            }
            Step::Stale(_) => Event::exited((id, Incarnation(incarnation.0.saturating_sub(1))), 1),
            Step::Restart(_) => Event::Restart(id),
            Step::Drain(_) => Event::Drain(uphold::engine::Drain::of([id])),
            Step::OperatorStop(_) => Event::Stop(id),
            Step::OperatorStart(_) => Event::Start(id),
            Step::Reset(_) => Event::Reset(Selection::Replica(id)),
            Step::RetryNow(_) => Event::RetryNow(Selection::Replica(id)),
            Step::Observe(_) => return self.observe_without(id),
            _ => return,
        };
        self.handle(event);
    }

    fn observe_next(&mut self, id: ReplicaId, incarnation: Incarnation, ended: bool) {
        let next = Incarnation(incarnation.0 + 1);
        let state = if ended { InstanceState::Ended(Outcome::exited(1, self.now)) } else { InstanceState::Running };
        let running = |(&replica, &incarnation)| Observed { replica, incarnation, state: InstanceState::Running };
        let others = self.live.iter().filter(|(other, _)| **other != id).map(running);
        let listed: Vec<_> = others.chain([Observed { replica: id, incarnation: next, state }]).collect();
        self.live.remove(&id);
        if !ended {
            self.live.insert(id, next);
        }
        self.set.observe(self.now, &listed);
        self.drain();
    }

    /// A complete list, but for one replica that it does not show.
    fn observe_without(&mut self, hidden: ReplicaId) {
        let listed: Vec<_> = self
            .live
            .iter()
            .filter(|(id, _)| **id != hidden)
            .map(|(&replica, &incarnation)| Observed { replica, incarnation, state: InstanceState::Running })
            .collect();
        self.set.observe(self.now, &listed);
        self.drain();
    }

    /// What was commanded comes about: starts are ready, stops are stopped, probes are answered well.
    pub(crate) fn obey(&mut self) {
        for instance in std::mem::take(&mut self.asked) {
            let current = self.set.get(instance.replica).filter(|view| view.instance() == instance);
            if current.is_none_or(|view| !view.phase.is_live()) {
                self.handle(Event::stopped(instance));
            }
        }
        for view in self.set.replicas().collect::<Vec<_>>() {
            match view.phase {
                Phase::Starting | Phase::Running if is_broken(&self.set, &view) => {
                    self.handle(Event::exited(view.instance(), 1));
                    continue;
                }
                Phase::Starting | Phase::Running => self.handle(Event::ready(view.instance())),
                Phase::Stopping => self.handle(Event::stopped(view.instance())),
                Phase::Unknown => self.handle(Event::found(view.instance())),
                _ => {}
            }
            if view.phase.is_live() && view.phase != Phase::Stopping {
                for probe in [ProbeKind::Startup, ProbeKind::Readiness, ProbeKind::Liveness] {
                    self.handle(Event::Probed(ProbeReport::new(view.instance(), probe, ProbeResult::Success)));
                }
            }
        }
    }

    /// From now on everything succeeds: until nothing but probes and a person is waited for.
    pub(crate) fn make_peace(&mut self) {
        let until = self.now + Duration::from_secs(40_000);
        while self.now < until && !self.is_at_rest() {
            // Twice: what is found again is up, and then it is ready. In order, each is started by the one before it.
            for _ in 0..self.set.desired() + 2 {
                self.obey();
            }
            let next = self.set.next_deadline().map_or(until, |next| next.at);
            self.now = self.now.max(next.min(until));
            self.wake();
        }
    }

    pub(crate) fn is_at_rest(&self) -> bool {
        is_at_rest(&self.set)
    }
}

/// Nothing is missing but what only a person brings back.
pub(crate) fn is_at_rest(set: &ReplicaSet) -> bool {
    let status = set.status();
    if status.is_final() {
        return true;
    }
    let held = |view: &uphold::engine::ReplicaView| view.gate == Some(uphold::decide::Gate::Hold) && view.due.is_none();
    let settled = |view: uphold::engine::ReplicaView| match view.phase {
        // It was scaled away, and is still there.
        _ if view.role.is_none() => false,
        Phase::Ready | Phase::Stopped | Phase::Completed | Phase::Removed => true,
        Phase::Quarantined => view.due.is_none(),
        // One that a person must release holds up those after it in order.
        Phase::Waiting if view.gate == Some(uphold::decide::Gate::Order) => {
            set.replicas().any(|before| before.replica < view.replica && held(&before))
        }
        Phase::Waiting => held(&view),
        _ => false,
    };
    status != Status::Terminating && set.replicas().all(settled) && slots_at_rest(set).is_ok()
}
