//! A fault model applied to one simulated set.

use std::ops::Range;
use std::time::Duration;

use uphold::engine::{ProbeCommand, ProbeKind, ProbeResult, Start, Stop};
use uphold::policy::Placement;
use uphold::sim::{Action, Environment, InstancePlan, exit, fail, found, lost, not_ready, ready, signal};
use uphold::{Cause, Exit, Notice, Outcome, Output, Phase, Timestamp};

use super::cluster::Cluster;
use super::dependency::{RunningDuringOutage, StartDuringOutage};
use super::episodes::EpisodeLookup;
use super::failure::StartContext;
use super::instance::InstanceState;
use super::model::FaultModel;
use super::nodes::StartOnFailedNode;
use super::random::{RandomStream, StreamId};
use super::schedule::{FaultEvent, FaultKind, FaultSchedule};

impl FaultModel {
    /// Returns the environment for one run of a set with this many replicas under this seed, to be passed to
    /// [`Simulation::run_in`](uphold::sim::Simulation::run_in).
    pub fn environment(&self, seed: u64, replicas: u32) -> FaultEnvironment<'_> {
        FaultEnvironment::new(self, seed, replicas)
    }
}

/// The faults of a [`FaultModel`] as one simulated set meets them under one seed. Returned by
/// [`FaultModel::environment`].
#[derive(Debug)]
pub struct FaultEnvironment<'m> {
    model: &'m FaultModel,
    seed: u64,
    start_stream: RandomStream,
    ready_stream: RandomStream,
    /// By index of the model's failure modes.
    failure_streams: Vec<FailureStreams>,
    /// By index of the model's droughts: when it holds, and which starts it hits.
    droughts: Vec<(EpisodeLookup<'m>, RandomStream)>,
    /// By index of the model's dependencies.
    outages: Vec<EpisodeLookup<'m>>,
    /// By replica.
    instances: Vec<InstanceState>,
    cluster: Option<Cluster<'m>>,
    schedule: FaultSchedule<'m>,
}

#[derive(Clone, Copy, Debug)]
struct FailureStreams {
    time: RandomStream,
    outcome: RandomStream,
}

/// What is known about an instance when it is started. Times are in nanoseconds.
#[derive(Debug)]
struct StartPlan {
    /// From the start command.
    start_time: u64,
    /// Since the start of the run.
    running_at: u64,
    /// Since the start of the run; `None`: never.
    ready_at: Option<u64>,
    /// How long after it runs the instance ends by itself, and why.
    end: Option<(u64, EndReason)>,
}

/// Why an instance ends by itself: an index in the model.
#[derive(Clone, Copy, Debug)]
enum EndReason {
    Dependency(usize),
    Failure(usize),
}

impl StartPlan {
    /// Notes that the instance ends this long after it runs, unless it ends earlier for another reason.
    fn ends_after(&mut self, after: u64, reason: EndReason) {
        if self.end.is_none_or(|(earliest, _)| after < earliest) {
            self.end = Some((after, reason));
        }
    }
}

impl<'m> FaultEnvironment<'m> {
    fn new(model: &'m FaultModel, seed: u64, replicas: u32) -> Self {
        let stream = |id, index: usize| RandomStream::new(seed, id, index as u64);
        Self {
            model,
            seed,
            start_stream: stream(StreamId::Start, 0),
            ready_stream: stream(StreamId::Ready, 0),
            failure_streams: (0..model.failures.len())
                .map(|index| FailureStreams {
                    time: stream(StreamId::Failure, index),
                    outcome: stream(StreamId::Outcome, index),
                })
                .collect(),
            droughts: (model.droughts.iter().enumerate())
                .map(|(index, drought)| {
                    let lookup = EpisodeLookup::new(&drought.episodes, stream(StreamId::Drought, index));
                    (lookup, stream(StreamId::DroughtHit, index))
                })
                .collect(),
            outages: (model.dependencies.iter().enumerate())
                .map(|(index, dependency)| EpisodeLookup::new(&dependency.outages, stream(StreamId::Dependency, index)))
                .collect(),
            instances: vec![InstanceState::NONE; replicas as usize],
            cluster: model.nodes.as_ref().map(|nodes| Cluster::new(nodes, stream(StreamId::Placement, 0))),
            schedule: FaultSchedule::new(model, seed, replicas),
        }
    }

