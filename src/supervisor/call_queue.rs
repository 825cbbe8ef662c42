//! A queue of calls with a bound on how many run at once.

use std::collections::{BTreeMap, VecDeque};

use crate::decide::InstanceId;

/// Identifies a call: its instance, and its kind if the queue holds several kinds.
pub(super) type CallKey = (InstanceId, u8);

/// A FIFO queue that counts running calls. A call that is already queued is not queued again.
#[derive(Debug)]
pub(super) struct CallQueue<J> {
    max_running: usize,
    running: usize,
    waiting: BTreeMap<CallKey, J>,
    /// The keys of `waiting`, oldest first, and stale keys of calls that were cancelled.
    order: VecDeque<CallKey>,
}

impl<J> CallQueue<J> {
    pub(super) fn new(max_running: usize) -> Self {
        Self { max_running, running: 0, waiting: BTreeMap::new(), order: VecDeque::new() }
    }

    /// Queues a call, or replaces a queued one with the same key.
    pub(super) fn push(&mut self, key: CallKey, job: J) {
        if self.waiting.insert(key, job).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > 2 * self.waiting.len() + 64 {
            let waiting = &self.waiting;
            self.order.retain(|key| waiting.contains_key(key));
        }
    }

    /// Takes the next call if fewer than the maximum run. The caller calls [`finish_one`](Self::finish_one) at its end.
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

    /// Returns the number of entries in its collections.
    pub(super) fn entries(&self) -> usize {
        self.waiting.len() + self.order.len()
    }

    /// Removes a call that is still queued.
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
        (InstanceId::new(replica, 1), 0)
    }

    #[test]
    fn calls_run_in_order_up_to_the_maximum_and_once_each() {
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
    fn a_queue_whose_calls_are_cancelled_does_not_grow() {
        let mut queue = CallQueue::new(0);
        for number in 0..10_000 {
            queue.push(key(number), ());
            queue.cancel(&key(number));
        }
        assert!(queue.order.len() < 100, "{}", queue.order.len());
    }
}
