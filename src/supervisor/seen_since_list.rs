//! Decides between a list and the reports that arrived while the backend was making it.

use std::collections::BTreeMap;

use crate::decide::InstanceId;
use crate::engine::{Event, ProbeResult, ReplicaSet};

/// Instances of unknown replicas are no longer recorded beyond this number.
const MAX_INSTANCES: usize = 65_536;

/// The latest kind of report about an instance since the current list was requested.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum LatestReport {
    /// The state of the instance, which may be newer than that in the list.
    State,
    /// Contact was lost, possibly after the list was made.
    Lost,
    /// The instance answered a probe, so it is alive; its state is taken from the list.
    ProbeAnswered,
    /// A probe had no answer, which is weaker evidence than the list.
    ProbeUnanswered,
}

/// The instances that were reported since the current list was requested.
#[derive(Debug, Default)]
pub(super) struct SeenSinceList(BTreeMap<InstanceId, LatestReport>);

impl SeenSinceList {
    /// Returns the number of entries in its collections.
    pub(super) fn entries(&self) -> usize {
        self.0.len()
    }

    /// Begins a new list: forgets all earlier reports.
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }

    pub(super) fn note_state(&mut self, instance: InstanceId) {
        self.0.insert(instance, LatestReport::State);
    }

    pub(super) fn note_event(&mut self, set: &ReplicaSet, event: &Event) {
        let Some(instance) = event.instance() else { return };
        if self.0.len() >= MAX_INSTANCES && set.get(instance.replica).is_none() {
            return;
        }
        let report = match event {
            Event::Lost(_) => LatestReport::Lost,
            // It does not say that the instance exists.
            Event::InterruptionNotice(_) => return,
            Event::Probed(report) if report.result == ProbeResult::Unanswered => LatestReport::ProbeUnanswered,
            Event::Probed(_) => LatestReport::ProbeAnswered,
            _ => LatestReport::State,
        };
        let latest = self.0.entry(instance).or_insert(report);
        let replaces = match report {
            LatestReport::ProbeUnanswered => false,
            LatestReport::ProbeAnswered => *latest != LatestReport::State,
            LatestReport::State | LatestReport::Lost => true,
        };
        if replaces {
            *latest = report;
        }
    }

    /// Returns whether to ignore the list's entry about this instance. An entry that is used replaces the answer to a
    /// probe, which is then no longer [`reported_alive`](Self::reported_alive).
    pub(super) fn overrules_list(&mut self, instance: InstanceId) -> bool {
        match self.0.get(&instance) {
            Some(LatestReport::State | LatestReport::Lost) => true,
            Some(LatestReport::ProbeAnswered) => {
                self.0.remove(&instance);
                false
            }
            Some(LatestReport::ProbeUnanswered) | None => false,
        }
    }

    /// Returns the instances that were last reported as existing, which the list may lack.
    pub(super) fn reported_alive(&self) -> impl Iterator<Item = InstanceId> {
        let alive = |report: &LatestReport| matches!(report, LatestReport::State | LatestReport::ProbeAnswered);
        self.0.iter().filter(move |(_, report)| alive(report)).map(|(&instance, _)| instance)
    }
}
