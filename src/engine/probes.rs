//! Probes: when they are due, and how their results count.
//!
//! Readiness only changes whether a replica is available; it restarts nothing. A failed liveness or startup probe is evidence
//! (evidence.rs), and so is an expired `unready_timeout`. A probe without an answer is lost contact, counted from the first
//! unanswered one.

use serde::{Deserialize, Serialize};

use super::event::ProbeKind;
use super::output::{Command, ProbeCommand};
use super::replica::Phase;
use super::state::ReplicaSet;
use crate::decide::ReplicaId;
use crate::policy::{CompiledProbe, CompiledProbes};
use crate::time::Timestamp;

/// The state of the probes of one replica.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct ReplicaProbes {
    pub(super) startup: ProbeState,
    pub(super) readiness: ProbeState,
    pub(super) liveness: ProbeState,
}

/// The state of one probe of one replica.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct ProbeState {
    /// When to probe next; [`Timestamp::NEVER`] if the probe does not run.
    #[serde(with = "crate::decide::serde_opt_timestamp")]
    pub(super) next: Timestamp,
    /// When the unanswered probe was sent; [`Timestamp::NEVER`] if there is none.
    #[serde(with = "crate::decide::serde_opt_timestamp")]
    pub(super) asked: Timestamp,
    /// The number of equal answers in a row.
    pub(super) run: u32,
    /// Whether these were successes.
    pub(super) good: bool,
    /// Whether the probe counts as passed. Only enough equal answers in a row change it.
    pub(super) passed: bool,
}

impl Default for ProbeState {
    fn default() -> Self {
        Self { next: Timestamp::NEVER, asked: Timestamp::NEVER, run: 0, good: false, passed: false }
    }
}

impl ProbeState {
    pub(super) fn begin(probe: Option<CompiledProbe>, at: Timestamp) -> Self {
        let next = probe.map_or(Timestamp::NEVER, |probe| at.plus_nanos(probe.initial_delay));
        Self { next, ..Self::default() }
    }

    /// Counts an answer. Returns whether the probe has passed or failed, once there are enough equal answers in a row.
    pub(super) fn answer(&mut self, good: bool, probe: CompiledProbe) -> Option<bool> {
        self.run = if self.good == good { self.run.saturating_add(1) } else { 1 };
        self.good = good;
        let enough = self.run >= if good { probe.successes } else { probe.failures };
        enough.then_some(good)
    }
}

impl ReplicaProbes {
    pub(super) fn get_mut(&mut self, kind: ProbeKind) -> &mut ProbeState {
        match kind {
            ProbeKind::Startup => &mut self.startup,
            ProbeKind::Readiness => &mut self.readiness,
            ProbeKind::Liveness => &mut self.liveness,
        }
    }

    pub(super) fn next(&self) -> Timestamp {
        self.startup.next.min(self.readiness.next).min(self.liveness.next)
    }
}

pub(super) const KINDS: [ProbeKind; 3] = [ProbeKind::Startup, ProbeKind::Readiness, ProbeKind::Liveness];

pub(super) fn probe_of(probes: &CompiledProbes, kind: ProbeKind) -> Option<CompiledProbe> {
    match kind {
        ProbeKind::Startup => probes.startup,
        ProbeKind::Readiness => probes.readiness,
        ProbeKind::Liveness => probes.liveness,
    }
}

impl ReplicaSet {
    /// Resizes the probe states for `count` replicas, if the policy has probes.
    pub(super) fn make_room_for_probes(&mut self, count: usize) {
        let probes = &self.policy.compiled().probes;
        if KINDS.iter().any(|&kind| probe_of(probes, kind).is_some()) {
            let states = &mut self.cold.get_or_init().health.probes;
            states.resize(count.max(states.len()), ReplicaProbes::default());
        }
    }

