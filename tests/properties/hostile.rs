//! A set between a backend whose reports and lists are late, lost, repeated and out of order, instances that ignore what
//! they are asked, and a clock that may be anywhere in its range.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;
use uphold::engine::{
    InstanceEvent, InstanceState, Observed, ProbeKind, ProbeReport, ProbeResult, Selection, Snapshot,
};
use uphold::{
    Cause, Command, Event, Incarnation, InstanceId, Notice, Output, ReplicaId, ReplicaSet, Status, Timestamp,
};

use crate::policies::{self, Document};
use crate::slots::{SlotChecks, SlotStep, slot_steps};
use crate::truth::{Obedience, Truth, nth};

/// One thing that happens. Numbers choose among what there is, modulo how many there are.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Up to the next deadline.
    Wait,
    /// So many milliseconds, without waking the set in between.
    Pass(u32),
    /// The clock shows a time that is so many milliseconds earlier, for one call.
    Backwards(u32),
    /// The clock shows a time that cannot be, for one call.
    OutOfRange,
    StartsRun {
        pick: usize,
        ready: bool,
        obedience: Obedience,
    },
    StartFails {
        pick: usize,
        runs_yet: bool,
    },
    TurnReadiness(usize),
    Crash {
        pick: usize,
        code: i32,
    },
    /// What was asked to stop stops, unless it ignores that.
    Obey,
    Deliver {
        pick: usize,
        keeps_copy: bool,
    },
    DeliverAll,
    DropReport(usize),
    /// A report that was delivered before is delivered again.
    Repeat(usize),
    /// Contact with a replica is reported lost since then.
    Lost {
        replica: u32,
        ago: Ago,
    },
    Probe {
        replica: u32,
        result: u8,
    },
    List,
    /// A list is made, and delivered by `OldList` later.
    MakeList,
    OldList(usize),
    /// An instance that nobody started runs.
    Stranger {
        replica: u32,
        ahead: u64,
        obedience: Obedience,
    },
    Operator {
        replica: u32,
        request: u8,
    },
    Slots(SlotStep),
    Scale(u32),
    LimitStarts(Option<u32>),
    Replace(Box<Document>),
    /// A snapshot is written and read, and the set goes on from it.
    Restore {
        json: bool,
    },
    Terminate,
    /// The clock jumps to the end of its range.
    EndOfTime,
}

/// When something is said to have happened.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Ago {
    Millis(u32),
    AtZero,
    InTheFuture,
    Unsaid,
}

pub(crate) fn steps(most: usize) -> impl Strategy<Value = Vec<Step>> {
    let pick = || 0..32usize;
    let replica = || 0..9u32;
    let obedience = || {
        prop_oneof![
            6 => Just(Obedience::Stops),
            2 => Just(Obedience::IgnoresStops),
            1 => Just(Obedience::IgnoresKills),
        ]
    };
    let ago = prop_oneof![
        4 => (0..200_000u32).prop_map(Ago::Millis),
        1 => Just(Ago::AtZero),
        1 => Just(Ago::InTheFuture),
        2 => Just(Ago::Unsaid),
    ];
    let step = prop_oneof![
        12 => Just(Step::Wait),
        4 => (1..100_000u32).prop_map(Step::Pass),
        1 => (1..1_000_000u32).prop_map(Step::Backwards),
        1 => Just(Step::OutOfRange),
        8 => (pick(), any::<bool>(), obedience())
            .prop_map(|(pick, ready, obedience)| Step::StartsRun { pick, ready, obedience }),
        2 => (pick(), any::<bool>()).prop_map(|(pick, runs_yet)| Step::StartFails { pick, runs_yet }),
        2 => pick().prop_map(Step::TurnReadiness),
        5 => (pick(), 0..4i32).prop_map(|(pick, code)| Step::Crash { pick, code }),
        5 => Just(Step::Obey),
        6 => (pick(), any::<bool>()).prop_map(|(pick, keeps_copy)| Step::Deliver { pick, keeps_copy }),
        6 => Just(Step::DeliverAll),
        1 => pick().prop_map(Step::DropReport),
        2 => pick().prop_map(Step::Repeat),
        3 => (replica(), ago).prop_map(|(replica, ago)| Step::Lost { replica, ago }),
        3 => (replica(), 0..9u8).prop_map(|(replica, result)| Step::Probe { replica, result }),
        3 => Just(Step::List),
        2 => Just(Step::MakeList),
        3 => pick().prop_map(Step::OldList),
        1 => (replica(), prop_oneof![4 => 0..3u64, 1 => Just(u64::MAX)], obedience())
            .prop_map(|(replica, ahead, obedience)| Step::Stranger { replica, ahead, obedience }),
        6 => (replica(), 0..8u8).prop_map(|(replica, request)| Step::Operator { replica, request }),
        6 => slot_steps().prop_map(Step::Slots),
        1 => (0..9u32).prop_map(Step::Scale),
        1 => proptest::option::of(0..4u32).prop_map(Step::LimitStarts),
        1 => policies::any().prop_map(|policy| Step::Replace(Box::new(policy))),
        2 => any::<bool>().prop_map(|json| Step::Restore { json }),
    ];
    let last = prop_oneof![4 => Just(Step::Terminate), 1 => Just(Step::EndOfTime)];
    // What ends a history early shows little: at most one step does, in some of them.
    (proptest::collection::vec(step, 1..most), proptest::option::weighted(0.2, (0..most, last))).prop_map(
        |(mut steps, end)| {
            if let Some((at, step)) = end.filter(|(at, _)| *at < steps.len()) {
                steps[at] = step;
            }
            steps
        },
    )
}

