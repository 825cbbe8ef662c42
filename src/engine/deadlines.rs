//! The earliest deadline of many: a binary heap that knows where each replica stands in it.
//!
//! Each replica has at most one deadline, so nothing stale is ever kept, and moving a deadline costs a few
//! comparisons however many replicas there are.

use std::cmp::Ordering;

use crate::decide::ReplicaId;
use crate::time::Timestamp;

const NOWHERE: u32 = u32::MAX;

/// Deadlines by replica, each with why. Equal deadlines come in the order of their replicas.
#[derive(Clone, Debug)]
pub(crate) struct Deadlines<Why> {
    heap: Vec<Entry<Why>>,
    /// Where each replica stands in the heap.
    places: Vec<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Entry<Why> {
    at: Timestamp,
    replica: ReplicaId,
    why: Why,
}

impl<Why> Entry<Why> {
    /// What entries are ordered by: (time, replica) as one number.
    #[inline]
    fn key(&self) -> u128 {
        (u128::from(self.at.as_nanos()) << 32) | u128::from(self.replica.0)
    }
}

impl<Why> Default for Deadlines<Why> {
    fn default() -> Self {
        Self { heap: Vec::new(), places: Vec::new() }
    }
}

impl<Why: Copy> Deadlines<Why> {
    /// Makes room for replicas up to `count`.
    pub(crate) fn grow(&mut self, count: usize) {
        if self.places.len() < count {
            if self.places.is_empty() {
                self.places.reserve_exact(count);
                self.heap.reserve_exact(count);
            }
            self.places.resize(count, NOWHERE);
            self.heap.reserve(count - self.heap.len());
        }
    }

    /// When the earliest deadline is; "never" if there is none.
    #[inline]
    pub(crate) fn next(&self) -> Timestamp {
        self.heap.first().map_or(Timestamp::MAX, |entry| entry.at)
    }

    /// The earliest deadline, whose it is and why.
    #[inline]
    pub(crate) fn earliest(&self) -> Option<(Timestamp, ReplicaId, Why)> {
        self.heap.first().map(|entry| (entry.at, entry.replica, entry.why))
    }

    /// Everybody whose deadline is the earliest there is. Costs a few comparisons for each.
    pub(crate) fn at_earliest(&self, mut visit: impl FnMut(ReplicaId, Why)) {
        let Some(earliest) = self.heap.first().map(|entry| entry.at) else { return };
        // A heap has equal deadlines at its top, in one piece.
        let mut places = vec![0];
        while let Some(place) = places.pop() {
            if let Some(entry) = self.heap.get(place).filter(|entry| entry.at == earliest) {
                visit(entry.replica, entry.why);
                places.extend([2 * place + 1, 2 * place + 2]);
            }
        }
    }

    /// Sets the deadline of a replica; "never" takes it away.
    #[inline]
    pub(crate) fn set(&mut self, replica: ReplicaId, at: Timestamp, why: Why) {
        let place = self.places[replica.index()];
        if place == NOWHERE {
            if !at.is_never() {
                self.heap.push(Entry { at, replica, why });
                self.rise(self.heap.len() - 1);
            }
            return;
        }
        let place = place as usize;
        if at.is_never() {
            self.remove(place);
        } else {
            let entry = &mut self.heap[place];
            let before = std::mem::replace(entry, Entry { at, replica, why });
            match at.cmp(&before.at) {
                // Of one replica there is one entry: why it stands there orders nothing.
                Ordering::Equal => {}
                Ordering::Greater => self.sink(place),
                Ordering::Less => self.rise(place),
            }
        }
    }

    fn remove(&mut self, place: usize) {
        let removed = self.heap.swap_remove(place);
        self.places[removed.replica.index()] = NOWHERE;
        if place < self.heap.len() {
            if self.heap[place].key() < removed.key() { self.rise(place) } else { self.sink(place) }
        }
    }

    #[inline]
    fn rise(&mut self, mut place: usize) {
        let entry = self.heap[place];
        while place > 0 {
            let above = (place - 1) / 2;
            if self.heap[above].key() <= entry.key() {
                break;
            }
            self.put(place, self.heap[above]);
            place = above;
        }
        self.put(place, entry);
    }

    fn sink(&mut self, mut place: usize) {
        let entry = self.heap[place];
        let key = entry.key();
        while let Some(left) = self.heap.get(2 * place + 1) {
            let (mut below, mut least) = (2 * place + 1, left.key());
            if let Some(right) = self.heap.get(below + 1) {
                let right = right.key();
                below += usize::from(right < least);
                least = least.min(right);
            }
            if key <= least {
                break;
            }
            self.put(place, self.heap[below]);
            place = below;
        }
        self.put(place, entry);
    }

    #[inline]
    fn put(&mut self, place: usize, entry: Entry<Why>) {
        self.heap[place] = entry;
        self.places[entry.replica.index()] = place as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_is_always_first_whatever_is_moved() {
        let mut deadlines = Deadlines::default();
        deadlines.grow(50);
        let mut model = vec![Timestamp::MAX; 50];
        let mut state = 1u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let replica = ((state >> 33) % 50) as u32;
            let at = if state >> 60 == 0 { Timestamp::MAX } else { Timestamp::from_nanos((state >> 40) % 100) };
            deadlines.set(ReplicaId(replica), at, ());
            model[replica as usize] = at;
            let expected = model.iter().copied().zip(0..).filter(|(at, _)| !at.is_never()).min();
            let earliest = deadlines.earliest().map(|(at, id, _)| (at, id));
            assert_eq!(earliest, expected.map(|(at, id)| (at, ReplicaId(id))));
        }
    }
}
