//! Calls that wait for a place: so many of a kind are under way at once, and the rest queue.

use std::collections::{BTreeMap, VecDeque};

use crate::decide::{Incarnation, ReplicaId};

/// Which call: of which instance, and of which kind where a queue has several.
pub(super) type CallKey = (ReplicaId, Incarnation, u8);

/// Calls under way and those that wait, first come first served. A call that waits already is not queued twice.
#[derive(Debug)]
pub(super) struct CallQueue<J> {
    max_running: usize,
    running: usize,
    waiting: BTreeMap<CallKey, J>,
    /// The keys of `waiting` in their order; those without a call are stale.
    order: VecDeque<CallKey>,
}

impl<J> CallQueue<J> {
    pub(super) fn new(max_running: usize) -> Self {
        Self { max_running, running: 0, waiting: BTreeMap::new(), order: VecDeque::new() }
    }

    /// Queues a call, or replaces the same one that waits.
    pub(super) fn push(&mut self, key: CallKey, job: J) {
        if self.waiting.insert(key, job).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > 2 * self.waiting.len() + 64 {
            let waiting = &self.waiting;
            self.order.retain(|key| waiting.contains_key(key));
        }
    }

    /// Takes the next call that has a place; [`finish_one`](Self::finish_one) gives that back.
    pub(super) fn next(&mut self) -> Option<J> {
        while self.running < self.max_running {
            let key = self.order.pop_front()?;
            if let Some(job) = self.waiting.remove(&key) {
                self.running += 1;
                return Some(job);
            }
        }
        None
    }

    /// Takes a call out of the queue.
    pub(super) fn cancel(&mut self, key: &CallKey) -> Option<J> {
        self.waiting.remove(key)
    }

    pub(super) fn finish_one(&mut self) {
        self.running -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(replica: u32) -> CallKey {
        (replica.into(), 1.into(), 0)
    }

    #[test]
    fn so_many_run_at_once_and_the_rest_come_in_their_order_once_each() {
        let mut queue = CallQueue::new(2);
        for replica in [3, 1, 2, 1, 0] {
            queue.push(key(replica), replica);
        }
        assert_eq!((queue.next(), queue.next(), queue.next()), (Some(3), Some(1), None));
        assert_eq!(queue.cancel(&key(2)), Some(2));
        queue.finish_one();
        assert_eq!((queue.next(), queue.next()), (Some(0), None));
        queue.finish_one();
        queue.finish_one();
        assert_eq!(queue.next(), None);
    }

    #[test]
    fn a_queue_from_which_calls_are_taken_does_not_grow() {
        let mut queue = CallQueue::new(0);
        for number in 0..10_000 {
            queue.push(key(number), ());
            queue.cancel(&key(number));
        }
        assert!(queue.order.len() < 100, "{}", queue.order.len());
    }
}
