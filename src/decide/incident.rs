//! Incidents: correlated failures of several replicas, treated as one failure with one cause.
//!
//! An incident has two stages. *Holding*: restarts wait and one replica is started, the canary; if it fails, the delay grows and
//! the next canary is started. *Resuming*: the other replicas start in batches of 1, 2, 4, ... Restarts that are overdue after
//! downtime are also admitted by resuming.

use serde::{Deserialize, Serialize};

use super::ids::ReplicaId;
use super::serde_opt_timestamp;
use crate::time::Timestamp;

/// An open incident.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) struct Incident {
    pub(crate) since: Timestamp,
    pub(crate) stage: IncidentStage,
    /// Whether the one restart of the incident that is charged has taken its token.
    pub(crate) charged: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum IncidentStage {
    Holding {
        /// The number of canaries that have failed, which determines the next delay.
        level: u32,
        /// The earliest start of the next canary, or never.
        #[serde(with = "serde_opt_timestamp")]
        not_before: Timestamp,
        /// The canary under way, if any.
        canary: Option<ReplicaId>,
    },
    Resuming {
        /// The size of the batch.
        batch: u32,
        /// Starts of the batch that have not been admitted yet.
        to_release: u32,
        /// Starts of the batch that were admitted and are neither up nor failed yet.
        undecided: u32,
    },
}

impl IncidentStage {
    pub(crate) const RESUMING: Self = Self::Resuming { batch: 1, to_release: 1, undecided: 0 };

    /// Records that one start of the batch is up, has failed or is gone. When all are, the next batch is twice as large.
    pub(crate) fn decided(&mut self) {
        if let Self::Resuming { batch, to_release, undecided } = self {
            *undecided = undecided.saturating_sub(1);
            if *undecided == 0 && *to_release == 0 {
                *batch = batch.saturating_mul(2);
                *to_release = *batch;
            }
        }
    }
}

impl Incident {
    pub(crate) fn new(since: Timestamp) -> Self {
        Self {
            since,
            stage: IncidentStage::Holding { level: 0, not_before: Timestamp::ZERO, canary: None },
            charged: false,
        }
    }

    /// Returns whether it waits for a known time, or for at most `trials` undecided starts.
    pub(crate) fn can_progress(&self, trials: usize) -> bool {
        match self.stage {
            IncidentStage::Holding { canary, not_before, .. } => canary.is_some() || !not_before.is_never(),
            IncidentStage::Resuming { batch, to_release, undecided } => {
                batch > 0 && (to_release > 0 || undecided > 0) && undecided as usize <= trials
            }
        }
    }

    pub(crate) fn is_holding(&self) -> bool {
        matches!(self.stage, IncidentStage::Holding { .. })
    }

    pub(crate) fn shift(&mut self, by: impl Fn(Timestamp) -> Timestamp) {
        self.since = by(self.since);
        if let IncidentStage::Holding { not_before, .. } = &mut self.stage {
            *not_before = by(*not_before);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_double_once_every_start_of_one_is_decided() {
        let mut stage = IncidentStage::Resuming { batch: 2, to_release: 0, undecided: 2 };
        stage.decided();
        assert_eq!(stage, IncidentStage::Resuming { batch: 2, to_release: 0, undecided: 1 });
        stage.decided();
        assert_eq!(stage, IncidentStage::Resuming { batch: 4, to_release: 4, undecided: 0 });
    }
}
