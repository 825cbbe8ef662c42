//! Probe evidence: a failed liveness or startup probe, or an expired `unready_timeout`. It takes down a few replicas at a time.
//!
//! All probes may depend on something that the replicas share. Evidence is therefore acted on only while `max_probe_restarts`
//! has a free place. A replica that was taken down occupies its place until it is available again. A replica that is not
//! available needs no free place. A successful probe withdraws evidence that was not acted on.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::probes::{KINDS, ReplicaProbes};
use super::replica::{CensusBucket, Phase, ReplicaFlags};
use super::state::ReplicaSet;
use crate::decide::{Outcome, ReplicaId};
use crate::document::format_duration;
use crate::policy::Cause;
use crate::policy::retry_schedule::FOREVER;
use crate::time::Timestamp;

/// The state of all probes, and the evidence from them.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Health {
    /// By replica; empty if the policy has no probes.
    #[serde(rename = "lines")]
    pub(super) probes: Vec<ReplicaProbes>,
    /// By replica; empty without `unready_timeout`.
    pub(super) unready: Vec<Unready>,
    /// The number of replicas that occupy a place of `max_probe_restarts`.
    pub(crate) acted: u32,
    /// Evidence that has not taken its replica down.
    pub(super) evidence: BTreeMap<ReplicaId, Evidence>,
    /// The replicas of `evidence` to be reviewed, because the evidence is new or the replica has changed.
    #[serde(skip)]
    pub(super) changed: BTreeSet<ReplicaId>,
    /// Available replicas that wait for a free place, oldest evidence first.
    #[serde(skip)]
    pub(super) in_line: BTreeSet<(Timestamp, ReplicaId)>,
    /// Replicas that occupy a place and yield to those in line, ordered by the time until which they yield.
    #[serde(skip)]
    pub(super) holders: BTreeSet<(Timestamp, ReplicaId)>,
}

/// Since when a replica has been up and not ready; [`Timestamp::NEVER`] if it is not, or if its startup probe has not passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Unready {
    #[serde(with = "crate::decide::serde_opt_timestamp")]
    pub(super) since: Timestamp,
}

impl Default for Unready {
    fn default() -> Self {
        Self { since: Timestamp::NEVER }
    }
}

/// Evidence against one replica that has not taken it down. For each kind, since when there is any.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Evidence {
    /// Its liveness or startup probe has failed.
    #[serde(with = "crate::decide::serde_opt_timestamp")]
    probe: Timestamp,
    /// It has not been ready for `unready_timeout`.
    #[serde(with = "crate::decide::serde_opt_timestamp")]
    unready: Timestamp,
    /// Its entry in `in_line` or `holders`.
    #[serde(skip)]
    queued: Queued,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
enum Queued {
    #[default]
    Nowhere,
    InLine(Timestamp),
    Holder(Timestamp),
}

impl Evidence {
    const NONE: Self = Self { probe: Timestamp::NEVER, unready: Timestamp::NEVER, queued: Queued::Nowhere };

    pub(super) fn probe(&mut self) -> &mut Timestamp {
        &mut self.probe
    }

    pub(super) fn unready(&mut self) -> &mut Timestamp {
        &mut self.unready
    }

    fn since(&self) -> Timestamp {
        self.probe.min(self.unready)
    }

    pub(super) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        self.probe = by(self.probe);
        self.unready = by(self.unready);
    }
}

impl Health {
    /// The number of entries in its collections.
    pub(super) fn entries(&self) -> usize {
        let queued = self.changed.len() + self.in_line.len() + self.holders.len();
        self.probes.len() + self.unready.len() + self.evidence.len() + queued
    }

    /// Whether any evidence may take a replica down without a further event.
    #[inline]
    pub(super) fn waits(&self) -> bool {
        if self.evidence.is_empty() {
            return false;
        }
        !(self.changed.is_empty() && self.in_line.is_empty() && self.holders.is_empty())
    }

