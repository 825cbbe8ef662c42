//! Calls that wait for a place: so many of a kind are under way at once, and the rest queue.

use std::collections::{BTreeMap, VecDeque};

use crate::decide::{Incarnation, ReplicaId};

/// Which call: of which instance, and of which kind where a pool has several.
pub(super) type Key = (ReplicaId, Incarnation, u8);

/// Calls under way and those that wait, first come first served. A call that waits already is not queued twice.
#[derive(Debug)]
pub(super) struct Pool<J> {
    most: usize,
    running: usize,
    waiting: BTreeMap<Key, J>,
    /// The keys of `waiting` in their order; those without a call are stale.
    order: VecDeque<Key>,
}

impl<J> Pool<J> {
    pub(super) fn new(most: usize) -> Self {
        Self { most, running: 0, waiting: BTreeMap::new(), order: VecDeque::new() }
    }

    /// Queues a call, or replaces the same one that waits.
    pub(super) fn push(&mut self, key: Key, job: J) {
        if self.waiting.insert(key, job).is_none() {
            self.order.push_back(key);
        }
        if self.order.len() > 2 * self.waiting.len() + 64 {
            let waiting = &self.waiting;
            self.order.retain(|key| waiting.contains_key(key));
        }
    }

    /// Takes the next call that has a place; [`done`](Self::done) gives that back.
    pub(super) fn next(&mut self) -> Option<J> {
        while self.running < self.most {
            let key = self.order.pop_front()?;
            if let Some(job) = self.waiting.remove(&key) {
                self.running += 1;
                return Some(job);
            }
        }
        None
    }

    /// Takes a call out of the queue.
    pub(super) fn remove(&mut self, key: &Key) -> Option<J> {
        self.waiting.remove(key)
    }

    pub(super) fn done(&mut self) {
        self.running -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(replica: u32) -> Key {
        (replica.into(), 1.into(), 0)
    }

    #[test]
    fn so_many_run_at_once_and_the_rest_come_in_their_order_once_each() {
        let mut pool = Pool::new(2);
        for replica in [3, 1, 2, 1, 0] {
            pool.push(key(replica), replica);
        }
        assert_eq!((pool.next(), pool.next(), pool.next()), (Some(3), Some(1), None));
        assert_eq!(pool.remove(&key(2)), Some(2));
        pool.done();
        assert_eq!((pool.next(), pool.next()), (Some(0), None));
        pool.done();
        pool.done();
        assert_eq!(pool.next(), None);
    }

    #[test]
    fn a_queue_from_which_calls_are_taken_does_not_grow() {
        let mut pool = Pool::new(0);
        for number in 0..10_000 {
            pool.push(key(number), ());
            pool.remove(&key(number));
        }
        assert!(pool.order.len() < 100, "{}", pool.order.len());
    }
}
