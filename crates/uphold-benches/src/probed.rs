//! A set whose replicas are probed.

use uphold::engine::{ProbeKind, ProbeReport, ProbeResult};
use uphold::{Event, ReplicaSet, Timestamp};

use crate::policies;
use crate::ready::{drain, ready_set};

/// A set with a liveness probe every 10 s, all due at the same time.
#[derive(Debug)]
pub struct Probed {
    set: ReplicaSet,
    now: Timestamp,
}

impl Probed {
    /// A set of n replicas, all ready and asked for the first time.
    pub fn new(n: u32) -> Self {
        let mut now = Timestamp::ZERO;
        let set = ready_set(&policies::probed(n), 7, &mut now);
        let mut probed = Self { set, now };
        probed.ask();
        probed
    }

    /// The answers of the first `count` replicas, all good. How many there were.
    pub fn answers(&mut self, count: usize) -> usize {
        let count = count.min(self.set.desired() as usize);
        for replica in 0..count as u32 {
            let news = ProbeReport::new((replica, 1), ProbeKind::Liveness, ProbeResult::Success);
            self.set.handle(self.now, Event::Probed(news));
            drain(&mut self.set);
        }
        count
    }

    /// The next question to all replicas.
    pub fn ask(&mut self) {
        self.now = self.set.next_deadline().expect("a probe is due").at;
        self.set.handle_timeout(self.now);
        drain(&mut self.set);
    }
}
