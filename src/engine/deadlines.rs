//! The earliest deadline of many, each replica having at most one.
//!
//! Nothing stale is ever kept, and moving a deadline costs little however many replicas there are: few are scanned, and
//! that only when the earliest of them has moved; many stand in a binary heap that knows where each replica is in it.

use std::cmp::Ordering;

use crate::decide::ReplicaId;
use crate::time::Timestamp;

/// Up to so many replicas are scanned. benches/README.md says what that is worth.
const FEW: usize = 64;
const NOWHERE: u32 = u32::MAX;

/// Deadlines by replica, each with why. Equal deadlines come in the order of their replicas.
#[derive(Clone, Debug)]
pub(crate) struct Deadlines<Why> {
    /// When the earliest is, or never.
    next: Timestamp,
    order: Order<Why>,
}

#[derive(Clone, Debug)]
enum Order<Why> {
    /// By replica; `first` is whose is the earliest, `set` how many have one.
    Few {
        slots: Vec<(Timestamp, Option<Why>)>,
        first: u32,
        set: u32,
    },
    Many(Box<Heap<Why>>),
}

#[derive(Clone, Debug)]
struct Heap<Why> {
    entries: Vec<Entry<Why>>,
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
        Self { next: Timestamp::MAX, order: Order::Few { slots: Vec::new(), first: 0, set: 0 } }
    }
}

impl<Why: Copy> Deadlines<Why> {
    /// Makes room for replicas up to `count`.
    pub(crate) fn grow(&mut self, count: usize) {
        match &mut self.order {
            Order::Few { slots, .. } if count <= FEW => {
                if slots.len() < count {
                    slots.reserve_exact(count - slots.len());
                    slots.resize(count, (Timestamp::MAX, None));
                }
            }
            Order::Few { slots, .. } => {
                let mut heap = Heap { entries: Vec::new(), places: Vec::new() };
                heap.grow(count);
                for (replica, (at, why)) in (0..).map(ReplicaId).zip(&*slots) {
                    if let Some(why) = why {
                        heap.set(replica, *at, *why);
                    }
                }
                self.order = Order::Many(Box::new(heap));
            }
            Order::Many(heap) => heap.grow(count),
        }
    }

    /// When the earliest deadline is; "never" if there is none.
    #[inline]
    pub(crate) fn next(&self) -> Timestamp {
        self.next
    }

    /// The earliest deadline, whose it is and why.
    #[inline]
    pub(crate) fn earliest(&self) -> Option<(Timestamp, ReplicaId, Why)> {
        match &self.order {
            Order::Few { slots, first, .. } => {
                let (at, why) = *slots.get(*first as usize)?;
                Some((at.known()?, ReplicaId(*first), why?))
            }
            Order::Many(heap) => heap.entries.first().map(|entry| (entry.at, entry.replica, entry.why)),
        }
    }

    /// Everybody whose deadline is the earliest there is. Costs a few comparisons for each.
    pub(crate) fn at_earliest(&self, mut visit: impl FnMut(ReplicaId, Why)) {
        if self.next.is_never() {
            return;
        }
        match &self.order {
            Order::Few { slots, .. } => {
                let earliest = (0..).map(ReplicaId).zip(slots).filter(|(_, (at, _))| *at == self.next);
                earliest.for_each(|(replica, (_, why))| why.iter().for_each(|why| visit(replica, *why)));
            }
            Order::Many(heap) => {
                // A heap has equal deadlines at its top, in one piece.
                let mut places = vec![0];
                while let Some(place) = places.pop() {
                    if let Some(entry) = heap.entries.get(place).filter(|entry| entry.at == self.next) {
                        visit(entry.replica, entry.why);
                        places.extend([2 * place + 1, 2 * place + 2]);
                    }
                }
            }
        }
    }

    /// Sets the deadline of a replica; "never" takes it away.
    #[inline(always)]
    pub(crate) fn set(&mut self, replica: ReplicaId, at: Timestamp, why: Why) {
        match &mut self.order {
            Order::Few { slots, first, set } => {
                let (before, _) = std::mem::replace(&mut slots[replica.index()], (at, Some(why)));
                *set = *set + u32::from(before.is_never()) - u32::from(at.is_never());
                let alone = *set == 0 || (*set == 1 && !at.is_never());
                if alone || (at, replica.0) < (self.next, *first) {
                    (self.next, *first) = (at, replica.0);
                } else if *first == replica.0 {
                    (self.next, *first) = least(slots);
                }
            }
            Order::Many(heap) => self.next = heap.set(replica, at, why),
        }
    }
}

