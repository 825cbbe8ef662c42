//! Starts that are due and wait for a gate, oldest due first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::decide::{Gate, ReplicaId, StartKind};
use crate::lazy_box::LazyBox;
use crate::time::Timestamp;

/// Starts that the same gates hold back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Lane {
    /// Restarts that take a token of the budget.
    Charged,
    /// Restarts that take none.
    Uncharged,
    /// First starts.
    First,
    /// What an operator asked for.
    Requested,
}

impl Lane {
    const ALL: [Self; 4] = [Self::Charged, Self::Uncharged, Self::First, Self::Requested];

    pub(crate) fn of(kind: StartKind) -> Self {
        match kind {
            StartKind::Restart { charged: true } => Self::Charged,
            StartKind::First => Self::First,
            StartKind::Requested => Self::Requested,
            StartKind::Restart { charged: false } => Self::Uncharged,
        }
    }
}

/// The queue of due starts. An entry whose replica has moved on since is dropped when it comes up.
#[derive(Clone, Debug, Default)]
pub(crate) struct Queue {
    /// One that came while nobody waited, and that is to be tried before another comes: as nearly every restart is.
    alone: Option<Entry>,
    lanes: LazyBox<Lanes>,
}

type Entry = (Lane, Timestamp, ReplicaId);

#[derive(Clone, Debug, Default)]
struct Lanes {
    heaps: [BinaryHeap<Reverse<(Timestamp, ReplicaId)>>; 4],
    /// What holds each lane back, as of the last try.
    held: [Option<Gate>; 4],
    /// Those queued since the queue was last tried.
    new: Vec<ReplicaId>,
    /// How many stand in the heaps.
    entries: usize,
}

