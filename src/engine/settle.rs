//! What follows from a mutation: what is due happens, what may start is let go, the status is shown, and the set ends.

use super::extras::Extras;
use super::output::{Notice, Output, StatusShown};
use super::replica::{After, Phase};
use super::set::ReplicaSet;
use crate::decide::{EndReason, ReplicaId, Status};
use crate::time::Timestamp;

impl ReplicaSet {
    /// Whether anything is due by now.
    #[inline]
    pub(super) fn is_due(&self) -> bool {
        self.next_due() <= self.now
    }

    /// When a replica, the status or a stray has something due, or never.
    #[inline(always)]
    pub(super) fn next_due(&self) -> Timestamp {
        self.deadlines.next().min(self.assess_at).min(self.strays_due)
    }

    /// What is due precedes what arrives at the same instant.
    #[inline(never)]
    pub(super) fn run_due(&mut self) {
        while self.is_due() {
            let at = self.deadlines.next();
            if self.strays_due <= self.now && self.strays_due <= at.min(self.assess_at) {
                self.kill_stray();
                continue;
            }
            match self.deadlines.first() {
                Some(replica) if at <= self.assess_at => self.timeout(replica, at),
                // The status may end the set, and then nothing that is due later happens.
                _ if !self.assess_at.is_never() => {
                    let at = self.assess_at;
                    self.assess(at);
                }
                _ => break,
            }
        }
    }

    /// Brings everything that follows from the mutation about.
    #[inline(never)]
    pub(super) fn settle(&mut self) {
        self.settle_in_line();
    }

    #[inline(always)]
    pub(super) fn settle_in_line(&mut self) {
        if self.begun {
            self.gate_opens = Timestamp::MAX;
            if self.is_due() || self.something_waits() {
                self.let_go();
            }
        }
        if self.counts.changed || self.assess_at <= self.now || self.ending {
            self.assess_in_line(self.now);
        }
        let closed = self.set.has_incident() && self.close_incident();
        if self.begun && (self.is_due() || (closed && !self.queue.is_empty())) {
            self.settle_again();
        }
        if let Some(extras) = self.extras.get_mut().filter(|extras| !extras.noted.is_empty()) {
            // What was noted and not judged went another way, such as into a group.
            extras.noted.clear();
        }
        self.show_status();
        #[cfg(debug_assertions)]
        self.assert_invariants();
    }

    /// What follows from an assessment or from the end of an incident follows in the same mutation.
    #[cold]
    #[inline(never)]
    fn settle_again(&mut self) {
        loop {
            self.gate_opens = Timestamp::MAX;
            self.let_go();
            if self.counts.changed || self.ending {
                self.assess(self.now);
            }
            let closed = self.set.has_incident() && self.close_incident();
            if !self.is_due() && (!closed || self.queue.is_empty()) {
                break;
            }
        }
    }

    /// Does what is due, and lets go what may, until nothing follows any more: a stop of an unknown replica ends
    /// blindness, an end frees a place, and either may make something due.
    #[inline(never)]
    fn let_go(&mut self) {
        loop {
            if self.is_due() {
                self.run_due();
            }
            // Once all the news of this instant is in.
            self.declare_overdue();
            let acted = self.act_on_evidence();
            self.release_in_order();
            self.try_starts();
            // A group that was let go may find that its next member need not wait.
            if !self.is_due() && !acted && !self.may_declare_overdue() && !self.release_in_order() {
                break;
            }
        }
    }

    /// Whether there is anything that waits for more than its time.
    #[inline(always)]
    fn something_waits(&self) -> bool {
        !self.queue.is_empty() || self.set.has_incident() || self.extras.get().is_some_and(Extras::waits)
    }

    /// Assesses the status as of `at`, and ends the set if it must.
    #[inline(never)]
    pub(super) fn assess(&mut self, at: Timestamp) {
        self.assess_in_line(at);
    }

    #[inline(always)]
    fn assess_in_line(&mut self, at: Timestamp) {
        debug_assert_eq!(self.desired, self.counts.census.desired(), "every desired replica is counted once");
        let at = at.max(self.set.reported().2);
        self.counts.changed = false;
        self.assess_at = if self.ending && self.strays().is_some() {
            // A stray is alive as well: the set is not terminated before it is gone.
            let mut census = self.counts.census;
            census.live += self.stray_count() as u32;
            self.policy.assess_of(&mut self.set, &census, self.desired, at)
        } else {
            self.policy.assess_of(&mut self.set, &self.counts.census, self.desired, at)
        };
        if let Some(reason) = self.set.end_reason() {
            self.end(reason);
        } else if self.set.reported().0 == Status::Completed {
            self.queue.clear();
        }
    }

    /// A replica is available now, and may not be any more by the time the status is assessed: that it was counts.
    pub(super) fn note_standing(&mut self) {
        self.policy.note_standing(&mut self.set, &self.counts.census, self.desired);
        self.counts.changed = true;
    }

    #[inline(always)]
    fn show_status(&mut self) {
        let (status, reason, since) = self.set.reported();
        let (cause, available) = (self.counts.cause(), self.counts.census.available);
        let shows = StatusShown { status, reason, cause, available, desired: self.desired };
        if self.shown != Some(shows) {
            self.tally.status_changed(status, self.now);
            self.shown = Some(shows);
            let cause = self.cause_of(cause);
            let place = self.outputs.place();
            *place = Some(Output::Notice(Notice::Status(shows.with_since(since, cause))));
        }
    }

    /// Ends the set: everything is stopped in reverse order, nothing is started any more.
    #[cold]
    #[inline(never)]
    pub(super) fn end(&mut self, reason: EndReason) {
        if std::mem::replace(&mut self.ending, true) {
            return;
        }
        self.end_incident();
        self.set.terminate(reason, self.now);
        self.disband();
        self.queue.clear();
        self.gate_opens = Timestamp::MAX;
        for index in (0..self.replicas.len() as u32).rev() {
            let id = ReplicaId(index);
            match self.replica(id).phase {
                phase if phase.is_up() => self.stop(id, After::Remove),
                Phase::Stopping => {
                    self.replica_mut(id).after = After::Remove;
                    self.recount(id);
                    self.retime(id);
                }
                Phase::Waiting | Phase::Quarantined | Phase::Stopped => self.enter(id, After::Remove),
                _ => {}
            }
        }
        // With nobody unknown any more it is not blind.
        self.declare_overdue();
        self.assess(self.now);
        // Terminating is shown even where everything is gone at once.
        if self.status() == Status::Terminated {
            let (status, cause, available) = (Status::Terminating, self.counts.cause(), self.counts.census.available);
            let shows = StatusShown { status, reason: reason.into(), cause, available, desired: self.desired };
            self.tally.status_changed(status, self.now);
            self.shown = Some(shows);
            self.notice(Notice::Status(shows.with_since(self.now, self.cause_of(cause))));
        } else {
            self.show_status();
        }
    }
}
