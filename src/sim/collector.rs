//! Collects the result of a run: trace, statuses, verdicts and statistics.

use std::time::Duration;

use super::capacity::Capacity;
use super::run::{Run, RunStats};
use super::trace::Trace;
use crate::decide::{Decision, ReplicaId, Status};
use crate::engine::{Command, Event, Notice, Output, ReplicaChange, ReplicaSet, StatusChange, TraceLine};
use crate::time::Timestamp;

/// Collects the result of a run. Methods take times of the set's clock; the result counts from the start of the run.
pub(super) struct Collector {
    start: Timestamp,
    /// If false, only statistics are kept.
    keep_trace: bool,
    pub(super) trace: Trace,
    status_changes: Vec<(Timestamp, StatusChange)>,
    verdicts: Vec<(Timestamp, ReplicaId, Decision)>,
    phase_changes: Vec<(Timestamp, ReplicaChange)>,
    pub(super) stats: RunStats,
    /// The current status, and since when.
    status: (Status, Timestamp),
    capacity: Capacity,
    /// Time spent in each status, indexed by its place in `Status::ALL`.
    time_in: [Duration; Status::ALL.len()],
}

impl Collector {
    pub(super) fn new(set: &ReplicaSet, start: Timestamp, keep_trace: bool) -> Self {
        Self {
            start,
            keep_trace,
            trace: Trace::default(),
            status_changes: Vec::new(),
            verdicts: Vec::new(),
            phase_changes: Vec::new(),
            stats: RunStats::default(),
            status: (set.status(), Timestamp::ZERO),
            capacity: Capacity::new(set),
            time_in: [Duration::ZERO; Status::ALL.len()],
        }
    }

    fn since_start(&self, at: Timestamp) -> Timestamp {
        Timestamp::from_nanos(at.nanos_since(self.start))
    }

    #[inline]
    pub(super) fn record_event(&mut self, event: &Event, at: Timestamp) {
        self.stats.events += 1;
        if self.keep_trace {
            self.trace.add([TraceLine::of_event(event, at, self.start)]);
        }
    }

    #[inline]
    pub(super) fn record_in_flight(&mut self, in_flight: u32) {
        self.stats.peak_starts_in_flight = self.stats.peak_starts_in_flight.max(in_flight);
    }

    #[inline]
    pub(super) fn record_output(&mut self, output: &Output, at: Timestamp) {
        self.stats.starts += u64::from(matches!(output, Output::Command(Command::Start(_))));
        let changes_status = match output {
            Output::Notice(Notice::Status(change)) => {
                self.capacity.record(change, self.since_start(at));
                change.status != self.status.0
            }
            _ => false,
        };
        if changes_status || self.keep_trace {
            self.keep_output(output, at);
        }
    }

    fn keep_output(&mut self, output: &Output, at: Timestamp) {
        match output {
            Output::Notice(Notice::Status(change)) => self.record_status(change, self.since_start(at)),
            Output::Notice(Notice::Verdict(judged)) => {
                self.verdicts.push((self.since_start(at), judged.replica, judged.decision.clone()));
                self.trace.add(TraceLine::of_output(output, at, self.start));
            }
            Output::Notice(Notice::Replica(change)) => self.phase_changes.push((self.since_start(at), *change)),
            Output::Command(_) | Output::Notice(_) => self.trace.add(TraceLine::of_output(output, at, self.start)),
        }
    }

    fn record_status(&mut self, change: &StatusChange, at: Timestamp) {
        if self.status.0 != change.status {
            self.count_time(at);
            self.stats.outages += u64::from(change.status == Status::Outage);
            self.status = (change.status, at);
        }
        if self.keep_trace {
            self.trace.set_status(change.clone());
            match self.status_changes.last_mut() {
                Some((last, kept)) if *last == at => *kept = change.clone(),
                _ => self.status_changes.push((at, change.clone())),
            }
        }
    }

    /// Adds the time that the current status has lasted until `at`.
    fn count_time(&mut self, at: Timestamp) {
        let (status, since) = self.status;
        let lasted = at.since(since);
        self.time_in[status.index()] += lasted;
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

    /// Ends the run at `at`.
    pub(super) fn finish(mut self, set: ReplicaSet, at: Timestamp) -> Run {
        let until = self.since_start(at);
        self.count_time(until);
        let times = Status::ALL.into_iter().zip(self.time_in);
        (self.stats.served, self.stats.desired) = self.capacity.finish(until);
        self.stats.time_in = times.filter(|(_, lasted)| !lasted.is_zero()).collect();
        let Self { trace, status_changes, verdicts, phase_changes, stats, .. } = self;
        Run { trace, status_changes, verdicts, phase_changes, stats, set, until, unused_behaviours: Vec::new() }
    }
}
