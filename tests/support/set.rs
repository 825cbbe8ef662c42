//! A set at depth 2 with events at whole seconds.

use uphold::engine::Ended;
use uphold::{Event, Outcome, Output, Policy, ReplicaSet, Timestamp};

/// A time in seconds.
pub(crate) fn at(secs: u64) -> Timestamp {
    Timestamp::from_secs(secs)
}

/// Reads a policy from a document.
pub(crate) fn policy(document: serde_json::Value) -> Policy {
    Policy::read(document).unwrap_or_else(|error| panic!("{error}"))
}

/// The exit of a replica with code 1 at a time.
pub(crate) fn exited(replica: u32, incarnation: u64, then: u64) -> Event {
    let outcome = Outcome::exited(1, at(then));
    Event::Exited(Ended { replica: replica.into(), incarnation: incarnation.into(), outcome })
}

/// A set whose outputs are read as lines of text.
pub(crate) struct TestSet {
    /// The set.
    pub(crate) set: ReplicaSet,
}

impl TestSet {
    /// Creates a set at time 0.
    pub(crate) fn new(policy: Policy) -> Self {
        let mut test = Self { set: ReplicaSet::new(policy, 7, Timestamp::ZERO) };
        test.tick(0);
        test
    }

    /// Creates a set at time 0 with every replica ready.
    pub(crate) fn ready(policy: Policy) -> Self {
        let replicas = policy.replicas();
        let mut test = Self::new(policy);
        test.all(0, (0..replicas).map(|replica| Event::ready((replica, 1))));
        test
    }

    /// Returns the outputs.
    pub(crate) fn drain(&mut self) -> Vec<String> {
        std::iter::from_fn(|| self.set.poll_output()).map(|output: Output| output.to_string()).collect()
    }

    /// Handles one event and returns the outputs.
    pub(crate) fn one(&mut self, now: u64, event: Event) -> Vec<String> {
        self.all(now, [event])
    }

    /// Handles the events of one instant and returns the outputs.
    pub(crate) fn all(&mut self, now: u64, events: impl IntoIterator<Item = Event>) -> Vec<String> {
        self.set.handle_all(at(now), events);
        self.drain()
    }

    /// Handles the timeouts due by a time and returns the outputs.
    pub(crate) fn tick(&mut self, now: u64) -> Vec<String> {
        self.set.handle_timeout(at(now));
        self.drain()
    }

    /// Handles all deadlines up to a time.
    pub(crate) fn until(&mut self, end: u64) {
        while let Some(next) = self.set.next_deadline().filter(|next| next.at <= at(end)) {
            self.set.handle_timeout(next.at);
            self.drain();
        }
    }
}

/// Returns whether an incident is among these lines.
pub(crate) fn is_incident(lines: &[String]) -> bool {
    lines.iter().any(|line| line.starts_with("incident: ") && line.ends_with("failed together"))
}
