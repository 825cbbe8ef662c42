//! Many sets in one process, driven from one queue of deadlines.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use uphold::{Command, Event, Incarnation, Output, Policy, ReplicaId, ReplicaSet, Timestamp};

use crate::shuffle::Random;

/// An entry of the queue.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Next {
    /// The deadline of a set.
    Deadline,
    /// A replica crashes.
    Crash(ReplicaId, Incarnation),
}

/// Sets whose replicas are ready at once and crash after a random time.
#[derive(Debug)]
pub struct Fleet {
    sets: Vec<ReplicaSet>,
    queue: BinaryHeap<Reverse<(Timestamp, u32, Next)>>,
    /// For each set, its deadline in the queue, or `MAX`.
    queued: Vec<Timestamp>,
    started: Vec<(ReplicaId, Incarnation)>,
    random: Random,
    mean_life: Duration,
}

impl Fleet {
    /// Creates `sets` sets under one policy and starts their replicas, which live for `mean_life` on average.
    pub fn new(policy: &Policy, sets: u32, mean_life: Duration) -> Self {
        let mut fleet = Self {
            sets: (0..sets).map(|set| ReplicaSet::new(policy.clone(), set.into(), Timestamp::ZERO)).collect(),
            queue: BinaryHeap::new(),
            queued: vec![Timestamp::MAX; sets as usize],
            started: Vec::new(),
            random: Random::new(3),
            mean_life,
        };
        for set in 0..sets {
            fleet.sets[set as usize].handle_timeout(Timestamp::ZERO);
            fleet.execute(set, Timestamp::ZERO);
        }
        fleet
    }

    /// Handles `count` entries of the queue. Returns the number of calls of `handle` and `handle_timeout`.
    pub fn run(&mut self, count: u64) -> u64 {
        let mut mutations = 0;
        for _ in 0..count {
            let Some(Reverse((now, set, next))) = self.queue.pop() else { break };
            let machine = &mut self.sets[set as usize];
            match next {
                Next::Deadline if self.queued[set as usize] == now => {
                    self.queued[set as usize] = Timestamp::MAX;
                    machine.handle_timeout(now);
                }
                // A stale deadline.
                Next::Deadline => continue,
                Next::Crash(replica, incarnation) => machine.handle(now, Event::exited((replica, incarnation), 137)),
            }
            mutations += 1 + self.execute(set, now);
        }
        mutations
    }

    /// Executes the commands of a set and queues its next deadline.
    fn execute(&mut self, set: u32, now: Timestamp) -> u64 {
        let machine = &mut self.sets[set as usize];
        let mut mutations = 0;
        let mut started = std::mem::take(&mut self.started);
        loop {
            machine.for_each_output(|output| {
                if let Output::Command(Command::Start(start)) = output {
                    started.push((start.replica, start.incarnation));
                }
            });
            let Some((replica, incarnation)) = started.pop() else { break };
            machine.handle(now, Event::ready((replica, incarnation)));
            mutations += 1;
            let life = self.random.below(2 * self.mean_life.as_nanos() as u64);
            let crash = now + Duration::from_nanos(life);
            self.queue.push(Reverse((crash, set, Next::Crash(replica, incarnation))));
        }
        self.started = started;
        let deadline = machine.next_deadline().map_or(Timestamp::MAX, |next| next.at);
        if deadline != self.queued[set as usize] && deadline != Timestamp::MAX {
            self.queue.push(Reverse((deadline, set, Next::Deadline)));
        }
        self.queued[set as usize] = deadline;
        mutations
    }
}
