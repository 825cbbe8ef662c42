//! Probes: when to ask, and what the answers mean.
//!
//! Readiness is a level: it changes what is available and restarts nothing. A liveness or startup probe that has
//! failed is a failure with cause `unhealthy`, but probe evidence alone restarts no more than `max_probe_restarts` replicas
//! at a time. No answer at all is neither: it is lost contact, counted from the first probe that went unanswered.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::event::ProbeKind;
use crate::decide::ReplicaId;
use crate::policy::{CompiledProbe, CompiledProbes};
use crate::time::Timestamp;

/// What is known from probes.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Health {
    /// By replica; empty where the policy has no probes.
    pub(super) lines: Vec<Lines>,
    /// Replicas that probe evidence alone is restarting.
    pub(crate) acted: u32,
    /// Replicas whose probe has failed and that wait for a place to be restarted.
    pub(super) waiting: BTreeSet<ReplicaId>,
}

/// What is known from the probes of one replica.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub(super) struct Lines {
    pub(super) startup: Line,
    pub(super) readiness: Line,
    pub(super) liveness: Line,
}

/// What is known from one probe of one replica.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(super) struct Line {
    /// When to ask next; never: it is not asked.
    #[serde(with = "crate::decide::never")]
    pub(super) next: Timestamp,
    /// When it was asked and has not answered yet.
    #[serde(with = "crate::decide::never")]
    pub(super) asked: Timestamp,
    /// How many answers in a row were the same.
    pub(super) run: u32,
    /// What they were.
    pub(super) good: bool,
    /// What it counts as: changed only by enough equal answers in a row.
    pub(super) passed: bool,
}

impl Default for Line {
    fn default() -> Self {
        Self { next: Timestamp::MAX, asked: Timestamp::MAX, run: 0, good: false, passed: false }
    }
}

impl Line {
    pub(super) fn begin(probe: Option<CompiledProbe>, at: Timestamp) -> Self {
        let next = probe.map_or(Timestamp::MAX, |probe| at.plus_nanos(probe.initial_delay));
        Self { next, ..Self::default() }
    }

    /// Takes an answer. Whether it counts as passed or failed, once there are enough equal ones in a row.
    pub(super) fn answer(&mut self, good: bool, probe: CompiledProbe) -> Option<bool> {
        self.run = if self.good == good { self.run.saturating_add(1) } else { 1 };
        self.good = good;
        let enough = self.run >= if good { probe.successes } else { probe.failures };
        enough.then_some(good)
    }
}

impl Lines {
    pub(super) fn line(&mut self, kind: ProbeKind) -> &mut Line {
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

impl Health {
    pub(crate) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        for lines in &mut self.lines {
            for kind in KINDS {
                let line = lines.line(kind);
                line.next = by(line.next);
                line.asked = by(line.asked);
            }
        }
    }
}
