//! Probes: when to ask, and what the answers mean.
//!
//! Readiness is a level: it changes what is available and restarts nothing. A liveness or startup probe that has
//! failed is evidence (evidence.rs), and so is `unready_timeout`. No answer at all is neither: it is lost contact, counted
//! from the first probe that went unanswered.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::event::ProbeKind;
use super::evidence::Evidence;
use crate::decide::ReplicaId;
use crate::policy::{CompiledProbe, CompiledProbes};
use crate::time::Timestamp;

/// What is known from probes.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Health {
    /// By replica; empty where the policy has no probes.
    pub(super) lines: Vec<Lines>,
    /// Since when each replica has been up and not ready; empty without `unready_timeout`.
    pub(super) unready: Vec<Unready>,
    /// Replicas that probe evidence has taken down and that have not been available since.
    pub(crate) acted: u32,
    /// Evidence that has not been acted on.
    pub(super) evidence: BTreeMap<ReplicaId, Evidence>,
    /// Those of them that must be looked at: the evidence is new, or the replica has changed.
    #[serde(skip)]
    pub(super) changed: BTreeSet<ReplicaId>,
    /// Available replicas that wait for a place, oldest evidence first.
    #[serde(skip)]
    pub(super) in_line: BTreeSet<(Timestamp, ReplicaId)>,
    /// Replicas that hold a place and let those in line go first, by when they do so no longer.
    #[serde(skip)]
    pub(super) holders: BTreeSet<(Timestamp, ReplicaId)>,
}

/// Since when a replica has been up and not ready; never: it is not, or its startup probe has not passed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Unready {
    #[serde(with = "crate::decide::serde_opt_timestamp")]
    pub(super) since: Timestamp,
}

impl Default for Unready {
    fn default() -> Self {
        Self { since: Timestamp::MAX }
    }
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
    #[serde(with = "crate::decide::serde_opt_timestamp")]
    pub(super) next: Timestamp,
    /// When it was asked and has not answered yet.
    #[serde(with = "crate::decide::serde_opt_timestamp")]
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
        let by = |at: Timestamp| if at.is_never() { at } else { by(at) };
        self.unready.iter_mut().for_each(|unready| unready.since = by(unready.since));
        self.evidence.values_mut().for_each(|evidence| evidence.shift(by));
    }
}
