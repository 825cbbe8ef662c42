//! How the replicas stand, counted as they change.

use super::output::{Notice, ReplicaChange};
use super::replica::{After, Marks, Phase, Standing};
use super::set::ReplicaSet;
use crate::decide::{Census, Gate, ReplicaId, StartKind};

impl ReplicaSet {
    /// Puts a replica into a phase, with all that follows from it for the counts.
    #[inline]
    pub(super) fn set_phase(&mut self, id: ReplicaId, phase: Phase) {
        let now = self.now;
        let replica = self.replica_mut(id);
        let was = replica.phase;
        if was == phase {
            return;
        }
        replica.phase = phase;
        replica.since = now;
        let incarnation = replica.history.incarnation();
        match (was.is_live(), phase.is_live()) {
            (false, true) => self.census.live += 1,
            (true, false) => self.census.live -= 1,
            _ => {}
        }
        self.recount(id);
        self.notice(Notice::Replica(ReplicaChange { replica: id, incarnation, phase }));
    }

    /// Brings the census up to date with a replica that has changed.
    #[inline]
    pub(super) fn recount(&mut self, id: ReplicaId) {
        let wanted = id.0 < self.desired;
        let replica = self.replica_mut(id);
        let awaits = match replica.phase {
            Phase::Waiting => replica.gate != Gate::Hold,
            Phase::Stopping => replica.after == After::Start,
            _ => false,
        } && replica.kind != StartKind::First;
        let awaited = replica.marks.has(Marks::AWAITING);
        match (awaited, awaits) {
            (false, true) => {
                replica.marks.set(Marks::AWAITING);
                self.awaiting += 1;
            }
            (true, false) => {
                replica.marks.clear(Marks::AWAITING);
                self.awaiting -= 1;
            }
            _ => {}
        }
        let replica = self.replica_mut(id);
        let stands = if wanted { replica.stands() } else { Standing::None };
        let stood = std::mem::replace(&mut replica.standing, stands);
        if stood == stands {
            return;
        }
        if let Some(count) = count_of(&mut self.census, stood) {
            *count -= 1;
        }
        if let Some(count) = count_of(&mut self.census, stands) {
            *count += 1;
        }
        // One that is given up or has completed does not join any more.
        let joins = wanted && !matches!(stands, Standing::GivenUp | Standing::Completed);
        if !joins && self.replica(id).marks.has(Marks::JOINING) {
            self.replica_mut(id).marks.clear(Marks::JOINING);
            self.census.joining -= 1;
        }
    }

    /// A ready replica counts as available from now on: what it failed before is over.
    pub(super) fn make_available(&mut self, id: ReplicaId) {
        if id.0 >= self.desired || self.replica(id).standing == Standing::Available {
            return;
        }
        let replica = self.replica_mut(id);
        replica.marks.clear(Marks::FAILED);
        replica.marks.clear(Marks::REQUESTED);
        replica.marks.set(Marks::WAS_AVAILABLE);
        let joining = replica.marks.has(Marks::JOINING);
        replica.marks.clear(Marks::JOINING);
        let stood = std::mem::replace(&mut replica.standing, Standing::Available);
        if let Some(count) = count_of(&mut self.census, stood) {
            *count -= 1;
        }
        self.census.available += 1;
        if joining {
            self.census.joining -= 1;
        }
    }
}

fn count_of(census: &mut Census, standing: Standing) -> Option<&mut u32> {
    match standing {
        Standing::Available => Some(&mut census.available),
        Standing::Completed => Some(&mut census.completed),
        Standing::GivenUp => Some(&mut census.given_up),
        Standing::Failed => Some(&mut census.failed),
        Standing::NotReady => Some(&mut census.not_ready),
        Standing::Unknown => Some(&mut census.unknown),
        Standing::Requested => Some(&mut census.requested),
        Standing::Fresh => Some(&mut census.fresh),
        Standing::None => None,
    }
}
