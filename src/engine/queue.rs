//! Starts that are due and wait for a gate, oldest due first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::decide::{Gate, ReplicaId, StartKind};
use crate::lazy_box::LazyBox;
use crate::time::Timestamp;

/// A class of starts that the same gates hold back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum QueueClass {
    /// Restarts that take a token of the budget.
    Charged,
    /// Restarts that take no token.
    Uncharged,
    /// First starts.
    First,
    /// Starts that an operator requested.
    Requested,
    /// Restarts of exempt slots, whose failures do not count.
    Exempt,
}

impl QueueClass {
    const ALL: [Self; 5] = [Self::Charged, Self::Uncharged, Self::First, Self::Requested, Self::Exempt];

    pub(crate) fn of(kind: StartKind) -> Self {
        match kind {
            StartKind::Restart { charged: true } => Self::Charged,
            StartKind::First => Self::First,
            StartKind::Requested => Self::Requested,
            StartKind::Restart { charged: false } => Self::Uncharged,
            StartKind::Exempt => Self::Exempt,
        }
    }
}

/// The queue of due starts, by class. Stale entries are dropped when they come up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    /// The only entry, if there is one and it was not tried yet. Nearly every restart is such an entry.
    single: Option<Entry>,
    classes: LazyBox<QueueClasses>,
}

type Entry = (QueueClass, Timestamp, ReplicaId);

#[derive(Clone, Debug, Default)]
struct QueueClasses {
    heaps: [BinaryHeap<Reverse<(Timestamp, ReplicaId)>>; 5],
    /// The gate that held each class back at the last try.
    held: [Option<Gate>; 5],
    /// The replicas queued since the last try.
    new: Vec<ReplicaId>,
    /// The number of entries in the heaps.
    entries: usize,
}

