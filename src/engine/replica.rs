//! One replica of a running set.

use serde::{Deserialize, Serialize};

use super::cause_counts::CauseCode;
use super::deadline::DeadlineReason;
use super::slots::Role;
use crate::decide::{DecisionReason, Gate, History, ReplicaId, Restart, StartKind, Verdict};
use crate::policy::Placement;
use crate::time::Timestamp;

/// The phase of a replica.
///
/// ```text
///            due, admitted         started            ready
///  waiting ----------------> starting -----> running <-----> ready
///     ^                          |              |              |   lost: unknown, found: back
///     |         failed, exited   v              v              v
///     +----- or stop requested -----> stopping (until the end is confirmed)
///     |                                   |
///     +-----------------------------------+--> quarantined | stopped | completed | removed
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Phase {
    /// Waits for its next start: for its due time or for a gate.
    Waiting,
    /// Its start was commanded; it does not run yet.
    Starting,
    /// Runs, and is not ready.
    Running,
    /// Runs, and is ready to serve.
    Ready,
    /// Out of contact for longer than `unknown_after`. Neither available nor failed.
    Unknown,
    /// Was asked to stop, and its end is not confirmed.
    Stopping,
    /// Given up, until its quarantine ends or an operator requests `restart` or `reset`.
    Quarantined,
    /// Stopped by an operator, until `start`, `restart` or `reset`. Does not count as failed.
    Stopped,
    /// Exited with code 0 under `success: complete`.
    Completed,
    /// No longer part of the set.
    Removed,
}

impl Phase {
    /// Returns the name that traces use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Starting => "starting",
            Self::Running => "running",
            Self::Ready => "ready",
            Self::Unknown => "unknown",
            Self::Stopping => "stopping",
            Self::Quarantined => "quarantined",
            Self::Stopped => "stopped",
            Self::Completed => "completed",
            Self::Removed => "removed",
        }
    }

    /// Whether the set believes that an instance exists.
    pub const fn is_live(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Ready | Self::Unknown | Self::Stopping)
    }

    /// Whether an instance is believed to exist and was not asked to stop.
    pub(crate) const fn is_up(self) -> bool {
        matches!(self, Self::Starting | Self::Running | Self::Ready | Self::Unknown)
    }
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

/// What follows for a replica once its instance has ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum NextPhase {
    /// It waits for its next start.
    Start,
    /// It waits for an operator, or for the end of its hold.
    Hold,
    /// It is given up, for good or until its quarantine ends.
    Quarantine,
    /// An operator stopped it.
    Stopped,
    Complete,
    Remove,
}

/// How a replica counts in the census.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub(crate) enum CensusBucket {
    Available,
    Completed,
    GivenUp,
    Failed,
    NotReady,
    Unknown,
    Requested,
    /// Between a clean exit and its next start.
    CompletedRun,
    Stopped,
    /// A rollout replaces it.
    RollingOut,
    Fresh,
    /// A stand-in that is available.
    StandIn,
    /// A surge slot or a standby that is available.
    Spare,
    /// Not desired, and not available either.
    None,
}

impl CensusBucket {
    /// Whether a replica in this bucket is missing because it failed.
    #[inline]
    pub(super) fn is_failed(self) -> bool {
        matches!(self, Self::Failed | Self::GivenUp)
    }

    /// Whether a replica in this bucket is available, regular or not.
    #[inline]
    pub(super) fn is_available(self) -> bool {
        matches!(self, Self::Available | Self::StandIn | Self::Spare)
    }
}

/// The state of one replica. Aligned, so that it occupies two cache lines and not parts of three.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[repr(align(64))]
pub(crate) struct Replica {
    pub(crate) history: History,
    /// Waiting or quarantined: when its next start is due. Live: when its start was commanded. Stopping: when the start
    /// that follows is due. [`Timestamp::NEVER`] if that is not known or no start is due.
    #[serde(with = "crate::decide::serde_opt_timestamp", default = "crate::decide::serde_opt_timestamp::value")]
    pub(crate) due: Timestamp,
    /// When its phase began.
    pub(crate) since: Timestamp,
    pub(crate) phase: Phase,
    pub(crate) after: NextPhase,
    #[serde(rename = "standing")]
    pub(crate) bucket: CensusBucket,
    /// The gate that it waits for, if it waits.
    pub(crate) gate: Gate,
    /// The kind of its next start.
    pub(crate) kind: StartKind,
    pub(crate) placement: Placement,
    /// The role of its slot; `None`: the slot is not part of the set.
    pub(crate) role: Option<Role>,
    /// The number of kills without a confirmed end.
    pub(crate) kills: u8,
    /// The cause of its last failure. While it counts as failed, only [`CensusCounts`](super::counting::CensusCounts) changes it.
    #[serde(default)]
    pub(crate) failed_by: CauseCode,
    #[serde(rename = "marks")]
    pub(crate) flags: ReplicaFlags,
    /// The reason of its deadline. Derived from the other fields.
    #[serde(skip, default = "no_deadline")]
    pub(crate) wakes_for: DeadlineReason,
}

const fn no_deadline() -> DeadlineReason {
    DeadlineReason::StartDue
}

