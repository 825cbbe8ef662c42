//! A fault model at work: the surroundings of one simulated set.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use uphold::sim::{Action, Environment, Life, exit, fail, found, lost, not_ready, ready, signal};
use uphold::{Cause, Exit, Outcome, Placement, ProbeKind, ProbeRequest, ProbeResult, Start, Stop, Timestamp};

use super::draw::{Draws, Kind};
use super::episodes::{Episode, Occurrences, Window};
use super::failure::Place;
use super::model::{FaultModel, OnFailedNode, WhenRunning, WhenStarted};
use super::placing::Placing;

/// What befalls one set, under one seed. Made by [`FaultModel::surroundings`]; for
/// [`Simulation::run_in`](uphold::sim::Simulation::run_in).
#[derive(Debug)]
pub struct Surroundings<'m> {
    model: &'m FaultModel,
    seed: u64,
    starts: Draws,
    readies: Draws,
    /// For each failure of the model: when it strikes, and how it ends.
    failures: Vec<(Draws, Draws)>,
    /// For each drought, with which starts it hits.
    droughts: Vec<(Window<'m>, Draws)>,
    dependencies: Vec<Window<'m>>,
    instances: Vec<Instance>,
    placing: Option<Placing<'m>>,
    sources: Vec<Source<'m>>,
    agenda: BinaryHeap<Reverse<Entry>>,
    sequence: u64,
}

/// The newest instance of a replica.
#[derive(Clone, Copy, Debug)]
struct Instance {
    incarnation: u64,
    runs_at: u64,
    ready_at: u64,
    /// The dependencies that keep it from serving, a bit for each.
    kept: u64,
    /// It is out of contact for so many reasons.
    out: u32,
    /// It can serve again, and could not say so while it was out of contact.
    owes: bool,
}

impl Instance {
    const NONE: Self = Self { incarnation: 0, runs_at: u64::MAX, ready_at: u64::MAX, kept: 0, out: 0, owes: false };

    /// The same replica's next instance.
    fn next(&self, incarnation: u64, runs_at: u64, ready_at: u64) -> Self {
        Self { incarnation, runs_at, ready_at, kept: 0, owes: false, out: self.out }
    }
}

/// How an instance ends by itself.
#[derive(Clone, Copy, Debug)]
enum End {
    Dependency(usize),
    Failure(usize),
}

/// The earlier of two ends.
fn earlier(end: &mut Option<(u64, End)>, after: u64, of: End) {
    if end.is_none_or(|(known, _)| after < known) {
        *end = Some((after, of));
    }
}

/// The bit of a dependency.
fn bit(place: u32) -> u64 {
    1 << (place % u64::BITS)
}

fn nanos(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

/// Something that is the case again and again.
#[derive(Debug)]
struct Source<'m> {
    what: What,
    occurrences: Occurrences<'m>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum What {
    NodeDown(u32),
    ZoneDown(u32),
    DependencyDown(u32),
    ContactLost(u32),
}

/// The earlier is the smaller; of one time, the one that was put in first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct Entry {
    at: u64,
    sequence: u64,
    doing: Doing,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Doing {
    Begins {
        source: u32,
        to: u64,
    },
    Ends {
        source: u32,
    },
    /// A dependency has been away for too long for an instance that ran when it went.
    Crashes {
        dependency: u32,
        replica: u32,
        incarnation: u64,
    },
}

impl<'m> Surroundings<'m> {
    pub(super) fn new(model: &'m FaultModel, seed: u64, replicas: u32) -> Self {
        let draws = |kind, place: usize| Draws::new(seed, kind, place as u64);
        let mut surroundings = Self {
            model,
            seed,
            starts: draws(Kind::Start, 0),
            readies: draws(Kind::Ready, 0),
            failures: (0..model.failures.len())
                .map(|place| (draws(Kind::Failure, place), draws(Kind::Cause, place)))
                .collect(),
            droughts: (model.droughts.iter().enumerate())
                .map(|(place, drought)| {
                    let window = Window::new(&drought.episodes, draws(Kind::Drought, place));
                    (window, draws(Kind::Refuses, place))
                })
                .collect(),
            dependencies: (model.dependencies.iter().enumerate())
                .map(|(place, dependency)| Window::new(&dependency.down, draws(Kind::Dependency, place)))
                .collect(),
            instances: vec![Instance::NONE; replicas as usize],
            placing: model.nodes.as_ref().map(|nodes| Placing::new(nodes, draws(Kind::Placement, 0))),
            sources: Vec::new(),
            agenda: BinaryHeap::new(),
            sequence: 0,
        };
        surroundings.gather_sources(replicas);
        surroundings
    }

