//! Sets of ready replicas that fail one after the other, in random order.
//!
//! A second failure without a restart in between would be a stale event. So every replica fails exactly once; then, untimed,
//! all are brought up again and run until their streaks and windows are over.

use uphold::{Command, Event, Incarnation, Notice, Output, ReplicaId, ReplicaSet, Status, Timestamp, Verdict};

use crate::policies::{LATE, Setup};
use crate::shuffle::{Random, shuffle};

/// The most failures between two recoveries.
const BATCH: usize = 16_384;
/// The fewest: there are several sets if they are smaller, so that reading the clock hardly counts.
const MIN_BATCH: usize = 64;

#[derive(Clone, Copy, Debug)]
struct Slot {
    set: u32,
    replica: u32,
    incarnation: u64,
}

/// Ready sets of one size.
#[derive(Debug)]
pub struct Ready {
    setup: Setup,
    sets: Vec<ReplicaSet>,
    /// Every replica once, shuffled.
    slots: Vec<Slot>,
    cursor: usize,
    now: Timestamp,
}

impl Ready {
    /// Creates the sets, in which every replica is ready and has failed once before.
    pub fn new(setup: Setup) -> Self {
        let n = setup.policy.replicas();
        let count = MIN_BATCH.div_ceil(n as usize);
        let mut now = Timestamp::ZERO;
        let sets = (0..count as u64).map(|seed| ready_set(&setup, seed, &mut now)).collect();
        let mut slots: Vec<Slot> = (0..count as u32)
            .flat_map(|set| (0..n).map(move |replica| Slot { set, replica, incarnation: 1 }))
            .collect();
        shuffle(&mut slots, &mut Random::new(7));
        let mut ready = Self { setup, sets, slots, cursor: 0, now };
        // The first failure of a replica may allocate, so it is not measured.
        for _ in 0..ready.slots.len().div_ceil(BATCH) {
            let failed = ready.round_trips(usize::MAX);
            ready.rest(failed);
        }
        ready
    }

    /// Timed: makes the next `count` replicas fail, and drains the outputs after each failure. Returns how many did.
    #[inline(never)]
    pub fn fail(&mut self, count: usize) -> usize {
        self.fail_each(count, drain_verdict)
    }

    /// [`fail`](Self::fail) with `poll_output` instead of `for_each_output`.
    #[inline(never)]
    pub fn fail_and_poll(&mut self, count: usize) -> usize {
        self.fail_each(count, poll_verdict)
    }

    /// [`fail`](Self::fail) with a call of `next_deadline` after each failure.
    #[inline(never)]
    pub fn fail_with_deadline(&mut self, count: usize) -> usize {
        self.fail_each(count, |set| {
            let replica = drain_verdict(set);
            std::hint::black_box(set.next_deadline());
            replica
        })
    }

    #[inline(always)]
    fn fail_each(&mut self, count: usize, drains: impl Fn(&mut ReplicaSet) -> u32) -> usize {
        let slots = &self.slots[self.cursor..];
        let slots = &slots[..count.min(slots.len()).min(BATCH)];
        let (step, mut now) = (self.setup.step, self.now);
        // Always 0, but unknown to the processor before the outputs are read, so that failures do not overlap.
        let mut twist = 0;
        for slot in slots {
            let replica = slot.replica ^ twist;
            now = now + step;
            let set = &mut self.sets[slot.set as usize];
            set.handle(now, Event::exited((replica, slot.incarnation), 137));
            twist = drains(set) ^ slot.replica;
        }
        self.now = now;
        assert_eq!(twist, 0, "every failure has a verdict");
        slots.len()
    }

    /// Untimed: brings the last `failed` replicas up again and ends all streaks.
    pub fn recover(&mut self, failed: usize) {
        let mut latest = self.now;
        for set in &mut self.sets {
            let mut now = self.now;
            bring_up(set, &mut now);
            latest = latest.max(now);
        }
        self.now = latest;
        self.rest(failed);
    }

    /// Timed: a complete restart of the next `count` replicas, one after the other: exited, due, started, ready, with the
    /// outputs drained after each step.
    #[inline(never)]
    pub fn round_trips(&mut self, count: usize) -> usize {
        let slots = &self.slots[self.cursor..];
        let slots = &slots[..count.min(slots.len()).min(BATCH)];
        let mut twist = 0;
        for slot in slots {
            let replica = slot.replica ^ twist;
            let set = &mut self.sets[slot.set as usize];
            twist = round_trip(set, &mut self.now, replica, slot.incarnation) ^ slot.replica;
            self.now = self.now + self.setup.step;
        }
        assert_eq!(twist, 0, "every failure has a verdict");
        slots.len()
    }

