//! What the simulated world knows of the instances of each replica, and what they will do by themselves.

use super::environment::InstancePlan;
use super::monotonic_queue::MonotonicQueue;
use crate::decide::{Incarnation, Outcome, ReplicaId};
use crate::engine::deadlines::Deadlines;
use crate::engine::{Ended, Event};
use crate::places::Places;
use crate::time::{Timestamp, nanos};

/// The instances of all replicas.
#[derive(Default)]
pub(super) struct Instances {
    of: Vec<Instance>,
    /// How each will end by itself, or has ended out of sight: apart, so that an instance is one cache line.
    outcomes: Vec<Option<Outcome>>,
    /// When instances run, and when they can serve, as long as that comes in order. What an entry was for may be past.
    run: MonotonicQueue,
    ready: MonotonicQueue,
    /// When each replica's instance does something next, but for that.
    next: Deadlines,
}

/// The newest instance of one replica.
#[derive(Clone)]
pub(super) struct Instance {
    incarnation: Incarnation,
    alive: bool,
    /// The incarnation with which contact is lost: it lives, hears nothing, and nothing is heard of it.
    pub(super) lost: Option<Incarnation>,
    /// How often it was started again.
    pub(super) restarts: u64,
    runs_at: Timestamp,
    ready_at: Timestamp,
    ends_at: Timestamp,
    /// What it has become out of sight.
    unreported: Option<Progress>,
}

/// What an instance has become.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    Running,
    Ready,
}

/// An instance that is in sight again.
pub(super) struct Regained {
    pub(super) incarnation: Incarnation,
    /// How it ended out of sight, if it did.
    pub(super) ended: Option<Outcome>,
    /// What it has become out of sight.
    pub(super) progress: Option<Progress>,
}

impl Default for Instance {
    fn default() -> Self {
        Self {
            incarnation: Incarnation(0),
            alive: false,
            lost: None,
            restarts: 0,
            runs_at: Timestamp::MAX,
            ready_at: Timestamp::MAX,
            ends_at: Timestamp::MAX,
            unreported: None,
        }
    }
}

impl Instance {
    /// Whether this incarnation lives, be it out of sight.
    pub(super) fn lives(&self, incarnation: Incarnation) -> bool {
        self.lost == Some(incarnation) || (self.alive && self.incarnation == incarnation)
    }

