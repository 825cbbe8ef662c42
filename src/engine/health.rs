//! Probes: when to ask, and what the answers mean.

use super::event::{ProbeKind, ProbeNews, ProbeResult};
use super::set::ReplicaSet;
use crate::decide::ReplicaId;
use crate::policy::Policy;
use crate::time::Timestamp;

/// What is known from probes, by replica. Empty where the policy has none.
#[derive(Clone, Debug, Default)]
pub(crate) struct Health {
    /// Replicas that probe evidence alone is restarting.
    pub(crate) acted: u32,
}

impl Health {
    pub(crate) fn new(_policy: &Policy) -> Self {
        Self::default()
    }

    pub(crate) fn grow(&mut self, _count: usize) {}
}

impl ReplicaSet {
    pub(super) fn begin_probes(&mut self, _id: ReplicaId, _at: Timestamp) {}
    pub(super) fn end_probes(&mut self, _id: ReplicaId) {}
    pub(super) fn pause_probes(&mut self, _id: ReplicaId) {}
    pub(super) fn resume_probes(&mut self, _id: ReplicaId) {}
    pub(super) fn probes_ready(&self, _id: ReplicaId) -> bool {
        true
    }
    pub(super) fn next_probe(&self, _id: ReplicaId) -> Timestamp {
        Timestamp::MAX
    }
    pub(super) fn probe_due(&mut self, _id: ReplicaId) {}
    pub(super) fn probed(&mut self, news: ProbeNews) {
        let _ = (news.probe == ProbeKind::Liveness, news.result == ProbeResult::Failure);
    }
}
