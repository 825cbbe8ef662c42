//! The behaviour of replicas in a scripted simulation: how long they run and how they end.

use std::time::Duration;

use crate::decide::{InstanceId, Revision};
use crate::engine::ProbeKind;
use crate::policy::{Cause, Exit};
use crate::time::Timestamp;

/// What replicas do of their own accord, such as crashing after a while or failing a probe.
///
/// A behaviour applies to every incarnation of every replica at all times, unless [`replica`](Self::replica),
/// [`times`](Self::times), [`active_from`](Self::active_from) or [`active_until`](Self::active_until) narrow it down.
///
/// ```
/// use std::time::Duration;
/// use uphold::sim::{Behaviour, Simulation};
/// use uphold::{Exit, Policy, RetryPolicy};
///
/// // The first two incarnations of replica 1 crash after 10 s.
/// let crashes = Behaviour::runs(Duration::from_secs(10), Exit::Code(1)).replica(1).times(2);
/// let policy = Policy::builder().replicas(3).retry(RetryPolicy::every(Duration::from_secs(30))).build()?;
/// let run = Simulation::new(policy).behaviour(crashes).run_until("1h")?;
/// assert_eq!(run.restarts_of(1), 2);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub struct Behaviour {
    pub(super) kind: BehaviourKind,
    pub(super) replica: Option<u32>,
    pub(super) revision: Option<Revision>,
    pub(super) times: Option<u64>,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum BehaviourKind {
    Runs { runs: Duration, exit: Exit },
    StartFails { cause: Cause, late_start: Option<Duration> },
    Hangs,
    ProbeFails(ProbeKind),
    IgnoresStop,
    IgnoresKill,
}

impl Behaviour {
    fn new(kind: BehaviourKind) -> Self {
        Self { kind, replica: None, revision: None, times: None, from: Timestamp::ZERO, to: Timestamp::MAX }
    }

    /// Creates a behaviour in which each incarnation exits with `exit` once it has been running for `runs`.
    pub fn runs(runs: Duration, exit: Exit) -> Self {
        Self::new(BehaviourKind::Runs { runs, exit })
    }

    /// Creates a behaviour in which each start fails with `cause`.
    pub fn start_fails(cause: Cause) -> Self {
        Self::new(BehaviourKind::StartFails { cause, late_start: None })
    }

    /// Creates a behaviour in which each start is reported as failed, but the instance is running all the same,
    /// `after` the start command.
    pub fn late_start(cause: Cause, after: Duration) -> Self {
        Self::new(BehaviourKind::StartFails { cause, late_start: Some(after) })
    }

    /// Creates a behaviour in which instances ignore stop commands and end only when they are killed.
    pub fn ignores_stop() -> Self {
        Self::new(BehaviourKind::IgnoresStop)
    }

    /// Creates a behaviour in which neither a stop nor a kill has an effect.
    pub fn ignores_kill() -> Self {
        Self::new(BehaviourKind::IgnoresKill)
    }

    /// Creates a behaviour in which each start is accepted and nothing is ever reported about it.
    pub fn hangs() -> Self {
        Self::new(BehaviourKind::Hangs)
    }

    /// Creates a behaviour in which this probe fails.
    pub fn probe_fails(probe: ProbeKind) -> Self {
        Self::new(BehaviourKind::ProbeFails(probe))
    }

    /// Restricts it to one replica. Default: all replicas.
    pub fn replica(mut self, replica: u32) -> Self {
        self.replica = Some(replica);
        self
    }

    /// Restricts it to instances of one revision. Default: all revisions.
    pub fn revision(mut self, revision: Revision) -> Self {
        self.revision = Some(revision);
        self
    }

    /// Restricts it to the first `times` incarnations of each replica. Default: all incarnations.
    pub fn times(mut self, times: u64) -> Self {
        self.times = Some(times);
        self
    }

    /// Restricts it to times at or after `from`, counted from the start of the simulation. Default: zero.
    pub fn active_from(mut self, from: Duration) -> Self {
        self.from = Timestamp::ZERO + from;
        self
    }

    /// Restricts it to times before `to`, counted from the start of the simulation. Default: unlimited.
    pub fn active_until(mut self, to: Duration) -> Self {
        self.to = Timestamp::ZERO + to;
        self
    }

    /// Returns the replica that it is restricted to; `None`: all replicas.
    pub fn get_replica(&self) -> Option<u32> {
        self.replica
    }

    /// Returns whether it applies to an incarnation of a replica at a time.
    pub(super) fn is_active(&self, instance: InstanceId, revision: Option<&Revision>, at: Timestamp) -> bool {
        let (replica, incarnation) = (instance.replica.0, instance.incarnation.0);
        self.replica.is_none_or(|only| only == replica)
            && self.revision.as_ref().is_none_or(|only| Some(only) == revision)
            && self.times.is_none_or(|times| incarnation <= times)
            && self.from <= at
            && at < self.to
    }
}
