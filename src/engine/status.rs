//! Assesses and reports the status of the set, and ends the set.

use super::output::{Notice, Output, StatusShown};
use super::replica::{NextPhase, Phase};
use super::state::ReplicaSet;
use crate::decide::{EndReason, ReplicaId, Status};
use crate::time::Timestamp;

impl ReplicaSet {
    /// Assesses the status as of `at`, and ends the set if it must.
    #[inline]
    pub(super) fn assess_and_end(&mut self, at: Timestamp) {
        self.assess(at);
        if let Some(reason) = self.set.end_reason() {
            self.end(reason);
        } else if self.set.reported().0 == Status::Completed {
            self.complete();
        }
    }

    /// Ends a set in which every replica has completed.
    #[cold]
    #[inline(never)]
    fn complete(&mut self) {
        self.queue.clear();
        self.end_slots();
    }

    /// Derives the status from the census, as of `at`.
    #[inline]
    fn assess(&mut self, at: Timestamp) {
        debug_assert_eq!(self.desired, self.counts.census.desired(), "every desired replica is counted once");
        let at = at.max(self.set.reported().2);
        self.counts.changed = false;
        let next = if self.ending && self.strays().is_some() {
            // The set is not terminated while a stray is alive.
            let mut census = self.counts.census;
            census.live += self.stray_count() as u32;
            self.policy.assess_of(&mut self.set, &census, self.desired, at)
        } else {
            self.policy.assess_of(&mut self.set, &self.counts.census, self.desired, at)
        };
        self.set_deadlines.set_status(next);
    }

    /// Records that a replica is available now, because it may no longer be when the status is assessed.
    pub(super) fn record_census(&mut self) {
        self.policy.record_census(&mut self.set, &self.counts.census, self.desired);
        self.counts.changed = true;
    }

    #[inline]
    pub(super) fn show_status(&mut self) {
        let (status, reason, since) = self.set.reported();
        let (cause, available) = (self.counts.cause(), self.counts.census.serving_of(self.desired));
        let shows = StatusShown { status, reason, cause, available, desired: self.desired };
        if self.shown != Some(shows) {
            self.tally.status_changed(status, self.now);
            self.shown = Some(shows);
            let cause = self.cause_of(cause);
            let entry = self.outputs.push_empty();
            *entry = Some(Output::Notice(Notice::Status(shows.with_since(since, cause))));
        }
    }

    /// Ends the set: stops all replicas in reverse order, and starts nothing more.
    #[cold]
    #[inline(never)]
    pub(super) fn end(&mut self, reason: EndReason) {
        if std::mem::replace(&mut self.ending, true) {
            return;
        }
        self.end_incident();
        self.end_slots();
        self.set.terminate(reason, self.now);
        self.dissolve();
        self.queue.clear();
        self.gate_opens = Timestamp::NEVER;
        for index in (0..self.replicas.len() as u32).rev() {
            let id = ReplicaId(index);
            match self.replica(id).phase {
                phase if phase.is_up() => self.stop(id, NextPhase::Remove),
                Phase::Stopping => {
                    self.replica_mut(id).after = NextPhase::Remove;
                    self.recount(id);
                    self.retime(id);
                }
                Phase::Waiting | Phase::Quarantined | Phase::Stopped => self.enter(id, NextPhase::Remove),
                _ => {}
            }
        }
        // No replica is unknown now, so no partition is assumed.
        self.give_up_overdue_stops();
        self.assess(self.now);
        // Report `terminating` even if everything is gone at once.
        if self.status() == Status::Terminated {
            let (status, cause, available) =
                (Status::Terminating, self.counts.cause(), self.counts.census.serving_of(self.desired));
            let shows = StatusShown { status, reason: reason.into(), cause, available, desired: self.desired };
            self.tally.status_changed(status, self.now);
            self.shown = Some(shows);
            self.notice(Notice::Status(shows.with_since(self.now, self.cause_of(cause))));
        } else {
            self.show_status();
        }
    }
}
