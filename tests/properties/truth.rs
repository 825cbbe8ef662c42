//! The instances that really exist, and the reports and lists about them that have not been delivered yet.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use uphold::engine::{InstanceState, Observed};
use uphold::{Cause, Event, InstanceId, Outcome, Timestamp};

/// How many old reports, lists and ended instances are kept to be repeated.
const KEPT: usize = 12;

/// What an instance does when it is asked to stop.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Obedience {
    Stops,
    IgnoresStops,
    IgnoresKills,
}

/// What an instance was asked to do last.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Asked {
    Stop,
    Kill,
}

#[derive(Clone, Debug)]
struct Life {
    ready: bool,
    obedience: Obedience,
}

#[derive(Clone, Default)]
pub(crate) struct Truth {
    alive: BTreeMap<InstanceId, Life>,
    /// Accepted starts that may still come about, however late.
    accepted: BTreeSet<InstanceId>,
    asked: BTreeMap<InstanceId, Asked>,
    ended: VecDeque<(InstanceId, Outcome)>,
    /// Reports that were not delivered, in the order in which they were made.
    in_transit: Vec<Event>,
    delivered: VecDeque<Event>,
    /// Lists that were made and may be delivered later.
    lists: VecDeque<Vec<Observed>>,
}

/// The `pick`th of these, modulo how many there are.
pub(crate) fn nth<T>(mut all: impl ExactSizeIterator<Item = T>, pick: usize) -> Option<T> {
    let count = all.len();
    (count > 0).then(|| all.nth(pick % count)).flatten()
}

fn keep<T>(kept: &mut VecDeque<T>, item: T) {
    kept.push_back(item);
    if kept.len() > KEPT {
        kept.pop_front();
    }
}

impl Truth {
    pub(crate) fn accept_start(&mut self, instance: InstanceId) {
        self.accepted.insert(instance);
    }

    pub(crate) fn ask_to_stop(&mut self, instance: InstanceId) {
        self.asked.entry(instance).or_insert(Asked::Stop);
    }

    pub(crate) fn kill(&mut self, instance: InstanceId) {
        self.asked.insert(instance, Asked::Kill);
    }

    pub(crate) fn is_alive(&self, instance: InstanceId) -> bool {
        self.alive.contains_key(&instance)
    }

    /// An instance runs, whether anybody started it or not.
    pub(crate) fn bring_about(&mut self, instance: InstanceId, ready: bool, obedience: Obedience) {
        self.accepted.remove(&instance);
        self.alive.insert(instance, Life { ready, obedience });
        self.in_transit.push(Event::started(instance));
        if ready {
            self.in_transit.push(Event::ready(instance));
        }
    }

    /// An accepted start comes about.
    pub(crate) fn start(&mut self, pick: usize, ready: bool, obedience: Obedience) {
        if let Some(instance) = nth(self.accepted.iter().copied(), pick) {
            self.bring_about(instance, ready, obedience);
        }
    }

    /// A start is reported as failed; `yet`: it comes about all the same.
    pub(crate) fn fail_start(&mut self, pick: usize, yet: bool) {
        if let Some(instance) = nth(self.accepted.iter().copied(), pick) {
            if !yet {
                self.accepted.remove(&instance);
            }
            self.in_transit.push(Event::start_failed(instance, Cause::NoCapacity));
        }
    }

    pub(crate) fn turn_readiness(&mut self, pick: usize) {
        if let Some((&instance, life)) = nth(self.alive.iter_mut(), pick) {
            life.ready = !life.ready;
            self.in_transit.push(match life.ready {
                true => Event::ready(instance),
                false => Event::not_ready(instance),
            });
        }
    }

    pub(crate) fn crash(&mut self, pick: usize, code: i32, now: Timestamp) {
        if let Some(instance) = nth(self.alive.keys().copied(), pick) {
            self.end(instance, Event::exited(instance, code), Outcome::exited(code, now));
        }
    }