    fn instance(&mut self, replica: u32) -> &mut InstanceState {
        let index = replica as usize;
        if self.instances.len() <= index {
            self.instances.resize(index + 1, InstanceState::NONE);
        }
        &mut self.instances[index]
    }

    fn plan_start(&mut self, start: &Start, at: u64, starts_in_progress: u32) -> InstancePlan {
        let model = self.model;
        let (replica, start_index) = (start.replica.0, start.incarnation.0.saturating_sub(1));
        let slowdown = 1.0 + model.slower_per_start * f64::from(starts_in_progress.saturating_sub(1));
        let slow_down =
            |time: Option<u64>| time.map(|nanos| if slowdown > 1.0 { (nanos as f64 * slowdown) as u64 } else { nanos });
        let start_time = slow_down(model.starts_in.sample(self.start_stream.substream(replica.into()), start_index));

        if replica >= self.schedule.replicas() {
            self.schedule.add_replicas(model, self.seed, replica + 1, at);
        }
        let mut context = StartContext { replica, start_index, node: None, revision: start.revision.as_ref() };
        let mut node_wait = 0;
        if let Some(cluster) = &mut self.cluster {
            let assignment = cluster.assign(
                replica,
                start_index,
                start.placement == Placement::Elsewhere,
                start.tied_to.map(|regular| regular.0),
            );
            context.node = Some(assignment.node);
            match assignment.down_until {
                Some(_) if cluster.nodes.starts != StartOnFailedNode::Wait => {
                    return self.fail_start(&context, &Cause::NoCapacity, start_time);
                }
                Some(until) => node_wait = until.saturating_sub(at),
                None => {}
            }
        }
        if let Some(cause) = self.drought(&context, at) {
            return self.fail_start(&context, cause, start_time);
        }
        let Some(start_time) = start_time.map(|time| time.saturating_add(node_wait)) else {
            return InstancePlan::hangs();
        };
        let running_at = at.saturating_add(start_time);
        let ready_time = slow_down(model.ready_in.sample(self.ready_stream.substream(replica.into()), start_index));
        let ready_at = ready_time.map(|time| running_at.saturating_add(time));
        let mut plan = StartPlan { start_time, running_at, ready_at, end: None };
        if !self.apply_outages(&context, at, &mut plan) {
            return self.fail_start(&context, &Cause::StartError, Some(start_time));
        }
        for (index, failure) in model.failures.iter().enumerate() {
            if let Some(after) = failure.time_to_failure(self.failure_streams[index].time, &context, running_at) {
                plan.ends_after(after, EndReason::Failure(index));
            }
        }
        let ready_at = plan.ready_at.unwrap_or(u64::MAX);
        self.instance(replica).replace(start.incarnation.0, running_at, ready_at);
        self.instance_plan(&context, &plan)
    }

