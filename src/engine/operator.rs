//! Operator requests, such as `restart` and `stop`. They are never charged.

use super::event::Selection;
use super::output::{Notice, Rejection};
use super::replica::{NextPhase, Phase, ReplicaFlags};
use super::state::ReplicaSet;
use super::tally::bump;
use crate::decide::{EndReason, Gate, ReplicaId, StartKind};
use crate::policy::{MAX_REPLICAS, Placement};
use crate::time::Timestamp;

impl ReplicaSet {
    fn refuse(&mut self, refused: Rejection) -> Result<(), Rejection> {
        bump(&mut self.tally.count().refused);
        self.notice(Notice::Refused(refused));
        Err(refused)
    }

    /// Refuses a request if the set has ended or does not have the replica.
    fn check_request(&mut self, replica: Option<ReplicaId>) -> Result<(), Rejection> {
        match replica {
            _ if self.has_ended() => self.refuse(Rejection::SetEnded),
            Some(id) if id.0 >= self.desired => self.refuse(Rejection::NoSuchReplica(id)),
            _ => Ok(()),
        }
    }

    pub(super) fn scale(&mut self, replicas: u32) -> Result<(), Rejection> {
        if replicas > MAX_REPLICAS {
            return self.refuse(Rejection::TooManyReplicas(replicas));
        }
        self.check_request(None)?;
        self.rescale(replicas);
        Ok(())
    }

    pub(super) fn restart(&mut self, id: ReplicaId) -> Result<(), Rejection> {
        self.check_request(Some(id))?;
        self.restart_at(id, Placement::Same);
        Ok(())
    }

    pub(super) fn drain(&mut self, id: ReplicaId) -> Result<(), Rejection> {
        self.check_request(Some(id))?;
        let replica = self.replica_mut(id);
        if replica.is_stopped() {
            // It is down, so only its next start is affected.
            replica.placement = Placement::Elsewhere;
        } else {
            self.restart_at(id, Placement::Elsewhere);
        }
        Ok(())
    }

    /// Stops a replica and leaves it down. A completed replica stays completed.
    pub(super) fn stop_requested(&mut self, id: ReplicaId) -> Result<(), Rejection> {
        self.check_request(Some(id))?;
        self.leave_group(id);
        let replica = self.replica_mut(id);
        if replica.phase == Phase::Completed || replica.is_stopped() {
            return Ok(());
        }
        replica.kind = StartKind::Requested;
        replica.history.cancel_window_wait();
        replica.placement = Placement::Same;
        replica.gate = Gate::Backoff;
        replica.due = Timestamp::NEVER;
        replica.flags.clear(
            ReplicaFlags::FAILED
                .and(ReplicaFlags::GAVE_UP)
                .and(ReplicaFlags::REQUESTED)
                .and(ReplicaFlags::COMPLETED_RUN),
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

    fn restart_at(&mut self, id: ReplicaId, placement: Placement) {
        self.leave_group(id);
        let now = self.now;
        let replica = self.replica_mut(id);
        replica.kind = StartKind::Requested;
        replica.history.cancel_window_wait();
        replica.placement = placement;
        replica.gate = Gate::Backoff;
        replica.flags.set(ReplicaFlags::REQUESTED);
        replica.flags.clear(ReplicaFlags::GAVE_UP.and(ReplicaFlags::COMPLETED_RUN));
        match replica.phase {
            phase if phase.is_up() => self.stop(id, NextPhase::Start),
            Phase::Stopping => {
                replica.after = NextPhase::Start;
                self.recount(id);
            }
            _ => {
                replica.due = now;
                self.enter(id, NextPhase::Start);
                return;
            }
        }
        self.replica_mut(id).due = now;
        self.retime(id);
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
            for id in (group.from.0..self.desired).map(ReplicaId) {
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
        let all = (0..self.desired).map(ReplicaId);
        match selection {
            Selection::Replica(id) => {
                self.check_request(Some(*id))?;
                Ok(vec![*id])
            }
            Selection::All => {
                self.check_request(None)?;
                Ok(all.collect())
            }
            Selection::Cause(cause) => {
                self.check_request(None)?;
                let failed_by =
                    |id: &ReplicaId| self.replica(*id).history.last_failure().is_some_and(|(last, _)| last == *cause);
                Ok(all.filter(failed_by).collect())
            }
        }
    }

    pub(super) fn terminate(&mut self) -> Result<(), Rejection> {
        self.check_request(None)?;
        self.end(EndReason::Requested);
        Ok(())
    }
}