    fn gather_sources(&mut self, replicas: u32) {
        let model = self.model;
        let mut add = |what, occurrences| self.sources.push(Source { what, occurrences });
        for (place, dependency) in (0u32..).zip(&model.dependencies) {
            if dependency.running != WhenRunning::Serve {
                let draws = Draws::new(self.seed, Kind::Dependency, place.into());
                add(What::DependencyDown(place), dependency.down.occurrences(draws));
            }
        }
        for (place, lost) in (0u64..).zip(&model.lost_contact) {
            let draws = Draws::new(self.seed, Kind::Contact, place);
            let all: Vec<u32> = match &lost.replicas {
                Some(those) => those.iter().copied().filter(|&replica| replica < replicas).collect(),
                None => (0..replicas).collect(),
            };
            for replica in all {
                add(What::ContactLost(replica), lost.episodes.occurrences(draws.of(replica.into())));
            }
        }
        if let Some(nodes) = &model.nodes {
            let domains = [
                (&nodes.node_fails, nodes.count, Kind::Node, What::NodeDown as fn(u32) -> What),
                (&nodes.zone_fails, nodes.zones, Kind::Zone, What::ZoneDown),
            ];
            for (fails, count, kind, what) in domains {
                for (place, (which, episodes)) in (0u64..).zip(fails) {
                    let draws = Draws::new(self.seed, kind, place);
                    let those = which.map_or(0..count, |one| one..one.saturating_add(1).min(count));
                    for one in those {
                        add(what(one), episodes.occurrences(draws.of(one.into())));
                    }
                }
            }
        }
        for source in 0..self.sources.len() as u32 {
            self.next_of(source);
        }
    }

    fn next_of(&mut self, source: u32) {
        if let Some(Episode { from, to }) = self.sources[source as usize].occurrences.next() {
            self.put(from, Doing::Begins { source, to });
        }
    }

    fn put(&mut self, at: u64, doing: Doing) {
        if at < u64::MAX {
            self.sequence += 1;
            self.agenda.push(Reverse(Entry { at, sequence: self.sequence, doing }));
        }
    }

    fn instance(&mut self, replica: u32) -> &mut Instance {
        let place = replica as usize;
        if self.instances.len() <= place {
            self.instances.resize(place + 1, Instance::NONE);
        }
        &mut self.instances[place]
    }

    /// What becomes of a start; what it does not say is that nothing does.
    fn life_of(&mut self, start: &Start, at: u64, under_way: u32) -> Life {
        let model = self.model;
        let (replica, occurrence) = (start.replica.0, start.incarnation.0.saturating_sub(1));
        let load = 1.0 + model.slower_per_start * f64::from(under_way.saturating_sub(1));
        let slowed =
            |drawn: Option<u64>| drawn.map(|nanos| if load > 1.0 { (nanos as f64 * load) as u64 } else { nanos });
        let takes = slowed(model.starts_in.draw(self.starts.of(replica.into()), occurrence));

        let mut waits = 0;
        let mut node = None;
        if let Some(placing) = &mut self.placing {
            let placed = placing.place(replica, occurrence, start.placement == Placement::Elsewhere);
            node = Some(placed.node);
            match placed.down_until {
                Some(_) if placing.nodes.starts != OnFailedNode::Wait => {
                    return self.refused(&Cause::NoCapacity, replica, occurrence, takes);
                }
                Some(until) => waits = until.saturating_sub(at),
                None => {}
            }
        }
        for (place, (window, draws)) in self.droughts.iter_mut().enumerate() {
            let drought = &model.droughts[place];
            window.forget(at);
            let hit = || drought.share >= 1.0 || draws.of(replica.into()).of(occurrence).uniform() < drought.share;
            if window.at(at).is_some() && hit() {
                return self.refused(&drought.cause, replica, occurrence, takes);
            }
        }
        let Some(takes) = takes.map(|takes| takes.saturating_add(waits)) else { return Life::silent() };
        let runs_at = at.saturating_add(takes);
        let ready = slowed(model.ready_in.draw(self.readies.of(replica.into()), occurrence));
        let mut ready_at = ready.map(|ready| runs_at.saturating_add(ready));
        let mut end: Option<(u64, End)> = None;
        for (place, window) in self.dependencies.iter_mut().enumerate() {
            let dependency = &model.dependencies[place];
            window.forget(at);
            if let Some(down) = window.at(runs_at) {
                match dependency.starts {
                    WhenStarted::Fail => return self.refused(&Cause::StartError, replica, occurrence, Some(takes)),
                    WhenStarted::Wait => {}
                    WhenStarted::Crash => {
                        let draws = Draws::new(self.seed, Kind::DependencyCrash, place as u64).of(replica.into());
                        let holds = dependency.crashes_after.draw(draws, occurrence);
                        if let Some(holds) = holds.filter(|&holds| runs_at.saturating_add(holds) < down.to) {
                            earlier(&mut end, holds, End::Dependency(place));
                        }
                    }
                }
                ready_at = ready_at.map(|ready_at| ready_at.max(down.to));
            } else if dependency.running == WhenRunning::NotReady {
                ready_at = ready_at.map(|ready_at| window.at(ready_at).map_or(ready_at, |down| down.to));
            }
        }
        let instance = Place { replica, occurrence, node };
        for (place, failure) in model.failures.iter().enumerate() {
            if let Some(after) = failure.strikes(self.failures[place].0, &instance, runs_at) {
                earlier(&mut end, after, End::Failure(place));
            }
        }
        let newest = self.instance(replica);
        *newest = newest.next(start.incarnation.0, runs_at, ready_at.unwrap_or(u64::MAX));
        let life = Life::new(nanos(takes));
        let life = match ready_at {
            Some(ready_at) if ready_at < u64::MAX => life.ready(nanos(ready_at - runs_at)),
            _ => life.never_ready(),
        };
        match end {
            Some((after, End::Dependency(place))) => life.ends(nanos(after), model.dependencies[place].ends.clone()),
            Some((after, End::Failure(place))) => {
                let outcome = model.failures[place].outcome(self.failures[place].1, &instance);
                life.ends(nanos(after), outcome)
            }
            None => life,
        }
    }