/// Flags of a replica, as bits of one word.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct ReplicaFlags(u32);

impl ReplicaFlags {
    /// It has been available once.
    pub(crate) const WAS_AVAILABLE: Self = Self(1);
    /// It failed and has not been available since.
    pub(crate) const FAILED: Self = Self(1 << 1);
    /// It is down for a restart that an operator requested.
    pub(crate) const REQUESTED: Self = Self(1 << 2);
    /// Added by a scale-up and not available since.
    pub(crate) const JOINING: Self = Self(1 << 3);
    /// Its start is in progress.
    pub(crate) const IN_FLIGHT: Self = Self(1 << 4);
    /// Its start occupies a place of `max_concurrent_starts`.
    pub(crate) const HOLDS_PLACE: Self = Self(1 << 5);
    /// Its start was commanded during an incident, which waits for the outcome.
    pub(crate) const ON_TRIAL: Self = Self(1 << 6);
    /// Its start is part of the restart of a group.
    pub(crate) const IN_GROUP: Self = Self(1 << 7);
    /// It is in the queue of due starts.
    pub(crate) const QUEUED: Self = Self(1 << 8);
    /// The backend reports it ready.
    pub(crate) const BACKEND_READY: Self = Self(1 << 9);
    /// Probe evidence took it down, and it occupies a place of `max_probe_restarts` until it is available again.
    pub(crate) const ACTED: Self = Self(1 << 10);
    /// Its end is reported in the current batch and was not decided on yet.
    pub(crate) const ENDING: Self = Self(1 << 11);
    /// There is probe evidence against it that has not taken it down.
    pub(crate) const UNHEALTHY: Self = Self(1 << 12);
    /// It is out of contact.
    pub(crate) const LOST: Self = Self(1 << 13);

    /// It has completed a run (a clean exit) and has not failed or been available since.
    pub(crate) const COMPLETED_RUN: Self = Self(1 << 16);

    /// It waits for a restart, whether for its due time or for a gate.
    pub(crate) const AWAITING: Self = Self(1 << 14);
    /// It was given up because a limit was reached. An incident undoes that.
    pub(crate) const GAVE_UP: Self = Self(1 << 15);

    /// Exempt: its failures do not count, because its slot is not regular, its revision is being rolled out, or it joins and
    /// has not been ready.
    pub(crate) const EXEMPT: Self = Self(1 << 17);
    /// It is being drained and has not been asked to stop.
    pub(crate) const DRAINING: Self = Self(1 << 18);
    /// It was available, and is missing because a rollout replaces it.
    pub(crate) const ROLLING: Self = Self(1 << 19);

    /// Its slot has taken another revision, and has not been started at it.
    pub(crate) const UNSTARTED: Self = Self(1 << 22);
    /// It has not been available since its slot has taken another revision, or the place of a drained one.
    pub(crate) const UNPROVEN: Self = Self(1 << 23);

    /// Its latest incarnation ended without confirmation. If it shows itself alive again, it is a stray.
    pub(crate) const UNCONFIRMED: Self = Self(1 << 24);

    /// It is counted among the exempt replicas that are given up.
    pub(crate) const EXEMPT_GIVEN_UP: Self = Self(1 << 25);

    /// Flags with which an end has consequences beyond the decision.
    pub(crate) const UNCOMMON_END: Self =
        Self::LOST.and(Self::START_PENDS).and(Self::ENDING).and(Self::EXEMPT).and(Self::DRAINING).and(Self::ROLLING);

    /// Other replicas wait for the outcome of its start.
    pub(crate) const START_PENDS: Self = Self::IN_FLIGHT.and(Self::ON_TRIAL);

    pub(crate) const fn only(self, mark: Self) -> Self {
        Self(self.0 & mark.0)
    }

    pub(crate) const fn any(self, flags: Self) -> bool {
        self.0 & flags.0 != 0
    }

    pub(crate) const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    pub(crate) const fn has(self, mark: Self) -> bool {
        self.0 & mark.0 == mark.0
    }

    pub(crate) fn set(&mut self, mark: Self) {
        self.0 |= mark.0;
    }

    pub(crate) fn clear(&mut self, mark: Self) {
        self.0 &= !mark.0;
    }

    /// Clears a flag that is rarely set. A narrow store followed by a wider load defeats store forwarding.
    #[inline]
    pub(crate) fn clear_if_set(&mut self, mark: Self) {
        if self.any(mark) {
            self.clear(mark);
        }
    }
}

impl Replica {
    /// Returns a replica whose first start is due now.
    pub(crate) fn new(seed: u64, id: ReplicaId, now: Timestamp) -> Self {
        Self {
            history: History::new(seed, id),
            due: now,
            since: now,
            phase: Phase::Waiting,
            after: NextPhase::Start,
            bucket: CensusBucket::None,
            gate: Gate::Backoff,
            kind: StartKind::First,
            placement: Placement::Same,
            role: None,
            kills: 0,
            failed_by: CauseCode::NONE,
            flags: ReplicaFlags::default(),
            wakes_for: no_deadline(),
        }
    }