impl Queue {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.single.is_none() && self.classes.get().is_none_or(|classes| classes.entries == 0)
    }

    /// The number of entries, including stale ones.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.single.is_some()) + self.classes.get().map_or(0, |classes| classes.entries)
    }

    /// The number of replicas queued since the last try.
    pub(crate) fn new_len(&self) -> usize {
        self.classes.get().map_or(0, |classes| classes.new.len())
    }

    /// Whether the queue contains this entry.
    pub(crate) fn contains(&self, class: QueueClass, due: Timestamp, replica: ReplicaId) -> bool {
        let heap = |classes: &QueueClasses| {
            classes.heaps[class as usize].iter().any(|entry| *entry == Reverse((due, replica)))
        };
        self.single == Some((class, due, replica)) || self.classes.get().is_some_and(heap)
    }

    /// Queues a start that is due.
    pub(crate) fn push_new(&mut self, class: QueueClass, due: Timestamp, replica: ReplicaId) {
        if self.is_empty() {
            self.single = Some((class, due, replica));
        } else {
            self.spill();
            self.classes.get_or_init().new.push(replica);
            self.push(class, due, replica);
        }
    }

    /// Moves the single entry into the heap of its class.
    #[inline(never)]
    fn spill(&mut self) {
        if let Some((class, due, replica)) = self.single.take() {
            let classes = self.classes.get_or_init();
            classes.new.push(replica);
            classes.push(class, due, replica);
        }
    }

    /// Queues a start again, because its class or due time has changed.
    pub(crate) fn push(&mut self, class: QueueClass, due: Timestamp, replica: ReplicaId) {
        self.spill();
        self.classes.get_or_init().push(class, due, replica);
    }

    /// Takes a replica that was queued since the last try.
    pub(crate) fn pop_new(&mut self) -> Option<ReplicaId> {
        self.classes.get_mut()?.new.pop()
    }

    /// Clears the list of replicas queued since the last try.
    pub(crate) fn forget_new(&mut self) {
        self.spill();
        if let Some(classes) = self.classes.get_mut() {
            classes.new.clear();
        }
    }

    /// Removes stale and duplicate entries once there are more than `most`.
    #[inline]
    pub(crate) fn compact(&mut self, most: usize, current: impl Fn(QueueClass, Timestamp, ReplicaId) -> bool) {
        if let Some(classes) = self.classes.get_mut().filter(|classes| classes.entries > most) {
            classes.compact(current);
        }
    }

    /// Releases all classes, to be tried again.
    #[inline]
    pub(crate) fn open(&mut self) {
        if let Some(classes) = self.classes.get_mut() {
            classes.held = [None; 5];
        }
    }

    /// Returns the earliest start of the classes that are not held back. `current` returns whether an entry is current rather than stale.
    #[inline]
    pub(crate) fn first(&mut self, mut current: impl FnMut(QueueClass, Timestamp, ReplicaId) -> bool) -> Option<Entry> {
        if let Some((class, due, replica)) = self.single {
            if !current(class, due, replica) {
                self.single = None;
            }
            return self.single;
        }
        self.first_of_classes(current)
    }

    fn first_of_classes(&mut self, mut current: impl FnMut(QueueClass, Timestamp, ReplicaId) -> bool) -> Option<Entry> {
        let classes = self.classes.get_mut()?;
        let mut first: Option<Entry> = None;
        for class in QueueClass::ALL {
            if classes.held[class as usize].is_some() {
                continue;
            }
            let heap = &mut classes.heaps[class as usize];
            while let Some(&Reverse((due, replica))) = heap.peek() {
                if current(class, due, replica) {
                    if first.is_none_or(|(_, at, other)| (due, replica) < (at, other)) {
                        first = Some((class, due, replica));
                    }
                    break;
                }
                heap.pop();
                classes.entries -= 1;
            }
        }
        first
    }

    /// Removes the first start of a class.
    pub(crate) fn pop(&mut self, class: QueueClass) {
        if self.single.take().is_none() {
            if let Some(classes) = self.classes.get_mut() {
                classes.entries -= usize::from(classes.heaps[class as usize].pop().is_some());
            }
        }
    }

    /// Holds back the classes that `gate` applies to, until [`Queue::open`].
    pub(crate) fn hold(&mut self, class: QueueClass, gate: Gate) {
        self.spill();
        let classes: &[QueueClass] = match gate {
            // First starts wait for the canary, but are no canaries.
            Gate::Incident if class == QueueClass::First => &[QueueClass::First],
            Gate::Incident => &[QueueClass::Charged, QueueClass::Uncharged, QueueClass::First],
            Gate::Concurrency => &[QueueClass::Charged, QueueClass::Uncharged, QueueClass::Exempt],
            Gate::Owner => &QueueClass::ALL,
            _ => &[class],
        };
        let held = &mut self.classes.get_or_init().held;
        for &class in classes {
            held[class as usize].get_or_insert(gate);
        }
    }

    /// The gate that holds back starts of this kind.
    pub(crate) fn gate(&self, kind: StartKind) -> Option<Gate> {
        self.classes.get()?.held[QueueClass::of(kind) as usize]
    }

    /// Frees the memory of an empty queue.
    pub(crate) fn shrink(&mut self) {
        if self.is_empty() {
            self.classes.take();
        }
    }

    pub(crate) fn clear(&mut self) {
        self.single = None;
        if let Some(classes) = self.classes.get_mut() {
            classes.heaps.iter_mut().for_each(BinaryHeap::clear);
            classes.held = [None; 5];
            classes.entries = 0;
        }
    }
}

impl QueueClasses {
    fn push(&mut self, class: QueueClass, due: Timestamp, replica: ReplicaId) {
        self.heaps[class as usize].push(Reverse((due, replica)));
        self.entries += 1;
    }

    #[inline(never)]
    fn compact(&mut self, current: impl Fn(QueueClass, Timestamp, ReplicaId) -> bool) {
        for class in QueueClass::ALL {
            let mut current_entries = std::mem::take(&mut self.heaps[class as usize]).into_vec();
            current_entries.retain(|&Reverse((due, replica))| current(class, due, replica));
            current_entries.sort_unstable();
            current_entries.dedup();
            self.heaps[class as usize] = current_entries.into();
        }
        self.entries = self.heaps.iter().map(BinaryHeap::len).sum();
    }
}
