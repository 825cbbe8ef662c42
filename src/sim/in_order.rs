//! What comes in the order of time by itself, such as the ends of waits that are all equally long.

use std::collections::VecDeque;

use crate::decide::ReplicaId;
use crate::time::Timestamp;

/// Replicas at times, the earliest first. It takes no more than what comes last: anything else needs a real order.
pub(super) struct InOrder {
    waiting: VecDeque<(Timestamp, ReplicaId)>,
    /// When the first is, or never.
    next: Timestamp,
}

impl Default for InOrder {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), next: Timestamp::MAX }
    }
}

impl InOrder {
    /// When the first is, or never.
    #[inline]
    pub(super) fn next(&self) -> Timestamp {
        self.next
    }

    /// Takes it in unless it comes before another.
    #[inline]
    pub(super) fn takes(&mut self, at: Timestamp, replica: ReplicaId) -> bool {
        let in_order = self.waiting.back().is_none_or(|(last, _)| *last <= at);
        if in_order {
            self.next = self.next.min(at);
            self.waiting.push_back((at, replica));
        }
        in_order
    }

    /// The first, if it is due.
    #[inline]
    pub(super) fn pop(&mut self, now: Timestamp) -> Option<ReplicaId> {
        if self.next > now {
            return None;
        }
        let first = self.waiting.pop_front();
        self.heed_first();
        first.map(|(_, replica)| replica)
    }

    #[inline]
    fn heed_first(&mut self) {
        self.next = self.waiting.front().map_or(Timestamp::MAX, |(at, _)| *at);
    }

    /// Drops what does not stand any more, when that has become more than what may: `most` do.
    #[inline]
    pub(super) fn tidy(&mut self, most: usize, stands: impl Fn(Timestamp, ReplicaId) -> bool) {
        if self.waiting.len() > 2 * most {
            self.waiting.retain(|(at, replica)| stands(*at, *replica));
            self.heed_first();
        }
    }
}
