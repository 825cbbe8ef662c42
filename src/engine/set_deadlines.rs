//! The deadlines of the set itself, beside those of its replicas.

use crate::time::Timestamp;

/// When the set has something to do without an event. [`Timestamp::NEVER`] if it does not.
#[derive(Clone, Debug)]
pub(super) struct SetDeadlines {
    /// The earliest of the others, because it is read several times in every mutation.
    first: Timestamp,
    status: Timestamp,
    stray: Timestamp,
    slots: Timestamp,
}

impl Default for SetDeadlines {
    fn default() -> Self {
        let never = Timestamp::NEVER;
        Self { first: never, status: never, stray: never, slots: never }
    }
}

impl SetDeadlines {
    #[inline]
    pub(super) fn first(&self) -> Timestamp {
        self.first
    }

    /// When the status changes next.
    #[inline]
    pub(super) fn status(&self) -> Timestamp {
        self.status
    }

    /// When a stray is killed next.
    pub(super) fn stray(&self) -> Timestamp {
        self.stray
    }

    /// When a stand-in, a drain or a rollout must be handled next.
    pub(super) fn slots(&self) -> Timestamp {
        self.slots
    }

    #[inline]
    pub(super) fn set_status(&mut self, at: Timestamp) {
        self.status = at;
        self.update_first();
    }

    pub(super) fn set_stray(&mut self, at: Timestamp) {
        self.stray = at;
        self.update_first();
    }

    pub(super) fn set_slots(&mut self, at: Timestamp) {
        self.slots = at;
        self.update_first();
    }

    #[inline]
    fn update_first(&mut self) {
        self.first = self.status.min(self.stray).min(self.slots);
    }
}