/// Where a clock begins.
pub(crate) fn beginnings() -> impl Strategy<Value = Timestamp> {
    prop_oneof![
        1 => Just(Timestamp::ZERO),
        4 => Just(Timestamp::from_secs(1_700_000_000)),
        1 => Just(Timestamp::LATEST - Duration::from_secs(600)),
        1 => Just(Timestamp::LATEST),
    ]
}

#[derive(Clone)]
pub(crate) struct Hostile {
    pub(crate) set: ReplicaSet,
    pub(crate) truth: Truth,
    pub(crate) now: Timestamp,
    pub(crate) log: Vec<String>,
    pub(crate) violations: Vec<String>,
    /// Whether a `Restore` step restores, or only wakes the set.
    pub(crate) restores: bool,
    /// The most slots that the set has had.
    pub(crate) slots: usize,
    /// The instance of each slot that the set believes to be alive.
    believed: BTreeMap<ReplicaId, Incarnation>,
    /// Instances that the last list or a later report showed alive, and whose end was not reported since.
    shown: BTreeSet<InstanceId>,
    /// Instances of which the last list or any later report said that they are alive.
    rumoured: BTreeSet<InstanceId>,
    /// Instances whose end was reported, though it may not have happened.
    reported_ended: BTreeSet<InstanceId>,
    last_started: BTreeMap<ReplicaId, Incarnation>,
    ended: bool,
    checks: SlotChecks,
}

