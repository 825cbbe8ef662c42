//! What a run keeps of all that a set is told and hands out: trace, statuses, verdicts, stats.

use std::time::Duration;

use super::run::{Run, RunStats};
use super::trace::Trace;
use crate::decide::{Decision, ReplicaId, Status};
use crate::engine::{Command, Event, Notice, Output, ReplicaChange, ReplicaSet, StatusChange, TraceLine};
use crate::time::Timestamp;

/// What a run keeps. Times count from its start.
pub(super) struct Collector {
    start: Timestamp,
    /// Only stats are kept otherwise.
    keep_trace: bool,
    pub(super) trace: Trace,
    statuses: Vec<(Timestamp, StatusChange)>,
    verdicts: Vec<(Timestamp, ReplicaId, Decision)>,
    phases: Vec<(Timestamp, ReplicaChange)>,
    pub(super) stats: RunStats,
    /// The status that the set has, and since when.
    status: (Status, Timestamp),
    /// The time in each, by its place in `Status::ALL`.
    time_in: [Duration; Status::ALL.len()],
}

impl Collector {
    pub(super) fn new(set: &ReplicaSet, start: Timestamp, keep_trace: bool) -> Self {
        Self {
            start,
            keep_trace,
            trace: Trace::default(),
            statuses: Vec::new(),
            verdicts: Vec::new(),
            phases: Vec::new(),
            stats: RunStats::default(),
            status: (set.status(), Timestamp::ZERO),
            time_in: [Duration::ZERO; Status::ALL.len()],
        }
    }

    fn since_start(&self, at: Timestamp) -> Timestamp {
        Timestamp::from_nanos(at.nanos_since(self.start))
    }

    /// The set is told this, at `at`.
    #[inline]
    pub(super) fn record_event(&mut self, event: &Event, at: Timestamp) {
        self.stats.events += 1;
        if self.keep_trace {
            self.trace.add(TraceLine::of_event(event, at, self.start));
        }
    }

    /// The set has been told something, and its outputs are about to be drained.
    #[inline]
    pub(super) fn record_in_flight(&mut self, in_flight: u32) {
        self.stats.most_starts_at_once = self.stats.most_starts_at_once.max(in_flight);
    }

    /// The set hands this out.
    #[inline]
    pub(super) fn record_output(&mut self, output: &Output, at: Timestamp) {
        self.stats.starts += u64::from(matches!(output, Output::Command(Command::Start(_))));
        let changes_status = match output {
            Output::Notice(Notice::Status(change)) => change.status != self.status.0,
            _ => false,
        };
        if changes_status || self.keep_trace {
            self.record_in_trace(output, at);
        }
    }

    fn record_in_trace(&mut self, output: &Output, at: Timestamp) {
        match output {
            Output::Notice(Notice::Status(change)) => self.record_status(change, self.since_start(at)),
            Output::Notice(Notice::Verdict(judged)) => {
                self.verdicts.push((self.since_start(at), judged.replica, judged.decision.clone()));
                self.trace.extend(TraceLine::of_output(output, at, self.start));
            }
            Output::Notice(Notice::Replica(change)) => self.phases.push((self.since_start(at), *change)),
            Output::Command(_) | Output::Notice(_) => {
                self.trace.extend(TraceLine::of_output(output, at, self.start));
            }
        }
    }

    fn record_status(&mut self, change: &StatusChange, at: Timestamp) {
        if self.status.0 != change.status {
            self.count_time(at);
            self.stats.outages += u64::from(change.status == Status::Outage);
            self.status = (change.status, at);
        }
        if self.keep_trace {
            self.trace.status(change.clone());
            match self.statuses.last_mut() {
                Some((last, kept)) if *last == at => *kept = change.clone(),
                _ => self.statuses.push((at, change.clone())),
            }
        }
    }

    /// Counts the time that the present status has lasted.
    fn count_time(&mut self, at: Timestamp) {
        let (status, since) = self.status;
        let lasted = at.since(since);
        self.time_in[status.place()] += lasted;
        if status == Status::Outage {
            self.stats.longest_outage = self.stats.longest_outage.max(lasted);
        }
    }

    #[inline]
    pub(super) fn end_instant(&mut self, at: Timestamp) {
        if self.keep_trace {
            self.trace.end_instant(self.since_start(at));
        }
    }

    /// The run ends at `at`.
    pub(super) fn finish(mut self, set: ReplicaSet, at: Timestamp) -> Run {
        let until = self.since_start(at);
        self.count_time(until);
        let times = Status::ALL.into_iter().zip(self.time_in);
        self.stats.time_in = times.filter(|(_, lasted)| !lasted.is_zero()).collect();
        let Self { trace, statuses, verdicts, phases, stats, .. } = self;
        Run { trace, statuses, verdicts, phases, stats, set, until }
    }
}