    fn dequeue(&mut self, id: ReplicaId) {
        let Some(evidence) = self.evidence.get_mut(&id) else { return };
        match std::mem::take(&mut evidence.queued) {
            Queued::Nowhere => {}
            Queued::InLine(since) => {
                self.in_line.remove(&(since, id));
            }
            Queued::Holder(until) => {
                self.holders.remove(&(until, id));
            }
        }
    }

    pub(crate) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        for states in &mut self.probes {
            for kind in KINDS {
                let state = states.get_mut(kind);
                state.next = by(state.next);
                state.asked = by(state.asked);
            }
        }
        let by = |at: Timestamp| if at.is_never() { at } else { by(at) };
        self.unready.iter_mut().for_each(|unready| unready.since = by(unready.since));
        self.evidence.values_mut().for_each(|evidence| evidence.shift(by));
    }
}

impl ReplicaSet {
    /// Adds evidence of one kind against a replica, as of `at` or earlier evidence of that kind.
    #[cold]
    pub(super) fn add_evidence(&mut self, id: ReplicaId, kind: fn(&mut Evidence) -> &mut Timestamp, at: Timestamp) {
        let health = &mut self.cold.get_or_init().health;
        health.dequeue(id);
        let since = kind(health.evidence.entry(id).or_insert(Evidence::NONE));
        *since = at.min(*since);
        health.changed.insert(id);
        self.replica_mut(id).flags.set(ReplicaFlags::UNHEALTHY);
    }

    /// Withdraws evidence of one kind. Returns whether there was any evidence.
    pub(super) fn withdraw(&mut self, id: ReplicaId, kind: fn(&mut Evidence) -> &mut Timestamp) -> bool {
        if !self.replica(id).flags.has(ReplicaFlags::UNHEALTHY) {
            return false;
        }
        let health = &mut self.cold.get_or_init().health;
        health.dequeue(id);
        let Some(evidence) = health.evidence.get_mut(&id) else { return false };
        *kind(evidence) = Timestamp::NEVER;
        if evidence.since().is_never() {
            self.drop_evidence(id);
        } else {
            health.changed.insert(id);
        }
        true
    }

    /// Drops all evidence against a replica.
    pub(super) fn drop_evidence(&mut self, id: ReplicaId) {
        if self.replica(id).flags.has(ReplicaFlags::UNHEALTHY) {
            self.replica_mut(id).flags.clear(ReplicaFlags::UNHEALTHY);
            let health = &mut self.cold.get_or_init().health;
            health.dequeue(id);
            health.evidence.remove(&id);
            health.changed.remove(&id);
        }
    }

    pub(super) fn end_probes(&mut self, id: ReplicaId) {
        let Some(cold) = self.cold.get_mut() else { return };
        if cold.health.probes.is_empty() && cold.health.unready.is_empty() {
            return;
        }
        if let Some(states) = cold.health.probes.get_mut(id.index()) {
            *states = ReplicaProbes::default();
        }
        if let Some(unready) = cold.health.unready.get_mut(id.index()) {
            *unready = Unready::default();
        }
        self.drop_probe_messages(id);
        self.drop_evidence(id);
    }

    /// Marks the evidence against a replica for review, because the replica has changed.
    #[inline]
    pub(super) fn review_evidence(&mut self, id: ReplicaId) {
        if self.replica(id).flags.has(ReplicaFlags::UNHEALTHY) {
            self.cold.get_or_init().health.changed.insert(id);
        }
    }

    /// Marks all evidence for review, because the policy has changed.
    pub(super) fn review_all_evidence(&mut self) {
        if let Some(cold) = self.cold.get_mut() {
            let health = &mut cold.health;
            health.changed = health.evidence.keys().copied().collect();
        }
    }

