//! What comes in the order of time by itself, such as the ends of waits that are all equally long.

use std::collections::VecDeque;

use crate::decide::ReplicaId;
use crate::time::Timestamp;

/// Replicas at times, the earliest first. It takes no more than what comes last: anything else needs a real order.
pub(super) struct InOrder {
    waiting: VecDeque<(Timestamp, ReplicaId)>,
    /// When the first is, or never.
    next: Timestamp,
    /// When it has more than this, what does not stand any more is dropped.
    room: usize,
}

impl Default for InOrder {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), next: Timestamp::MAX, room: 64 }
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

    /// Drops what does not stand any more, when that may have become more than what does.
    #[inline]
    pub(super) fn tidy(&mut self, stands: impl Fn(Timestamp, ReplicaId) -> bool) {
        if self.waiting.len() > self.room {
            self.waiting.retain(|(at, replica)| stands(*at, *replica));
            self.heed_first();
            self.room = self.room.max(2 * self.waiting.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_takes_what_comes_last_and_gives_what_is_due() {
        let at = Timestamp::from_secs;
        let mut waiting = InOrder::default();
        assert_eq!(waiting.pop(Timestamp::MAX), None);
        assert!(waiting.takes(at(3), ReplicaId(1)));
        assert!(waiting.takes(at(3), ReplicaId(0)));
        assert!(!waiting.takes(at(2), ReplicaId(2)), "it comes before another");
        assert!(waiting.takes(at(5), ReplicaId(2)));
        assert_eq!((waiting.next(), waiting.pop(at(2))), (at(3), None));
        assert_eq!(
            [waiting.pop(at(4)), waiting.pop(at(4)), waiting.pop(at(4))],
            [Some(1), Some(0), None].map(|id| id.map(ReplicaId))
        );
        assert_eq!((waiting.next(), waiting.pop(at(5))), (at(5), Some(ReplicaId(2))));
        assert!(waiting.next().is_never());
    }

    #[test]
    fn what_does_not_stand_does_not_pile_up_and_what_does_stays() {
        let mut waiting = InOrder::default();
        for second in 1..=100_000 {
            assert!(waiting.takes(Timestamp::from_secs(second), ReplicaId(0)));
            waiting.tidy(|at, _| at == Timestamp::from_secs(second));
            assert!(waiting.waiting.len() <= 64);
        }
        for _ in 0..1000 {
            assert!(waiting.takes(Timestamp::from_secs(200_000), ReplicaId(0)));
            waiting.tidy(|at, _| at == Timestamp::from_secs(200_000));
        }
        assert_eq!((waiting.next(), waiting.waiting.len()), (Timestamp::from_secs(200_000), 1000));
    }
}
