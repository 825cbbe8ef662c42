//! The simulated backend: executes the set's commands as the environment decides.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

use super::environment::Environment;
use super::instances::Instances;
use crate::decide::InstanceId;
use crate::engine::{Command, Event, ProbeKind, ProbeReport, ProbeResult, Start};
use crate::in_place_queue::InPlaceQueue;
use crate::time::{Timestamp, nanos};

pub(super) struct SimulatedBackend<'e, E> {
    pub(super) environment: &'e mut E,
    pub(super) instances: Instances,
    replies: BinaryHeap<Reverse<Reply>>,
    /// Replies to commands of the current instant. They are delivered after those scheduled earlier for that instant.
    immediate: VecDeque<Reply>,
    /// When the next reply is due, or `MAX`.
    next_reply: Timestamp,
    sequence: u64,
}

/// An event that reports the effect of a command. Ordered by time, then by when it was scheduled.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Reply {
    at: Timestamp,
    sequence: u64,
    instance: InstanceId,
    kind: ReplyKind,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum ReplyKind {
    Stopped,
    /// An instance whose start was reported as failed is running.
    LateStart,
    Probe(ProbeKind, ProbeResult),
}

impl Ord for Reply {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

impl PartialOrd for Reply {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<'e, E: Environment> SimulatedBackend<'e, E> {
    pub(super) fn new(environment: &'e mut E, replicas: u32) -> Self {
        Self {
            environment,
            instances: Instances::new(replicas),
            replies: BinaryHeap::new(),
            immediate: VecDeque::new(),
            next_reply: Timestamp::MAX,
            sequence: 0,
        }
    }

    /// Returns the time of the next event or injection, or `MAX`.
    #[inline]
    pub(super) fn next(&self) -> Timestamp {
        let injection = self.environment.next_injection().unwrap_or(Timestamp::MAX);
        self.instances.next().min(self.next_reply).min(injection)
    }

    /// Adds the events that are due: what instances do of their own accord, then replies to commands.
    #[inline]
    pub(super) fn poll_events(&mut self, now: Timestamp, events: &mut InPlaceQueue<Event>) {
        self.instances.advance(now, events);
        if self.next_reply <= now {
            self.deliver_replies(now, events);
        }
    }

    #[inline(never)]
    fn deliver_replies(&mut self, now: Timestamp, events: &mut InPlaceQueue<Event>) {
        while let Some(Reverse(reply)) = self.replies.peek().copied().filter(|Reverse(next)| next.at <= now) {
            self.replies.pop();
            self.event_for_reply(reply).into_iter().for_each(|event| events.push(event));
        }
        while let Some(reply) = self.immediate.pop_front() {
            self.event_for_reply(reply).into_iter().for_each(|event| events.push(event));
        }
        self.next_reply = self.replies.peek().map_or(Timestamp::MAX, |Reverse(reply)| reply.at);
    }

    fn event_for_reply(&mut self, reply: Reply) -> Option<Event> {
        let Reply { instance, kind, .. } = reply;
        match kind {
            ReplyKind::Stopped => {
                self.instances.remove(instance);
                Some(Event::stopped(instance))
            }
            ReplyKind::LateStart => Some(Event::started(instance)),
            ReplyKind::Probe(probe, result) => {
                let may_be_alive = self.instances.get(instance.replica).may_be_alive(instance.incarnation);
                may_be_alive.then(|| Event::Probed(ProbeReport::new(instance, probe, result)))
            }
        }
    }

    /// Executes a command. `starts_in_flight` includes all starts that are commanded at this instant.
    #[inline]
    pub(super) fn execute(&mut self, command: &Command, now: Timestamp, starts_in_flight: u32) {
        let instance = command.instance();
        match command {
            Command::Start(start) => self.start(start, now, starts_in_flight),
            Command::Stop(_) | Command::Kill(_) if self.instances.is_lost(instance) => {}
            Command::Stop(stop) => {
                let duration = nanos(self.environment.stop_duration(stop, now));
                self.schedule_reply(now, duration, instance, ReplyKind::Stopped);
            }
            Command::Kill(kill) => {
                let duration = nanos(self.environment.kill_duration(kill, now));
                self.schedule_reply(now, duration, instance, ReplyKind::Stopped);
            }
            Command::Probe(probe) => {
                let lost = self.instances.is_lost(instance);
                let result = if lost { ProbeResult::Unanswered } else { self.environment.probe_result(probe, now) };
                self.schedule_reply(now, 0, instance, ReplyKind::Probe(probe.probe, result));
            }
        }
    }

    /// Not inlined: most outputs are not starts.
    #[inline(never)]
    fn start(&mut self, start: &Start, now: Timestamp, starts_in_flight: u32) {
        let plan = self.environment.plan(start, now, starts_in_flight);
        self.instances.start(start.instance(), plan, now);
        if let Some(after) = self.environment.late_start(start, now) {
            self.schedule_reply(now, nanos(after), start.instance(), ReplyKind::LateStart);
        }
    }

    /// Schedules a reply `after` nanoseconds; `u64::MAX`: never.
    fn schedule_reply(&mut self, now: Timestamp, after: u64, instance: InstanceId, kind: ReplyKind) {
        if after == u64::MAX {
            return;
        }
        self.sequence += 1;
        let reply = Reply { at: now.plus_nanos(after), sequence: self.sequence, instance, kind };
        self.next_reply = self.next_reply.min(reply.at);
        if reply.at <= now {
            self.immediate.push_back(reply);
        } else {
            self.replies.push(Reverse(reply));
        }
    }
}