impl Hostile {
    pub(crate) fn new(policy: &Document, seed: u64, now: Timestamp) -> Self {
        let mut world = Self {
            set: ReplicaSet::new(policy.0.clone(), seed, now),
            truth: Truth::default(),
            now,
            log: Vec::new(),
            violations: Vec::new(),
            restores: true,
            slots: 0,
            believed: BTreeMap::new(),
            shown: BTreeSet::new(),
            rumoured: BTreeSet::new(),
            reported_ended: BTreeSet::new(),
            last_started: BTreeMap::new(),
            ended: false,
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

    pub(crate) fn pass(&mut self, time: Duration) {
        self.now = (self.now + time).min(Timestamp::LATEST);
    }

    fn replica(&self, pick: u32) -> Option<InstanceId> {
        let views: Vec<_> = self.set.replicas().map(|view| view.instance()).collect();
        nth(views.into_iter(), pick as usize)
    }

    pub(crate) fn take(&mut self, step: &Step) {
        match *step {
            Step::Wait => {
                let next = self.set.next_deadline().map_or(self.now, |next| next.at);
                // Not into the far future: a start that never comes about times out in 20 minutes.
                self.now = self.now.max(next.min(self.now + Duration::from_secs(1800))).min(Timestamp::LATEST);
                self.wake();
            }
            Step::Pass(millis) => {
                self.pass(Duration::from_millis(millis.into()));
                self.wake();
            }
            Step::Backwards(millis) => {
                self.set.handle_timeout(self.now - Duration::from_millis(millis.into()));
                self.drain();
            }
            Step::OutOfRange => {
                self.set.handle_timeout(Timestamp::MAX);
                self.drain();
            }
            Step::EndOfTime => {
                self.now = Timestamp::LATEST;
                self.wake();
            }
            Step::StartsRun { pick, ready, obedience } => self.truth.start(pick, ready, obedience),
            Step::StartFails { pick, runs_yet } => self.truth.fail_start(pick, runs_yet),
            Step::TurnReadiness(pick) => self.truth.turn_readiness(pick),
            Step::Crash { pick, code } => self.truth.crash(pick, code, self.now),
            Step::Obey => self.truth.obey(self.now),
            Step::Deliver { pick, keeps_copy } => {
                let report = self.truth.take_report(pick, keeps_copy);
                self.handle(report.into_iter().collect());
            }
            Step::DeliverAll => {
                let reports = self.truth.take_reports();
                self.handle(reports);
            }
            Step::DropReport(pick) => self.truth.drop_report(pick),
            Step::Repeat(pick) => self.handle(self.truth.old_report(pick).into_iter().collect()),
            Step::Lost { replica, ago } => self.lose(replica, ago),
            Step::Probe { replica, result } => self.probe(replica, result),
            Step::List => self.show(self.truth.list()),
            Step::MakeList => self.truth.make_list(),
            Step::OldList(pick) => {
                if let Some(list) = self.truth.old_list(pick) {
                    self.show(list);
                }
            }
            Step::Stranger { replica, ahead, obedience } => {
                let next = self.replica(replica).map_or(0, |instance| instance.incarnation.0);
                let instance = InstanceId::new(replica, next.saturating_add(ahead));
                self.truth.bring_about(instance, false, obedience);
            }
            Step::Operator { replica, request } => self.request(replica, request),
            Step::Slots(ref step) => {
                let event = step.event(&self.set, self.now);
                self.handle(vec![event]);
            }
            Step::Scale(replicas) => self.handle(vec![Event::Scale(replicas)]),
            Step::Terminate => self.handle(vec![Event::Terminate]),
            Step::LimitStarts(most) => {
                self.set.limit_starts(self.now, most);
                self.drain();
            }
            Step::Replace(ref policy) => {
                self.set.replace_policy(self.now, policy.0.clone());
                self.drain();
            }
            Step::Restore { json } => self.restore(json),
        }
    }

    fn restore(&mut self, json: bool) {
        self.wake();
        if self.restores {
            let snapshot = self.set.snapshot();
            let snapshot: Snapshot = if json {
                serde_json::from_str(&serde_json::to_string(&snapshot).unwrap()).unwrap()
            } else {
                postcard::from_bytes(&postcard::to_stdvec(&snapshot).unwrap()).unwrap()
            };
            let policy = self.set.policy().clone();
            match ReplicaSet::restore(policy, snapshot, self.now) {
                Ok(set) => self.set = set,
                Err(error) => self.violations.push(format!("its own snapshot is refused: {error}")),
            }
        }
        // A restored set issues no command before it is woken.
        self.wake();
    }

    fn lose(&mut self, replica: u32, ago: Ago) {
        let Some(instance) = self.replica(replica) else { return };
        let at = match ago {
            Ago::Millis(millis) => Some(self.now - Duration::from_millis(millis.into())),
            Ago::AtZero => Some(Timestamp::ZERO),
            Ago::InTheFuture => Some(Timestamp::MAX),
            Ago::Unsaid => None,
        };
        let report = Event::Lost(InstanceEvent::new(instance, at));
        self.truth.remember(report.clone());
        self.handle(vec![report]);
    }

    fn probe(&mut self, replica: u32, result: u8) {
        let Some(instance) = self.replica(replica) else { return };
        let kinds = [ProbeKind::Startup, ProbeKind::Readiness, ProbeKind::Liveness];
        let results = [ProbeResult::Success, ProbeResult::Failure, ProbeResult::Unanswered];
        let (kind, result) = (kinds[usize::from(result) / 3 % 3], results[usize::from(result) % 3]);
        self.handle(vec![Event::Probed(ProbeReport::new(instance, kind, result).because("it answered"))]);
    }

    fn request(&mut self, replica: u32, request: u8) {
        // Slots that the set does not have are named, too.
        let id = ReplicaId(replica);
        self.handle(vec![match request {
            0 => Event::Restart(id),
            1 => Event::Stop(id),
            2 => Event::Start(id),
            3 => Event::Drain(uphold::engine::Drain::of([id])),
            4 => Event::Reset(Selection::Replica(id)),
            5 => Event::RetryNow(Selection::All),
            6 => Event::RetryNow(Selection::Cause(Cause::Error)),
            _ => Event::Reset(Selection::All),
        }]);
    }

    pub(crate) fn handle(&mut self, events: Vec<Event>) {
        // What is due goes out first, so that these events come after it.
        self.wake();
        let ends = |event: &Event| matches!(event, Event::Exited(_) | Event::StartFailed(_) | Event::Stopped(_));
        for event in &events {
            let Some(instance) = event.instance() else { continue };
            match event {
                event if ends(event) => {
                    self.shown.remove(&instance);
                    self.rumoured.remove(&instance);
                    self.reported_ended.insert(instance);
                    self.believed.retain(|&replica, &mut incarnation| InstanceId { replica, incarnation } != instance);
                }
                Event::Started(_) | Event::Ready(_) | Event::NotReady(_) if self.is_superseded(instance) => {
                    self.shown.insert(instance);
                }
                _ => {}
            }
        }
        // Two reports of one end are one, at the place of the first.
        self.rumoured.extend(events.iter().filter(|event| !ends(event)).filter_map(Event::instance));
        self.checks.asks(&events);
        self.set.handle_all(self.now, events);
        self.drain();
    }

    /// Whether an instance is alive, no end of it was ever reported, and its slot has gone on to a later incarnation.
    fn is_superseded(&self, instance: InstanceId) -> bool {
        self.truth.is_alive(instance)
            && !self.reported_ended.contains(&instance)
            && self.set.get(instance.replica).is_some_and(|view| instance.incarnation < view.incarnation)
    }

    pub(crate) fn show(&mut self, list: Vec<Observed>) {
        self.wake();
        let alive = list.iter().filter(|seen| !matches!(seen.state, InstanceState::Ended(_)));
        self.shown = alive.map(Observed::instance).collect();
        self.rumoured.clone_from(&self.shown);
        for seen in list.iter().filter(|seen| matches!(seen.state, InstanceState::Ended(_))) {
            self.believed.retain(|&replica, &mut incarnation| InstanceId { replica, incarnation } != seen.instance());
        }
        self.set.observe(self.now, &list);
        self.drain();
    }

    fn drain(&mut self) {
        let outputs: Vec<Output> = std::iter::from_fn(|| self.set.poll_output()).collect();
        self.violations.extend(self.checks.after(&self.set, &outputs));
        for output in outputs {
            self.log.push(output.to_string());
            match output {
                Output::Command(Command::Start(start)) => self.check_start(start.instance()),
                Output::Command(Command::Stop(stop)) => self.truth.ask_to_stop(stop.instance()),
                Output::Command(Command::Kill(kill)) => self.truth.kill(kill.instance()),
                Output::Notice(Notice::Verdict(judged)) if judged.decision.cause == Some(Cause::NodeLost) => {
                    self.forget(judged.replica);
                }
                Output::Notice(Notice::Replica(change)) if !change.phase.is_live() => self.forget(change.replica),
                Output::Notice(Notice::Status(change)) => {
                    if self.ended && !matches!(change.status, Status::Terminating | Status::Terminated) {
                        self.violations.push(format!("{change:?} after the end"));
                    }
                    self.ended |= change.status.is_final() || change.status == Status::Terminating;
                }
                _ => {}
            }
        }
        self.slots = self.slots.max(self.set.replicas().count()).max(self.set.desired() as usize);
        let live = self.set.replicas().filter(|view| view.phase.is_live());
        self.believed = live.map(|view| (view.replica, view.incarnation)).collect();
    }

    /// The set no longer believes the instance of this slot to be alive.
    fn forget(&mut self, replica: ReplicaId) {
        if let Some(incarnation) = self.believed.remove(&replica) {
            self.shown.remove(&InstanceId { replica, incarnation });
        }
    }

    fn check_start(&mut self, instance: InstanceId) {
        let InstanceId { replica, incarnation } = instance;
        if let Some(live) = self.believed.insert(replica, incarnation) {
            self.violations.push(format!("replica {replica} starts {incarnation} while {live} is believed alive"));
        }
        let of_replica = self.shown.range(InstanceId::new(replica, 0)..=InstanceId::new(replica, u64::MAX));
        if let Some(InstanceId { incarnation: stray, .. }) = of_replica.clone().find(|shown| **shown != instance) {
            self.violations.push(format!("replica {replica} starts {incarnation} while {stray} was shown alive"));
        }
        if let Some(last) = self.last_started.insert(replica, incarnation).filter(|last| *last >= incarnation) {
            self.violations.push(format!("replica {replica} starts {incarnation} after {last}"));
        }
        if self.ended {
            self.violations.push(format!("replica {replica} starts {incarnation} after the end"));
        }
        self.truth.accept_start(instance);
    }

    /// What must hold after every step.
    pub(crate) fn check(&self) {
        let last = &self.log[self.log.len().saturating_sub(30)..];
        assert_eq!(self.violations, [""; 0], "after {last:#?}");
        assert_eq!(self.set.check_invariants(), Ok(()));
        let next = self.set.next_deadline();
        assert!(next.is_none_or(|next| next.at > self.set.now()), "{next:?} is not later than {:?}", self.set.now());
        self.memory_is_bounded();
    }

    /// What is kept is bounded by the slots and by the instances that are known to be alive.
    fn memory_is_bounded(&self) {
        let strays = self.set.summary(self.now).strays as usize;
        let most = self.rumoured.len() + self.slots;
        assert!(strays <= most, "{strays} strays, of {:?}", self.rumoured);
        let entries = self.set.entries();
        let most = 100 * self.slots + 256 + 2 * strays;
        assert!(entries <= most, "{entries} entries of {} slots and {strays} strays", self.slots);
    }

    /// From now on reports and lists are true, and every instance obeys.
    pub(crate) fn heal(&mut self) {
        let current: BTreeSet<InstanceId> =
            self.set.replicas().filter(|view| view.phase.is_live()).map(|view| view.instance()).collect();
        self.truth.make_honest(|instance| current.contains(&instance));
        self.set.limit_starts(self.now, None);
        self.drain();
        for _ in 0..400 {
            // In order, each is started by the one before it.
            for _ in 0..self.set.desired() + 3 {
                self.truth.obey(self.now);
                self.truth.start_all();
                self.show(self.truth.list());
                let reports = self.truth.take_reports();
                self.handle(reports);
                self.probe_all();
            }
            if crate::world::is_at_rest(&self.set) {
                return;
            }
            // Probes alone would take many steps to the end of a `start_timeout`.
            let next = self.set.next_deadline().map_or(self.now, |next| next.at);
            self.now = next.max(self.now + Duration::from_secs(20)).min(Timestamp::LATEST);
            self.wake();
        }
    }

    fn probe_all(&mut self) {
        for view in self.set.replicas().filter(|view| view.phase.is_live()).collect::<Vec<_>>() {
            for probe in [ProbeKind::Startup, ProbeKind::Readiness, ProbeKind::Liveness] {
                let answer = ProbeReport::new(view.instance(), probe, ProbeResult::Success);
                self.handle(vec![Event::Probed(answer)]);
            }
        }
    }
}