    /// Untimed: ends all streaks after round trips.
    pub fn rest(&mut self, failed: usize) {
        for slot in &mut self.slots[self.cursor..][..failed] {
            slot.incarnation += 1;
        }
        self.cursor = (self.cursor + failed) % self.slots.len();
        self.now = self.now + self.setup.rest;
        // A fast machine would reach the end of the range of `Timestamp`, 584 years.
        if self.now > LATE {
            *self = Self::new(self.setup.clone());
        }
    }

    /// Returns the first of the sets.
    pub fn set(&mut self) -> &mut ReplicaSet {
        &mut self.sets[0]
    }

    /// Returns the current time.
    pub fn now(&self) -> Timestamp {
        self.now
    }
}

/// Returns a new set with all replicas ready.
pub fn ready_set(setup: &Setup, seed: u64, now: &mut Timestamp) -> ReplicaSet {
    let mut set = ReplicaSet::new(setup.policy.clone(), seed, *now);
    bring_up(&mut set, now);
    set
}

/// Drains the outputs. Returns the replica of the verdict among them.
#[inline]
pub fn drain_verdict(set: &mut ReplicaSet) -> u32 {
    let mut replica = u32::MAX;
    set.for_each_output(|output| {
        if let Output::Notice(Notice::Verdict(judged)) = output {
            replica = judged.replica.0;
        }
        std::hint::black_box(output);
    });
    replica
}

/// [`drain_verdict`] with `poll_output`.
fn poll_verdict(set: &mut ReplicaSet) -> u32 {
    let mut replica = u32::MAX;
    while let Some(output) = set.poll_output() {
        if let Output::Notice(Notice::Verdict(judged)) = &output {
            replica = judged.replica.0;
        }
        std::hint::black_box(&output);
    }
    replica
}

/// One failure and the complete restart. Returns the replica of the verdict.
#[inline]
pub fn round_trip(set: &mut ReplicaSet, now: &mut Timestamp, replica: u32, incarnation: u64) -> u32 {
    set.handle(*now, Event::exited((replica, incarnation), 137));
    let mut judged_replica = u32::MAX;
    let mut started = None;
    set.for_each_output(|output| match output {
        Output::Notice(Notice::Verdict(judged)) => {
            judged_replica = judged.replica.0;
            if let Verdict::Restart(restart) = judged.decision.verdict {
                *now = restart.due_after(*now);
            }
        }
        // An immediate restart.
        Output::Command(Command::Start(command)) => started = Some(command.instance()),
        output => _ = std::hint::black_box(output),
    });
    if started.is_none() {
        set.handle_timeout(*now);
        set.for_each_output(|output| match output {
            Output::Command(Command::Start(command)) => started = Some(command.instance()),
            output => _ = std::hint::black_box(output),
        });
    }
    let instance = started.expect("it is started when it is due");
    set.handle(*now, Event::started(instance));
    drain(set);
    set.handle(*now, Event::ready(instance));
    drain(set);
    judged_replica
}

/// Drains the outputs.
#[inline]
pub fn drain(set: &mut ReplicaSet) {
    set.for_each_output(|output| {
        std::hint::black_box(output);
    });
}

/// Executes starts until every replica is available.
pub fn bring_up(set: &mut ReplicaSet, now: &mut Timestamp) {
    let mut starts: Vec<(ReplicaId, Incarnation)> = Vec::new();
    loop {
        set.handle_timeout(*now);
        collect(set, &mut starts);
        while let Some((replica, incarnation)) = starts.pop() {
            set.handle(*now, Event::ready((replica, incarnation)));
            collect(set, &mut starts);
        }
        if set.census().available == set.desired() {
            break;
        }
        *now = (*now).max(set.next_deadline().expect("a replica that is down has a due time").at);
    }
    assert_eq!(set.status(), Status::Healthy);
}

/// One failure under `scope: all`: the others stop, and all replicas start together.
pub fn restart_all(set: &mut ReplicaSet, now: &mut Timestamp, failed: u32) {
    set.handle(*now, Event::exited((failed, 1), 137));
    drain(set);
    for replica in (0..set.desired()).rev().filter(|&replica| replica != failed) {
        set.handle(*now, Event::stopped((replica, 1)));
        drain(set);
    }
    *now = set.next_deadline().expect("all are due").at;
    bring_up(set, now);
}

fn collect(set: &mut ReplicaSet, starts: &mut Vec<(ReplicaId, Incarnation)>) {
    while let Some(output) = set.poll_output() {
        if let Output::Command(Command::Start(start)) = output {
            starts.push((start.replica, start.incarnation));
        }
    }
}
