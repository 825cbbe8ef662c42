//! Operator requests, such as `restart` and `stop`. They are never charged.

use super::event::Selection;
use super::output::Rejection;
use super::replica::{NextPhase, Phase, ReplicaFlags};
use super::state::ReplicaSet;
use crate::decide::{EndReason, Gate, ReplicaId, StartKind};
use crate::policy::Placement;
use crate::time::Timestamp;

impl ReplicaSet {
    pub(super) fn restart(&mut self, id: ReplicaId) -> Result<(), Rejection> {
        self.check_request(Some(id))?;
        self.restart_at(id, Placement::Same);
        Ok(())
    }

    /// Stops a replica and leaves it down. A completed replica stays completed.
    pub(super) fn stop_requested(&mut self, id: ReplicaId) -> Result<(), Rejection> {
        self.check_request(Some(id))?;
        if !self.is_regular(id) {
            return self.refuse(Rejection::NotRegular(id));
        }
        self.leave_group(id);
        self.remove_stand_in(id);
        let replica = self.replica_mut(id);
        if replica.phase == Phase::Completed || replica.is_stopped() {
            return Ok(());
        }
        replica.kind = StartKind::Requested;
        replica.history.cancel_window_wait();
        if replica.phase.is_up() || replica.restarts() {
            replica.placement = Placement::Same;
        }
        replica.gate = Gate::Backoff;
        replica.due = Timestamp::NEVER;
        replica.flags.clear(
            ReplicaFlags::FAILED
                .and(ReplicaFlags::GAVE_UP)
                .and(ReplicaFlags::REQUESTED)
                .and(ReplicaFlags::COMPLETED_RUN)
                .and(ReplicaFlags::ROLLING),
        );
        match replica.phase {
            phase if phase.is_up() => self.stop(id, NextPhase::Stopped),
            Phase::Stopping => {
                replica.after = NextPhase::Stopped;
                self.recount(id);
                self.retime(id);
            }
            _ => self.enter(id, NextPhase::Stopped),
        }
        Ok(())
    }

    /// Starts a replica that is not up, past all gates.
    pub(super) fn start_requested(&mut self, id: ReplicaId) -> Result<(), Rejection> {
        self.check_request(Some(id))?;
        if !self.replica(id).phase.is_up() {
            self.restart_at(id, Placement::Same);
        }
        Ok(())
    }

    pub(super) fn reset(&mut self, selection: &Selection) -> Result<(), Rejection> {
        let selected = self.selected(selection)?;
        if *selection == Selection::All {
            self.set.forget_failures_before_ready();
        }
        for id in selected {
            let now = self.now;
            let replica = self.replica_mut(id);
            replica.history.reset();
            replica.flags.clear(ReplicaFlags::GAVE_UP);
            let stays_down = match replica.phase {
                Phase::Quarantined | Phase::Stopped => true,
                Phase::Waiting => replica.gate == Gate::Hold,
                Phase::Stopping => {
                    matches!(replica.after, NextPhase::Quarantine | NextPhase::Hold | NextPhase::Stopped)
                }
                _ => false,
            };
            let in_window = replica.phase == Phase::Waiting && replica.gate == Gate::Window;
            if stays_down {
                self.free_acted(id);
            }
            if stays_down || in_window {
                self.start_soon(id, now);
            }
        }
        Ok(())
    }

    pub(super) fn retry_now(&mut self, selection: &Selection) -> Result<(), Rejection> {
        let selected = self.selected(selection)?;
        if let Selection::Replica(id) = *selection {
            let replica = self.replica(id);
            if replica.is_stopped() {
                return self.refuse(Rejection::Stopped(id));
            }
            if replica.is_given_up() {
                return self.refuse(Rejection::GivenUp(id));
            }
        }
        if matches!(selection, Selection::All) {
            // The dependency works again, so no canary is needed.
            self.end_incident();
        } else if matches!(selection, Selection::Cause(_)) {
            self.set.expedite_canary(self.now);
        }
        for id in selected {
            let now = self.now;
            let replica = self.replica_mut(id);
            let waits = replica.phase == Phase::Waiting;
            if replica.kind == StartKind::First {
                continue;
            }
            if waits
                || (replica.phase == Phase::Stopping && matches!(replica.after, NextPhase::Start | NextPhase::Hold))
            {
                let one = matches!(selection, Selection::Replica(_));
                let gate = self.replica(id).gate;
                if gate == Gate::Group {
                    self.expedite_group(now);
                } else if one || gate != Gate::Order {
                    self.start_soon(id, now);
                    if one {
                        // An explicit request for one replica passes all gates.
                        self.replica_mut(id).kind = StartKind::Requested;
                        if self.replica(id).flags.has(ReplicaFlags::QUEUED) {
                            self.requeue(id);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    /// Makes an uncharged start due now. The gates still apply.
    fn start_soon(&mut self, id: ReplicaId, now: Timestamp) {
        let replica = self.replica_mut(id);
        replica.kind = StartKind::Restart { charged: false };
        replica.due = now;
        replica.gate = Gate::Backoff;
        replica.history.cancel_window_wait();
        if replica.phase == Phase::Stopping {
            replica.after = NextPhase::Start;
            self.recount(id);
            self.retime(id);
        } else {
            self.enter(id, NextPhase::Start);
        }
    }

    fn expedite_group(&mut self, now: Timestamp) {
        if let Some(group) = self.group() {
            for id in (group.from.0..self.replicas.len() as u32).map(ReplicaId) {
                let member = self.replica_mut(id);
                if member.gate == Gate::Group && member.counts_from_its_end() {
                    member.due = now;
                }
            }
            if let Some(group) = self.group_mut() {
                group.not_before = now;
            }
            let leader = self.replica_mut(group.leader);
            if !leader.flags.has(ReplicaFlags::QUEUED) {
                leader.due = leader.due.min(now);
                leader.kind = StartKind::Restart { charged: false };
                self.retime(group.leader);
            }
        }
    }

    fn selected(&mut self, selection: &Selection) -> Result<Vec<ReplicaId>, Rejection> {
        match selection {
            Selection::Replica(id) => {
                self.check_request(Some(*id))?;
                Ok(vec![*id])
            }
            Selection::All => {
                self.check_request(None)?;
                Ok(self.member_ids().collect())
            }
            Selection::Cause(cause) => {
                self.check_request(None)?;
                let failed_by =
                    |id: &ReplicaId| self.replica(*id).history.last_failure().is_some_and(|(last, _)| last == *cause);
                Ok(self.member_ids().filter(failed_by).collect())
            }
        }
    }

    pub(super) fn terminate(&mut self) -> Result<(), Rejection> {
        self.check_request(None)?;
        self.end(EndReason::Requested);
        Ok(())
    }
}
