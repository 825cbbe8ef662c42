//! The frame of every mutation: does what is due before it, and applies all its consequences before it returns.

use super::cold_state::ColdState;
use super::state::ReplicaSet;
use super::tally::bump;
use crate::time::Timestamp;

impl ReplicaSet {
    #[inline]
    pub(super) fn begin_mutation(&mut self, now: Timestamp) {
        debug_assert!(
            self.outputs.is_empty() || !self.begun,
            "one mutation, then drain: outputs of the last call were not taken with poll_output or for_each_output"
        );
        if self.in_startup {
            self.leave_startup();
        }
        self.advance(now);
        if self.begun && self.is_due() {
            self.run_due();
        }
    }

    /// Advances the time to `now`; ignores and counts a `now` that is earlier or after [`Timestamp::LATEST`].
    #[inline]
    pub(super) fn advance(&mut self, now: Timestamp) {
        if now >= self.now && now <= Timestamp::LATEST {
            self.now = now;
        } else {
            self.reject_time(now);
        }
    }

    #[cold]
    #[inline(never)]
    fn reject_time(&mut self, now: Timestamp) {
        let counts = self.tally.count();
        bump(if now > Timestamp::LATEST { &mut counts.clock_out_of_range } else { &mut counts.clock_went_back });
    }

    /// Frees spare capacity. Until the set is up, each burst of outputs is smaller than the last.
    #[cold]
    fn leave_startup(&mut self) {
        self.queue.shrink();
        self.in_startup = !self.set.has_been_up() && self.counts.census.failed == 0;
    }

    /// Handles everything that is due by now, in order. Timeouts precede events of the same instant.
    #[inline(never)]
    pub(super) fn run_due(&mut self) {
        while self.is_due() {
            let at = self.deadlines.next();
            let (status, slots, stray) =
                (self.set_deadlines.status(), self.set_deadlines.slots(), self.set_deadlines.stray());
            if slots <= self.now && slots <= at.min(status) {
                self.apply_slot_rules();
                continue;
            }
            if stray <= self.now && stray <= at.min(status) {
                self.kill_stray();
                continue;
            }
            match self.deadlines.first() {
                Some(replica) if at <= status => self.timeout(replica, at),
                // The assessment may end the set, so it precedes what is due later.
                _ if !status.is_never() => self.assess_and_end(status),
                _ => break,
            }
        }
    }

    /// Applies all consequences of a mutation.
    pub(super) fn settle(&mut self) {
        if self.begun {
            self.gate_opens = Timestamp::NEVER;
            if self.is_due() || self.something_waits() {
                self.run_pending();
            }
        }
        if self.counts.changed || self.set_deadlines.status() <= self.now || self.ending {
            self.assess_and_end(self.now);
        }
        let closed = self.set.has_incident() && self.close_incident();
        if self.begun && (self.is_due() || (closed && !self.queue.is_empty()) || self.slot_rules_pending()) {
            self.settle_again();
        }
        if let Some(cold) = self.cold.get_mut().filter(|cold| !cold.noted.is_empty()) {
            // Failures that were recorded and never decided on, for example because their replica joined a group.
            cold.noted.clear();
        }
        self.show_status();
        #[cfg(debug_assertions)]
        self.assert_invariants();
    }

    /// Applies what an assessment or the end of an incident has made due, in the same mutation.
    #[cold]
    #[inline(never)]
    fn settle_again(&mut self) {
        loop {
            self.gate_opens = Timestamp::NEVER;
            self.run_pending();
            if self.counts.changed || self.ending {
                self.assess_and_end(self.now);
            }
            let closed = self.set.has_incident() && self.close_incident();
            if !self.is_due() && (!closed || self.queue.is_empty()) && !self.slot_rules_pending() {
                break;
            }
        }
    }

    /// Runs what is due and admits starts until nothing more follows: a stop of an unknown replica can end an assumed
    /// partition, an end frees a start's place, and either may make something due.
    #[inline(never)]
    fn run_pending(&mut self) {
        loop {
            if self.is_due() {
                self.run_due();
            }
            // Runs after all events of this instant.
            self.declare_overdue();
            let acted = self.act_on_evidence();
            self.release_in_order();
            self.try_starts();
            if self.slot_rules_pending() && self.apply_slot_rules() {
                continue;
            }
            // After a group has started, its next member may be startable too.
            if !self.is_due() && !acted && !self.has_declarable() && !self.release_in_order() {
                break;
            }
        }
    }

    /// Whether anything waits for a change of state, not only for a deadline.
    #[inline]
    fn something_waits(&self) -> bool {
        !self.queue.is_empty()
            || self.slot_rules_pending()
            || self.set.has_incident()
            || self.cold.get().is_some_and(ColdState::waits)
    }
}
