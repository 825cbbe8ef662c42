//! A group that waits to restart together.

use serde::{Deserialize, Serialize};

use crate::decide::ReplicaId;
use crate::time::Timestamp;

/// A group that waits to restart together: `from` and those after it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Group {
    /// Whose failure it is; it stands for the group among the due starts.
    pub(crate) leader: ReplicaId,
    pub(crate) from: ReplicaId,
    /// Members whose end is not confirmed yet.
    pub(crate) stopping: u32,
    /// Its time has come; it waits for its members to stop.
    pub(crate) is_due: bool,
    /// Not before this; what is to come counts from the ends of members that are being stopped.
    #[serde(default)]
    pub(crate) not_before: Timestamp,
}

/// When a group would restart.
#[derive(Clone, Copy, Debug)]
pub(super) struct GroupPlan {
    /// "Never": not known before a member that failed has ended.
    pub(super) due: Timestamp,
    /// The latest time that is known by now.
    pub(super) not_before: Timestamp,
}
