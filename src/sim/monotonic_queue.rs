//! A queue for deadlines that arrive in order, such as the ends of waits that are all equally long.

use std::collections::VecDeque;

use crate::decide::ReplicaId;
use crate::time::Timestamp;

/// Deadlines of replicas, in non-decreasing order. A deadline earlier than the last is not accepted: it needs a
/// priority queue.
pub(super) struct MonotonicQueue {
    entries: VecDeque<(Timestamp, ReplicaId)>,
    /// The earliest deadline, or `MAX`.
    next: Timestamp,
    /// With more entries than this, `compact` removes stale ones.
    compact_above: usize,
}

impl Default for MonotonicQueue {
    fn default() -> Self {
        Self { entries: VecDeque::new(), next: Timestamp::MAX, compact_above: 64 }
    }
}

impl MonotonicQueue {
    /// Returns the earliest deadline, or `MAX`.
    #[inline]
    pub(super) fn next(&self) -> Timestamp {
        self.next
    }

    /// Appends the deadline unless it is earlier than the last. Returns whether it did.
    #[inline]
    pub(super) fn try_push(&mut self, at: Timestamp, replica: ReplicaId) -> bool {
        let in_order = self.entries.back().is_none_or(|(last, _)| *last <= at);
        if in_order {
            self.next = self.next.min(at);
            self.entries.push_back((at, replica));
        }
        in_order
    }

    /// Removes and returns the first replica, if its deadline is due.
    #[inline]
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<ReplicaId> {
        if self.next > now {
            return None;
        }
        let first = self.entries.pop_front();
        self.update_next();
        first.map(|(_, replica)| replica)
    }

    #[inline]
    fn update_next(&mut self) {
        self.next = self.entries.front().map_or(Timestamp::MAX, |(at, _)| *at);
    }

    /// Removes stale entries once there may be more of them than current ones.
    #[inline]
    pub(super) fn compact(&mut self, is_current: impl Fn(Timestamp, ReplicaId) -> bool) {
        if self.entries.len() > self.compact_above {
            self.entries.retain(|(at, replica)| is_current(*at, *replica));
            self.update_next();
            self.compact_above = self.compact_above.max(2 * self.entries.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_deadlines_in_order_and_returns_those_that_are_due() {
        let at = Timestamp::from_secs;
        let mut queue = MonotonicQueue::default();
        assert_eq!(queue.pop(Timestamp::MAX), None);
        assert!(queue.try_push(at(3), ReplicaId(1)));
        assert!(queue.try_push(at(3), ReplicaId(0)));
        assert!(!queue.try_push(at(2), ReplicaId(2)), "earlier than the last");
        assert!(queue.try_push(at(5), ReplicaId(2)));
        assert_eq!((queue.next(), queue.pop(at(2))), (at(3), None));
        assert_eq!(
            [queue.pop(at(4)), queue.pop(at(4)), queue.pop(at(4))],
            [Some(1), Some(0), None].map(|id| id.map(ReplicaId))
        );
        assert_eq!((queue.next(), queue.pop(at(5))), (at(5), Some(ReplicaId(2))));
        assert!(queue.next().is_never());
    }

    #[test]
    fn compact_bounds_stale_entries_and_keeps_current_ones() {
        let mut queue = MonotonicQueue::default();
        for second in 1..=100_000 {
            assert!(queue.try_push(Timestamp::from_secs(second), ReplicaId(0)));
            queue.compact(|at, _| at == Timestamp::from_secs(second));
            assert!(queue.entries.len() <= 64);
        }
        for _ in 0..1000 {
            assert!(queue.try_push(Timestamp::from_secs(200_000), ReplicaId(0)));
            queue.compact(|at, _| at == Timestamp::from_secs(200_000));
        }
        assert_eq!((queue.next(), queue.entries.len()), (Timestamp::from_secs(200_000), 1000));
    }
}
