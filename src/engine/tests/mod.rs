//! One file for each part of the engine. A test applies events to a set and asserts the exact outputs.

mod failing;
mod groups;
mod incidents;
mod observing;
mod operating;
mod probing;
mod restoring;
mod rollouts;
mod slots;
mod starting;
mod strays;
mod together;

use crate::engine::{Event, Output, ReplicaSet};
use crate::policy::{Policy, PolicyBuilder, RetryPolicy};
use crate::time::Timestamp;
use std::time::Duration;

pub(super) fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

pub(super) fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// A set whose outputs are drained as text after each call.
pub(super) struct Bench {
    pub(super) set: ReplicaSet,
}

impl Bench {
    pub(super) fn new(policy: Policy) -> Self {
        Self { set: ReplicaSet::new(policy, 7, Timestamp::ZERO) }
    }

    /// A set that began at 0 with every replica ready.
    pub(super) fn ready(policy: Policy) -> Self {
        let mut bench = Self::new(policy);
        bench.tick(0);
        for replica in 0..bench.set.desired() {
            bench.handle(0, Event::ready((replica, 1)));
        }
        bench
    }

    pub(super) fn every(replicas: u32, interval: u64) -> Self {
        Self::ready(retrying(replicas, interval).build().unwrap())
    }

    pub(super) fn drain(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.set.poll_output()).map(|output| output.to_string()).collect()
    }

    pub(super) fn handle(&mut self, secs: u64, event: Event) -> Vec<String> {
        self.set.handle(at(secs), event);
        self.drain()
    }

    pub(super) fn handle_all(&mut self, secs: u64, events: impl IntoIterator<Item = Event>) -> Vec<String> {
        self.set.handle_all(at(secs), events);
        self.drain()
    }

    pub(super) fn tick(&mut self, secs: u64) -> Vec<String> {
        self.set.handle_timeout(at(secs));
        self.drain()
    }

    /// The commands among the outputs.
    pub(super) fn commands(lines: Vec<String>) -> Vec<String> {
        let words = ["start ", "stop ", "kill ", "probe "];
        lines.into_iter().filter(|line| words.iter().any(|word| line.starts_with(word))).collect()
    }

    /// The next deadline in seconds, and its reason.
    pub(super) fn next(&self) -> Option<(u64, &'static str)> {
        self.set.next_deadline().map(|next| (next.at.as_millis() / 1000, next.why.as_str()))
    }

    pub(super) fn status(&self) -> String {
        format!("{} ({})", self.set.status(), self.set.status_reason())
    }
}

pub(super) fn retrying(replicas: u32, interval: u64) -> PolicyBuilder {
    Policy::builder().replicas(replicas).retry(RetryPolicy::every(secs(interval)))
}

#[test]
fn outputs_read_in_place_are_those_that_polling_returns() {
    let mut bench = Bench::every(3, 30);
    bench.set.handle(at(60), Event::exited((1, 1), 137));
    let mut other = Bench { set: bench.set.clone() };
    let mut in_place = Vec::new();
    bench.set.for_each_output(|output| in_place.push(output.to_string()));
    assert_eq!(in_place, other.drain());
    assert_eq!(in_place.len(), 3, "{in_place:?}");
    assert!(bench.drain().is_empty());
}

#[test]
fn an_output_has_a_bounded_size() {
    assert!(size_of::<Output>() <= 128, "{}", size_of::<Output>());
    assert!(size_of::<Event>() <= 96, "{}", size_of::<Event>());
}
