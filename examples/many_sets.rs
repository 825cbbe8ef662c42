//! Depth 2 at scale: 100,000 sets of 3 replicas in one process, with one queue of deadlines.
//!
//! `cargo run --release --example many_sets`, or with a number of sets after `--`.
//!
//! On a virtual clock, every start succeeds at once and each replica crashes once in 5 minutes on average. A waiting set
//! costs nothing but its entry in the queue.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

use uphold::{Command, Event, Output, Phase, Policy, ReplicaId, ReplicaSet, RetryPolicy, Timestamp};

/// The sets and their deadlines. An entry of the queue is stale if it is not the set's next deadline any more.
struct Fleet {
    sets: Vec<ReplicaSet>,
    deadlines: BinaryHeap<Reverse<(Timestamp, usize)>>,
    events: u64,
}

impl Fleet {
    /// Applies an event or a timeout to a set, and executes its commands.
    fn drive(&mut self, now: Timestamp, index: usize, event: Option<Event>) {
        let set = &mut self.sets[index];
        let before = set.next_deadline();
        let mut replies = Vec::new();
        match event {
            Some(event) => set.handle(now, event),
            None => set.handle_timeout(now),
        }
        loop {
            self.events += 1;
            set.for_each_output(|output| match output {
                Output::Command(Command::Start(start)) => replies.push(Event::ready(start.instance())),
                Output::Command(Command::Stop(stop)) => replies.push(Event::stopped(stop.instance())),
                Output::Command(Command::Kill(kill)) => replies.push(Event::stopped(kill.instance())),
                Output::Command(Command::Probe(_)) | Output::Notice(_) => {}
            });
            let Some(event) = replies.pop() else { break };
            set.handle(now, event);
        }
        let next = set.next_deadline();
        if next != before {
            self.deadlines.extend(next.map(|next| Reverse((next.at, index))));
        }
    }

    /// Serves every deadline up to `now`.
    fn run_until(&mut self, now: Timestamp) {
        while let Some(&Reverse((at, index))) = self.deadlines.peek().filter(|Reverse((at, _))| *at <= now) {
            self.deadlines.pop();
            if self.sets[index].next_deadline().is_some_and(|next| next.at == at) {
                self.drive(at, index, None);
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "measures wall time, which the sets never see")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: usize = std::env::args().nth(1).map_or(Ok(100_000), |count| count.parse())?;
    let crashes = 3 * count;
    let gap = Duration::from_secs(300) / u32::try_from(crashes)?.max(1);
    let policy = Policy::builder().replicas(3).retry(RetryPolicy::recommended()).build()?;

    let began = Instant::now();
    let mut now = Timestamp::ZERO;
    let sets: Vec<_> = (0..count).map(|seed| ReplicaSet::new(policy.clone(), seed as u64, now)).collect();
    let mut fleet = Fleet { sets, deadlines: BinaryHeap::new(), events: 0 };
    (0..count).for_each(|index| fleet.drive(now, index, None));
    println!("{count} sets brought up: {}", speed(fleet.events, began.elapsed()));

    let (began, before) = (Instant::now(), fleet.events);
    let mut random = 1;
    for _ in 0..crashes {
        now = now + gap;
        fleet.run_until(now);
        let (index, id) = (below(&mut random, count), ReplicaId(below(&mut random, 3) as u32));
        let running = fleet.sets[index].get(id).filter(|replica| replica.phase == Phase::Ready);
        if let Some(replica) = running {
            fleet.drive(now, index, Some(Event::exited((id, replica.incarnation), 137)));
        }
    }
    println!("{crashes} crashes: {}", speed(fleet.events - before, began.elapsed()));

    let mut statuses = BTreeMap::new();
    for set in &fleet.sets {
        *statuses.entry(set.status().as_str()).or_insert(0) += 1;
    }
    println!("after 5 min: {statuses:?}");
    Ok(())
}

fn speed(events: u64, took: Duration) -> String {
    let per_second = u128::from(events) * 1_000_000 / took.as_micros().max(1);
    format!("{events} events in {} ms, {per_second} a second", took.as_millis())
}

/// Returns the next number below `count` from a linear congruential generator.
fn below(state: &mut u64, count: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    ((*state >> 33) % count.max(1) as u64) as usize
}
