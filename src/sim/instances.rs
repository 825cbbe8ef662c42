//! The simulated instances: what each one will do, and what has been reported about it.

use super::instance_plan::InstancePlan;
use super::monotonic_queue::MonotonicQueue;
use super::outcomes::end_event;
use crate::decide::{Incarnation, InstanceId, Outcome, ReplicaId};
use crate::engine::Event;
use crate::engine::deadline_tree::Deadlines;
use crate::in_place_queue::InPlaceQueue;
use crate::time::{Timestamp, nanos};

/// The newest instance of every replica.
#[derive(Default)]
pub(super) struct Instances {
    by_replica: Vec<Instance>,
    /// How each instance will end of its own accord, or has ended while contact was lost. Kept apart, so that an
    /// `Instance` fits one cache line.
    outcomes: Vec<Option<Outcome>>,
    /// The times at which instances are running and at which they are ready, as long as they are pushed in order. Entries
    /// may be stale.
    running_queue: MonotonicQueue,
    ready_queue: MonotonicQueue,
    /// All other deadlines, one for each replica.
    deadlines: Deadlines,
}

/// The newest instance of one replica.
#[derive(Clone)]
pub(super) struct Instance {
    incarnation: Incarnation,
    alive: bool,
    /// The incarnation with which contact is lost: it receives no commands, and nothing is reported about it.
    pub(super) lost: Option<Incarnation>,
    pub(super) restarts: u64,
    running_at: Timestamp,
    ready_at: Timestamp,
    ends_at: Timestamp,
    /// Progress made while contact was lost.
    unreported: Option<Progress>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Running,
    Ready,
}

/// What an instance did while contact with it was lost.
pub(super) struct Regained {
    pub(super) incarnation: Incarnation,
    /// How it ended, if it did.
    pub(super) ended: Option<Outcome>,
    pub(super) progress: Option<Progress>,
}

impl Default for Instance {
    fn default() -> Self {
        Self {
            incarnation: Incarnation(0),
            alive: false,
            lost: None,
            restarts: 0,
            running_at: Timestamp::MAX,
            ready_at: Timestamp::MAX,
            ends_at: Timestamp::MAX,
            unreported: None,
        }
    }
}

impl Instance {
    pub(super) fn is_lost(&self, incarnation: Incarnation) -> bool {
        self.lost == Some(incarnation)
    }

    /// Returns whether the end of this incarnation has not been reported yet.
    pub(super) fn may_be_alive(&self, incarnation: Incarnation) -> bool {
        self.is_lost(incarnation) || (self.alive && self.incarnation == incarnation)
    }

    fn next_at(&self) -> Timestamp {
        if self.alive { self.running_at.min(self.ready_at).min(self.ends_at) } else { Timestamp::MAX }
    }
}

impl Instances {
    pub(super) fn new(replicas: u32) -> Self {
        let mut instances = Self::default();
        if let Some(last) = replicas.checked_sub(1) {
            instances.get(ReplicaId(last));
        }
        instances
    }

    /// Returns the number of replicas that there have been.
    pub(super) fn count(&self) -> u32 {
        self.by_replica.len() as u32
    }

    /// Returns the number of restarts of each replica that has any.
    pub(super) fn restarts(&self) -> impl Iterator<Item = (u32, u64)> {
        let restarts = (0u32..).zip(&self.by_replica).map(|(replica, instance)| (replica, instance.restarts));
        restarts.filter(|(_, restarts)| *restarts > 0)
    }

    #[inline]
    pub(super) fn get(&mut self, replica: ReplicaId) -> &mut Instance {
        if self.by_replica.len() <= replica.index() {
            self.grow(replica.index() + 1);
        }
        &mut self.by_replica[replica.index()]
    }

    #[inline]
    pub(super) fn is_lost(&mut self, id: InstanceId) -> bool {
        self.get(id.replica).is_lost(id.incarnation)
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, count: usize) {
        self.by_replica.resize(count, Instance::default());
        self.outcomes.resize(count, None);
        self.deadlines.grow(count);
    }

    /// Ends a loss of contact; `None` if contact was not lost.
    pub(super) fn regain_contact(&mut self, replica: ReplicaId) -> Option<Regained> {
        let instance = self.get(replica);
        let incarnation = instance.lost.take()?;
        let is_newest = instance.incarnation == incarnation;
        let ended = is_newest && !instance.alive;
        let progress = instance.unreported.take().filter(|_| is_newest);
        let ended = self.outcomes[replica.index()].take_if(|_| ended);
        Some(Regained { incarnation, ended, progress })
    }

