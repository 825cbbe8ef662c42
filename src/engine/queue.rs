//! Starts that are due and wait for a gate, oldest due first.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::decide::{Gate, ReplicaId, StartKind};
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
    lanes: [BinaryHeap<Reverse<(Timestamp, ReplicaId)>>; 4],
    /// What holds each lane back, as of the last try.
    held: [Option<Gate>; 4],
}

impl Queue {
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.lanes.iter().map(BinaryHeap::len).sum::<usize>() == 0
    }

    pub(crate) fn push(&mut self, lane: Lane, due: Timestamp, replica: ReplicaId) {
        self.lanes[lane as usize].push(Reverse((due, replica)));
    }

    /// Drops what does not stand any more or stands twice, when that has become more than what may.
    pub(crate) fn tidy(&mut self, most: usize, current: impl Fn(Lane, Timestamp, ReplicaId) -> bool) {
        if self.lanes.iter().map(BinaryHeap::len).sum::<usize>() > most {
            for lane in Lane::ALL {
                let mut standing = std::mem::take(&mut self.lanes[lane as usize]).into_vec();
                standing.retain(|&Reverse((due, replica))| current(lane, due, replica));
                standing.sort_unstable();
                standing.dedup();
                self.lanes[lane as usize] = standing.into();
            }
        }
    }

    /// Lets every lane be tried again.
    #[inline]
    pub(crate) fn open(&mut self) {
        self.held = [None; 4];
    }

    /// The first start of the lanes that nothing holds back; `current` tells whether an entry still stands.
    pub(crate) fn first(
        &mut self,
        mut current: impl FnMut(Lane, Timestamp, ReplicaId) -> bool,
    ) -> Option<(Lane, Timestamp, ReplicaId)> {
        let mut first: Option<(Lane, Timestamp, ReplicaId)> = None;
        for lane in Lane::ALL {
            if self.held[lane as usize].is_some() {
                continue;
            }
            let heap = &mut self.lanes[lane as usize];
            while let Some(&Reverse((due, replica))) = heap.peek() {
                if current(lane, due, replica) {
                    if first.is_none_or(|(_, at, other)| (due, replica) < (at, other)) {
                        first = Some((lane, due, replica));
                    }
                    break;
                }
                heap.pop();
            }
        }
        first
    }

    /// Takes the first start of a lane.
    pub(crate) fn pop(&mut self, lane: Lane) {
        self.lanes[lane as usize].pop();
    }

    /// Holds back what this gate holds back, until [`Queue::open`].
    pub(crate) fn hold(&mut self, lane: Lane, gate: Gate) {
        let lanes: &[Lane] = match gate {
            // First starts wait for a canary, and are none themselves.
            Gate::Incident if lane == Lane::First => &[Lane::First],
            Gate::Incident => &[Lane::Charged, Lane::Uncharged, Lane::First],
            Gate::Concurrency => &[Lane::Charged, Lane::Uncharged],
            Gate::Owner => &Lane::ALL,
            _ => &[lane],
        };
        for &held in lanes {
            self.held[held as usize].get_or_insert(gate);
        }
    }

    /// What holds back starts of this kind.
    pub(crate) fn gate(&self, kind: StartKind) -> Option<Gate> {
        self.held[Lane::of(kind) as usize]
    }

    /// Gives back the room that nothing takes.
    pub(crate) fn shrink(&mut self) {
        self.lanes.iter_mut().for_each(BinaryHeap::shrink_to_fit);
    }

    pub(crate) fn clear(&mut self) {
        self.lanes.iter_mut().for_each(BinaryHeap::clear);
        self.open();
    }
}
