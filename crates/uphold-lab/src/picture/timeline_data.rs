//! The data of a timeline, extracted from a run. Times are in nanoseconds since the start of the run.

use std::collections::{BTreeMap, BTreeSet};

use uphold::sim::Run;
use uphold::trace::{TraceKind, TraceLine};
use uphold::{Phase, ReplicaSet, Verdict};

use super::slots::{SlotHistory, number, text};
use super::spans::StateChanges;
use super::style::{phase_index, status_index};

/// What a timeline shows of a run.
pub(super) struct TimelineData {
    /// By replica number.
    pub(super) replicas: Vec<StateChanges>,
    pub(super) status: StateChanges,
    pub(super) counts: Vec<ReplicaCount>,
    pub(super) verdicts: Vec<VerdictRecord>,
    pub(super) incidents: Vec<IncidentRecord>,
    /// Time and text, such as `scale 5`.
    pub(super) operator_requests: Vec<(u64, String)>,
    /// Time and replica.
    pub(super) restarts: Vec<(u64, u32)>,
    pub(super) slots: SlotHistory,
}

/// The numbers of replicas from a time on.
#[derive(Clone, Copy)]
pub(super) struct ReplicaCount {
    pub(super) at: u64,
    pub(super) available: u32,
    pub(super) desired: u32,
}

pub(super) struct VerdictRecord {
    pub(super) at: u64,
    pub(super) replica: u32,
    pub(super) verdict: Verdict,
    /// The decision as a sentence.
    pub(super) sentence: String,
}

/// A correlated failure of several replicas.
pub(super) struct IncidentRecord {
    pub(super) recognised: u64,
    pub(super) replicas: u32,
    /// When the canary was up.
    pub(super) resuming: Option<u64>,
    /// `None`: it is not over at the end of the run.
    pub(super) over: Option<u64>,
}

impl TimelineData {
    /// Extracts the data of a run. `initial`: the set at the start, if it had been running before.
    pub(super) fn new(run: &Run, initial: Option<&ReplicaSet>) -> Self {
        let count = |at, available, desired| ReplicaCount { at, available, desired };
        let counts: Vec<ReplicaCount> = run
            .status_changes()
            .iter()
            .map(|(at, change)| count(at.as_nanos(), change.available, change.desired))
            .collect();
        let status =
            run.status_changes().iter().map(|(at, change)| (at.as_nanos(), status_index(change.status))).collect();
        let mut data = Self {
            replicas: replica_phases(run, initial, &counts),
            status,
            counts,
            verdicts: Vec::with_capacity(run.verdicts().len()),
            incidents: Vec::new(),
            operator_requests: Vec::new(),
            restarts: Vec::new(),
            slots: SlotHistory::default(),
        };
        if let Some(initial) = initial {
            data.status.insert(0, (0, status_index(initial.status())));
            data.counts.insert(0, count(0, initial.census().available, initial.desired()));
        }
        for (at, replica, decision) in run.verdicts() {
            data.verdicts.push(VerdictRecord {
                at: at.as_nanos(),
                replica: replica.0,
                verdict: decision.verdict,
                sentence: decision.to_string(),
            });
        }
        data.add_phases(run);
        data
    }

    /// Adds restarts, and the lines of the trace. A removed slot is forgotten: another of its number may be added later.
    fn add_phases(&mut self, run: &Run) {
        let mut added: BTreeSet<u32> = BTreeSet::new();
        let mut lines = run.trace().lines().iter().peekable();
        for (at, change) in run.phase_changes() {
            while let Some(line) = lines.next_if(|line| line.at_ms().saturating_mul(1_000_000) < at.as_nanos()) {
                self.add_line(line);
            }
            let replica = change.replica.0;
            match change.phase {
                Phase::Starting if change.incarnation.0 > 1 && !added.remove(&replica) => {
                    self.restarts.push((at.as_nanos(), replica));
                }
                Phase::Removed => {
                    added.insert(replica);
                    self.slots.remove(replica, at.as_nanos());
                }
                _ => {}
            }
        }
        lines.for_each(|line| self.add_line(line));
        self.slots.drop_refused_drains(&self.replicas);
    }

