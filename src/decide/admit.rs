//! `admit`: whether a start that is due may go now. The gates, in order: incident, budget, concurrency, owner.

use serde::{Deserialize, Serialize};

use super::census::Census;
use super::ids::ReplicaId;
use super::incident::IncidentStage;
use super::set_history::SetHistory;
use super::status::EndReason;
use crate::policy::{BudgetEmpty, Policy};
use crate::time::Timestamp;

/// A start that is due; the argument of [`Policy::admit`].
///
/// ```
/// use uphold::decide::{Admission, Census, DueStart, SetHistory};
/// use uphold::{Policy, Timestamp};
///
/// let policy = Policy::builder().replicas(2).build()?;
/// let mut set = SetHistory::new(Timestamp::ZERO);
/// let census = Census { fresh: 2, ..Census::default() };
/// assert_eq!(policy.admit(&mut set, &census, DueStart::first(0.into()), Timestamp::ZERO), Admission::Start);
/// # Ok::<(), uphold::PolicyError>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct DueStart {
    /// Whose start.
    pub replica: ReplicaId,
    /// What kind of start.
    pub kind: StartKind,
}

impl DueStart {
    /// A first start: no gate but an incident and the owner's cap.
    pub fn first(replica: ReplicaId) -> Self {
        Self { replica, kind: StartKind::First }
    }

    /// A start that an operator asked for: no gate but the owner's cap.
    pub fn requested(replica: ReplicaId) -> Self {
        Self { replica, kind: StartKind::Requested }
    }

    /// A restart after a failure; `charged` as its decision said.
    pub fn restart(replica: ReplicaId, charged: bool) -> Self {
        Self { replica, kind: StartKind::Restart { charged } }
    }
}

/// What kind of start.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StartKind {
    /// The replica starts for the first time.
    First,
    /// A restart after a failure or exit 0.
    Restart {
        /// Whether it takes a token of the budget.
        charged: bool,
    },
    /// An operator asked for it: only the owner's cap holds it back.
    Requested,
}

/// Whether a start may go.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::exhaustive_enums, reason = "an ignored answer would lose a start in silence")]
pub enum Admission {
    /// It goes now. Its budget token, if any, is taken.
    Start,
    /// It waits behind this gate.
    Wait(Wait),
    /// The set is terminated instead.
    Terminate(EndReason),
}

/// A wait behind a gate.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Wait {
    /// Behind which gate.
    pub gate: Gate,
    /// When to ask again even if nothing happens; `None`: only an event opens the gate.
    pub until: Option<Timestamp>,
}

/// What a replica that is to start waits for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Gate {
    /// Its delay; opens at its due time.
    Backoff,
    /// Room in its window; opens at its due time.
    Window,
    /// A token of the set's budget; opens when one is refilled.
    Budget,
    /// A place among the concurrent starts; opens when a start is ready, failed, stopped or timed out.
    Concurrency,
    /// The canary of an incident; opens when it is ready, has run for long enough, or fails.
    Incident,
    /// The end of its earlier incarnation; opens when that is confirmed.
    Stop,
    /// The owner's cap; opens when the owner raises it or a start is decided.
    Owner,
    /// A hold; opens by `retry_now`, `restart` or `reset`, or when it times out.
    Hold,
    /// The rest of a group that restarts together; opens when all of it has stopped and is due.
    Group,
    /// The start of the replica before it; opens when that is ready.
    Order,
}

impl Gate {
    /// The word that traces use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Backoff => "backoff",
            Self::Window => "window",
            Self::Budget => "budget",
            Self::Concurrency => "concurrency",
            Self::Incident => "incident",
            Self::Stop => "stop",
            Self::Owner => "owner",
            Self::Hold => "hold",
            Self::Group => "group",
            Self::Order => "order",
        }
    }
}

impl std::fmt::Display for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl Policy {
    /// Decides whether a start that is due may go now.
    ///
    /// Call it in the order of (due time, replica). Call it again for a start that waits when its gate may have opened.
    /// Report what became of an admitted start with [`Policy::record_start_outcome`].
    ///
    /// ```
    /// use uphold::decide::{Admission, Census, DueStart, Gate, SetHistory};
    /// use uphold::{FailurePolicy, Policy, Quantity, RetryPolicy, Timestamp};
    /// use std::time::Duration;
    ///
    /// let policy = Policy::builder()
    ///     .replicas(4)
    ///     .retry(RetryPolicy::every(Duration::from_secs(1)))
    ///     .failure(FailurePolicy::new().max_concurrent_starts(Quantity::Percent(25)))
    ///     .build()?;
    /// let mut set = SetHistory::new(Timestamp::ZERO);
    /// let now = Timestamp::from_secs(61);
    /// let due = DueStart::restart(2.into(), true);
    ///
    /// let quiet = Census { available: 2, failed: 2, live: 2, ..Census::default() };
    /// assert_eq!(policy.admit(&mut set, &quiet, due, now), Admission::Start);
    ///
    /// let one_under_way = Census { starting: 1, in_flight: 1, live: 3, ..quiet };
    /// let Admission::Wait(wait) = policy.admit(&mut set, &one_under_way, due, now) else { panic!() };
    /// assert_eq!(wait.gate, Gate::Concurrency);
    /// # Ok::<(), uphold::PolicyError>(())
    /// ```
    pub fn admit(&self, set: &mut SetHistory, census: &Census, start: DueStart, now: Timestamp) -> Admission {
        let compiled = self.compiled();
        let now = set.advance(now);
        let wait = |gate, until| Admission::Wait(Wait { gate, until });
        let restart = matches!(start.kind, StartKind::Restart { .. });
        let mut paid = matches!(start.kind, StartKind::Restart { charged: true });
        if start.kind != StartKind::Requested {
            if let Some(incident) = &set.incident {
                match incident.stage {
                    IncidentStage::Holding { canary: Some(_), .. } => return wait(Gate::Incident, None),
                    // The canary is one of those that failed.
                    IncidentStage::Holding { .. } if !restart => return wait(Gate::Incident, None),
                    IncidentStage::Holding { not_before, .. } if now < not_before => {
                        return wait(Gate::Incident, Some(not_before));
                    }
                    IncidentStage::Holding { .. } => paid |= !incident.charged,
                    IncidentStage::Resuming { to_release: 0, .. } => return wait(Gate::Incident, None),
                    IncidentStage::Resuming { .. } => {}
                }
            }
        }
        // All gates are checked before a token is taken: a start that waits takes none.
        let cap = self.max_concurrent_starts(census.desired()).filter(|_| restart);
        let no_room = cap.is_some_and(|cap| census.starting >= cap);
        let capped = set.start_limit.is_some_and(|limit| census.in_flight >= limit);
        if let Some(budget) = compiled.budget.filter(|_| paid) {
            let mut bucket = set.bucket.get().copied().unwrap_or_default();
            match bucket.take(budget, now) {
                Ok(()) if no_room || capped => {}
                Ok(()) => *set.bucket.get_or_init() = bucket,
                Err(_) if budget.empty == BudgetEmpty::Terminate => return Admission::Terminate(EndReason::Exhausted),
                Err(refilled) => return wait(Gate::Budget, Some(refilled)),
            }
        }
        if no_room {
            return wait(Gate::Concurrency, None);
        }
        if capped {
            return wait(Gate::Owner, None);
        }
        if start.kind != StartKind::Requested {
            set.release(start.replica, paid);
        }
        Admission::Start
    }
}
