//! A group that waits to restart together.

use serde::{Deserialize, Serialize};

use crate::decide::ReplicaId;

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
}
