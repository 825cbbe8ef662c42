//! Slots: scaling, stand-ins, standbys, drains and rollouts.
//!
//! One mechanism serves all of this: extra slots beside the regular ones. A stand-in is tied to the regular slot that it
//! serves for, and the surge slot of a drain to the slot that it will replace (`ties.rs`). Scaling (`scaling.rs`), stand-ins
//! (`cover.rs`), drains (`drains.rs`) and rollouts (`rollout.rs`) are rules about when an extra slot is started and which of
//! two slots is removed; `rules.rs` applies them until nothing changes. What may be taken down is decided at
//! depth 1, in `decide/disruption.rs`.

mod cover;
mod drains;
mod membership;
mod revisions;
mod rollout;
mod rollout_index;
mod rules;
mod scaling;
mod ties;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub use drains::{DrainAnswer, DrainOutcome, DrainView};
pub use rollout::{RolloutChange, RolloutEvent, RolloutFailure, RolloutPhase, RolloutView};

pub(super) use membership::MAX_SLOTS;

use crate::decide::ReplicaId;
use crate::time::Timestamp;

/// What a slot is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Role {
    /// One of the desired replicas.
    #[default]
    Regular,
    /// Started beside the regular slots by a drain or a rollout; becomes regular once it is available.
    Surge,
    /// Serves for a regular slot that is down, until that one is back.
    StandIn,
    /// Kept started, to become the stand-in of a slot that fails.
    Standby,
}

impl Role {
    /// The word that traces use.
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
    pub(super) drains: drains::Drains,
    pub(super) revisions: revisions::Revisions,
    pub(super) rollout: Option<rollout::Rollout>,
    /// Roles of extra slots that were drained: the next one starts elsewhere.
    elsewhere: BTreeSet<Role>,
    /// When no number is left, slots that are still being stopped are used again from here on.
    reused_up_to: u32,
    #[serde(skip)]
    extras: Extras,
    /// Slots that are no part of the set and have no instance. One with a stray is passed over.
    #[serde(skip)]
    free: BTreeSet<ReplicaId>,
    /// Slots that have changed since the rules were last applied.
    #[serde(skip)]
    changed: BTreeSet<ReplicaId>,
    /// Changes of slots are recorded: some rule depends on them.
    #[serde(skip)]
    watching: bool,
    /// A rule may have something to do.
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
    /// The slots that its parts name.
    pub(super) fn named(&self) -> impl Iterator<Item = ReplicaId> + '_ {
        self.cover.slots().chain(self.drains.slots())
    }

    /// The number of entries in its collections.
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
