//! What a drain reports: its outcome, and what an open one waits for.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::super::serde_seconds;
use crate::decide::{Gate, ReplicaId};
use crate::time::Timestamp;

/// How the drain of one replica ended.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum DrainOutcome {
    /// Another slot has taken its place.
    Replaced,
    /// It was stopped or ended by itself, and starts again elsewhere.
    RestartedElsewhere,
    /// It was stopped at `deadline - stop_grace`, however many others were available.
    Forced,
    /// It did not run, or was removed for another reason. Its next start, if any, is elsewhere.
    NothingToDo,
}

impl DrainOutcome {
    /// Returns the word that traces use.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Replaced => "replaced",
            Self::RestartedElsewhere => "restarted-elsewhere",
            Self::Forced => "forced",
            Self::NothingToDo => "nothing-to-do",
        }
    }
}

/// The answer to the drain of one replica: its instance has ended. Every drain is answered once, unless it is taken back.
///
/// Its `Display` is one sentence for an operator.
///
/// ```
/// use uphold::engine::{Drain, DrainOutcome};
/// use uphold::{Event, Notice, Output, Policy, ReplicaSet, Timestamp};
///
/// let policy: Policy = serde_json::from_str(r#"{"replicas": 2, "retry": true}"#)?;
/// let mut set = ReplicaSet::new(policy, 7, Timestamp::ZERO);
/// set.handle_timeout(Timestamp::ZERO);
/// set.for_each_output(|_| ());
/// set.handle_all(Timestamp::ZERO, [Event::ready((0, 1)), Event::ready((1, 1))]);
/// set.for_each_output(|_| ());
///
/// // The other replica is enough for `min_available`, so replica 0 is stopped at once.
/// set.handle(Timestamp::from_secs(60), Event::Drain(Drain::of([0])));
/// set.for_each_output(|_| ());
/// set.handle(Timestamp::from_secs(61), Event::stopped((0, 1)));
/// let answer = std::iter::from_fn(|| set.poll_output()).find_map(|output| match output {
///     Output::Notice(Notice::Drain(answer)) => Some(answer),
///     _ => None,
/// });
/// let answer = answer.ok_or("no answer")?;
/// assert_eq!((answer.replica, answer.outcome), (0.into(), DrainOutcome::RestartedElsewhere));
/// assert_eq!(answer.to_string(), "replica 0 is drained: it starts again elsewhere");
/// # while set.poll_output().is_some() {}
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DrainAnswer {
    /// The replica that was drained.
    pub replica: ReplicaId,
    /// How the drain ended.
    pub outcome: DrainOutcome,
}

impl fmt::Display for DrainAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let replica = self.replica;
        match self.outcome {
            DrainOutcome::Replaced => write!(f, "replica {replica} is drained: another replica has taken its place"),
            DrainOutcome::RestartedElsewhere => write!(f, "replica {replica} is drained: it starts again elsewhere"),
            DrainOutcome::Forced => {
                write!(f, "replica {replica} is drained: it was stopped by its deadline, whatever else was available")
            }
            DrainOutcome::NothingToDo => {
                write!(f, "replica {replica} is drained: it did not run, or was removed anyway")
            }
        }
    }
}

/// A drain that has not been answered yet, and what it waits for. Returned by [`ReplicaSet::drains`](crate::ReplicaSet::drains).
///
/// Its `Display` is one sentence for an operator. In JSON, times are seconds since the epoch.
///
/// ```
/// use uphold::sim::{Simulation, drain};
/// use uphold::Policy;
///
/// let policy: Policy = serde_json::from_str(r#"{"replicas": 1, "retry": true}"#)?;
/// let run = Simulation::new(policy).at("60s", drain(0)).run_until("1h")?;
/// let waiting = run.set().drains().next().ok_or("no drain")?;
/// assert_eq!(waiting.to_string(), "replica 0 waits to be drained until enough others are available");
/// assert_eq!(serde_json::to_value(waiting)?["since_seconds"], 60);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[non_exhaustive]
pub struct DrainView {
    /// The replica that is drained.
    pub replica: ReplicaId,
    /// When the drain began.
    #[serde(rename = "since_seconds", with = "serde_seconds::time")]
    pub since: Timestamp,
    /// When its instance has to be gone; `None`: the drain waits without a limit.
    #[serde(rename = "deadline_seconds", with = "serde_seconds::time_option")]
    pub deadline: Option<Timestamp>,
    /// The surge slot that will take its place, if one was started.
    pub surge: Option<ReplicaId>,
    /// What it waits for: `disruption`, or `stop` once it has been asked to stop.
    pub gate: Gate,
}

impl fmt::Display for DrainView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "replica {} waits to be drained until ", self.replica)?;
        match (self.gate, self.surge) {
            (Gate::Stop, _) => f.write_str("its instance has stopped"),
            (_, Some(surge)) => write!(f, "surge replica {surge} is available"),
            _ => f.write_str("enough others are available"),
        }
    }
}