    /// Returns the cause with which a drought makes this start fail.
    fn drought(&mut self, start: &StartContext<'_>, at: u64) -> Option<&'m Cause> {
        for ((lookup, stream), drought) in self.droughts.iter_mut().zip(&self.model.droughts) {
            lookup.discard_until(at);
            let hit = || {
                let stream = stream.substream(start.replica.into()).substream(start.start_index);
                drought.share >= 1.0 || stream.uniform() < drought.share
            };
            if lookup.find(at).is_some() && hit() {
                return Some(&drought.cause);
            }
        }
        None
    }

    /// Adds to a plan what outages of dependencies do to an instance started at `at`. Returns `false` if the start
    /// fails.
    fn apply_outages(&mut self, start: &StartContext<'_>, at: u64, plan: &mut StartPlan) -> bool {
        for (index, (lookup, dependency)) in self.outages.iter_mut().zip(&self.model.dependencies).enumerate() {
            lookup.discard_until(at);
            if let Some(outage) = lookup.find(plan.running_at) {
                match dependency.starts {
                    StartDuringOutage::Fail => return false,
                    StartDuringOutage::Wait => {}
                    StartDuringOutage::Crash => {
                        let stream = crash_stream(self.seed, index as u64, start.replica);
                        let survives = dependency.crashes_after.sample(stream, start.start_index);
                        if let Some(survives) =
                            survives.filter(|&survives| plan.running_at.saturating_add(survives) < outage.to)
                        {
                            plan.ends_after(survives, EndReason::Dependency(index));
                        }
                    }
                }
                plan.ready_at = plan.ready_at.map(|ready_at| ready_at.max(outage.to));
            } else if dependency.running == RunningDuringOutage::NotReady {
                plan.ready_at =
                    plan.ready_at.map(|ready_at| lookup.find(ready_at).map_or(ready_at, |outage| outage.to));
            }
        }
        true
    }

    fn instance_plan(&self, start: &StartContext<'_>, plan: &StartPlan) -> InstancePlan {
        let instance = InstancePlan::new(Duration::from_nanos(plan.start_time));
        let instance = match plan.ready_at {
            Some(ready_at) if ready_at < u64::MAX => {
                instance.ready_after(Duration::from_nanos(ready_at - plan.running_at))
            }
            _ => instance.never_ready(),
        };
        match plan.end {
            Some((after, EndReason::Dependency(index))) => {
                instance.ends_after(Duration::from_nanos(after), self.model.dependencies[index].ends.clone())
            }
            Some((after, EndReason::Failure(index))) => {
                let outcome = self.model.failures[index].outcome(self.failure_streams[index].outcome, start);
                instance.ends_after(Duration::from_nanos(after), outcome)
            }
            None => instance,
        }
    }

    fn fail_start(&mut self, start: &StartContext<'_>, cause: &Cause, start_time: Option<u64>) -> InstancePlan {
        self.instance(start.replica).replace(start.start_index + 1, u64::MAX, u64::MAX);
        let stream = RandomStream::new(self.seed, StreamId::StartError, 0).substream(start.replica.into());
        let time = match &self.model.refused_in {
            Some(refused_in) => refused_in.sample(stream, start.start_index),
            None => start_time,
        };
        time.map_or_else(InstancePlan::hangs, |time| {
            InstancePlan::start_fails(Duration::from_nanos(time), cause.clone())
        })
    }

    fn begin(&mut self, source: u32, at: u64, until: u64, actions: &mut Vec<Action>) {
        self.schedule.push(until, FaultEvent::End { source });
        match self.schedule.kind(source) {
            FaultKind::ContactLost(replica) => {
                self.instance(replica).lose_contact();
                actions.push(lost(replica));
            }
            FaultKind::NodeDown(node) => self.nodes_down(node..node + 1, 1, until, actions),
            FaultKind::ZoneDown(zone) => {
                let (nodes, step) = self.zone_nodes(zone);
                self.nodes_down(nodes, step, until, actions);
            }
            FaultKind::DependencyDown(dependency) => self.dependency_down(dependency, at, until, actions),
        }
    }

    fn end(&mut self, source: u32, actions: &mut Vec<Action>) {
        match self.schedule.kind(source) {
            FaultKind::ContactLost(replica) => {
                let became_ready = self.instance(replica).regain_contact();
                actions.push(found(replica));
                if became_ready {
                    actions.push(ready(replica));
                }
            }
            FaultKind::NodeDown(node) => self.nodes_up(node..node + 1, 1, actions),
            FaultKind::ZoneDown(zone) => {
                let (nodes, step) = self.zone_nodes(zone);
                self.nodes_up(nodes, step, actions);
            }
            FaultKind::DependencyDown(dependency) => self.dependency_up(dependency, actions),
        }
        self.schedule.push_next_episode(source);
    }

    /// Returns the nodes of a zone as a range and the step within it.
    fn zone_nodes(&self, zone: u32) -> (Range<u32>, usize) {
        self.model.nodes.as_ref().map_or((0..0, 1), |nodes| (zone..nodes.count, nodes.zones as usize))
    }

    fn nodes_down(&mut self, nodes: Range<u32>, step: usize, until: u64, actions: &mut Vec<Action>) {
        let Some(cluster) = &mut self.cluster else { return };
        let newly_down = cluster.mark_down(nodes.step_by(step), until);
        if newly_down.is_empty() {
            return;
        }
        let (silent, cause) = (cluster.nodes.silent, &cluster.nodes.cause);
        for (replica, instance) in (0u32..).zip(&self.instances) {
            if newly_down.binary_search(&cluster.node_of(replica)).is_ok() && instance.incarnation > 0 {
                if silent {
                    cluster.record_silent_loss(replica, instance.incarnation);
                    actions.push(lost(replica));
                } else {
                    actions.push(fail(replica, cause.clone()));
                }
            }
        }
    }

    fn nodes_up(&mut self, nodes: Range<u32>, step: usize, actions: &mut Vec<Action>) {
        let Some(cluster) = &mut self.cluster else { return };
        for (replica, incarnation) in cluster.mark_up(nodes.step_by(step)) {
            actions.push(found(replica));
            if self.instances.get(replica as usize).is_some_and(|newest| newest.incarnation == incarnation) {
                actions.push(fail(replica, cluster.nodes.cause.clone()));
            }
        }
    }

    fn dependency_down(&mut self, index: u32, at: u64, until: u64, actions: &mut Vec<Action>) {
        let dependency = &self.model.dependencies[index as usize];
        for (replica, instance) in (0u32..).zip(&mut self.instances) {
            // For an instance that starts running at this instant, `apply_outages` has considered the outage.
            if instance.running_at >= at {
                continue;
            }
            match dependency.running {
                RunningDuringOutage::NotReady if instance.ready_at <= at => {
                    instance.block(index);
                    actions.push(not_ready(replica));
                }
                RunningDuringOutage::NotReady | RunningDuringOutage::Serve => {}
                RunningDuringOutage::Crash => {
                    let incarnation = instance.incarnation;
                    let stream = crash_stream(self.seed, index.into(), replica);
                    let survives = dependency.crashes_after.sample(stream, incarnation.saturating_sub(1));
                    if let Some(crash_at) =
                        survives.map(|survives| at.saturating_add(survives)).filter(|&crash_at| crash_at < until)
                    {
                        self.schedule.push(crash_at, FaultEvent::Crash { dependency: index, replica, incarnation });
                    }
                }
            }
        }
    }

    fn dependency_up(&mut self, index: u32, actions: &mut Vec<Action>) {
        for (replica, instance) in (0u32..).zip(&mut self.instances) {
            if instance.unblock(index) {
                actions.push(ready(replica));
            }
        }
    }
}

fn crash_stream(seed: u64, dependency: u64, replica: u32) -> RandomStream {
    RandomStream::new(seed, StreamId::DependencyCrash, dependency).substream(replica.into())
}

impl Environment for FaultEnvironment<'_> {
    fn plan(&mut self, start: &Start, at: Timestamp, starts_in_flight: u32) -> InstancePlan {
        self.plan_start(start, at.as_nanos(), starts_in_flight)
    }

