//! The simulated backend: carries commands out, in the way in which the environment says that they go.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, VecDeque};

use super::environment::Environment;
use super::instances::Instances;
use crate::decide::{Incarnation, ReplicaId};
use crate::engine::{Command, Event, ProbeKind, ProbeNews, ProbeResult, Start};
use crate::places::Places;
use crate::time::{Timestamp, nanos};

pub(super) struct Backend<'e, E> {
    pub(super) environment: &'e mut E,
    pub(super) instances: Instances,
    answers: BinaryHeap<Reverse<Answer>>,
    /// Answers of the present instant, which come after those that were on their way.
    at_once: VecDeque<Answer>,
    /// When the next answer comes, or never.
    next_answer: Timestamp,
    sequence: u64,
}

/// What an instance will answer to a command. The earlier is the smaller.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Answer {
    at: Timestamp,
    sequence: u64,
    replica: ReplicaId,
    incarnation: Incarnation,
    what: Answers,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Answers {
    Stopped,
    /// A start that was reported as failed has come about.
    CameAbout,
    Probe(ProbeKind, ProbeResult),
}

impl Ord for Answer {
    fn cmp(&self, other: &Self) -> Ordering {
        (self.at, self.sequence).cmp(&(other.at, other.sequence))
    }
}

impl PartialOrd for Answer {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<'e, E: Environment> Backend<'e, E> {
    pub(super) fn new(environment: &'e mut E, replicas: u32) -> Self {
        Self {
            environment,
            instances: Instances::new(replicas),
            answers: BinaryHeap::new(),
            at_once: VecDeque::new(),
            next_answer: Timestamp::MAX,
            sequence: 0,
        }
    }

    /// When it has something to tell next, or something befalls it.
    #[inline]
    pub(super) fn next(&self) -> Timestamp {
        let befalls = self.environment.next().unwrap_or(Timestamp::MAX);
        self.instances.next().min(self.next_answer).min(befalls)
    }

    /// What instances do by themselves by now, and what they answer.
    #[inline]
    pub(super) fn tell(&mut self, now: Timestamp, events: &mut Places<Event>) {
        self.instances.act(now, events);
        if self.next_answer <= now {
            self.answer_what_is_due(now, events);
        }
    }

    #[inline(never)]
    fn answer_what_is_due(&mut self, now: Timestamp, events: &mut Places<Event>) {
        while let Some(Reverse(answer)) = self.answers.peek().copied().filter(|Reverse(next)| next.at <= now) {
            self.answers.pop();
            self.answered(answer).into_iter().for_each(|event| events.push(event));
        }
        while let Some(answer) = self.at_once.pop_front() {
            self.answered(answer).into_iter().for_each(|event| events.push(event));
        }
        self.next_answer = self.answers.peek().map_or(Timestamp::MAX, |Reverse(answer)| answer.at);
    }

    fn answered(&mut self, answer: Answer) -> Option<Event> {
        let Answer { replica, incarnation, what, .. } = answer;
        match what {
            Answers::Stopped => {
                self.instances.gone(replica, incarnation);
                Some(Event::stopped(replica, incarnation))
            }
            Answers::CameAbout => Some(Event::started(replica, incarnation)),
            Answers::Probe(probe, result) => {
                let news = ProbeNews { replica, incarnation, probe, result, at: None, message: None };
                self.instances.get(replica).lives(incarnation).then_some(Event::Probed(news))
            }
        }
    }

    /// `under_way`: so many starts are, with all that are commanded at this instant.
    #[inline]
    pub(super) fn carry_out(&mut self, command: &Command, now: Timestamp, under_way: u32) {
        let (replica, incarnation) = command.instance();
        match command {
            Command::Start(start) => self.start(start, now, under_way),
            // An instance that hears nothing does not stop.
            Command::Stop(_) | Command::Kill(_) if self.instances.get(replica).lost == Some(incarnation) => {}
            Command::Stop(stop) => {
                let takes = nanos(self.environment.stops_in(stop, now));
                self.answer(now, takes, replica, incarnation, Answers::Stopped);
            }
            Command::Kill(kill) => {
                let takes = nanos(self.environment.killed_in(kill, now));
                self.answer(now, takes, replica, incarnation, Answers::Stopped);
            }
            Command::Probe(probe) => {
                let heard = self.instances.get(replica).lost != Some(incarnation);
                let result = if heard { self.environment.answer(probe, now) } else { ProbeResult::Unanswered };
                self.answer(now, 0, replica, incarnation, Answers::Probe(probe.probe, result));
            }
        }
    }

    /// Apart: most outputs are no starts.
    #[inline(never)]
    fn start(&mut self, start: &Start, now: Timestamp, under_way: u32) {
        let life = self.environment.life(start, now, under_way);
        self.instances.start(start.replica, start.incarnation, life, now);
        if let Some(after) = self.environment.comes_about(start, now) {
            self.answer(now, nanos(after), start.replica, start.incarnation, Answers::CameAbout);
        }
    }

    fn answer(&mut self, now: Timestamp, after: u64, replica: ReplicaId, incarnation: Incarnation, what: Answers) {
        if after == u64::MAX {
            return;
        }
        self.sequence += 1;
        let answer = Answer { at: now.plus_nanos(after), sequence: self.sequence, replica, incarnation, what };
        self.next_answer = self.next_answer.min(answer.at);
        if answer.at <= now {
            self.at_once.push_back(answer);
        } else {
            self.answers.push(Reverse(answer));
        }
    }
}
