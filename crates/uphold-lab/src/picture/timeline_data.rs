//! The data of a timeline, extracted from a run. Times are in nanoseconds since the start of the run.

use std::collections::BTreeMap;

use uphold::sim::Run;
use uphold::trace::{TraceKind, TraceLine, TraceValue};
use uphold::{Phase, ReplicaSet, Verdict};

use super::style::{phase_index, status_index};

/// States over time: pairs of the time of a change and the index of the new state's style, in order of time.
pub(super) type StateChanges = Vec<(u64, u8)>;

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
        for (at, change) in run.phase_changes() {
            if change.phase == Phase::Starting && change.incarnation.0 > 1 {
                data.restarts.push((at.as_nanos(), change.replica.0));
            }
        }
        run.trace().lines().iter().for_each(|line| data.add_line(line));
        data
    }

    /// Adds an incident or an operator request from the trace.
    fn add_line(&mut self, line: &TraceLine) {
        let at = line.at_ms().saturating_mul(1_000_000);
        let text = |key| match line.get(key) {
            Some(TraceValue::Text(text)) => text.as_ref(),
            _ => "",
        };
        let number = |key| match line.get(key) {
            Some(TraceValue::Int(number)) => u32::try_from(*number).unwrap_or(u32::MAX),
            _ => 0,
        };
        match (line.kind(), text("incident"), text("event")) {
            (TraceKind::Incident, "recognised", _) => self.add_incident(at, number("replicas")),
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
                self.operator_requests.push((at, format!("scale {}", number("replicas"))));
            }
            (TraceKind::Event, _, "terminate") => self.operator_requests.push((at, "terminate".to_owned())),
            (TraceKind::Event, _, request @ ("restart" | "drain" | "reset" | "retry-now")) => {
                let target = match (line.get("replica"), line.get("cause")) {
                    (Some(_), _) => number("replica").to_string(),
                    (None, Some(_)) => text("cause").to_owned(),
                    (None, None) => "all".to_owned(),
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

/// Returns the phases of each replica. The wait of a new replica for its first start is not in the run's phases; it is
/// derived from the number of desired replicas.
fn replica_phases(run: &Run, initial: Option<&ReplicaSet>, counts: &[ReplicaCount]) -> Vec<StateChanges> {
    let mut by_replica: BTreeMap<u32, StateChanges> = BTreeMap::new();
    let waiting = phase_index(Phase::Waiting);
    if let Some(initial) = initial {
        for view in initial.replicas() {
            by_replica.insert(view.replica.0, vec![(0, phase_index(view.phase))]);
        }
    }
    let mut most_desired = initial.map_or(0, ReplicaSet::desired);
    for &ReplicaCount { at, desired, .. } in counts {
        for replica in most_desired..desired {
            by_replica.entry(replica).or_insert_with(|| vec![(at, waiting)]);
        }
        most_desired = most_desired.max(desired);
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
