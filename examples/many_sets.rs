//! Depth 2, many times: 100,000 sets of 3 replicas in one process, driven from one queue of deadlines.
//!
//! `cargo run --release --example many_sets`, or with a number of sets behind `--`.
//!
//! The world is a virtual clock on which every start works at once and replicas of random sets crash: in 5 min each once,
//! on average. A set takes no time while it waits: only its next deadline stands in the queue.
#![allow(clippy::print_stdout, reason = "an example prints")]

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

use uphold::{Command, Event, Output, Phase, Policy, ReplicaId, ReplicaSet, RetryPolicy, Timestamp};

/// The sets, and when each wants to be woken. A set that has moved on leaves its old deadline in the queue: it is
/// known by not being the set's next one.
struct Fleet {
    sets: Vec<ReplicaSet>,
    deadlines: BinaryHeap<Reverse<(Timestamp, usize)>>,
    events: u64,
}

impl Fleet {
    /// Tells a set what happened, or that it is time, and does what it commands.
    fn drive(&mut self, now: Timestamp, place: usize, event: Option<Event>) {
        let set = &mut self.sets[place];
        let before = set.next_deadline();
        let mut news = Vec::new();
        match event {
            Some(event) => set.handle(now, event),
            None => set.handle_timeout(now),
        }
        loop {
            self.events += 1;
            set.for_each_output(|output| match output {
                Output::Command(Command::Start(start)) => news.push(Event::ready(start.replica, start.incarnation)),
                Output::Command(Command::Stop(stop)) => news.push(Event::stopped(stop.replica, stop.incarnation)),
                Output::Command(Command::Kill(kill)) => news.push(Event::stopped(kill.replica, kill.incarnation)),
                Output::Command(Command::Probe(_)) | Output::Notice(_) => {}
            });
            let Some(event) = news.pop() else { break };
            set.handle(now, event);
        }
        let next = set.next_deadline();
        if next != before {
            self.deadlines.extend(next.map(|next| Reverse((next.at, place))));
        }
    }

    /// Wakes every set whose deadline is by then.
    fn run_until(&mut self, now: Timestamp) {
        while let Some(&Reverse((at, place))) = self.deadlines.peek().filter(|Reverse((at, _))| *at <= now) {
            self.deadlines.pop();
            if self.sets[place].next_deadline().is_some_and(|next| next.at == at) {
                self.drive(at, place, None);
            }
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "it is measured; the sets never see this clock")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let count: usize = std::env::args().nth(1).map_or(Ok(100_000), |count| count.parse())?;
    let crashes = 3 * count;
    let gap = Duration::from_secs(300) / u32::try_from(crashes)?.max(1);
    let policy = Policy::builder().replicas(3).retry(RetryPolicy::recommended()).build()?;

    let began = Instant::now();
    let mut now = Timestamp::ZERO;
    let sets: Vec<_> = (0..count).map(|seed| ReplicaSet::new(policy.clone(), seed as u64, now)).collect();
    let mut fleet = Fleet { sets, deadlines: BinaryHeap::new(), events: 0 };
    (0..count).for_each(|place| fleet.drive(now, place, None));
    println!("{count} sets brought up: {}", speed(fleet.events, began.elapsed()));

    let (began, before) = (Instant::now(), fleet.events);
    let mut random = 1;
    for _ in 0..crashes {
        now = now + gap;
        fleet.run_until(now);
        let (place, id) = (below(&mut random, count), ReplicaId(below(&mut random, 3) as u32));
        let running = fleet.sets[place].get(id).filter(|replica| replica.phase == Phase::Ready);
        if let Some(replica) = running {
            fleet.drive(now, place, Some(Event::exited(id, replica.incarnation, 137)));
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
    let a_second = u128::from(events) * 1_000_000 / took.as_micros().max(1);
    format!("{events} events in {} ms, {a_second} a second", took.as_millis())
}

/// The next number below `count` of a small generator: the same in every run.
fn below(state: &mut u64, count: usize) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    ((*state >> 33) % count.max(1) as u64) as usize
}