    #[inline]
    pub(crate) fn is_regular(&self) -> bool {
        matches!(self.role, Some(Role::Regular))
    }

    /// The bucket that it is counted in.
    #[inline]
    pub(crate) fn census_bucket(&self) -> CensusBucket {
        if self.is_regular() { self.regular_bucket() } else { self.extra_bucket() }
    }

    /// The bucket of an extra slot, or of a slot that is not part of the set.
    #[cold]
    #[inline(never)]
    fn extra_bucket(&self) -> CensusBucket {
        let available = self.phase == Phase::Ready && self.bucket.is_available();
        match self.role.filter(|_| available) {
            Some(Role::StandIn) => CensusBucket::StandIn,
            Some(_) => CensusBucket::Spare,
            None => CensusBucket::None,
        }
    }

    /// The bucket of a regular slot.
    #[inline]
    fn regular_bucket(&self) -> CensusBucket {
        match self.phase {
            Phase::Completed => CensusBucket::Completed,
            Phase::Quarantined if self.due.is_never() => CensusBucket::GivenUp,
            Phase::Quarantined => CensusBucket::Failed,
            Phase::Stopped => CensusBucket::Stopped,
            Phase::Unknown => CensusBucket::Unknown,
            Phase::Stopping if self.after == NextPhase::Quarantine && self.due.is_never() => CensusBucket::GivenUp,
            Phase::Stopping if self.after == NextPhase::Complete => CensusBucket::Completed,
            Phase::Stopping if self.after == NextPhase::Stopped => CensusBucket::Stopped,
            _ if self.flags.any(ReplicaFlags::FAILED.and(ReplicaFlags::ROLLING)) => {
                if self.flags.has(ReplicaFlags::ROLLING) { CensusBucket::RollingOut } else { CensusBucket::Failed }
            }
            Phase::Waiting | Phase::Starting if self.flags.has(ReplicaFlags::COMPLETED_RUN) => {
                CensusBucket::CompletedRun
            }
            Phase::Ready if self.bucket.is_available() => CensusBucket::Available,
            Phase::Waiting | Phase::Starting | Phase::Running | Phase::Ready | Phase::Stopping | Phase::Removed => {
                if !self.flags.has(ReplicaFlags::WAS_AVAILABLE) {
                    CensusBucket::Fresh
                } else if self.flags.has(ReplicaFlags::REQUESTED) {
                    CensusBucket::Requested
                } else {
                    CensusBucket::NotReady
                }
            }
        }
    }

    /// Prepares the restart of a replica that has failed.
    #[inline]
    pub(crate) fn will_restart(&mut self, restart: Restart, charged: bool, reason: DecisionReason) {
        self.kind = StartKind::Restart { charged };
        self.placement = restart.placement;
        self.due = restart.due;
        self.gate = if reason == DecisionReason::Window { Gate::Window } else { Gate::Backoff };
        self.flags.clear(ReplicaFlags::REQUESTED.and(ReplicaFlags::GAVE_UP).and(ReplicaFlags::COMPLETED_RUN));
        self.flags.set(ReplicaFlags::FAILED);
    }

    /// Records that a replica is not restarted. `gave_up`: because a limit was reached.
    pub(crate) fn stays_down(&mut self, verdict: Verdict, gave_up: bool) {
        self.kind = StartKind::Restart { charged: false };
        self.placement = Placement::Same;
        self.due = verdict.due().unwrap_or(Timestamp::NEVER);
        self.gate = Gate::Backoff;
        self.flags.clear(ReplicaFlags::REQUESTED.and(ReplicaFlags::GAVE_UP).and(ReplicaFlags::COMPLETED_RUN));
        if verdict != Verdict::Complete {
            self.flags.set(ReplicaFlags::FAILED);
        }
        if gave_up {
            self.flags.set(ReplicaFlags::GAVE_UP);
        }
    }

    /// Whether an operator has stopped it or requested a stop.
    pub(crate) fn is_stopped(&self) -> bool {
        self.phase == Phase::Stopped || (self.phase == Phase::Stopping && self.after == NextPhase::Stopped)
    }

    /// Whether it starts again without a request: it waits for a start, or is stopped for one.
    pub(crate) fn restarts(&self) -> bool {
        match self.phase {
            Phase::Waiting => self.gate != Gate::Hold,
            Phase::Stopping => self.after == NextPhase::Start,
            _ => false,
        }
    }

    /// Whether it is given up, or will be once its instance has ended.
    pub(crate) fn is_given_up(&self) -> bool {
        self.phase == Phase::Quarantined || (self.phase == Phase::Stopping && self.after == NextPhase::Quarantine)
    }

    /// Whether it failed and is being stopped, so that the delay of its restart counts from its end.
    pub(crate) fn counts_from_its_end(&self) -> bool {
        self.phase == Phase::Stopping && self.after == NextPhase::Start && self.due.is_never()
    }

    /// Whether it waits for its group rather than for a due time of its own.
    pub(crate) fn waits_for_group(&self) -> bool {
        self.phase == Phase::Waiting && self.gate == Gate::Group
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_stays_small() {
        assert!(size_of::<Replica>() <= 128, "{}", size_of::<Replica>());
    }
}
