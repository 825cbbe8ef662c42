//! Integrates available and desired replicas over time.

use std::time::Duration;

use crate::decide::Status;
use crate::engine::{ReplicaSet, StatusChange};
use crate::time::Timestamp;

/// The capacity of a set so far, in replica-nanoseconds, and the numbers that count from now on.
#[derive(Clone, Copy)]
pub(super) struct Capacity {
    served: u128,
    desired: u128,
    since: Timestamp,
    now: (u32, u32),
}

impl Capacity {
    pub(super) fn new(set: &ReplicaSet) -> Self {
        let now = counted(set.status(), set.census().available, set.desired());
        Self { served: 0, desired: 0, since: Timestamp::ZERO, now }
    }

    #[inline]
    pub(super) fn record(&mut self, change: &StatusChange, at: Timestamp) {
        let next = counted(change.status, change.available, change.desired);
        if next != self.now {
            self.count_until(at);
            self.now = next;
        }
    }

    fn count_until(&mut self, at: Timestamp) {
        let (served, desired) = self.now;
        let lasted = u128::from(at.nanos_since(self.since));
        self.served += u128::from(served) * lasted;
        self.desired += u128::from(desired) * lasted;
        self.since = at;
    }

    /// Returns the replica-time that was served, and that was desired, at the end of a run.
    pub(super) fn finish(mut self, at: Timestamp) -> (Duration, Duration) {
        self.count_until(at);
        (replica_time(self.served), replica_time(self.desired))
    }
}

/// Returns the numbers of available and of desired replicas that count towards the capacity.
#[inline]
fn counted(status: Status, available: u32, desired: u32) -> (u32, u32) {
    if status == Status::Completed { (0, 0) } else { (available.min(desired), desired) }
}

fn replica_time(nanos: u128) -> Duration {
    const SECOND: u128 = 1_000_000_000;
    Duration::new(u64::try_from(nanos / SECOND).unwrap_or(u64::MAX), (nanos % SECOND) as u32)
}
