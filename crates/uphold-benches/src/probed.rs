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
    /// Creates a set of n ready replicas, with their first probes requested.
    pub fn new(n: u32) -> Self {
        let mut now = Timestamp::ZERO;
        let set = ready_set(&policies::probed(n), 7, &mut now);
        let mut probed = Self { set, now };
        probed.request();
        probed
    }

    /// Reports a success for the first `count` replicas. Returns how many there were.
    pub fn answer(&mut self, count: usize) -> usize {
        let count = count.min(self.set.desired() as usize);
        for replica in 0..count as u32 {
            let report = ProbeReport::new((replica, 1), ProbeKind::Liveness, ProbeResult::Success);
            self.set.handle(self.now, Event::Probed(report));
            drain(&mut self.set);
        }
        count
    }

    /// Advances to the next probe of all replicas, which the set requests.
    pub fn request(&mut self) {
        self.now = self.set.next_deadline().expect("a probe is due").at;
        self.set.handle_timeout(self.now);
        drain(&mut self.set);
    }
}