    fn next_at(&self) -> Timestamp {
        if self.alive { self.runs_at.min(self.ready_at).min(self.ends_at) } else { Timestamp::MAX }
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

    /// How many replicas there have been.
    pub(super) fn count(&self) -> u32 {
        self.of.len() as u32
    }

    /// How often each replica was started again; those that were not are left out.
    pub(super) fn restarts(&self) -> impl Iterator<Item = (u32, u64)> {
        let restarts = (0u32..).zip(&self.of).map(|(replica, instance)| (replica, instance.restarts));
        restarts.filter(|(_, restarts)| *restarts > 0)
    }

    #[inline]
    pub(super) fn get(&mut self, replica: ReplicaId) -> &mut Instance {
        if self.of.len() <= replica.index() {
            self.grow(replica.index() + 1);
        }
        &mut self.of[replica.index()]
    }

    #[cold]
    #[inline(never)]
    fn grow(&mut self, count: usize) {
        self.of.resize(count, Instance::default());
        self.outcomes.resize(count, None);
        self.next.grow(count);
    }

    /// Contact is there again: with which incarnation, and what it did out of sight.
    pub(super) fn regain_contact(&mut self, replica: ReplicaId) -> Option<Regained> {
        let instance = self.get(replica);
        let incarnation = instance.lost.take()?;
        let ours = instance.incarnation == incarnation;
        let ended = ours && !instance.alive;
        let progress = instance.unreported.take().filter(|_| ours);
        let ended = self.outcomes[replica.index()].take_if(|_| ended);
        Some(Regained { incarnation, ended, progress })
    }

    /// When any of them does something next, or never.
    #[inline]
    pub(super) fn next(&self) -> Timestamp {
        self.next.next().min(self.run.next()).min(self.ready.next())
    }

    /// An instance is started, and this becomes of it.
    #[inline(always)]
    pub(super) fn start(&mut self, replica: ReplicaId, incarnation: Incarnation, plan: InstancePlan, now: Timestamp) {
        self.get(replica);
        let instance = &mut self.of[replica.index()];
        let after = |from: Timestamp, passed| from.plus_nanos(nanos(passed));
        let runs_at = plan.start.map(|start| after(now, start));
        let from = runs_at.unwrap_or(now);
        instance.incarnation = incarnation;
        instance.alive = true;
        instance.restarts += u64::from(incarnation.0 > 1);
        instance.runs_at = runs_at.unwrap_or(Timestamp::MAX);
        instance.ready_at = plan.ready.filter(|_| runs_at.is_some()).map_or(Timestamp::MAX, |ready| after(from, ready));
        instance.unreported = None;
        let ends = &mut self.outcomes[replica.index()];
        if let Some((passed, outcome)) = plan.end {
            instance.ends_at = after(from, passed);
            *ends = Some(Outcome { at: instance.ends_at, ..outcome });
        } else {
            instance.ends_at = Timestamp::MAX;
            *ends = None;
        }
        let Instance { runs_at, ready_at, ends_at, .. } = *instance;
        let mut next = ends_at;
        for (at, in_order) in [(runs_at, &mut self.run), (ready_at, &mut self.ready)] {
            if !at.is_never() && !in_order.try_push(at, replica) {
                next = next.min(at);
            }
        }
        self.next.set(replica, next);
        self.run.compact(|at, replica| self.of[replica.index()].runs_at == at);
        self.ready.compact(|at, replica| self.of[replica.index()].ready_at == at);
    }

    /// It is no more.
    pub(super) fn remove(&mut self, replica: ReplicaId, incarnation: Incarnation) {
        let instance = self.get(replica);
        if instance.incarnation == incarnation && instance.alive {
            instance.alive = false;
            self.next.set(replica, Timestamp::MAX);
        }
    }

    /// What instances do by themselves by now, as far as they are heard. In line, as a half of every simulated event.
    #[inline(always)]
    pub(super) fn advance(&mut self, now: Timestamp, events: &mut Places<Event>) {
        while let Some(replica) = self.run.pop(now).or_else(|| self.ready.pop(now)) {
            self.report_progress(replica, now, events);
        }
        while let Some(replica) = self.next.first().filter(|_| self.next.next() <= now) {
            self.report_progress(replica, now, events);
            self.report_end(replica, now, events);
        }
    }

    /// It runs, or can serve.
    #[inline(always)]
    fn report_progress(&mut self, replica: ReplicaId, now: Timestamp, events: &mut Places<Event>) {
        let instance = &mut self.of[replica.index()];
        if !instance.alive {
            return;
        }
        let incarnation = instance.incarnation;
        let in_contact = instance.lost != Some(incarnation);
        if instance.runs_at <= now {
            instance.runs_at = Timestamp::MAX;
            if in_contact {
                let place = events.place();
                *place = Some(Event::started(replica, incarnation));
            } else {
                instance.unreported = Some(Progress::Running);
            }
        }
        if instance.ready_at <= now {
            instance.ready_at = Timestamp::MAX;
            if in_contact {
                let place = events.place();
                *place = Some(Event::ready(replica, incarnation));
            } else {
                instance.unreported = Some(Progress::Ready);
            }
        }
    }

    /// It ends.
    #[inline(always)]
    fn report_end(&mut self, replica: ReplicaId, now: Timestamp, events: &mut Places<Event>) {
        let instance = &mut self.of[replica.index()];
        if instance.ends_at <= now {
            let incarnation = instance.incarnation;
            instance.ends_at = Timestamp::MAX;
            instance.alive = false;
            let in_contact = instance.lost != Some(incarnation);
            if let Some(outcome) = self.outcomes[replica.index()].take_if(|_| in_contact) {
                let place = events.place();
                *place = Some(end_event(replica, incarnation, Outcome { at: now, ..outcome }));
            }
        }
        self.next.set(replica, self.of[replica.index()].next_at());
    }
}

/// The event of an end.
pub(super) fn end_event(replica: ReplicaId, incarnation: Incarnation, outcome: Outcome) -> Event {
    let ended = Ended { replica, incarnation, outcome };
    if ended.outcome.is_failed_start() { Event::StartFailed(ended) } else { Event::Exited(ended) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_is_one_cache_line() {
        assert_eq!(size_of::<Instance>(), 64);
    }
}
