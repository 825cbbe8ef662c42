//! Ties of extra slots to regular ones.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::decide::ReplicaId;

/// Which regular slot a stand-in serves for, and which one the surge slot of a drain will replace. An extra slot has at most one
/// tie. A regular slot that is drained while it has a stand-in has two.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(from = "Vec<(ReplicaId, ReplicaId)>", into = "Vec<(ReplicaId, ReplicaId)>")]
pub(crate) struct Ties {
    regular_of: BTreeMap<ReplicaId, ReplicaId>,
    /// The same ties as pairs of the regular slot and the extra one.
    extras: BTreeSet<(ReplicaId, ReplicaId)>,
}

impl Ties {
    pub(crate) fn tie(&mut self, extra: ReplicaId, regular: ReplicaId) {
        self.untie(extra);
        self.regular_of.insert(extra, regular);
        self.extras.insert((regular, extra));
    }

    pub(crate) fn untie(&mut self, extra: ReplicaId) -> Option<ReplicaId> {
        let regular = self.regular_of.remove(&extra)?;
        self.extras.remove(&(regular, extra));
        Some(regular)
    }

    /// Returns the regular slot that an extra slot is tied to.
    pub(crate) fn regular_of(&self, extra: ReplicaId) -> Option<ReplicaId> {
        self.regular_of.get(&extra).copied()
    }

    /// Returns the extra slots that are tied to a regular one.
    pub(crate) fn extras_of(&self, regular: ReplicaId) -> impl Iterator<Item = ReplicaId> + '_ {
        let of_regular = (regular, ReplicaId(0))..=(regular, ReplicaId(u32::MAX));
        self.extras.range(of_regular).map(|&(_, extra)| extra)
    }

    /// Returns every tie: the extra slot and the regular one.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (ReplicaId, ReplicaId)> + '_ {
        self.regular_of.iter().map(|(&extra, &regular)| (extra, regular))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.regular_of.is_empty()
    }

    pub(super) fn entries(&self) -> usize {
        self.regular_of.len() + self.extras.len()
    }
}

impl From<Vec<(ReplicaId, ReplicaId)>> for Ties {
    fn from(ties: Vec<(ReplicaId, ReplicaId)>) -> Self {
        let mut all = Self::default();
        ties.into_iter().for_each(|(extra, regular)| all.tie(extra, regular));
        all
    }
}

impl From<Ties> for Vec<(ReplicaId, ReplicaId)> {
    fn from(ties: Ties) -> Self {
        ties.iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extra_slot_has_one_tie_and_a_regular_slot_may_have_two() {
        let mut ties = Ties::default();
        ties.tie(ReplicaId(7), ReplicaId(1));
        ties.tie(ReplicaId(8), ReplicaId(1));
        assert!(ties.extras_of(ReplicaId(1)).eq([ReplicaId(7), ReplicaId(8)]));
        ties.tie(ReplicaId(7), ReplicaId(2));
        assert!(ties.extras_of(ReplicaId(1)).eq([ReplicaId(8)]));
        assert_eq!(ties.untie(ReplicaId(7)), Some(ReplicaId(2)));
        assert_eq!(ties.untie(ReplicaId(7)), None);
        assert_eq!(ties.regular_of(ReplicaId(8)), Some(ReplicaId(1)));
        assert_eq!(ties.entries(), 2);
    }
}