    /// Adds an incident or an operator request from the trace.
    fn add_line(&mut self, line: &TraceLine) {
        let at = line.at_ms().saturating_mul(1_000_000);
        self.slots.add_line(line, at);
        match (line.kind(), text(line, "incident"), text(line, "event")) {
            (TraceKind::Incident, "recognised", _) => self.add_incident(at, number(line, "replicas")),
            (TraceKind::Incident, "resuming", _) => {
                if let Some(incident) = self.incidents.last_mut() {
                    incident.resuming.get_or_insert(at);
                }
            }
            (TraceKind::Incident, "over", _) => {
                if let Some(incident) = self.incidents.last_mut() {
                    incident.over.get_or_insert(at);
                }
            }
            (TraceKind::Event, _, "scale") => {
                self.operator_requests.push((at, format!("scale {}", number(line, "replicas"))));
            }
            (TraceKind::Event, _, request @ ("terminate" | "promote")) => {
                self.operator_requests.push((at, request.to_owned()));
            }
            (TraceKind::Event, _, "roll-back") => self.operator_requests.push((at, "roll back".to_owned())),
            (TraceKind::Event, _, "roll-out") => {
                self.operator_requests.push((at, format!("roll out {}", text(line, "revision"))));
            }
            (TraceKind::Event, _, "interruption-notice") => {
                self.operator_requests.push((at, format!("notice for {}", number(line, "replica"))));
            }
            (
                TraceKind::Event,
                _,
                request @ ("restart" | "drain" | "undrain" | "stop" | "start" | "reset" | "retry-now"),
            ) => {
                let target = match ["replica", "replicas", "cause"].map(|key| line.get(key).is_some()) {
                    [true, ..] => number(line, "replica").to_string(),
                    [_, true, _] => text(line, "replicas").to_owned(),
                    [.., true] => text(line, "cause").to_owned(),
                    _ => "all".to_owned(),
                };
                self.operator_requests.push((at, format!("{request} {target}")));
            }
            _ => {}
        }
    }

    /// Adds an incident. One that is recognised again, with more replicas, is the same incident.
    fn add_incident(&mut self, at: u64, replicas: u32) {
        match self.incidents.last_mut() {
            Some(open) if open.over.is_none() => open.replicas = open.replicas.max(replicas),
            _ => self.incidents.push(IncidentRecord { recognised: at, replicas, resuming: None, over: None }),
        }
    }
}

/// Returns the phases of each replica. The wait of the first replicas for their first start is not in the run's phases; it
/// is derived from the number of desired replicas.
fn replica_phases(run: &Run, initial: Option<&ReplicaSet>, counts: &[ReplicaCount]) -> Vec<StateChanges> {
    let mut by_replica: BTreeMap<u32, StateChanges> = BTreeMap::new();
    let waiting = phase_index(Phase::Waiting);
    match (initial, counts.first()) {
        (Some(initial), _) => {
            for view in initial.replicas() {
                by_replica.insert(view.replica.0, vec![(0, phase_index(view.phase))]);
            }
        }
        (None, Some(first)) => by_replica.extend((0..first.desired).map(|replica| (replica, vec![(0, waiting)]))),
        (None, None) => {}
    }
    for (at, change) in run.phase_changes() {
        let changes = by_replica.entry(change.replica.0).or_default();
        changes.push((at.as_nanos(), phase_index(change.phase)));
    }
    let count = by_replica.keys().next_back().map_or(0, |last| *last as usize + 1);
    let mut replicas = vec![StateChanges::new(); count];
    for (replica, changes) in by_replica {
        replicas[replica as usize] = changes;
    }
    replicas
}
