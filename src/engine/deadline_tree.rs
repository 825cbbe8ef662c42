//! The earliest deadline of many replicas, of which each has at most one: a tournament tree.
//!
//! Up to [`FEW`] replicas are scanned, and only when the earliest has moved. More stand in rows of sixteen under a tree
//! whose nodes hold the earliest of each of their eight children. No stale deadline is ever kept.

use crate::decide::ReplicaId;
use crate::time::Timestamp;

/// Up to so many replicas are scanned. benches/README.md says what that is worth.
const FEW: usize = 16;

/// Deadlines by replica. Equal deadlines come in the order of their replicas.
#[derive(Clone, Debug)]
pub(crate) struct Deadlines {
    /// When the earliest is, or never.
    next: Timestamp,
    /// Whose that is.
    first: u32,
    /// Of few, how many have one.
    set: u32,
    order: Order,
}

/// Which of several is the earliest: when that is, or never, and whose it is.
#[derive(Clone, Copy, Debug)]
struct First {
    at: Timestamp,
    replica: u32,
}

#[derive(Clone, Debug)]
enum Order {
    /// By replica.
    Few(Box<[Timestamp]>),
    Many(Box<Tree>),
}

#[derive(Clone, Debug, Default)]
struct Tree {
    /// The deadlines of all replicas, in rows.
    rows: Vec<Row>,
    /// The nodes of the levels above, the lowest level first.
    nodes: Vec<Node>,
    /// Where each of these levels begins.
    levels: Vec<u32>,
}

/// So many replicas stand in a row. With eight, 1,000 replicas would take a level more.
const ROW: usize = 16;
/// So many are below a node.
const WIDTH: usize = 8;

#[derive(Clone, Copy, Debug)]
struct Row([Timestamp; ROW]);

/// The firsts of eight nodes below.
#[derive(Clone, Copy, Debug)]
struct Node {
    at: [Timestamp; WIDTH],
    replica: [u32; WIDTH],
}

impl Default for Deadlines {
    fn default() -> Self {
        Self { next: Timestamp::NEVER, first: 0, set: 0, order: Order::Few(Box::default()) }
    }
}

impl Deadlines {
    /// Makes room for replicas up to `count`.
    pub(crate) fn grow(&mut self, count: usize) {
        match &mut self.order {
            Order::Few(slots) if count <= FEW => {
                if slots.len() < count {
                    let mut more = vec![Timestamp::NEVER; count].into_boxed_slice();
                    more[..slots.len()].copy_from_slice(slots);
                    *slots = more;
                }
            }
            Order::Few(slots) => self.order = Order::Many(Box::new(Tree::over(slots.iter().copied(), count))),
            Order::Many(tree) => tree.grow(count),
        }
    }

    /// When the earliest deadline is; "never" if there is none.
    #[inline]
    pub(crate) fn next(&self) -> Timestamp {
        self.next
    }

    /// Whose the earliest deadline is.
    #[inline]
    pub(crate) fn first(&self) -> Option<ReplicaId> {
        self.next.known().map(|_| ReplicaId(self.first))
    }

    /// Everybody whose deadline is the earliest there is, in order.
    pub(crate) fn at_earliest(&self, mut visit: impl FnMut(ReplicaId)) {
        let next = self.next;
        if next.is_never() {
            return;
        }
        match &self.order {
            Order::Few(slots) => {
                (0..).zip(slots).filter(|(_, at)| **at == next).for_each(|(replica, _)| visit(ReplicaId(replica)));
            }
            Order::Many(tree) => tree.at(next, &mut visit),
        }
    }

    /// The deadline of a replica, or never.
    pub(crate) fn of(&self, replica: ReplicaId) -> Timestamp {
        match &self.order {
            Order::Few(slots) => slots[replica.index()],
            Order::Many(tree) => tree.slot(replica),
        }
    }

