//! The common parts of requests: refusal, and restarts without a failure.

use super::output::{Notice, Rejection};
use super::replica::{NextPhase, Phase, ReplicaFlags};
use super::state::ReplicaSet;
use super::tally::bump;
use crate::decide::{Gate, ReplicaId, StartKind};
use crate::policy::Placement;

impl ReplicaSet {
    pub(super) fn refuse(&mut self, refused: Rejection) -> Result<(), Rejection> {
        bump(&mut self.tally.count().refused);
        self.notice(Notice::Refused(refused));
        Err(refused)
    }

    /// Refuses a request to a set that has ended, or about a replica that it does not have.
    pub(super) fn check_request(&mut self, replica: Option<ReplicaId>) -> Result<(), Rejection> {
        match replica {
            _ if self.has_ended() => self.refuse(Rejection::SetEnded),
            Some(id) if self.replicas.get(id.index()).is_none_or(|replica| replica.role.is_none()) => {
                self.refuse(Rejection::NoSuchReplica(id))
            }
            _ => Ok(()),
        }
    }

    /// Stops a replica and starts it again at once, uncharged.
    pub(super) fn restart_at(&mut self, id: ReplicaId, placement: Placement) {
        self.leave_group(id);
        let now = self.now;
        let replica = self.replica_mut(id);
        replica.kind = StartKind::Requested;
        replica.history.cancel_window_wait();
        // One that was drained while it stayed down starts elsewhere.
        if placement == Placement::Elsewhere || replica.phase.is_up() || replica.restarts() {
            replica.placement = placement;
        }
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
}
