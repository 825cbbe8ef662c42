//! A tournament tree: finds the earliest deadline of many replicas. Each replica has at most one deadline.
//!
//! Up to [`FEW`] replicas are scanned, and only when the earliest has moved. More are kept in rows of sixteen, the leaves of
//! a tree. A node holds the earliest deadline of each of its eight children. No stale deadline is ever kept.

use crate::decide::ReplicaId;
use crate::time::Timestamp;

/// Up to this many replicas are scanned. benches/README.md has the figures.
const FEW: usize = 16;

/// The deadline of each replica. Equal deadlines are ordered by replica.
#[derive(Clone, Debug)]
pub(crate) struct Deadlines {
    /// The earliest deadline, or [`Timestamp::NEVER`].
    next: Timestamp,
    /// The replica of the earliest deadline.
    first: u32,
    /// In `Order::Few`, the number of replicas that have a deadline.
    set: u32,
    order: Order,
}

/// The earliest of several deadlines, and its replica.
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
    /// The nodes of all levels above the rows, from the lowest level up.
    nodes: Vec<Node>,
    /// The index in `nodes` at which each level begins.
    levels: Vec<u32>,
}

/// Replicas in a row. With 8, 1,000 replicas would need one more level.
const ROW: usize = 16;
/// Children of a node.
const WIDTH: usize = 8;

#[derive(Clone, Copy, Debug)]
struct Row([Timestamp; ROW]);

/// The earliest deadline of each child.
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
    /// Grows to `count` replicas.
    pub(crate) fn grow(&mut self, count: usize) {
        match &mut self.order {
            Order::Few(deadlines) if count <= FEW => {
                if deadlines.len() < count {
                    let mut more = vec![Timestamp::NEVER; count].into_boxed_slice();
                    more[..deadlines.len()].copy_from_slice(deadlines);
                    *deadlines = more;
                }
            }
            Order::Few(deadlines) => self.order = Order::Many(Box::new(Tree::over(deadlines.iter().copied(), count))),
            Order::Many(tree) => tree.grow(count),
        }
    }

    /// Returns the earliest deadline; [`Timestamp::NEVER`] if there is none.
    #[inline]
    pub(crate) fn next(&self) -> Timestamp {
        self.next
    }

    /// Returns the replica of the earliest deadline.
    #[inline]
    pub(crate) fn first(&self) -> Option<ReplicaId> {
        self.next.known().map(|_| ReplicaId(self.first))
    }

    /// Returns all replicas that have the earliest deadline, in order.
    pub(crate) fn at_earliest(&self, mut visit: impl FnMut(ReplicaId)) {
        let next = self.next;
        if next.is_never() {
            return;
        }
        match &self.order {
            Order::Few(deadlines) => {
                (0..).zip(deadlines).filter(|(_, at)| **at == next).for_each(|(replica, _)| visit(ReplicaId(replica)));
            }
            Order::Many(tree) => tree.at(next, &mut visit),
        }
    }

    /// Returns the deadline of a replica, or [`Timestamp::NEVER`].
    pub(crate) fn of(&self, replica: ReplicaId) -> Timestamp {
        match &self.order {
            Order::Few(deadlines) => deadlines[replica.index()],
            Order::Many(tree) => tree.deadline(replica),
        }
    }

    /// Sets the deadline of a replica; [`Timestamp::NEVER`] removes it.
    #[inline]
    pub(crate) fn set(&mut self, replica: ReplicaId, at: Timestamp) {
        match &mut self.order {
            Order::Few(deadlines) => {
                let before = std::mem::replace(&mut deadlines[replica.index()], at);
                self.set = self.set + u32::from(before.is_never()) - u32::from(at.is_never());
                let alone = self.set == 0 || (self.set == 1 && !at.is_never());
                if alone || (at, replica.0) < (self.next, self.first) {
                    (self.next, self.first) = (at, replica.0);
                } else if self.first == replica.0 {
                    let First { at, replica } = first_of_few(deadlines);
                    (self.next, self.first) = (at, replica);
                }
            }
            Order::Many(tree) => {
                if std::mem::replace(tree.deadline_mut(replica), at) != at && !tree.is_behind(replica, at) {
                    let First { at, replica } = tree.moved(replica, at, First { at: self.next, replica: self.first });
                    (self.next, self.first) = (at, replica);
                }
            }
        }
    }
}

#[inline(never)]
fn first_of_few(deadlines: &[Timestamp]) -> First {
    let mut first = First::NONE;
    for (replica, at) in (0..).zip(deadlines) {
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

    /// Returns the earlier of two; of equal ones, the first.
    #[inline]
    fn or(self, next: Self) -> Self {
        let next_is = next.at < self.at;
        Self { at: if next_is { next.at } else { self.at }, replica: if next_is { next.replica } else { self.replica } }
    }
}

/// Returns the earliest of eight, without branches, which would be mispredicted.
#[inline]
fn first_of_eight(one: impl Fn(usize) -> First) -> First {
    let (a, b) = (one(0).or(one(1)), one(2).or(one(3)));
    let (c, d) = (one(4).or(one(5)), one(6).or(one(7)));
    a.or(b).or(c.or(d))
}

impl Row {
    const EMPTY: Self = Self([Timestamp::NEVER; ROW]);

    /// Returns the earliest deadline of a row whose first replica is `from`.
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
    /// Builds a tree over these deadlines, for `count` replicas.
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
            *tree.deadline_mut(replica) = at;
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
    fn deadline(&self, replica: ReplicaId) -> Timestamp {
        self.rows[replica.index() / ROW].0[replica.index() % ROW]
    }

    /// Returns a replica's deadline in its row, to be changed.
    #[inline]
    fn deadline_mut(&mut self, replica: ReplicaId) -> &mut Timestamp {
        &mut self.rows[replica.index() / ROW].0[replica.index() % ROW]
    }

    /// Whether another replica of the row is earlier, before and after the change, so that the nodes above stay as they are.
    #[inline]
    fn is_behind(&self, replica: ReplicaId, at: Timestamp) -> bool {
        let row = replica.index() / ROW;
        let first = self.nodes[row / WIDTH].first_at(row % WIDTH);
        first.replica != replica.0 && first.at < at
    }

    /// Updates the nodes above a row in which a deadline has changed. `first` is the earliest of all before the change;
    /// returns the earliest after it.
    #[inline(never)]
    fn moved(&mut self, replica: ReplicaId, at: Timestamp, first: First) -> First {
        let ours = First { at, replica: replica.0 };
        let mut place = replica.index() / ROW;
        let row = &self.rows[place];
        let nodes = &mut self.nodes[..];
        let mut node = place / WIDTH;
        let child = place % WIDTH;
        let before = nodes[node].first_at(child);
        let now = if before.replica == ours.replica && before.at < ours.at {
            row.first((place * ROW) as u32)
        } else if ours.precedes(before) {
            ours
        } else {
            return first;
        };
        nodes[node].put(child, now);
        place = node;
        for level in &self.levels[1..] {
            let child = place % WIDTH;
            place /= WIDTH;
            let above = *level as usize + place;
            let before = nodes[above].first_at(child);
            let now = if before.replica == ours.replica && before.at < ours.at {
                nodes[node].first()
            } else if ours.precedes(before) {
                ours
            } else {
                return first;
            };
            nodes[above].put(child, now);
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
        // A stack of (index, level) of nodes; level 0 are replicas. The lowest index is on top.
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
    fn the_earliest_deadline_is_found_after_any_change() {
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
