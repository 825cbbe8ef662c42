//! The earliest deadline of many: a binary heap that knows where each replica stands in it.
//!
//! Each replica has at most one deadline, so nothing stale is ever kept, and moving a deadline costs a few
//! comparisons however many replicas there are.

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

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Entry<Why> {
    at: Timestamp,
    replica: ReplicaId,
    why: Why,
}

impl<Why> Default for Deadlines<Why> {
    fn default() -> Self {
        Self { heap: Vec::new(), places: Vec::new() }
    }
}

impl<Why: Copy + Ord> Deadlines<Why> {
    /// Makes room for replicas up to `count`.
    pub(crate) fn grow(&mut self, count: usize) {
        if self.places.len() < count {
            self.places.resize(count, NOWHERE);
            self.heap.reserve(count - self.heap.len());
        }
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
            let later = at > self.heap[place].at;
            self.heap[place] = Entry { at, replica, why };
            if later { self.sink(place) } else { self.rise(place) }
        }
    }

    fn remove(&mut self, place: usize) {
        let removed = self.heap.swap_remove(place);
        self.places[removed.replica.index()] = NOWHERE;
        if place < self.heap.len() {
            if self.heap[place] < removed { self.rise(place) } else { self.sink(place) }
        }
    }

    #[inline]
    fn rise(&mut self, mut place: usize) {
        let entry = self.heap[place];
        while place > 0 {
            let parent = (place - 1) / 2;
            if self.heap[parent] <= entry {
                break;
            }
            self.put(place, self.heap[parent]);
            place = parent;
        }
        self.put(place, entry);
    }

    fn sink(&mut self, mut place: usize) {
        let entry = self.heap[place];
        loop {
            let mut child = 2 * place + 1;
            if child + 1 < self.heap.len() && self.heap[child + 1] < self.heap[child] {
                child += 1;
            }
            if child >= self.heap.len() || self.heap[child] >= entry {
                break;
            }
            self.put(place, self.heap[child]);
            place = child;
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