    fn stop_duration(&mut self, stop: &Stop, _at: Timestamp) -> Duration {
        let stream = RandomStream::new(self.seed, StreamId::Stop, 0).substream(stop.replica.0.into());
        let time = self.model.stops_in.sample(stream, stop.incarnation.0.saturating_sub(1));
        time.map_or(Duration::MAX, Duration::from_nanos)
    }

    fn probe_result(&mut self, probe: &ProbeCommand, _at: Timestamp) -> ProbeResult {
        let blocked = self.instance(probe.replica.0).is_blocked();
        if blocked && probe.probe == ProbeKind::Readiness { ProbeResult::Failure } else { ProbeResult::Success }
    }

    /// A slot that is removed has no instance; another of its number begins anew.
    fn observe(&mut self, output: &Output, _at: Timestamp) {
        if let Output::Notice(Notice::Replica(change)) = output
            && change.phase == Phase::Removed
        {
            self.instance(change.replica.0).remove();
            self.cluster.iter_mut().for_each(|cluster| cluster.release(change.replica.0));
        }
    }

    fn next_injection(&self) -> Option<Timestamp> {
        self.schedule.next_at().map(Timestamp::from_nanos)
    }

    fn inject(&mut self, at: Timestamp, actions: &mut Vec<Action>) {
        let at = at.as_nanos();
        while let Some(event) = self.schedule.pop_due(at) {
            match event {
                FaultEvent::Begin { source, until } => self.begin(source, at, until, actions),
                FaultEvent::End { source } => self.end(source, actions),
                FaultEvent::Crash { dependency, replica, incarnation } => {
                    if self.instance(replica).incarnation == incarnation {
                        actions.push(end_action(replica, &self.model.dependencies[dependency as usize].ends));
                    }
                }
            }
        }
    }
}

/// Returns the action that ends a replica with this outcome.
fn end_action(replica: u32, outcome: &Outcome) -> Action {
    match (outcome.get_cause(), outcome.get_exit()) {
        (Some(cause), _) => fail(replica, cause.clone()),
        (None, Some(Exit::Signal(by))) => signal(replica, by),
        (None, Some(Exit::Code(code))) => exit(replica, code),
        (None, None) => fail(replica, Cause::Error),
    }
}
