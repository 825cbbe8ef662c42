//! The floor: the time to touch one record of 64 bytes in an array of n.

use crate::shuffle::{Random, shuffle};

/// One cache line.
#[derive(Clone, Copy, Debug, Default)]
#[repr(align(64))]
pub struct Record {
    next: u32,
    count: u64,
}

/// Records, and two ways to traverse them in random order.
#[derive(Debug)]
pub struct Floor {
    records: Vec<Record>,
    order: Vec<u32>,
    at: usize,
    cursor: usize,
}

impl Floor {
    /// Creates an array of n records.
    pub fn new(n: usize) -> Self {
        let mut order: Vec<u32> = (0..n as u32).collect();
        shuffle(&mut order, &mut Random::new(1));
        let mut records = vec![Record::default(); n];
        for (place, &record) in order.iter().enumerate() {
            records[record as usize].next = order[(place + 1) % n];
        }
        Self { records, order, at: 0, cursor: 0 }
    }

    /// Reads, changes and writes `count` records. The address of each is in the previous one.
    #[inline(never)]
    pub fn dependent(&mut self, count: usize) -> u64 {
        let mut at = self.at;
        for _ in 0..count {
            let record = &mut self.records[at];
            record.count += 1;
            at = record.next as usize;
        }
        self.at = at;
        self.records[at].count
    }

    /// The same with addresses that are known in advance. Returns how many records were touched: at most those left in the
    /// order.
    #[inline(never)]
    pub fn independent(&mut self, count: usize) -> usize {
        let left = &self.order[self.cursor..];
        let touched = count.min(left.len());
        for &record in &left[..touched] {
            self.records[record as usize].count += 1;
        }
        self.cursor = (self.cursor + touched) % self.order.len();
        touched
    }
}