    /// The probe states of a replica; `None` without probes.
    #[inline]
    pub(super) fn probes_mut(&mut self, id: ReplicaId) -> Option<&mut ReplicaProbes> {
        self.cold.get_mut()?.health.probes.get_mut(id.index())
    }

    /// Starts the probes of an instance that runs: the startup probe until it passes, then the others.
    pub(super) fn begin_probes(&mut self, id: ReplicaId, at: Timestamp) {
        let probes = self.policy.compiled().probes;
        let Some(states) = self.probes_mut(id) else { return };
        *states = ReplicaProbes { startup: ProbeState::begin(probes.startup, at), ..ReplicaProbes::default() };
        if probes.startup.is_none() {
            states.readiness = ProbeState::begin(probes.readiness, at);
            states.liveness = ProbeState::begin(probes.liveness, at);
        }
    }

    /// Adapts the probes of a replica to the policy, after a restore or a change of policy. A probe in flight from before a
    /// downtime is not awaited.
    pub(super) fn resume_probes(&mut self, id: ReplicaId, after_downtime: bool) {
        let (probes, now) = (self.policy.compiled().probes, self.now);
        let (phase, was_ready) = (self.replica(id).phase, self.replica(id).phase == Phase::Ready);
        let up = matches!(phase, Phase::Running | Phase::Ready | Phase::Unknown);
        let Some(states) = self.probes_mut(id) else { return };
        let started = probes.startup.is_none() || states.startup.passed || was_ready;
        for kind in KINDS {
            let state = states.get_mut(kind);
            let wanted = up && (kind == ProbeKind::Startup) != started;
            match probe_of(&probes, kind).filter(|_| wanted) {
                None => *state = ProbeState { passed: kind == ProbeKind::Startup && started, ..ProbeState::default() },
                // The prober is gone, so the missing answer is no evidence of lost contact.
                Some(_) if !state.next.is_never() && after_downtime => state.asked = Timestamp::NEVER,
                Some(_) if !state.next.is_never() => {}
                probe => *state = ProbeState { passed: was_ready, ..ProbeState::begin(probe, now) },
            }
        }
    }

    /// Whether the startup and readiness probes, if any, have passed.
    pub(super) fn probes_ready(&self, id: ReplicaId) -> bool {
        let probes = &self.policy.compiled().probes;
        let states = self.health().and_then(|health| health.probes.get(id.index()));
        let Some(states) = states else { return true };
        (probes.startup.is_none() || states.startup.passed) && (probes.readiness.is_none() || states.readiness.passed)
    }

    #[inline]
    pub(super) fn next_probe(&self, id: ReplicaId) -> Timestamp {
        self.health().and_then(|health| health.probes.get(id.index())).map_or(Timestamp::NEVER, ReplicaProbes::next)
    }

    /// Sends the probes that are due. Returns since when a probe has been unanswered, if one has.
    pub(super) fn probe_due(&mut self, id: ReplicaId) -> Option<Timestamp> {
        let probes = self.policy.compiled().probes;
        let now = self.now;
        let mut silent_since = None;
        for kind in KINDS {
            let Some(state) = self.probes_mut(id).map(|states| states.get_mut(kind)) else { break };
            let Some(probe) = probe_of(&probes, kind) else {
                state.next = Timestamp::NEVER;
                continue;
            };
            if state.next > now {
                continue;
            }
            // A late call does not catch up on missed probes.
            let late = now.nanos_since(state.next);
            state.next = state.next.plus_nanos(late - late % probe.interval).plus_nanos(probe.interval);
            // If the last probe is still unanswered, contact is lost since it was sent.
            let unanswered = std::mem::replace(&mut state.asked, now);
            silent_since = silent_since.or(unanswered.known());
            let incarnation = self.incarnation(id);
            let timeout = std::time::Duration::from_nanos(probe.timeout);
            self.command(Command::Probe(ProbeCommand { replica: id, incarnation, probe: kind, timeout }));
        }
        silent_since
    }
}
