//! Rollouts, drains, and failures that a standby covers.
//!
//! The commands of the set are executed at once: what is started is ready, what is stopped has ended.

use uphold::decide::Revision;
use uphold::engine::Drain;
use uphold::policy::RolloutPolicy;
use uphold::{Command, Event, Incarnation, InstanceId, Output, Quantity, ReplicaId, ReplicaSet, Timestamp};

use crate::policies::{self, LATE, Setup};
use crate::ready::ready_set;

/// Slots that are replaced at most between two looks at how many remain.
const BATCH: usize = 64;

/// Executes commands and the commands that follow from them, until `starts` were started or nothing follows. Returns how many
/// were started.
fn execute(set: &mut ReplicaSet, now: Timestamp, commands: &mut Vec<Command>, starts: usize) -> usize {
    let mut started = 0;
    while started < starts {
        let Some(command) = commands.pop() else { break };
        let event = match command {
            Command::Start(start) => {
                started += 1;
                Event::ready(start.instance())
            }
            Command::Stop(stop) => Event::stopped(stop.instance()),
            Command::Kill(_) | Command::Probe(_) => continue,
        };
        set.handle(now, event);
        collect(set, commands);
    }
    started
}

fn collect(set: &mut ReplicaSet, commands: &mut Vec<Command>) {
    set.for_each_output(|output| match output {
        Output::Command(command) => commands.push(command.clone()),
        Output::Notice(notice) => _ = std::hint::black_box(notice),
    });
}

/// A set that is always in the middle of a rollout.
#[derive(Debug)]
pub struct Rolling {
    set: ReplicaSet,
    now: Timestamp,
    commands: Vec<Command>,
    rollouts: u32,
}

impl Rolling {
    /// Creates a set of n ready replicas and begins a rollout, without a surge: one slot at a time is stopped and started.
    pub fn in_place(n: u32) -> Self {
        Self::new(n, RolloutPolicy::new())
    }

    /// The same with a surge of one: the new slot is started first.
    pub fn with_surge(n: u32) -> Self {
        Self::new(n, RolloutPolicy::new().max_surge(Quantity::Count(1)))
    }

    fn new(n: u32, rollout: RolloutPolicy) -> Self {
        let mut now = Timestamp::ZERO;
        let set = ready_set(&policies::rollout(n, rollout), 7, &mut now);
        let mut rolling = Self { set, now, commands: Vec::new(), rollouts: 0 };
        rolling.begin();
        rolling.replace(BATCH);
        rolling
    }

    fn begin(&mut self) {
        self.rollouts += 1;
        let revision = Revision::new(format!("v{}", self.rollouts)).expect("a valid name");
        self.set.handle(self.now, Event::RollOut(revision));
        collect(&mut self.set, &mut self.commands);
    }

    /// Timed: replaces the next `count` slots, or as many as the rollout has left but for the last few. Returns how many.
    #[inline(never)]
    pub fn replace(&mut self, count: usize) -> usize {
        execute(&mut self.set, self.now, &mut self.commands, count.min(BATCH))
    }

    /// Untimed: completes a rollout that has little left, and begins the next.
    pub fn rest(&mut self, _: usize) {
        let left = self.set.rollout().map_or(0, |rollout| rollout.remaining as usize);
        if left <= 2 * BATCH {
            execute(&mut self.set, self.now, &mut self.commands, usize::MAX);
            assert!(self.set.rollout().is_none(), "the rollout is completed");
            self.begin();
            self.replace(BATCH);
        }
    }
}

/// A set of which `count` replicas are drained at once, without a surge: one at a time starts again elsewhere.
#[derive(Debug)]
pub struct Drained {
    set: ReplicaSet,
    now: Timestamp,
    commands: Vec<Command>,
    drained: Vec<ReplicaId>,
}

impl Drained {
    /// Creates a set of twice as many ready replicas.
    pub fn new(count: u32) -> Self {
        let mut now = Timestamp::ZERO;
        let set = ready_set(&policies::rollout(2 * count, RolloutPolicy::new()), 7, &mut now);
        Self { set, now, commands: Vec::new(), drained: (0..count).map(ReplicaId).collect() }
    }

    /// Timed: drains them, until every drain is answered. Returns how many there were.
    #[inline(never)]
    pub fn drain(&mut self) -> usize {
        self.set.handle(self.now, Event::Drain(Drain::of(self.drained.iter().copied())));
        collect(&mut self.set, &mut self.commands);
        execute(&mut self.set, self.now, &mut self.commands, usize::MAX)
    }
}

/// Sets of 16 with a standby that is available, and stand-ins.
#[derive(Debug)]
pub struct Covered {
    sets: Vec<ReplicaSet>,
    setup: Setup,
    now: Timestamp,
    /// The next replica of each set that fails.
    next: Vec<InstanceId>,
    commands: Vec<Vec<Command>>,
}

impl Covered {
    /// Creates 64 sets.
    pub fn new() -> Self {
        let setup = policies::standby(16);
        let mut now = Timestamp::ZERO;
        let sets: Vec<ReplicaSet> = (0..64).map(|seed| ready_set(&setup, seed, &mut now)).collect();
        let first = InstanceId { replica: ReplicaId(0), incarnation: Incarnation(1) };
        let mut covered =
            Self { next: vec![first; sets.len()], commands: vec![Vec::new(); sets.len()], sets, setup, now };
        // The first failure of a replica may allocate, so it is not measured.
        for _ in 0..16 {
            let failed = covered.fail(usize::MAX);
            covered.recover(failed);
        }
        covered
    }

    /// Timed: makes one replica of each of the first `count` sets fail. The standby takes over, and another one is started.
    /// Returns how many failed.
    #[inline(never)]
    pub fn fail(&mut self, count: usize) -> usize {
        let count = count.min(self.sets.len());
        for (index, set) in self.sets[..count].iter_mut().enumerate() {
            let commands = &mut self.commands[index];
            set.handle(self.now, Event::exited(self.next[index], 137));
            collect(set, commands);
        }
        count
    }

    /// Untimed: brings the replicas up again, until the stand-ins are gone.
    pub fn recover(&mut self, failed: usize) {
        let mut latest = self.now;
        for (index, set) in self.sets[..failed].iter_mut().enumerate() {
            let mut now = self.now;
            let commands = &mut self.commands[index];
            loop {
                execute(set, now, commands, usize::MAX);
                let Some(next) = set.next_deadline() else { break };
                now = now.max(next.at);
                set.handle_timeout(now);
                collect(set, commands);
            }
            assert_eq!((set.census().available, set.census().stand_ins), (16, 0), "all replicas are back");
            latest = latest.max(now);
            let replica = ReplicaId((self.next[index].replica.0 + 1) % 16);
            let incarnation = set.get(replica).expect("it exists").incarnation;
            self.next[index] = InstanceId { replica, incarnation };
        }
        self.now = latest + self.setup.rest;
        if self.now > LATE {
            *self = Self::new();
        }
    }
}

impl Default for Covered {
    fn default() -> Self {
        Self::new()
    }
}