    /// Returns when any instance next does something, or `MAX`.
    #[inline]
    pub(super) fn next(&self) -> Timestamp {
        self.deadlines.next().min(self.running_queue.next()).min(self.ready_queue.next())
    }

    #[inline]
    pub(super) fn start(&mut self, id: InstanceId, plan: InstancePlan, now: Timestamp) {
        let InstanceId { replica, incarnation } = id;
        self.get(replica);
        let instance = &mut self.by_replica[replica.index()];
        let after = |from: Timestamp, passed| from.plus_nanos(nanos(passed));
        let running_at = plan.start.map(|start| after(now, start));
        let from = running_at.unwrap_or(now);
        instance.incarnation = incarnation;
        instance.alive = true;
        instance.restarts += u64::from(incarnation.0 > 1);
        instance.running_at = running_at.unwrap_or(Timestamp::MAX);
        let ready = plan.ready.filter(|_| running_at.is_some());
        instance.ready_at = ready.map_or(Timestamp::MAX, |ready| after(from, ready));
        instance.unreported = None;
        let planned_outcome = &mut self.outcomes[replica.index()];
        if let Some((passed, outcome)) = plan.end {
            instance.ends_at = after(from, passed);
            *planned_outcome = Some(Outcome { at: instance.ends_at, ..outcome });
        } else {
            instance.ends_at = Timestamp::MAX;
            *planned_outcome = None;
        }
        let Instance { running_at, ready_at, ends_at, .. } = *instance;
        let mut deadline = ends_at;
        for (at, queue) in [(running_at, &mut self.running_queue), (ready_at, &mut self.ready_queue)] {
            if !at.is_never() && !queue.try_push(at, replica) {
                deadline = deadline.min(at);
            }
        }
        self.deadlines.set(replica, deadline);
        self.running_queue.compact(|at, replica| self.by_replica[replica.index()].running_at == at);
        self.ready_queue.compact(|at, replica| self.by_replica[replica.index()].ready_at == at);
    }

    /// Marks an instance as dead. Does nothing for any but the newest incarnation.
    pub(super) fn remove(&mut self, id: InstanceId) {
        let instance = self.get(id.replica);
        if instance.incarnation == id.incarnation && instance.alive {
            instance.alive = false;
            self.deadlines.set(id.replica, Timestamp::MAX);
        }
    }

    /// Advances every instance to `now` and adds the events that report what happened.
    #[inline]
    pub(super) fn advance(&mut self, now: Timestamp, events: &mut InPlaceQueue<Event>) {
        while let Some(replica) = self.running_queue.pop(now).or_else(|| self.ready_queue.pop(now)) {
            self.report_progress(replica, now, events);
        }
        while let Some(replica) = self.deadlines.first().filter(|_| self.deadlines.next() <= now) {
            self.report_progress(replica, now, events);
            self.report_end(replica, now, events);
        }
    }

    #[inline]
    fn report_progress(&mut self, replica: ReplicaId, now: Timestamp, events: &mut InPlaceQueue<Event>) {
        let instance = &mut self.by_replica[replica.index()];
        if !instance.alive {
            return;
        }
        let incarnation = instance.incarnation;
        let lost = instance.is_lost(incarnation);
        if instance.running_at <= now {
            instance.running_at = Timestamp::MAX;
            if lost {
                instance.unreported = Some(Progress::Running);
            } else {
                let entry = events.push_empty();
                *entry = Some(Event::started((replica, incarnation)));
            }
        }
        if instance.ready_at <= now {
            instance.ready_at = Timestamp::MAX;
            if lost {
                instance.unreported = Some(Progress::Ready);
            } else {
                let entry = events.push_empty();
                *entry = Some(Event::ready((replica, incarnation)));
            }
        }
    }

    #[inline]
    fn report_end(&mut self, replica: ReplicaId, now: Timestamp, events: &mut InPlaceQueue<Event>) {
        let instance = &mut self.by_replica[replica.index()];
        if instance.ends_at <= now {
            let incarnation = instance.incarnation;
            instance.ends_at = Timestamp::MAX;
            instance.alive = false;
            let lost = instance.is_lost(incarnation);
            if let Some(outcome) = self.outcomes[replica.index()].take_if(|_| !lost) {
                let entry = events.push_empty();
                *entry = Some(end_event(InstanceId { replica, incarnation }, Outcome { at: now, ..outcome }));
            }
        }
        self.deadlines.set(replica, self.by_replica[replica.index()].next_at());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_one_cache_line() {
        assert_eq!(size_of::<Instance>(), 64);
    }
}