/// The earliest of few, and whose it is.
#[inline(never)]
fn least<Why>(slots: &[(Timestamp, Option<Why>)]) -> (Timestamp, u32) {
    let mut least = (Timestamp::MAX, 0);
    for (replica, (at, _)) in (0..).zip(slots) {
        if *at < least.0 {
            least = (*at, replica);
        }
    }
    least
}

impl<Why: Copy> Heap<Why> {
    fn grow(&mut self, count: usize) {
        if self.places.len() < count {
            if self.places.is_empty() {
                self.places.reserve_exact(count);
                self.entries.reserve_exact(count);
            }
            self.places.resize(count, NOWHERE);
            self.entries.reserve(count - self.entries.len());
        }
    }

    /// When the earliest is after that.
    #[inline(never)]
    fn set(&mut self, replica: ReplicaId, at: Timestamp, why: Why) -> Timestamp {
        self.put_at(replica, at, why);
        self.entries.first().map_or(Timestamp::MAX, |entry| entry.at)
    }

    #[inline]
    fn put_at(&mut self, replica: ReplicaId, at: Timestamp, why: Why) {
        let place = self.places[replica.index()];
        if place == NOWHERE {
            if !at.is_never() {
                self.entries.push(Entry { at, replica, why });
                self.rise(self.entries.len() - 1);
            }
            return;
        }
        let place = place as usize;
        if at.is_never() {
            self.remove(place);
        } else {
            let entry = &mut self.entries[place];
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
        let removed = self.entries.swap_remove(place);
        self.places[removed.replica.index()] = NOWHERE;
        if place < self.entries.len() {
            if self.entries[place].key() < removed.key() { self.rise(place) } else { self.sink(place) }
        }
    }

    #[inline]
    fn rise(&mut self, mut place: usize) {
        let entry = self.entries[place];
        while place > 0 {
            let above = (place - 1) / 2;
            if self.entries[above].key() <= entry.key() {
                break;
            }
            self.put(place, self.entries[above]);
            place = above;
        }
        self.put(place, entry);
    }

    fn sink(&mut self, mut place: usize) {
        let entry = self.entries[place];
        let key = entry.key();
        while let Some(left) = self.entries.get(2 * place + 1) {
            let (mut below, mut least) = (2 * place + 1, left.key());
            if let Some(right) = self.entries.get(below + 1) {
                let right = right.key();
                below += usize::from(right < least);
                least = least.min(right);
            }
            if key <= least {
                break;
            }
            self.put(place, self.entries[below]);
            place = below;
        }
        self.put(place, entry);
    }

    #[inline]
    fn put(&mut self, place: usize, entry: Entry<Why>) {
        self.entries[place] = entry;
        self.places[entry.replica.index()] = place as u32;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_is_always_first_whatever_is_moved() {
        for count in [1, 50, FEW as u64, 200] {
            the_earliest_of(count);
        }
    }

    fn the_earliest_of(count: u64) {
        let mut deadlines = Deadlines::default();
        deadlines.grow(count as usize);
        let mut model = vec![Timestamp::MAX; count as usize];
        let mut state = 1u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let replica = ((state >> 33) % count) as u32;
            let at = if state >> 60 == 0 { Timestamp::MAX } else { Timestamp::from_nanos((state >> 40) % 100) };
            deadlines.set(ReplicaId(replica), at, ());
            model[replica as usize] = at;
            let expected = model.iter().copied().zip(0..).filter(|(at, _)| !at.is_never()).min();
            let earliest = deadlines.earliest().map(|(at, id, _)| (at, id));
            assert_eq!(earliest, expected.map(|(at, id)| (at, ReplicaId(id))));
            assert_eq!(deadlines.next(), expected.map_or(Timestamp::MAX, |(at, _)| at));
            let mut together = Vec::new();
            deadlines.at_earliest(|id, ()| together.push(id.0));
            together.sort_unstable();
            let due = |at: &Timestamp| expected.is_some_and(|(earliest, _)| *at == earliest);
            assert_eq!(together, (0..).zip(&model).filter(|(_, at)| due(at)).map(|(id, _)| id).collect::<Vec<u32>>());
        }
    }

    #[test]
    fn a_set_that_grows_keeps_its_deadlines() {
        let mut deadlines = Deadlines::default();
        for count in [3, FEW, FEW + 1, 300] {
            deadlines.grow(count);
            let last = ReplicaId(count as u32 - 1);
            deadlines.set(last, Timestamp::from_nanos(1000 - count as u64), ());
            assert_eq!(deadlines.earliest(), Some((Timestamp::from_nanos(1000 - count as u64), last, ())));
        }
        deadlines.set(ReplicaId(299), Timestamp::MAX, ());
        assert_eq!(deadlines.earliest().map(|(_, id, ())| id), Some(ReplicaId(FEW as u32)));
    }
}