    fn end(&mut self, instance: InstanceId, report: Event, outcome: Outcome) {
        self.alive.remove(&instance);
        self.accepted.remove(&instance);
        self.asked.remove(&instance);
        keep(&mut self.ended, (instance, outcome));
        self.in_transit.push(report);
    }

    /// Everything that was asked to stop does so, unless it ignores that.
    pub(crate) fn obey(&mut self, now: Timestamp) {
        for (instance, asked) in self.asked.clone() {
            let ignores = self.alive.get(&instance).is_some_and(|life| match life.obedience {
                Obedience::Stops => false,
                Obedience::IgnoresStops => asked < Asked::Kill,
                Obedience::IgnoresKills => true,
            });
            if !ignores {
                self.end(instance, Event::stopped(instance), Outcome::exited(0, now));
            }
        }
    }

    /// From now on every instance does what it is asked to, and no start that was given up comes about.
    pub(crate) fn make_honest(&mut self, is_current: impl Fn(InstanceId) -> bool) {
        self.lists.clear();
        self.accepted.retain(|&instance| is_current(instance));
        self.alive.values_mut().for_each(|life| life.obedience = Obedience::Stops);
    }

    /// Every accepted start comes about, and all that live are ready.
    pub(crate) fn start_all(&mut self) {
        for instance in std::mem::take(&mut self.accepted) {
            self.bring_about(instance, true, Obedience::Stops);
        }
        for (&instance, life) in &mut self.alive {
            if !std::mem::replace(&mut life.ready, true) {
                self.in_transit.push(Event::ready(instance));
            }
        }
    }

    /// Takes one report out of transit: the oldest or, by `pick`, any. `keeps_copy`: it is delivered again later.
    pub(crate) fn take_report(&mut self, pick: usize, keeps_copy: bool) -> Option<Event> {
        let count = self.in_transit.len();
        if count == 0 {
            return None;
        }
        let event =
            if keeps_copy { self.in_transit[pick % count].clone() } else { self.in_transit.remove(pick % count) };
        keep(&mut self.delivered, event.clone());
        Some(event)
    }

    pub(crate) fn take_reports(&mut self) -> Vec<Event> {
        let reports = std::mem::take(&mut self.in_transit);
        reports.iter().for_each(|event| keep(&mut self.delivered, event.clone()));
        reports
    }

    pub(crate) fn drop_report(&mut self, pick: usize) {
        if !self.in_transit.is_empty() {
            self.in_transit.remove(pick % self.in_transit.len());
        }
    }

    /// A report that was delivered before.
    pub(crate) fn old_report(&self, pick: usize) -> Option<Event> {
        nth(self.delivered.iter().cloned(), pick)
    }

    pub(crate) fn remember(&mut self, event: Event) {
        keep(&mut self.delivered, event);
    }

    /// A complete list, with some instances that have ended.
    pub(crate) fn list(&self) -> Vec<Observed> {
        let alive = self.alive.iter().map(|(&instance, life)| {
            let asked = self.asked.contains_key(&instance) && life.obedience == Obedience::Stops;
            let state = match life.ready {
                _ if asked => InstanceState::Stopping,
                true => InstanceState::Ready,
                false => InstanceState::Running,
            };
            Observed::new(instance, state)
        });
        let is_alive = |instance: &InstanceId| self.alive.contains_key(instance);
        let ended = self.ended.iter().filter(|(instance, _)| !is_alive(instance));
        alive
            .chain(ended.map(|(instance, outcome)| Observed::new(*instance, InstanceState::Ended(outcome.clone()))))
            .collect()
    }

    /// A list is made, to be delivered later.
    pub(crate) fn make_list(&mut self) {
        let list = self.list();
        keep(&mut self.lists, list);
    }

    pub(crate) fn old_list(&self, pick: usize) -> Option<Vec<Observed>> {
        nth(self.lists.iter().cloned(), pick)
    }
}
