//! Booleans of a history as bits, because a set may hold a million histories.

/// A set of flags.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Flags(u8);

impl Flags {
    /// The latest incarnation was started and its end was not reported.
    pub(super) const LIVE: Self = Self(1);
    /// The restart waits for room in a window, and counts when it is released.
    pub(super) const COUNTS_ON_START: Self = Self(1 << 1);
    /// No start has succeeded since the last failure.
    pub(super) const REPAIRING: Self = Self(1 << 2);
    /// The latest incarnation has started: `instance_changed_at` is when.
    pub(super) const STARTED: Self = Self(1 << 3);
    /// The last failure had an exit code.
    pub(super) const EXIT_CODE: Self = Self(1 << 4);
    /// The last failure had a signal.
    pub(super) const EXIT_SIGNAL: Self = Self(1 << 5);
    /// The latest incarnation has been ready.
    pub(super) const WAS_READY: Self = Self(1 << 6);
    /// The latest incarnation is ready, since `readiness_changed_at`.
    pub(super) const READY: Self = Self(1 << 7);

    pub(super) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether all of `flags` are set.
    #[inline]
    pub(super) const fn contains(self, flags: Self) -> bool {
        self.0 & flags.0 == flags.0
    }

    /// Sets or clears all of `flags`.
    #[inline]
    pub(super) const fn set(&mut self, flags: Self, value: bool) {
        self.0 = if value { self.0 | flags.0 } else { self.0 & !flags.0 };
    }
}
