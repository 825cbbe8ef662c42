//! Slots: scaling, stand-ins, standbys, drains and rollouts.
//!
//! One mechanism serves all of this: extra slots beside the regular ones. A tie (`ties.rs`) says which regular slot an extra
//! one is there for: a stand-in serves in its place, and the surge slot of a drain will replace it. Each feature is a
//! rule that says when an extra slot is started, and which of two slots is removed.
//!
//! | file | holds |
//! |---|---|
//! | `scaling.rs` | scaling up and down |
//! | `cover.rs` | stand-ins and standbys: extra slots for regular ones that are down |
//! | `drains.rs`, `drain_index.rs`, `drain_report.rs` | drains and interruption notices, what each waits for, and what is reported about them |
//! | `rollout.rs`, `progress_clock.rs`, `rollout_index.rs` | the state of a rollout, its clock, and its slots by progress |
//! | `rollout_requests.rs`, `rollout_steps.rs`, `rollout_failures.rs` | begins rollouts, takes their steps, charges failures to them |
//! | `rollout_report.rs` | what is reported about rollouts |
//! | `rules.rs` | applies the rules of these until nothing changes |
//! | `membership.rs` | adds and removes slots, and changes their roles |
//! | `revisions.rs` | the revision of each slot |
//!
//! What may be taken down, and what a rollout does next, is decided at depth 1 (`decide/disruption.rs`).

mod cover;
mod drain_index;
mod drain_report;
mod drains;
mod membership;
mod progress_clock;
mod revisions;
mod rollout;
mod rollout_failures;
mod rollout_index;
mod rollout_report;
mod rollout_requests;
mod rollout_steps;
mod rules;
mod scaling;
mod ties;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use drain_report::{DrainAnswer, DrainOutcome, DrainView};
pub use rollout_report::{RolloutChange, RolloutEvent, RolloutFailure, RolloutPhase, RolloutView};

pub(super) use membership::MAX_SLOTS;

use crate::decide::ReplicaId;
use crate::time::Timestamp;

/// The role of a slot: a desired replica, or an extra one.
///
/// ```
/// use uphold::engine::Role;
/// use uphold::sim::{Simulation, crash};
/// use uphold::Policy;
///
/// let policy: Policy = serde_json::from_str(
///     r#"{"replicas": 2, "retry": {"interval": "5m"}, "scaling": {"stand_ins": {"max": 1, "after": "1m"}}}"#,
/// )?;
/// let run = Simulation::new(policy).at("60s", crash(0)).run_until("3m")?;
/// let stand_in = run.set().get(2.into()).unwrap();
/// assert_eq!((stand_in.role, stand_in.tied_to), (Some(Role::StandIn), Some(0.into())));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Role {
    /// Holds one of the desired replicas.
    #[default]
    Regular,
    /// Started beside the regular slots by a drain or a rollout. Once it is available it becomes regular, and an old slot is
    /// removed.
    Surge,
    /// Serves in place of a regular slot that is not available; removed once that one has been available for
    /// `stand_ins.after`.
    StandIn,
    /// Started in advance; becomes the stand-in of a slot that fails.
    Standby,
}

impl Role {
    pub(crate) const ALL: [Self; 4] = [Self::Regular, Self::Surge, Self::StandIn, Self::Standby];

    /// Returns the word that traces use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Regular => "regular",
            Self::Surge => "surge",
            Self::StandIn => "stand-in",
            Self::Standby => "standby",
        }
    }
}

impl std::fmt::Display for Role {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// The state of scaling, stand-ins, drains and rollouts. A set that uses none of them has none.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(super) struct Slots {
    pub(super) ties: ties::Ties,
    pub(super) cover: cover::Cover,
    pub(super) drains: drain_index::Drains,
    pub(super) revisions: revisions::Revisions,
    pub(super) rollout: Option<rollout::Rollout>,
    /// Roles of which an extra slot was drained: the next slot of the role starts elsewhere.
    elsewhere: BTreeSet<Role>,
    /// When no number is left, slots that are still being stopped are used again from here on.
    reused_up_to: u32,
    #[serde(skip)]
    extras: Extras,
    /// Slots outside the set that have neither an instance nor a stray, so that their ids may be used again.
    #[serde(skip)]
    pub(super) free: BTreeSet<ReplicaId>,
    /// Slots that have changed since the rules were last applied.
    #[serde(skip)]
    changed: BTreeSet<ReplicaId>,
    /// Whether changes of slots are recorded, because some rule depends on them.
    #[serde(skip)]
    watching: bool,
    /// Whether a rule may have something to do.
    #[serde(skip)]
    pub(super) pending: bool,
}

/// The extra slots, by role.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct Extras {
    surges: BTreeSet<ReplicaId>,
    stand_ins: BTreeSet<ReplicaId>,
    standbys: BTreeSet<ReplicaId>,
}

impl Extras {
    fn of(&self, role: Role) -> Option<&BTreeSet<ReplicaId>> {
        match role {
            Role::Regular => None,
            Role::Surge => Some(&self.surges),
            Role::StandIn => Some(&self.stand_ins),
            Role::Standby => Some(&self.standbys),
        }
    }

    fn of_mut(&mut self, role: Role) -> Option<&mut BTreeSet<ReplicaId>> {
        match role {
            Role::Regular => None,
            Role::Surge => Some(&mut self.surges),
            Role::StandIn => Some(&mut self.stand_ins),
            Role::Standby => Some(&mut self.standbys),
        }
    }

    fn is_empty(&self) -> bool {
        self.surges.is_empty() && self.stand_ins.is_empty() && self.standbys.is_empty()
    }
}

impl Slots {
    /// Returns the slots that stand-ins and drains refer to.
    pub(super) fn named(&self) -> impl Iterator<Item = ReplicaId> + '_ {
        self.cover.slots().chain(self.drains.slots())
    }

    /// Returns the number of entries in its collections.
    pub(super) fn entries(&self) -> usize {
        let rollout = self.rollout.as_ref().map_or(0, rollout::Rollout::entries);
        let kept = self.ties.entries() + self.cover.entries() + self.drains.entries() + self.revisions.entries();
        let extras = self.extras.surges.len() + self.extras.stand_ins.len() + self.extras.standbys.len();
        kept + rollout + extras + self.free.len() + self.changed.len()
    }

    pub(super) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp + Copy) {
        self.cover.shift(by);
        self.drains.shift(by);
        if let Some(rollout) = &mut self.rollout {
            rollout.shift(by);
        }
    }
}