    fn refused(&mut self, cause: &Cause, replica: u32, occurrence: u64, takes: Option<u64>) -> Life {
        let newest = self.instance(replica);
        *newest = newest.next(occurrence + 1, u64::MAX, u64::MAX);
        let draws = Draws::new(self.seed, Kind::Refused, 0).of(replica.into());
        let takes = match &self.model.refused_in {
            Some(refused_in) => refused_in.draw(draws, occurrence),
            None => takes,
        };
        takes.map_or_else(Life::silent, |takes| Life::fails_to_start(nanos(takes), cause.clone()))
    }

    fn begins(&mut self, source: u32, at: u64, to: u64, actions: &mut Vec<Action>) {
        self.put(to, Doing::Ends { source });
        match self.sources[source as usize].what {
            What::ContactLost(replica) => {
                self.instance(replica).out += 1;
                actions.push(lost(replica));
            }
            What::NodeDown(node) => self.fails(node..node + 1, 1, to, actions),
            What::ZoneDown(zone) => {
                let nodes = self.model.nodes.as_ref();
                let (count, zones) = nodes.map_or((0, 1), |nodes| (nodes.count, nodes.zones));
                self.fails(zone..count, zones as usize, to, actions);
            }
            What::DependencyDown(place) => self.goes_down(place, at, to, actions),
        }
    }

    /// These nodes fail as one.
    fn fails(&mut self, nodes: std::ops::Range<u32>, step: usize, to: u64, actions: &mut Vec<Action>) {
        let Some(placing) = &mut self.placing else { return };
        let newly = placing.down(nodes.step_by(step), to);
        if newly.is_empty() {
            return;
        }
        let (silent, cause) = (placing.nodes.silent, &placing.nodes.cause);
        for (replica, instance) in (0u32..).zip(&self.instances) {
            if newly.binary_search(&placing.node_of(replica)).is_ok() && instance.incarnation > 0 {
                if silent {
                    placing.silenced(replica, instance.incarnation);
                    actions.push(lost(replica));
                } else {
                    actions.push(fail(replica, cause.clone()));
                }
            }
        }
    }

    /// These nodes are back: what was lost with them is known to be gone.
    fn recovers(&mut self, nodes: std::ops::Range<u32>, step: usize, actions: &mut Vec<Action>) {
        let Some(placing) = &mut self.placing else { return };
        for (replica, incarnation) in placing.up(nodes.step_by(step)) {
            actions.push(found(replica));
            if self.instances.get(replica as usize).is_some_and(|newest| newest.incarnation == incarnation) {
                actions.push(fail(replica, placing.nodes.cause.clone()));
            }
        }
    }

