//! The state of the newest instance of a replica.

/// The newest instance of a replica, as far as faults depend on it. Times are in nanoseconds since the start of the run;
/// `u64::MAX`: never.
#[derive(Clone, Copy, Debug)]
pub(super) struct InstanceState {
    /// 0: the replica has not been started.
    pub(super) incarnation: u64,
    pub(super) running_at: u64,
    pub(super) ready_at: u64,
    /// The dependencies whose outage keeps a running instance from being ready, one bit each.
    blocked_by: u64,
    /// The number of losses of contact in progress.
    contact_losses: u32,
    /// The instance became ready while it was out of contact.
    ready_unreported: bool,
}

impl InstanceState {
    pub(super) const NONE: Self = Self {
        incarnation: 0,
        running_at: u64::MAX,
        ready_at: u64::MAX,
        blocked_by: 0,
        contact_losses: 0,
        ready_unreported: false,
    };

    /// Replaces the instance by a newer one. A loss of contact belongs to the replica and continues.
    pub(super) fn replace(&mut self, incarnation: u64, running_at: u64, ready_at: u64) {
        *self = Self { incarnation, running_at, ready_at, contact_losses: self.contact_losses, ..Self::NONE };
    }

    /// Removes the instance. A loss of contact belongs to the replica and continues.
    pub(super) fn remove(&mut self) {
        self.replace(0, u64::MAX, u64::MAX);
    }

    pub(super) fn is_blocked(&self) -> bool {
        self.blocked_by > 0
    }

    /// Marks the instance as not ready until this dependency is back.
    pub(super) fn block(&mut self, dependency: u32) {
        self.blocked_by |= dependency_bit(dependency);
    }

    /// Ends the outage of a dependency. Returns whether the instance is ready now and can report it.
    pub(super) fn unblock(&mut self, dependency: u32) -> bool {
        let bit = dependency_bit(dependency);
        if self.blocked_by & bit == 0 {
            return false;
        }
        self.blocked_by &= !bit;
        if self.is_blocked() {
            return false;
        }
        self.ready_unreported = self.contact_losses > 0;
        !self.ready_unreported
    }

    pub(super) fn lose_contact(&mut self) {
        self.contact_losses += 1;
    }

    /// Ends one loss of contact. Returns whether the instance now reports that it became ready in the meantime.
    pub(super) fn regain_contact(&mut self) -> bool {
        self.contact_losses = self.contact_losses.saturating_sub(1);
        std::mem::take(&mut self.ready_unreported)
    }
}

/// Returns the bit of a dependency. A document has at most 64 dependencies.
fn dependency_bit(index: u32) -> u64 {
    1 << (index % u64::BITS)
}
