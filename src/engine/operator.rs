//! What an operator asks for. None of it is charged.

use super::event::Selection;
use super::output::{Notice, Refused};
use super::replica::{After, Marks, Phase};
use super::set::ReplicaSet;
use super::tally::bump;
use crate::decide::{Gate, ReplicaId, StartKind};
use crate::policy::{MAX_REPLICAS, Placement};

impl ReplicaSet {
    fn refuse(&mut self, refused: Refused) {
        bump(&mut self.tally.count().refused);
        self.notice(Notice::Refused(refused));
    }

    /// Whether the request can be met at all.
    fn can(&mut self, replica: Option<ReplicaId>) -> bool {
        let refused = match replica {
            _ if self.has_ended() => Refused::SetEnded,
            Some(id) if id.0 >= self.desired => Refused::NoSuchReplica(id),
            _ => return true,
        };
        self.refuse(refused);
        false
    }

    pub(super) fn scale(&mut self, replicas: u32) {
        if replicas > MAX_REPLICAS {
            self.refuse(Refused::TooManyReplicas(replicas));
        } else if self.can(None) {
            self.rescale(replicas);
        }
    }

    pub(super) fn restart(&mut self, id: ReplicaId) {
        if self.can(Some(id)) {
            self.restart_at(id, Placement::Same);
        }
    }

    pub(super) fn drain(&mut self, id: ReplicaId) {
        if self.can(Some(id)) {
            self.restart_at(id, Placement::Elsewhere);
        }
    }

    fn restart_at(&mut self, id: ReplicaId, placement: Placement) {
        self.leave_group(id);
        let now = self.now;
        let replica = self.replica_mut(id);
        replica.kind = StartKind::Requested;
        replica.history.wait_is_over();
        replica.placement = placement;
        replica.gate = Gate::Backoff;
        replica.marks.set(Marks::REQUESTED);
        replica.marks.clear(Marks::GAVE_UP);
        match replica.phase {
            phase if phase.is_up() => self.stop(id, After::Start),
            Phase::Stopping => {
                replica.after = After::Start;
                self.recount(id);
            }
            _ => {
                replica.due = now;
                self.enter(id, After::Start);
                return;
            }
        }
        self.replica_mut(id).due = now;
        self.retime(id);
    }

    pub(super) fn reset(&mut self, selection: &Selection) {
        if *selection == Selection::All {
            self.set.forget_failures_before_ready();
        }
        for id in self.selected(selection) {
            let now = self.now;
            let replica = self.replica_mut(id);
            replica.history.reset();
            replica.marks.clear(Marks::GAVE_UP);
            let given_up = match replica.phase {
                Phase::Quarantined => true,
                Phase::Waiting => replica.gate == Gate::Hold,
                Phase::Stopping => matches!(replica.after, After::Quarantine | After::Hold),
                _ => false,
            };
            let in_window = replica.phase == Phase::Waiting && replica.gate == Gate::Window;
            if given_up {
                self.free_acted(id);
            }
            if given_up || in_window {
                self.start_soon(id, now);
            }
        }
    }

    pub(super) fn retry_now(&mut self, selection: &Selection) {
        if matches!(selection, Selection::All) && !self.has_ended() {
            // The dependency is back: nothing is held for a canary any more.
            self.end_incident();
        } else if matches!(selection, Selection::Cause(_)) {
            self.set.hurry_canary(self.now);
        }
        for id in self.selected(selection) {
            let now = self.now;
            let replica = self.replica_mut(id);
            let waits = replica.phase == Phase::Waiting;
            if replica.kind == StartKind::First {
                continue;
            }
            if waits || (replica.phase == Phase::Stopping && matches!(replica.after, After::Start | After::Hold)) {
                let one = matches!(selection, Selection::Replica(_));
                let gate = self.replica(id).gate;
                if gate == Gate::Group {
                    self.hurry_group(now);
                } else if one || gate != Gate::Order {
                    self.start_soon(id, now);
                    if one {
                        // Asked for by name, it does not wait for a canary or a place.
                        self.replica_mut(id).kind = StartKind::Requested;
                        if self.replica(id).marks.has(Marks::QUEUED) {
                            self.requeue(id);
                        }
                    }
                }
            }
        }
    }

    /// It is started as soon as the gates admit it, uncharged.
    fn start_soon(&mut self, id: ReplicaId, now: crate::time::Timestamp) {
        let replica = self.replica_mut(id);
        replica.kind = StartKind::Restart { charged: false };
        replica.due = now;
        replica.gate = Gate::Backoff;
        replica.history.wait_is_over();
        if replica.phase == Phase::Stopping {
            replica.after = After::Start;
            self.recount(id);
            self.retime(id);
        } else {
            self.enter(id, After::Start);
        }
    }

    fn hurry_group(&mut self, now: crate::time::Timestamp) {
        if let Some(group) = self.group() {
            let leader = self.replica_mut(group.leader);
            if !leader.marks.has(Marks::QUEUED) {
                leader.due = leader.due.min(now);
                leader.kind = StartKind::Restart { charged: false };
                self.retime(group.leader);
            }
        }
    }

    fn selected(&mut self, selection: &Selection) -> Vec<ReplicaId> {
        match selection {
            Selection::Replica(id) => {
                if self.can(Some(*id)) {
                    vec![*id]
                } else {
                    Vec::new()
                }
            }
            Selection::All if self.can(None) => (0..self.desired).map(ReplicaId).collect(),
            Selection::Cause(cause) if self.can(None) => (0..self.desired)
                .map(ReplicaId)
                .filter(|&id| self.replica(id).history.last_failure().is_some_and(|(last, _)| last == *cause))
                .collect(),
            Selection::All | Selection::Cause(_) => Vec::new(),
        }
    }

    pub(super) fn terminate(&mut self) {
        if self.can(None) {
            self.end(crate::decide::EndReason::Requested);
        }
    }
}
