//! The number of a set's replicas in each state, as a `SELECT count(*) ... GROUP BY` returns it.

/// How the replicas of a set stand, counted. Each of the `desired` replicas is counted in one of the first
/// ten fields; the others look at the same replicas from another side.
///
/// ```
/// use uphold::decide::Census;
///
/// let census = Census { available: 2, failed: 1, ..Census::default() };
/// assert_eq!(census.desired(), 3);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "filled in by the caller, from counts of its own")]
pub struct Census {
    /// Ready, and for at least `min_ready`.
    pub available: u32,
    /// Done with their work.
    pub completed: u32,
    /// Given up with no end.
    pub given_up: u32,
    /// Failed and not available again since: waiting, held, quarantined for a time, coming up again.
    pub failed: u32,
    /// Were available, are up, are not ready.
    pub not_ready: u32,
    /// Out of contact for longer than `unknown_after`.
    pub unknown: u32,
    /// Were available and are down because an operator asked for it.
    pub requested: u32,
    /// Between a clean exit (exit code 0 under `success: restart`) and the next start.
    pub completed_run: u32,
    /// Down because an operator stopped it.
    pub stopped: u32,
    /// Coming up for the first time, without a failure so far.
    pub fresh: u32,

    /// Of all the above: added by a scale-up and not available since. They do not count towards what is needed yet.
    pub joining: u32,
    /// Believed live, those being stopped and those no longer desired included.
    pub live: u32,
    /// Restarts under way: a start that holds its slot.
    pub starting: u32,
    /// All starts under way, first starts and those an operator asked for included.
    pub in_flight: u32,
}

impl Census {
    /// How many replicas are asked for.
    #[inline]
    pub const fn desired(&self) -> u32 {
        let Self {
            available,
            completed,
            given_up,
            failed,
            not_ready,
            unknown,
            requested,
            completed_run,
            stopped,
            fresh,
            ..
        } = *self;
        let counts =
            [available, completed, given_up, failed, not_ready, unknown, requested, completed_run, stopped, fresh];
        sum(counts)
    }

    /// Replicas by which what is needed is measured: those that have completed and those that join are not among them.
    #[inline]
    pub(crate) const fn settled(&self) -> u32 {
        self.settled_of(self.desired())
    }

    /// The same, of a number of desired replicas that is known already.
    #[inline]
    pub(crate) const fn settled_of(&self, desired: u32) -> u32 {
        desired.saturating_sub(self.completed).saturating_sub(self.joining)
    }

    /// How many would be available but for what does not count towards `outage_deadline`: lost contact, operators'
    /// requests, and the time between two runs.
    #[inline]
    pub(crate) const fn available_but_for_excused(&self) -> u32 {
        sum([self.available, self.unknown, self.requested, self.stopped, self.completed_run])
    }
}

/// Saturates.
const fn sum<const N: usize>(counts: [u32; N]) -> u32 {
    let (mut sum, mut next) = (0u64, 0);
    while next < N {
        sum += counts[next] as u64;
        next += 1;
    }
    if sum > u32::MAX as u64 { u32::MAX } else { sum as u32 }
}