    /// Sets the deadline of a replica; "never" takes it away.
    #[inline]
    pub(crate) fn set(&mut self, replica: ReplicaId, at: Timestamp) {
        match &mut self.order {
            Order::Few(slots) => {
                let before = std::mem::replace(&mut slots[replica.index()], at);
                self.set = self.set + u32::from(before.is_never()) - u32::from(at.is_never());
                let alone = self.set == 0 || (self.set == 1 && !at.is_never());
                if alone || (at, replica.0) < (self.next, self.first) {
                    (self.next, self.first) = (at, replica.0);
                } else if self.first == replica.0 {
                    let First { at, replica } = first_of_few(slots);
                    (self.next, self.first) = (at, replica);
                }
            }
            Order::Many(tree) => {
                if std::mem::replace(tree.slot_mut(replica), at) != at && !tree.is_behind(replica, at) {
                    let First { at, replica } = tree.moved(replica, at, First { at: self.next, replica: self.first });
                    (self.next, self.first) = (at, replica);
                }
            }
        }
    }
}

#[inline(never)]
fn first_of_few(slots: &[Timestamp]) -> First {
    let mut first = First::NONE;
    for (replica, at) in (0..).zip(slots) {
        if *at < first.at {
            first = First { at: *at, replica };
        }
    }
    first
}

impl First {
    const NONE: Self = Self { at: Timestamp::NEVER, replica: 0 };

    #[inline]
    fn precedes(self, other: Self) -> bool {
        self.at < other.at || (self.at == other.at && self.replica <= other.replica)
    }

    /// The first of both; of equals the one that comes before.
    #[inline]
    fn or(self, next: Self) -> Self {
        let next_is = next.at < self.at;
        Self { at: if next_is { next.at } else { self.at }, replica: if next_is { next.replica } else { self.replica } }
    }
}

/// The first of eight. Without a branch: which it is follows no order.
#[inline]
fn first_of_eight(one: impl Fn(usize) -> First) -> First {
    let (a, b) = (one(0).or(one(1)), one(2).or(one(3)));
    let (c, d) = (one(4).or(one(5)), one(6).or(one(7)));
    a.or(b).or(c.or(d))
}

impl Row {
    const EMPTY: Self = Self([Timestamp::NEVER; ROW]);

    /// The first of the replicas of this row, the first of which is `from`.
    #[inline]
    fn first(&self, from: u32) -> First {
        let one = |place: usize| First { at: self.0[place], replica: from + place as u32 };
        first_of_eight(one).or(first_of_eight(|place| one(place + WIDTH)))
    }
}

impl Node {
    const EMPTY: Self = Self { at: [Timestamp::NEVER; WIDTH], replica: [0; WIDTH] };

    #[inline]
    fn first_at(&self, place: usize) -> First {
        First { at: self.at[place], replica: self.replica[place] }
    }

    #[inline]
    fn put(&mut self, place: usize, first: First) {
        self.at[place] = first.at;
        self.replica[place] = first.replica;
    }

    #[inline]
    fn first(&self) -> First {
        first_of_eight(|place| self.first_at(place))
    }
}

impl Tree {
    /// A tree over these, with room for `count`.
    fn over(deadlines: impl Iterator<Item = Timestamp>, count: usize) -> Self {
        let mut width = count.div_ceil(ROW);
        let rows = vec![Row::EMPTY; width];
        let (mut levels, mut room) = (Vec::new(), 0);
        while levels.is_empty() || width > 1 {
            levels.push(room as u32);
            width = width.div_ceil(WIDTH);
            room += width;
        }
        let mut tree = Self { rows, nodes: vec![Node::EMPTY; room], levels };
        let mut first = First::NONE;
        for (replica, at) in (0..).map(ReplicaId).zip(deadlines).filter(|(_, at)| !at.is_never()) {
            *tree.slot_mut(replica) = at;
            first = tree.moved(replica, at, first);
        }
        tree
    }

    fn grow(&mut self, count: usize) {
        let room = self.rows.len() * ROW;
        if count > room {
            let rows = std::mem::take(&mut self.rows);
            *self = Self::over(rows.into_iter().flat_map(|row| row.0), count.max(2 * room));
        }
    }

    #[inline]
    fn slot(&self, replica: ReplicaId) -> Timestamp {
        self.rows[replica.index() / ROW].0[replica.index() % ROW]
    }

    /// The deadline of a replica, in its row.
    #[inline]
    fn slot_mut(&mut self, replica: ReplicaId) -> &mut Timestamp {
        &mut self.rows[replica.index() / ROW].0[replica.index() % ROW]
    }

    /// Whether another of its row comes before it as it did before: then nothing follows from where it is.
    #[inline]
    fn is_behind(&self, replica: ReplicaId, at: Timestamp) -> bool {
        let row = replica.index() / ROW;
        let first = self.nodes[row / WIDTH].first_at(row % WIDTH);
        first.replica != replica.0 && first.at < at
    }

