//! Lost contact.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::replica::Phase;
use crate::decide::ReplicaId;
use crate::time::Timestamp;

/// With whom contact is lost.
#[derive(Clone, Debug, Default)]
pub(super) struct Contact {
    pub(super) lost: BTreeMap<ReplicaId, Lost>,
    /// Of these, those whose time was up while the set was blind.
    pub(super) overdue: BTreeSet<ReplicaId>,
}

/// Lost contact with one replica.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Lost {
    pub(crate) since: Timestamp,
    /// What it was when it became unknown.
    pub(crate) was: Phase,
    /// Declared `node-lost` but for the blindness of the set.
    pub(crate) overdue: bool,
}
