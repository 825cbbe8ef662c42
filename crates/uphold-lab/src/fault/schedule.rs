//! The schedule of the faults that begin and end at given times: outages, node and zone failures, losses of contact.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::ops::Range;

use super::dependency::RunningDuringOutage;
use super::episodes::{Episode, EpisodeIter};
use super::model::FaultModel;
use super::random::{RandomStream, StreamId};

/// A queue of fault events in order of time. Times are in nanoseconds since the start of the run.
#[derive(Debug)]
pub(super) struct FaultSchedule<'m> {
    sources: Vec<FaultSource<'m>>,
    queue: BinaryHeap<Reverse<ScheduledEvent>>,
    sequence: u64,
    /// Replicas below this number have sources of their own.
    replicas: u32,
}

/// A fault and its episodes. Only its next or current episode is in the queue.
#[derive(Debug)]
struct FaultSource<'m> {
    kind: FaultKind,
    episodes: EpisodeIter<'m>,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FaultKind {
    /// By node number.
    NodeDown(u32),
    /// By zone number.
    ZoneDown(u32),
    /// By index in the model's dependencies.
    DependencyDown(u32),
    /// By replica number.
    ContactLost(u32),
}

/// Ordered by time; at the same time, in the order of insertion.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
struct ScheduledEvent {
    at: u64,
    sequence: u64,
    event: FaultEvent,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum FaultEvent {
    /// An episode of a source begins; it ends at `until`.
    Begin { source: u32, until: u64 },
    /// An episode of a source ends.
    End { source: u32 },
    /// An instance that was running when a dependency went down crashes.
    Crash { dependency: u32, replica: u32, incarnation: u64 },
}

impl<'m> FaultSchedule<'m> {
    /// Returns a schedule with the first episode of each fault of the model.
    pub(super) fn new(model: &'m FaultModel, seed: u64, replicas: u32) -> Self {
        let sources = fault_sources(model, seed, replicas);
        let mut schedule = Self { sources, queue: BinaryHeap::new(), sequence: 0, replicas };
        for source in 0..schedule.sources.len() as u32 {
            schedule.push_next_episode(source);
        }
        schedule
    }

    /// Returns the number of replicas that the schedule covers.
    pub(super) fn replicas(&self) -> u32 {
        self.replicas
    }

    /// Adds the faults of replicas up to `replicas`, as extra slots are started. What was over before `at` is left out.
    pub(super) fn add_replicas(&mut self, model: &'m FaultModel, seed: u64, replicas: u32, at: u64) {
        for source in lost_contact_sources(model, seed, self.replicas..replicas) {
            self.sources.push(source);
            let source = self.sources.len() as u32 - 1;
            while let Some(Episode { from, to }) = self.sources[source as usize].episodes.next() {
                if to > at {
                    self.push(from.max(at), FaultEvent::Begin { source, until: to });
                    break;
                }
            }
        }
        self.replicas = self.replicas.max(replicas);
    }

    pub(super) fn kind(&self, source: u32) -> FaultKind {
        self.sources[source as usize].kind
    }

    /// Returns the time of the next event.
    pub(super) fn next_at(&self) -> Option<u64> {
        self.queue.peek().map(|Reverse(scheduled)| scheduled.at)
    }

    /// Removes and returns the next event that is due by `now`.
    pub(super) fn pop_due(&mut self, now: u64) -> Option<FaultEvent> {
        let due = self.next_at().is_some_and(|at| at <= now);
        if due { self.queue.pop().map(|Reverse(scheduled)| scheduled.event) } else { None }
    }

    /// Adds an event; one at `u64::MAX` never happens.
    pub(super) fn push(&mut self, at: u64, event: FaultEvent) {
        if at < u64::MAX {
            self.sequence += 1;
            self.queue.push(Reverse(ScheduledEvent { at, sequence: self.sequence, event }));
        }
    }

    /// Adds the start of the next episode of a source.
    pub(super) fn push_next_episode(&mut self, source: u32) {
        if let Some(Episode { from, to }) = self.sources[source as usize].episodes.next() {
            self.push(from, FaultEvent::Begin { source, until: to });
        }
    }
}

fn fault_sources(model: &FaultModel, seed: u64, replicas: u32) -> Vec<FaultSource<'_>> {
    let mut sources = Vec::new();
    for (index, dependency) in (0u32..).zip(&model.dependencies) {
        if dependency.running != RunningDuringOutage::Serve {
            let stream = RandomStream::new(seed, StreamId::Dependency, index.into());
            let episodes = dependency.outages.sample_iter(stream);
            sources.push(FaultSource { kind: FaultKind::DependencyDown(index), episodes });
        }
    }
    sources.extend(lost_contact_sources(model, seed, 0..replicas));
    if let Some(nodes) = &model.nodes {
        let domains = [
            (&nodes.node_fails, nodes.count, StreamId::Node, FaultKind::NodeDown as fn(u32) -> FaultKind),
            (&nodes.zone_fails, nodes.zones, StreamId::Zone, FaultKind::ZoneDown),
        ];
        for (failures, count, stream_id, kind) in domains {
            for (index, (named, episodes)) in (0u64..).zip(failures) {
                let stream = RandomStream::new(seed, stream_id, index);
                let affected = named.map_or(0..count, |one| one..one.saturating_add(1).min(count));
                for domain in affected {
                    let episodes = episodes.sample_iter(stream.substream(domain.into()));
                    sources.push(FaultSource { kind: kind(domain), episodes });
                }
            }
        }
    }
    sources
}

/// Returns the losses of contact of some replicas.
fn lost_contact_sources(model: &FaultModel, seed: u64, replicas: Range<u32>) -> Vec<FaultSource<'_>> {
    let mut sources = Vec::new();
    for (index, lost) in (0u64..).zip(&model.lost_contact) {
        let stream = RandomStream::new(seed, StreamId::LostContact, index);
        let affected: Vec<u32> = match &lost.replicas {
            Some(named) => named.iter().copied().filter(|replica| replicas.contains(replica)).collect(),
            None => replicas.clone().collect(),
        };
        for replica in affected {
            let episodes = lost.episodes.sample_iter(stream.substream(replica.into()));
            sources.push(FaultSource { kind: FaultKind::ContactLost(replica), episodes });
        }
    }
    sources
}