impl Queue {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.alone.is_none() && self.lanes.get().is_none_or(|lanes| lanes.entries == 0)
    }

    /// How many entries it has, those that do not stand any more included.
    pub(crate) fn len(&self) -> usize {
        usize::from(self.alone.is_some()) + self.lanes.get().map_or(0, |lanes| lanes.entries)
    }

    /// Whether it has this entry.
    pub(crate) fn contains(&self, lane: Lane, due: Timestamp, replica: ReplicaId) -> bool {
        let heap = |lanes: &Lanes| lanes.heaps[lane as usize].iter().any(|entry| *entry == Reverse((due, replica)));
        self.alone == Some((lane, due, replica)) || self.lanes.get().is_some_and(heap)
    }

    /// Queues a start that is due.
    pub(crate) fn push_new(&mut self, lane: Lane, due: Timestamp, replica: ReplicaId) {
        if self.is_empty() {
            self.alone = Some((lane, due, replica));
        } else {
            self.line_up();
            self.lanes.get_or_init().new.push(replica);
            self.push(lane, due, replica);
        }
    }

    /// It is alone no more, or must wait.
    #[inline(never)]
    fn line_up(&mut self) {
        if let Some((lane, due, replica)) = self.alone.take() {
            let lanes = self.lanes.get_or_init();
            lanes.new.push(replica);
            lanes.push(lane, due, replica);
        }
    }

    /// Queues one that is in the queue already, for it has changed how it starts.
    pub(crate) fn push(&mut self, lane: Lane, due: Timestamp, replica: ReplicaId) {
        self.line_up();
        self.lanes.get_or_init().push(lane, due, replica);
    }

    /// The next of those queued since the queue was last tried.
    pub(crate) fn pop_new(&mut self) -> Option<ReplicaId> {
        self.lanes.get_mut()?.new.pop()
    }

    /// Nobody wants to know who was queued.
    pub(crate) fn forget_new(&mut self) {
        self.line_up();
        if let Some(lanes) = self.lanes.get_mut() {
            lanes.new.clear();
        }
    }

    /// Drops what does not stand any more or stands twice, when that has become more than what may.
    #[inline(always)]
    pub(crate) fn tidy(&mut self, most: usize, current: impl Fn(Lane, Timestamp, ReplicaId) -> bool) {
        if let Some(lanes) = self.lanes.get_mut().filter(|lanes| lanes.entries > most) {
            lanes.tidy(current);
        }
    }

    /// Lets every lane be tried again.
    #[inline]
    pub(crate) fn open(&mut self) {
        if let Some(lanes) = self.lanes.get_mut() {
            lanes.held = [None; 4];
        }
    }

    /// The first start of the lanes that nothing holds back; `current` tells whether an entry still stands.
    #[inline]
    pub(crate) fn first(&mut self, mut current: impl FnMut(Lane, Timestamp, ReplicaId) -> bool) -> Option<Entry> {
        if let Some((lane, due, replica)) = self.alone {
            if !current(lane, due, replica) {
                self.alone = None;
            }
            return self.alone;
        }
        self.first_of_lanes(current)
    }

    fn first_of_lanes(&mut self, mut current: impl FnMut(Lane, Timestamp, ReplicaId) -> bool) -> Option<Entry> {
        let lanes = self.lanes.get_mut()?;
        let mut first: Option<Entry> = None;
        for lane in Lane::ALL {
            if lanes.held[lane as usize].is_some() {
                continue;
            }
            let heap = &mut lanes.heaps[lane as usize];
            while let Some(&Reverse((due, replica))) = heap.peek() {
                if current(lane, due, replica) {
                    if first.is_none_or(|(_, at, other)| (due, replica) < (at, other)) {
                        first = Some((lane, due, replica));
                    }
                    break;
                }
                heap.pop();
                lanes.entries -= 1;
            }
        }
        first
    }

    /// Takes the first start of a lane.
    pub(crate) fn pop(&mut self, lane: Lane) {
        if self.alone.take().is_none() {
            if let Some(lanes) = self.lanes.get_mut() {
                lanes.entries -= usize::from(lanes.heaps[lane as usize].pop().is_some());
            }
        }
    }

    /// Holds back what this gate holds back, until [`Queue::open`].
    pub(crate) fn hold(&mut self, lane: Lane, gate: Gate) {
        self.line_up();
        let lanes: &[Lane] = match gate {
            // First starts wait for a canary, and are none themselves.
            Gate::Incident if lane == Lane::First => &[Lane::First],
            Gate::Incident => &[Lane::Charged, Lane::Uncharged, Lane::First],
            Gate::Concurrency => &[Lane::Charged, Lane::Uncharged],
            Gate::Owner => &Lane::ALL,
            _ => &[lane],
        };
        let held = &mut self.lanes.get_or_init().held;
        for &lane in lanes {
            held[lane as usize].get_or_insert(gate);
        }
    }

    /// What holds back starts of this kind.
    pub(crate) fn gate(&self, kind: StartKind) -> Option<Gate> {
        self.lanes.get()?.held[Lane::of(kind) as usize]
    }

    /// Gives back the room that nothing takes.
    pub(crate) fn shrink(&mut self) {
        if self.is_empty() {
            self.lanes.take();
        }
    }

    pub(crate) fn clear(&mut self) {
        self.alone = None;
        if let Some(lanes) = self.lanes.get_mut() {
            lanes.heaps.iter_mut().for_each(BinaryHeap::clear);
            lanes.held = [None; 4];
            lanes.entries = 0;
        }
    }
}

impl Lanes {
    fn push(&mut self, lane: Lane, due: Timestamp, replica: ReplicaId) {
        self.heaps[lane as usize].push(Reverse((due, replica)));
        self.entries += 1;
    }

    #[inline(never)]
    fn tidy(&mut self, current: impl Fn(Lane, Timestamp, ReplicaId) -> bool) {
        for lane in Lane::ALL {
            let mut standing = std::mem::take(&mut self.heaps[lane as usize]).into_vec();
            standing.retain(|&Reverse((due, replica))| current(lane, due, replica));
            standing.sort_unstable();
            standing.dedup();
            self.heaps[lane as usize] = standing.into();
        }
        self.entries = self.heaps.iter().map(BinaryHeap::len).sum();
    }
}
