//! `replace_policy`: changes the policy of a running set.

use serde::{Deserialize, Serialize};

use super::output::Notice;
use super::probes::ProbeState;
use super::replica::Phase;
use super::state::ReplicaSet;
use crate::decide::ReplicaId;
use crate::policy::{Layout, Policy};
use crate::time::Timestamp;

/// The numbers of slots in the document of a policy.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct ConfiguredSizes {
    replicas: u32,
    stand_ins: u32,
    standbys: u32,
}

impl Policy {
    pub(super) fn configured_sizes(&self) -> ConfiguredSizes {
        let scaling = self.compiled().scaling;
        ConfiguredSizes { replicas: self.replicas(), stand_ins: scaling.stand_ins, standbys: scaling.standby }
    }
}

impl ReplicaSet {
    /// Replaces the policy.
    ///
    /// - Streaks and windows are kept by the names of their rules. Those of rules that the new policy lacks are dropped, with
    ///   [`Notice::Dropped`](crate::Notice::Dropped).
    /// - Waits keep their due times.
    /// - The clock of `outage_deadline` keeps running. If the old policy had no deadline, it starts now.
    /// - The number of replicas changes only if the two documents differ in it, so that a scaled set keeps its size.
    pub fn replace_policy(&mut self, now: Timestamp, policy: Policy) {
        self.begin_mutation(now);
        let layout = self.policy.layout().clone();
        let before = std::mem::replace(&mut self.policy, policy);
        self.counts.changed = true;
        self.set.rescale_budget(before.compiled().budget, self.policy.compiled().budget, self.now);
        self.carry_over(&layout);
        if before.compiled().correlated.is_some() && self.policy.compiled().correlated.is_none() {
            self.end_incident();
        }
        let probes_differ = before.settings().health != self.policy.settings().health;
        self.make_room_for_probes(self.replicas.len());
        self.make_room_for_unready(self.replicas.len());
        for index in 0..self.replicas.len() as u32 {
            let id = ReplicaId(index);
            if probes_differ {
                self.replace_probes(id);
            }
            self.retime(id);
        }
        self.review_all_evidence();
        if !self.has_ended() {
            self.adopt_scaling(before.configured_sizes());
        }
        self.settle();
    }

    /// Applies the sizes of the new policy: the number of replicas if the two policies differ in it, the bounds of `scaling`,
    /// and the numbers of extra slots.
    pub(super) fn adopt_scaling(&mut self, before: ConfiguredSizes) {
        let scaling = self.policy.compiled().scaling;
        let configured = self.policy.configured_sizes();
        let desired = if before.replicas == configured.replicas { self.desired } else { configured.replicas };
        let desired = desired.clamp(scaling.min, scaling.max);
        if desired != self.desired {
            self.rescale(desired);
        }
        if (before.stand_ins, before.standbys) != (configured.stand_ins, configured.standbys) {
            self.remove_surplus_slots();
        }
        self.review_slots();
    }

    /// Moves streaks and windows to their places under the current policy.
    pub(super) fn carry_over(&mut self, from: &Layout) {
        let mut moves = None;
        for replica in &mut self.replicas {
            replica.history.adapt_with(&self.policy, &mut moves);
        }
        let schedules = Layout::indices_in(&from.schedules, &self.policy.layout().schedules);
        let gone = from.schedules.iter().zip(&schedules).filter(|(_, place)| place.is_none());
        let dropped: Vec<String> = gone.map(|(key, _)| key.clone()).collect();
        if !dropped.is_empty() {
            self.notice(Notice::Dropped(dropped));
        }
    }

    /// Changes the probes of running replicas. A ready replica stays ready until the new probes have answered.
    pub(super) fn replace_probes(&mut self, id: ReplicaId) {
        let phase = self.replica(id).phase;
        if !matches!(phase, Phase::Running | Phase::Ready | Phase::Unknown) {
            return;
        }
        let was_ready = phase == Phase::Ready;
        let (probes, now) = (self.policy.compiled().probes, self.now);
        self.begin_probes(id, now);
        if let Some(states) = self.probes_mut(id).filter(|_| was_ready) {
            states.startup = ProbeState { passed: true, ..ProbeState::default() };
            states.readiness = ProbeState { passed: true, ..ProbeState::begin(probes.readiness, now) };
            states.liveness = ProbeState::begin(probes.liveness, now);
        }
        self.replace_unready(id);
        self.update_readiness(id, now);
    }
}