    /// What follows from a deadline that is written into its row already. `first` is the first of all as it was before;
    /// gives the one that is now.
    #[inline(never)]
    fn moved(&mut self, replica: ReplicaId, at: Timestamp, first: First) -> First {
        let ours = First { at, replica: replica.0 };
        let mut place = replica.index() / ROW;
        let row = &self.rows[place];
        let nodes = &mut self.nodes[..];
        let mut node = place / WIDTH;
        let slot = place % WIDTH;
        let stood = nodes[node].first_at(slot);
        let now = if stood.replica == ours.replica && stood.at < ours.at {
            row.first((place * ROW) as u32)
        } else if ours.precedes(stood) {
            ours
        } else {
            return first;
        };
        nodes[node].put(slot, now);
        place = node;
        for level in &self.levels[1..] {
            let slot = place % WIDTH;
            place /= WIDTH;
            let above = *level as usize + place;
            let stood = nodes[above].first_at(slot);
            let now = if stood.replica == ours.replica && stood.at < ours.at {
                nodes[node].first()
            } else if ours.precedes(stood) {
                ours
            } else {
                return first;
            };
            nodes[above].put(slot, now);
            node = above;
        }
        if first.replica == ours.replica && first.at < ours.at {
            nodes[node].first()
        } else if ours.precedes(first) {
            ours
        } else {
            first
        }
    }

    fn at(&self, next: Timestamp, visit: &mut impl FnMut(ReplicaId)) {
        // Places of nodes and their level, and of replicas in the end; the first on top.
        let mut places = vec![(0, self.levels.len() + 1)];
        while let Some((place, height)) = places.pop() {
            let below: &[Timestamp] = match height {
                0 => {
                    visit(ReplicaId(place as u32));
                    continue;
                }
                1 => &self.rows[place].0,
                _ => &self.nodes[self.levels[height - 2] as usize + place].at,
            };
            let from = place * below.len();
            let due = below.iter().enumerate().rev().filter(|(_, at)| **at == next);
            places.extend(due.map(|(other, _)| (from + other, height - 1)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_is_always_first_whatever_is_moved() {
        for count in [1, FEW as u64, FEW as u64 + 1, 128, 129, 1024, 1025, 5000] {
            the_earliest_of(count);
        }
    }

    fn the_earliest_of(count: u64) {
        let mut deadlines = Deadlines::default();
        deadlines.grow(count as usize);
        let mut model = vec![Timestamp::NEVER; count as usize];
        let mut state = 1u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let replica = ((state >> 33) % count) as u32;
            let at = if state >> 60 == 0 { Timestamp::NEVER } else { Timestamp::from_nanos((state >> 40) % 100) };
            deadlines.set(ReplicaId(replica), at);
            model[replica as usize] = at;
            let expected = model.iter().copied().zip(0..).filter(|(at, _)| !at.is_never()).min();
            assert_eq!(deadlines.first(), expected.map(|(_, id)| ReplicaId(id)));
            assert_eq!(deadlines.next(), expected.map_or(Timestamp::NEVER, |(at, _)| at));
            let mut together = Vec::new();
            deadlines.at_earliest(|id| together.push(id.0));
            let due = |at: &Timestamp| expected.is_some_and(|(earliest, _)| *at == earliest);
            assert_eq!(together, (0..).zip(&model).filter(|(_, at)| due(at)).map(|(id, _)| id).collect::<Vec<u32>>());
        }
    }

    #[test]
    fn a_set_that_grows_keeps_its_deadlines() {
        let mut deadlines = Deadlines::default();
        for count in [3, FEW, FEW + 1, 300, 301, 5000] {
            deadlines.grow(count);
            let last = ReplicaId(count as u32 - 1);
            let earlier = Timestamp::from_nanos(9000 - count as u64);
            deadlines.set(last, earlier);
            assert_eq!((deadlines.first(), deadlines.next()), (Some(last), earlier));
        }
        for (gone, next) in [(5000, 301), (301, 300), (300, FEW + 1), (FEW + 1, FEW), (FEW, 3)] {
            deadlines.set(ReplicaId(gone as u32 - 1), Timestamp::NEVER);
            assert_eq!(deadlines.first(), Some(ReplicaId(next as u32 - 1)));
        }
    }
}
