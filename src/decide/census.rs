//! The number of a set's replicas in each state, as a `SELECT count(*) ... GROUP BY` returns it.

/// The number of replicas in each state.
///
/// Each desired replica is counted in exactly one of the first eleven fields. The other fields count instances and starts across these
/// states.
///
/// ```
/// use uphold::decide::Census;
///
/// let census = Census { available: 2, failed: 1, ..Census::default() };
/// assert_eq!(census.desired(), 3);
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[expect(clippy::exhaustive_structs, reason = "the caller fills it in from its own counts")]
pub struct Census {
    /// Ready for at least `min_ready`.
    pub available: u32,
    /// Completed: exit code 0 under `success: complete`.
    pub completed: u32,
    /// Given up for good.
    pub given_up: u32,
    /// Failed and not available since: waiting, held, quarantined for a time, or starting again.
    pub failed: u32,
    /// Running and not ready, after having been available.
    pub not_ready: u32,
    /// Out of contact for longer than `unknown_after`.
    pub unknown: u32,
    /// Down for a restart that an operator requested, after having been available.
    pub requested: u32,
    /// Between a clean exit (exit code 0 under `success: restart`) and the next start.
    pub completed_run: u32,
    /// Down because an operator stopped it.
    pub stopped: u32,
    /// Down because a rollout replaces them in place, after having been available.
    pub rolling_out: u32,
    /// Starting for the first time, without a failure so far.
    pub fresh: u32,

    /// Added by a scale-up and not available since; also counted above. They do not count towards *need* yet.
    pub joining: u32,
    /// Given-up replicas whose failures are exempt, such as those that a scale-up added; also counted in `given_up`. They
    /// never end the set.
    pub exempt_given_up: u32,
    /// Available stand-ins. They are extra replicas, so no field above counts them.
    pub stand_ins: u32,
    /// Live instances, including those being stopped and those no longer desired.
    pub live: u32,
    /// Restarts under way, which `max_concurrent_starts` bounds.
    pub starting: u32,
    /// All starts under way, including first starts and those that an operator requested; the owner's cap bounds them.
    pub in_flight: u32,
}

impl Census {
    /// Returns the number of desired replicas: the sum of the first eleven fields. Saturates.
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
            rolling_out,
            fresh,
            ..
        } = *self;
        let down = [failed, not_ready, unknown, requested, completed_run, stopped, rolling_out];
        sum([available, completed, given_up, fresh, sum(down)])
    }

    /// Returns the number of replicas that *need* is computed from: the desired ones except completed and joining ones.
    #[inline]
    pub(crate) const fn settled(&self) -> u32 {
        self.settled_of(self.desired())
    }

    /// Computes [`settled`](Self::settled) from a known number of desired replicas.
    #[inline]
    pub(crate) const fn settled_of(&self, desired: u32) -> u32 {
        desired.saturating_sub(self.completed).saturating_sub(self.joining)
    }

    /// Returns how many replicas would be available without the states that do not count towards `outage_deadline`: lost contact,
    /// operators' requests, and the time between two runs.
    #[inline]
    pub(crate) const fn available_but_for_excused(&self) -> u32 {
        sum([self.serving(), self.unknown, self.requested, self.stopped, self.completed_run, self.rolling_out])
    }
}

/// Saturating sum, usable in constants.
const fn sum<const N: usize>(counts: [u32; N]) -> u32 {
    let (mut sum, mut next) = (0u64, 0);
    while next < N {
        sum += counts[next] as u64;
        next += 1;
    }
    if sum > u32::MAX as u64 { u32::MAX } else { sum as u32 }
}