    /// Chooses the replicas to take down now, in order.
    pub(super) fn choose(&mut self) -> Vec<ReplicaId> {
        let compiled = self.policy.compiled();
        let most = self.policy.max_probe_restarts(self.desired);
        let need = compiled.need(self.counts.census.settled());
        let mut available = self.counts.census.serving();
        let Some(cold) = self.cold.get_mut() else { return Vec::new() };
        let health = &mut cold.health;
        let mut acted = health.acted;
        let mut chosen = Vec::new();
        while let Some(id) = health.changed.pop_first() {
            health.dequeue(id);
            let (Some(evidence), replica) = (health.evidence.get_mut(&id), &self.replicas[id.index()]) else {
                continue;
            };
            let holds_place = replica.flags.has(ReplicaFlags::ACTED);
            if !matches!(replica.phase, Phase::Running | Phase::Ready) {
                // Out of contact. It is reviewed when contact is restored.
            } else if most.is_some() && holds_place {
                let until = replica.due.plus_nanos(compiled.start_timeout);
                evidence.queued = Queued::Holder(until);
                health.holders.insert((until, id));
            } else if most.is_some() && matches!(replica.bucket, CensusBucket::Available | CensusBucket::StandIn) {
                evidence.queued = Queued::InLine(evidence.since());
                health.in_line.insert((evidence.since(), id));
            } else {
                acted += u32::from(!holds_place);
                chosen.push(id);
            }
        }
        let most = most.unwrap_or(u32::MAX);
        while acted == 0 || (acted < most && available > need) {
            let Some((_, id)) = health.in_line.pop_first() else { break };
            acted += 1;
            available = available.saturating_sub(1);
            chosen.push(id);
        }
        let nobody_waits = health.in_line.is_empty();
        while let Some(&(until, id)) = health.holders.first().filter(|(until, _)| nobody_waits || *until <= self.now) {
            health.holders.remove(&(until, id));
            chosen.push(id);
        }
        chosen.sort_unstable();
        chosen
    }

    /// The outcome of a replica that evidence takes down.
    pub(super) fn unhealthy(&self, id: ReplicaId) -> Outcome {
        let compiled = self.policy.compiled();
        let health = self.health();
        let evidence = health.and_then(|health| health.evidence.get(&id));
        let starting = compiled.probes.startup.is_some()
            && health.and_then(|health| health.probes.get(id.index())).is_some_and(|states| !states.startup.passed);
        let reason = match evidence {
            Some(evidence) if evidence.probe.is_never() => {
                let timeout = format_duration(std::time::Duration::from_nanos(compiled.unready_timeout));
                let got = self.probe_message(id).map(|got| format!("; {}", got.as_str())).unwrap_or_default();
                format!("not ready for {timeout}{got}")
            }
            _ => match self.probe_failure_message(id) {
                Some(message) => message.as_str().to_owned(),
                None if starting => "startup probe failed".to_owned(),
                None => "liveness probe failed".to_owned(),
            },
        };
        Outcome::failed(Cause::Unhealthy, self.now).because(reason)
    }

    /// Frees the replica's place of `max_probe_restarts`.
    #[inline]
    pub(super) fn free_acted(&mut self, id: ReplicaId) {
        let flags = &mut self.replicas[id.index()].flags;
        if flags.has(ReplicaFlags::ACTED) {
            flags.clear(ReplicaFlags::ACTED);
            self.cold.get_or_init().health.acted -= 1;
        }
    }

    /// Resizes `unready` for `count` replicas, or drops it without `unready_timeout`.
    pub(super) fn make_room_for_unready(&mut self, count: usize) {
        if self.policy.compiled().unready_timeout != FOREVER {
            let unready = &mut self.cold.get_or_init().health.unready;
            unready.resize(count.max(unready.len()), Unready::default());
        } else if let Some(cold) = self.cold.get_mut() {
            cold.health.unready = Vec::new();
        }
    }

    /// Starts the clock of `unready_timeout` at `at`.
    #[inline]
    pub(super) fn unready_from(&mut self, id: ReplicaId, at: Timestamp) {
        if self.policy.compiled().unready_timeout != FOREVER {
            self.set_unready(id, at);
        }
    }

    #[cold]
    fn set_unready(&mut self, id: ReplicaId, since: Timestamp) {
        if let Some(unready) = self.cold.get_or_init().health.unready.get_mut(id.index()) {
            unready.since = since;
        }
    }

