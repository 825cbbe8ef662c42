//! Finds instances that the backend reports as running but never as ready, so that operators can be warned.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::decide::{Incarnation, InstanceId, ReplicaId};
use crate::time::Timestamp;

/// The readiness of running instances, as the backend has reported it.
#[derive(Debug, Default)]
pub(super) struct ReadinessMonitor {
    /// The running instance of each replica, and whether it was ever reported ready.
    running: BTreeMap<ReplicaId, (Incarnation, bool)>,
    /// When instances began to run, oldest first. Entries of instances that became ready or ended are stale.
    since: VecDeque<(Timestamp, InstanceId)>,
}

impl ReadinessMonitor {
    /// Returns the number of entries in its collections.
    pub(super) fn entries(&self) -> usize {
        self.running.len() + self.since.len()
    }

    pub(super) fn note_running(&mut self, now: Timestamp, instance: InstanceId) {
        let InstanceId { replica, incarnation } = instance;
        if self.running.get(&replica).is_none_or(|(known, _)| *known < incarnation) {
            self.running.insert(replica, (incarnation, false));
            self.since.push_back((now, instance));
        }
    }

    pub(super) fn note_ready(&mut self, InstanceId { replica, incarnation }: InstanceId) {
        if self.running.get(&replica).is_none_or(|(known, _)| *known <= incarnation) {
            self.running.insert(replica, (incarnation, true));
        }
        self.remove_stale();
    }

    pub(super) fn note_ended(&mut self, InstanceId { replica, incarnation }: InstanceId) {
        if self.running.get(&replica).is_some_and(|(known, _)| *known <= incarnation) {
            self.running.remove(&replica);
        }
        self.remove_stale();
    }

    pub(super) fn retain(&mut self, keep: impl Fn(ReplicaId) -> bool) {
        self.running.retain(|replica, _| keep(*replica));
        self.remove_stale();
        if self.since.len() > 2 * self.running.len() + 64 {
            let running = &self.running;
            self.since.retain(|(_, instance)| is_unready(running, *instance));
        }
    }

    fn remove_stale(&mut self) {
        while let Some((_, instance)) = self.since.front() {
            if is_unready(&self.running, *instance) {
                return;
            }
            self.since.pop_front();
        }
    }

    /// Returns when the oldest instance will have run for `after` without being ready.
    pub(super) fn next_deadline(&self, after: Duration) -> Option<Timestamp> {
        self.since.front().map(|(since, _)| *since + after)
    }

    /// Returns the replicas that have run for `after` and were never ready, each of them once.
    pub(super) fn take_overdue(&mut self, now: Timestamp, after: Duration) -> Vec<ReplicaId> {
        let mut overdue = Vec::new();
        while self.next_deadline(after).is_some_and(|at| at <= now) {
            let Some((_, instance)) = self.since.pop_front() else { break };
            if is_unready(&self.running, instance) {
                overdue.push(instance.replica);
            }
        }
        self.remove_stale();
        overdue
    }
}

/// Returns whether the instance is running and was never reported ready.
fn is_unready(running: &BTreeMap<ReplicaId, (Incarnation, bool)>, instance: InstanceId) -> bool {
    running.get(&instance.replica) == Some(&(instance.incarnation, false))
}

/// Returns the warning for operators. `replicas` must not be empty.
pub(super) fn warning(replicas: &[ReplicaId], after: Duration) -> String {
    let shown: Vec<String> = replicas.iter().take(10).map(ToString::to_string).collect();
    let more = if replicas.len() > shown.len() { ", ..." } else { "" };
    format!(
        "replica {}{more}: running for {after:?}, but the backend has never reported Ready, so it does not count as available; a \
         backend that leaves readiness to probes must report Ready when an instance runs",
        shown.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const AFTER: Duration = Duration::from_secs(5);

    fn at(secs: u64) -> Timestamp {
        Timestamp::from_secs(secs)
    }

    #[test]
    fn an_instance_that_runs_and_is_never_ready_is_returned_once() {
        let mut monitor = ReadinessMonitor::default();
        for (replica, time) in [(0, 0), (1, 1), (2, 2)] {
            monitor.note_running(at(time), (replica, 1).into());
        }
        monitor.note_ready((0, 1).into());
        monitor.note_running(at(3), (0, 1).into());
        assert_eq!(monitor.next_deadline(AFTER), Some(at(6)));
        monitor.note_ended((2, 1).into());
        assert_eq!(monitor.take_overdue(at(100), AFTER), [1.into()]);
        assert_eq!(monitor.next_deadline(AFTER), None);
        monitor.note_running(at(101), (1, 1).into());
        assert_eq!(monitor.next_deadline(AFTER), None, "it was returned before");
        monitor.note_running(at(101), (1, 2).into());
        assert_eq!(monitor.take_overdue(at(106), AFTER), [1.into()]);
    }

    #[test]
    fn it_does_not_grow_with_restarts() {
        let mut monitor = ReadinessMonitor::default();
        monitor.note_running(at(0), (0, 1).into());
        for incarnation in 1..10_000 {
            monitor.note_running(at(0), (1, incarnation).into());
            monitor.note_ready((1, incarnation).into());
            monitor.note_ended((1, incarnation).into());
            monitor.retain(|_| true);
        }
        assert!(monitor.since.len() < 100, "{}", monitor.since.len());
    }
}
