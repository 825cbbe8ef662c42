//! `admit`: decides whether a start that is due may happen now. Gates are checked in the order incident, budget,
//! concurrency, owner.

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
    /// The replica to start.
    pub replica: ReplicaId,
    /// The kind of start, which determines the gates that it must pass.
    pub kind: StartKind,
}

impl DueStart {
    /// Creates a first start. Only an incident and the owner's cap can delay it.
    pub fn first(replica: ReplicaId) -> Self {
        Self { replica, kind: StartKind::First }
    }

    /// Creates a start that an operator requested. Only the owner's cap can delay it.
    pub fn requested(replica: ReplicaId) -> Self {
        Self { replica, kind: StartKind::Requested }
    }

    /// Creates a restart after a failure or a clean exit; `charged` is [`Decision::charged`](crate::Decision::charged). Every
    /// gate can delay it.
    pub fn restart(replica: ReplicaId, charged: bool) -> Self {
        Self { replica, kind: StartKind::Restart { charged } }
    }
}

/// The kind of a start, which determines the gates that it must pass.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum StartKind {
    /// The replica starts for the first time.
    First,
    /// A restart after a failure or a clean exit.
    Restart {
        /// Whether it takes a token of the budget.
        charged: bool,
    },
    /// A start that an operator requested.
    Requested,
    /// The restart of an exempt slot, such as a stand-in, whose failures do not count. It takes no token of the budget and is
    /// in no incident.
    Exempt,
}

/// The answer of [`Policy::admit`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[expect(clippy::exhaustive_enums, reason = "a caller that ignores an answer loses a start silently")]
pub enum Admission {
    /// Start the replica now. Its budget token, if it needs one, has been taken.
    Start,
    /// A gate is closed; ask again later.
    Wait(Wait),
    /// Start nothing and pass the reason to [`Policy::terminate`]: the budget is empty and `empty: terminate` is set.
    Terminate(EndReason),
}

/// The gate that a start waits for, and when to ask again.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
#[non_exhaustive]
pub struct Wait {
    /// The closed gate.
    pub gate: Gate,
    /// When the gate opens without an event; `None` if only an event opens it. Ask again then, and after every event.
    pub until: Option<Timestamp>,
}

/// A condition that a start waits for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Gate {
    /// The delay after a failure; opens at the due time.
    Backoff,
    /// Room in the window of `limit`; opens at the due time.
    Window,
    /// A token of the set's `budget`; opens when the next one is refilled.
    Budget,
    /// A free slot of `max_concurrent_starts`; opens when a restart under way is ready, fails, is stopped or times out.
    Concurrency,
    /// The canary of an incident, or the current batch after it; opens when the canary is up or has failed, or when every
    /// start of the batch is up or has failed.
    Incident,
    /// The end of the previous incarnation; opens when that is confirmed.
    Stop,
    /// The owner's cap on starts ([`Policy::limit_starts`]); opens when it is raised or a start under way is up or has failed.
    Owner,
    /// An operator, or the end of the hold; opens on `retry_now`, `restart` or `reset`, and when the hold times out.
    Hold,
    /// The other members of a group that restarts together; opens when all have stopped and are due.
    Group,
    /// The previous replica under `start_order: ordered`; opens when that is ready.
    Order,
    /// Enough other available replicas, for a drain; opens when the drained replica may be taken down.
    Disruption,
}

impl Gate {
    /// Returns the word that traces use.
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
            Self::Disruption => "disruption",
        }
    }
}

impl std::fmt::Display for Gate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl Policy {
    /// Decides whether a start that is due may happen now.
    ///
    /// Ask in the order of due time, then replica. Ask again for a waiting start after every event and at [`Wait::until`].
    /// A start that waits takes no token. Report the result of an admitted start to [`Policy::record_start_outcome`].
    /// If `now` is before the time of the last call, that time is used instead.
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
        let restart = matches!(start.kind, StartKind::Restart { .. } | StartKind::Exempt);
        let mut paid = matches!(start.kind, StartKind::Restart { charged: true });
        let in_incident = !matches!(start.kind, StartKind::Requested | StartKind::Exempt);
        if in_incident {
            if let Some(incident) = &set.incident {
                match incident.stage {
                    IncidentStage::Holding { canary: Some(_), .. } => return wait(Gate::Incident, None),
                    // The canary must be a replica that failed.
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
        // Every gate is checked before a token is taken, because a start that waits takes none.
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
        if in_incident {
            set.release(start.replica, paid);
        }
        Admission::Start
    }
}