    fn goes_down(&mut self, place: u32, at: u64, to: u64, actions: &mut Vec<Action>) {
        let dependency = &self.model.dependencies[place as usize];
        for replica in 0..self.instances.len() as u32 {
            let instance = &mut self.instances[replica as usize];
            let Instance { incarnation, runs_at, ready_at, .. } = *instance;
            // What begins to run at this instant has been told already.
            if runs_at >= at {
                continue;
            }
            match dependency.running {
                WhenRunning::NotReady if ready_at <= at => {
                    instance.kept |= bit(place);
                    actions.push(not_ready(replica));
                }
                WhenRunning::NotReady | WhenRunning::Serve => {}
                WhenRunning::Crash => {
                    let draws = Draws::new(self.seed, Kind::DependencyCrash, place.into()).of(replica.into());
                    let holds = dependency.crashes_after.draw(draws, incarnation.saturating_sub(1));
                    if let Some(crashes) = holds.map(|holds| at.saturating_add(holds)).filter(|&crashes| crashes < to) {
                        self.put(crashes, Doing::Crashes { dependency: place, replica, incarnation });
                    }
                }
            }
        }
    }

    fn is_back(&mut self, place: u32, actions: &mut Vec<Action>) {
        if self.model.dependencies[place as usize].running != WhenRunning::NotReady {
            return;
        }
        for (replica, instance) in (0u32..).zip(&mut self.instances) {
            if instance.kept & bit(place) == 0 {
                continue;
            }
            instance.kept &= !bit(place);
            match instance.kept == 0 {
                true if instance.out > 0 => instance.owes = true,
                true => actions.push(ready(replica)),
                false => {}
            }
        }
    }

    fn ends(&mut self, source: u32, actions: &mut Vec<Action>) {
        match self.sources[source as usize].what {
            What::ContactLost(replica) => {
                let instance = self.instance(replica);
                instance.out = instance.out.saturating_sub(1);
                let owes = std::mem::take(&mut instance.owes);
                actions.push(found(replica));
                if owes {
                    actions.push(ready(replica));
                }
            }
            What::NodeDown(node) => self.recovers(node..node + 1, 1, actions),
            What::ZoneDown(zone) => {
                let nodes = self.model.nodes.as_ref();
                let (count, zones) = nodes.map_or((0, 1), |nodes| (nodes.count, nodes.zones));
                self.recovers(zone..count, zones as usize, actions);
            }
            What::DependencyDown(place) => self.is_back(place, actions),
        }
        self.next_of(source);
    }
}

impl Environment for Surroundings<'_> {
    fn life(&mut self, start: &Start, at: Timestamp, under_way: u32) -> Life {
        self.life_of(start, at.as_nanos(), under_way)
    }

    fn stops_in(&mut self, stop: &Stop, _at: Timestamp) -> Duration {
        let draws = Draws::new(self.seed, Kind::Stop, 0).of(stop.replica.0.into());
        let takes = self.model.stops_in.draw(draws, stop.incarnation.0.saturating_sub(1));
        takes.map_or(Duration::MAX, nanos)
    }

    fn answer(&mut self, probe: &ProbeRequest, _at: Timestamp) -> ProbeResult {
        let kept = self.instance(probe.replica.0).kept > 0;
        if kept && probe.probe == ProbeKind::Readiness { ProbeResult::Failure } else { ProbeResult::Success }
    }

    fn next(&self) -> Option<Timestamp> {
        self.agenda.peek().map(|Reverse(entry)| Timestamp::from_nanos(entry.at))
    }

    fn befalls(&mut self, at: Timestamp, actions: &mut Vec<Action>) {
        let at = at.as_nanos();
        while let Some(Reverse(entry)) = self.agenda.peek().copied().filter(|Reverse(entry)| entry.at <= at) {
            self.agenda.pop();
            match entry.doing {
                Doing::Begins { source, to } => self.begins(source, at, to, actions),
                Doing::Ends { source } => self.ends(source, actions),
                Doing::Crashes { dependency, replica, incarnation } => {
                    if self.instance(replica).incarnation == incarnation {
                        actions.push(ending(replica, &self.model.dependencies[dependency as usize].ends));
                    }
                }
            }
        }
    }
}

/// A replica ends in this way.
fn ending(replica: u32, outcome: &Outcome) -> Action {
    match (outcome.named_cause(), outcome.exit_status()) {
        (Some(cause), _) => fail(replica, cause.clone()),
        (None, Some(Exit::Signal(by))) => signal(replica, by),
        (None, Some(Exit::Code(code))) => exit(replica, code),
        (None, None) => fail(replica, Cause::Error),
    }
}