    /// Stops the clock of `unready_timeout`, because the replica is ready.
    #[inline]
    pub(super) fn unready_ends(&mut self, id: ReplicaId) {
        if self.policy.compiled().unready_timeout != FOREVER {
            self.set_unready(id, Timestamp::NEVER);
            self.withdraw(id, Evidence::unready);
        }
    }

    pub(super) fn unready_since(&self, id: ReplicaId) -> Timestamp {
        let unready = self.health().and_then(|health| health.unready.get(id.index()));
        unready.map_or(Timestamp::NEVER, |unready| unready.since)
    }

    /// Resumes the clock of a replica that was unknown since `unknown_since`. That time does not count.
    pub(super) fn unready_resumes(&mut self, id: ReplicaId, was_ready: bool, unknown_since: Timestamp) {
        if self.policy.compiled().unready_timeout != FOREVER && self.is_started(id) {
            let since = match self.unready_since(id).known().filter(|_| !was_ready) {
                Some(since) => since.plus_nanos(self.now.nanos_since(unknown_since)),
                None => self.now,
            };
            self.set_unready(id, since);
        }
    }

    /// When `unready_timeout` expires for a replica that is up; [`Timestamp::NEVER`] once it has.
    pub(super) fn unready_at(&self, id: ReplicaId) -> Timestamp {
        let said = self.replica(id).flags.has(ReplicaFlags::UNHEALTHY)
            && self
                .health()
                .and_then(|health| health.evidence.get(&id))
                .is_some_and(|evidence| !evidence.unready.is_never());
        let since = self.unready_since(id);
        if said || since.is_never() {
            Timestamp::NEVER
        } else {
            since.plus_nanos(self.policy.compiled().unready_timeout)
        }
    }

    /// Drops evidence under the previous policy. The clock of `unready_timeout` keeps running.
    pub(super) fn replace_unready(&mut self, id: ReplicaId) {
        self.drop_evidence(id);
        if self.policy.compiled().unready_timeout != FOREVER {
            let since = match self.replica(id).phase {
                Phase::Running | Phase::Unknown if self.is_started(id) => self.unready_since(id).min(self.now),
                _ => Timestamp::NEVER,
            };
            self.set_unready(id, since);
        }
    }

    /// Restores evidence after `downtime`, perhaps under another policy. The downtime does not count.
    #[inline]
    pub(super) fn resume_evidence(&mut self, id: ReplicaId, downtime: u64) {
        if self.cold.is_some() {
            self.resume_evidence_of(id, downtime);
        }
    }

    #[cold]
    fn resume_evidence_of(&mut self, id: ReplicaId, downtime: u64) {
        let compiled = self.policy.compiled();
        let (timed, probes) = (compiled.unready_timeout != FOREVER, compiled.probes);
        let started = self.is_started(id);
        let running = self.replica(id).phase == Phase::Running;
        if timed && running && started {
            let since = self.unready_since(id).known().map_or(self.now, |since| since.plus_nanos(downtime));
            self.set_unready(id, since);
        }
        let Some(cold) = self.cold.get_mut() else { return };
        let replica = &mut self.replicas[id.index()];
        replica.flags.clear(ReplicaFlags::UNHEALTHY);
        let Some(evidence) = cold.health.evidence.get_mut(&id) else { return };
        let asked = if started { probes.liveness } else { probes.startup };
        if asked.is_none() {
            evidence.probe = Timestamp::NEVER;
        }
        if !timed {
            evidence.unready = Timestamp::NEVER;
        }
        if evidence.since().is_never() || !replica.phase.is_up() {
            cold.health.evidence.remove(&id);
        } else {
            replica.flags.set(ReplicaFlags::UNHEALTHY);
            cold.health.changed.insert(id);
        }
    }

    /// Whether its startup probe has passed, or there is none.
    fn is_started(&self, id: ReplicaId) -> bool {
        let states = self.health().and_then(|health| health.probes.get(id.index()));
        self.policy.compiled().probes.startup.is_none() || states.is_some_and(|states| states.startup.passed)
    }
}
