//! What a run tells a picture: states over time, and what happened when.

use std::collections::BTreeMap;

use uphold::sim::Run;
use uphold::{Phase, ReplicaSet, TraceKind, TraceLine, TraceValue, Verdict};

use super::style;

/// States over time: each change with its nanosecond, rising.
pub(super) type StateChanges = Vec<(u64, u8)>;

/// What a run tells a picture.
pub(super) struct TimelineData {
    /// By number.
    pub(super) replicas: Vec<StateChanges>,
    pub(super) status: StateChanges,
    /// How many are available and desired, from each time on.
    pub(super) counts: Vec<(u64, u32, u32)>,
    pub(super) verdicts: Vec<VerdictRecord>,
    pub(super) incidents: Vec<IncidentRecord>,
    /// What operators asked for, such as `scale 5`.
    pub(super) operator_requests: Vec<(u64, String)>,
    /// Restarts: when, and of which replica.
    pub(super) restarts: Vec<(u64, u32)>,
}

/// A verdict.
pub(super) struct VerdictRecord {
    pub(super) at: u64,
    pub(super) replica: u32,
    pub(super) verdict: Verdict,
    /// The sentence for an operator.
    pub(super) sentence: String,
}

/// Failures together that are one incident.
pub(super) struct IncidentRecord {
    pub(super) recognised: u64,
    pub(super) replicas: u32,
    pub(super) resuming: Option<u64>,
    /// `None`: it goes on at the end of the run.
    pub(super) over: Option<u64>,
}

impl TimelineData {
    /// `before`: the set as it was at the beginning, where it did not begin anew.
    pub(super) fn of(run: &Run, before: Option<&ReplicaSet>) -> Self {
        let counts: Vec<(u64, u32, u32)> =
            run.statuses().iter().map(|(at, change)| (at.as_nanos(), change.available, change.desired)).collect();
        let mut data = Self {
            replicas: replicas(run, before, &counts),
            status: run
                .statuses()
                .iter()
                .map(|(at, change)| (at.as_nanos(), style::status_index(change.status)))
                .collect(),
            counts,
            verdicts: Vec::with_capacity(run.verdicts().len()),
            incidents: Vec::new(),
            operator_requests: Vec::new(),
            restarts: Vec::new(),
        };
        if let Some(before) = before {
            data.status.insert(0, (0, style::status_index(before.status())));
            data.counts.insert(0, (0, before.census().available, before.desired()));
        }
        for (at, replica, decision) in run.verdicts() {
            data.verdicts.push(VerdictRecord {
                at: at.as_nanos(),
                replica: replica.0,
                verdict: decision.verdict,
                sentence: decision.to_string(),
            });
        }
        for (at, change) in run.phases() {
            if change.phase == Phase::Starting && change.incarnation.0 > 1 {
                data.restarts.push((at.as_nanos(), change.replica.0));
            }
        }
        run.trace().lines().iter().for_each(|line| data.line(line));
        data
    }

    fn line(&mut self, line: &TraceLine) {
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
            (TraceKind::Incident, "recognised", _) => self.incident(at, number("replicas")),
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
                self.operator_requests.push((at, format!("scale {}", number("replicas"))))
            }
            (TraceKind::Event, _, "terminate") => self.operator_requests.push((at, "terminate".to_owned())),
            (TraceKind::Event, _, word @ ("restart" | "drain" | "reset" | "retry-now")) => {
                let whose = match (line.get("replica"), line.get("cause")) {
                    (Some(_), _) => number("replica").to_string(),
                    (None, Some(_)) => text("cause").to_owned(),
                    (None, None) => "all".to_owned(),
                };
                self.operator_requests.push((at, format!("{word} {whose}")));
            }
            _ => {}
        }
    }

    /// One that is recognised again, with more replicas, is still the same.
    fn incident(&mut self, at: u64, replicas: u32) {
        match self.incidents.last_mut() {
            Some(open) if open.over.is_none() => open.replicas = open.replicas.max(replicas),
            _ => self.incidents.push(IncidentRecord { recognised: at, replicas, resuming: None, over: None }),
        }
    }
}

/// A replica waits from when it is asked for; nothing tells of that but its number.
fn replicas(run: &Run, before: Option<&ReplicaSet>, counts: &[(u64, u32, u32)]) -> Vec<StateChanges> {
    let mut all: BTreeMap<u32, StateChanges> = BTreeMap::new();
    let waiting = style::phase_index(Phase::Waiting);
    if let Some(before) = before {
        for view in before.replicas() {
            all.insert(view.replica.0, vec![(0, style::phase_index(view.phase))]);
        }
    }
    let mut asked_for = before.map_or(0, ReplicaSet::desired);
    for &(at, _, desired) in counts {
        for id in asked_for..desired {
            all.entry(id).or_insert_with(|| vec![(at, waiting)]);
        }
        asked_for = asked_for.max(desired);
    }
    for (at, change) in run.phases() {
        let changes = all.entry(change.replica.0).or_default();
        changes.push((at.as_nanos(), style::phase_index(change.phase)));
    }
    let lanes = all.keys().next_back().map_or(0, |last| *last as usize + 1);
    let mut replicas = vec![StateChanges::new(); lanes];
    for (id, changes) in all {
        replicas[id as usize] = changes;
    }
    replicas
}
