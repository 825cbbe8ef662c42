//! Failure modes: why and after how long running replicas fail by themselves.

use std::time::Duration;

use uphold::decide::Revision;
use uphold::{Outcome, Timestamp};

use super::distribution::Distribution;
use super::random::RandomStream;

/// One way in which running replicas fail. Of several failure modes, the earliest one ends the instance.
///
/// A constant failure rate is `FailureMode::new(Distribution::exponential(mttf)?)`; one flapping replica is
/// `.replicas([3])` with a short time to failure; a bad node is `.on_node(2)`; a bad release is `.of_revision(..)`, or without
/// rollouts `.started_from(..)` and `.started_before(..)`, with a time to failure of seconds.
///
/// ```
/// use std::time::Duration;
/// use uphold::{Cause, Outcome, Timestamp};
/// use uphold_lab::fault::{Distribution, FailureMode, FaultModel};
///
/// let day = Duration::from_secs(86_400);
/// let crash = Outcome::exited(137, Timestamp::ZERO);
/// let reclaimed = Outcome::failed(Cause::Interruption, Timestamp::ZERO);
/// let model = FaultModel::new()
///     .starts_in(Duration::from_secs(20))
///     .failure(FailureMode::new(Distribution::exponential(7 * day)?).ends(crash))
///     .failure(FailureMode::new(Distribution::exponential(20 * day)?).ends(reclaimed));
/// assert_eq!(model.get_failures().len(), 2);
/// # Ok::<(), uphold_lab::fault::DistributionError>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
#[must_use]
pub struct FailureMode {
    time_to_failure: Distribution,
    /// Possible outcomes, each with the sum of the weights up to and including its own.
    outcomes: Vec<(f64, Outcome)>,
    /// Sorted; `None`: all replicas.
    pub(super) replicas: Option<Vec<u32>>,
    /// `None`: on every node.
    node: Option<u32>,
    /// `None`: of every revision.
    revision: Option<Revision>,
    started_from: Timestamp,
    started_before: Timestamp,
}

/// Invalid weights for [`FailureMode::ends_by_weight`].
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightError {
    /// A weight is not a number from 0 to 1 000 000 000.
    #[error("weight {0:?} is out of range: a number from 0 to 1000000000")]
    OutOfRange(f64),
    /// The weights sum to 0.
    #[error("the weights sum to 0; give at least one outcome a weight above 0")]
    AllZero,
}

impl FailureMode {
    /// Returns a failure mode that makes every instance exit with code 1 this long after it starts running.
    pub fn new(time_to_failure: impl Into<Distribution>) -> Self {
        Self {
            time_to_failure: time_to_failure.into(),
            outcomes: vec![(1.0, exit_code_1())],
            replicas: None,
            node: None,
            revision: None,
            started_from: Timestamp::ZERO,
            started_before: Timestamp::MAX,
        }
    }

    /// Sets how the instance ends. The time in `outcome` is ignored. Default: exit code 1.
    pub fn ends(mut self, outcome: Outcome) -> Self {
        self.outcomes = vec![(1.0, outcome)];
        self
    }

    /// Sets several ways in which the instance can end; each is chosen with a probability proportional to its weight.
    /// The times in the outcomes are ignored.
    ///
    /// # Errors
    /// A weight is not a number from 0 to 1 000 000 000, or all are 0.
    pub fn ends_by_weight(mut self, outcomes: impl IntoIterator<Item = (f64, Outcome)>) -> Result<Self, WeightError> {
        let mut sum = 0.0;
        self.outcomes.clear();
        for (weight, outcome) in outcomes {
            if !(0.0..=1e9).contains(&weight) {
                return Err(WeightError::OutOfRange(weight));
            }
            sum += weight;
            self.outcomes.push((sum, outcome));
        }
        if sum > 0.0 { Ok(self) } else { Err(WeightError::AllZero) }
    }

    /// Restricts it to these replicas. Default: all.
    pub fn replicas(mut self, replicas: impl IntoIterator<Item = u32>) -> Self {
        let mut replicas: Vec<u32> = replicas.into_iter().collect();
        replicas.sort_unstable();
        self.replicas = Some(replicas);
        self
    }

    /// Restricts it to instances on this node. Default: all nodes.
    pub fn on_node(mut self, node: u32) -> Self {
        self.node = Some(node);
        self
    }

    /// Restricts it to instances of this revision, such as one that leaks memory. Default: all revisions.
    pub fn of_revision(mut self, revision: Revision) -> Self {
        self.revision = Some(revision);
        self
    }

    /// Restricts it to instances that start running at this time or later. Default: 0.
    pub fn started_from(mut self, from: Duration) -> Self {
        self.started_from = Timestamp::ZERO + from;
        self
    }

    /// Restricts it to instances that start running before this time. Default: no limit.
    pub fn started_before(mut self, before: Duration) -> Self {
        self.started_before = Timestamp::ZERO + before;
        self
    }

    /// Returns how long an instance runs before it fails.
    pub fn get_time_to_failure(&self) -> &Distribution {
        &self.time_to_failure
    }

    /// Returns how the instance ends: each outcome with its share of the failures. The shares sum to 1.
    pub fn get_ends(&self) -> Vec<(f64, &Outcome)> {
        let total = self.outcomes.last().map_or(1.0, |(sum, _)| *sum);
        let before = std::iter::once(0.0).chain(self.outcomes.iter().map(|(sum, _)| *sum));
        self.outcomes.iter().zip(before).map(|((sum, outcome), before)| ((sum - before) / total, outcome)).collect()
    }

    /// Returns the replicas that fail this way, in ascending order; `None`: all.
    pub fn get_replicas(&self) -> Option<&[u32]> {
        self.replicas.as_deref()
    }

    /// Returns the node whose instances fail this way; `None`: every node.
    pub fn get_node(&self) -> Option<u32> {
        self.node
    }

    /// Returns the revision whose instances fail this way; `None`: every revision.
    pub fn get_revision(&self) -> Option<&Revision> {
        self.revision.as_ref()
    }

    /// Returns when an instance must start running to fail this way: from the first time until before the second, which
    /// is [`Timestamp::MAX`] if there is no limit.
    pub fn get_started(&self) -> std::ops::Range<Timestamp> {
        self.started_from..self.started_before
    }

    /// Returns how long after `running_at` the instance fails, in nanoseconds; `None`: it does not fail this way.
    pub(super) fn time_to_failure(
        &self,
        stream: RandomStream,
        start: &StartContext<'_>,
        running_at: u64,
    ) -> Option<u64> {
        let applies = (self.started_from.as_nanos()..self.started_before.as_nanos()).contains(&running_at)
            && self.node.is_none_or(|node| start.node == Some(node))
            && self.revision.as_ref().is_none_or(|revision| start.revision == Some(revision))
            && self.replicas.as_ref().is_none_or(|replicas| replicas.binary_search(&start.replica).is_ok());
        if applies {
            self.time_to_failure.sample(stream.substream(start.replica.into()), start.start_index)
        } else {
            None
        }
    }

    /// Returns how the instance ends when it fails this way.
    pub(super) fn outcome(&self, stream: RandomStream, start: &StartContext<'_>) -> Outcome {
        let chosen = match self.outcomes.as_slice() {
            [(_, only)] => Some(only),
            outcomes => {
                let sum = outcomes.last().map_or(0.0, |(sum, _)| *sum);
                let drawn = sum * stream.substream(start.replica.into()).substream(start.start_index).uniform();
                outcomes.iter().find(|(cumulative, _)| drawn < *cumulative).map(|(_, outcome)| outcome)
            }
        };
        chosen.cloned().unwrap_or_else(exit_code_1)
    }
}

fn exit_code_1() -> Outcome {
    Outcome::exited(1, Timestamp::ZERO)
}

/// One start of a replica.
#[derive(Clone, Copy, Debug)]
pub(super) struct StartContext<'r> {
    pub(super) replica: u32,
    /// Counted from 0 for each replica; the incarnation less 1.
    pub(super) start_index: u64,
    pub(super) node: Option<u32>,
    /// `None`: the one that the set began with.
    pub(super) revision: Option<&'r Revision>,
}

#[cfg(test)]
mod tests {
    use super::super::random::StreamId;
    use super::*;

    const SEC: u64 = 1_000_000_000;

    fn stream() -> RandomStream {
        RandomStream::new(7, StreamId::Outcome, 0)
    }

    fn context(replica: u32, node: Option<u32>) -> StartContext<'static> {
        StartContext { replica, start_index: 0, node, revision: None }
    }

    #[test]
    fn outcomes_are_as_frequent_as_their_weights_say() {
        let ends = [3.0, 0.0, 1.0].into_iter().zip([1, 2, 3].map(|code| Outcome::exited(code, Timestamp::ZERO)));
        let failure = FailureMode::new(Duration::ZERO).ends_by_weight(ends).unwrap();
        let mut counts = [0; 4];
        for replica in 0..4000 {
            let outcome = failure.outcome(stream(), &context(replica, None));
            match outcome.get_exit() {
                Some(uphold::Exit::Code(code)) => counts[code as usize] += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!((2900..3100).contains(&counts[1]) && counts[2] == 0, "{counts:?}");
    }

    #[test]
    fn invalid_weights_are_rejected() {
        let end = || Outcome::exited(1, Timestamp::ZERO);
        let with = |weights: &[f64]| {
            FailureMode::new(Duration::ZERO).ends_by_weight(weights.iter().map(|weight| (*weight, end())))
        };
        assert_eq!(with(&[0.0, 0.0]), Err(WeightError::AllZero));
        assert_eq!(with(&[]), Err(WeightError::AllZero));
        assert_eq!(with(&[-1.0]), Err(WeightError::OutOfRange(-1.0)));
        for weight in [f64::NAN, f64::INFINITY, 1e10] {
            assert!(with(&[weight]).is_err());
        }
    }

    #[test]
    fn only_matching_instances_fail() {
        let failure =
            FailureMode::new(Duration::from_secs(5)).replicas([3, 1]).on_node(2).started_from(Duration::from_secs(10));
        let failure = failure.started_before(Duration::from_secs(20));
        let time_to_failure = |replica, node, at| failure.time_to_failure(stream(), &context(replica, node), at * SEC);
        assert_eq!(time_to_failure(1, Some(2), 10), Some(5 * SEC));
        assert_eq!(time_to_failure(2, Some(2), 10), None);
        assert_eq!(time_to_failure(1, Some(1), 10), None);
        assert_eq!(time_to_failure(1, None, 10), None);
        assert_eq!(time_to_failure(1, Some(2), 20), None);
        assert_eq!(time_to_failure(1, Some(2), 9), None);
    }

    #[test]
    fn only_instances_of_the_revision_fail() {
        let [v2, v3] = ["v2", "v3"].map(|name| Revision::new(name).unwrap());
        let failure = FailureMode::new(Duration::from_secs(5)).of_revision(v2.clone());
        let time_to_failure =
            |revision| failure.time_to_failure(stream(), &StartContext { revision, ..context(0, None) }, SEC);
        assert_eq!(time_to_failure(Some(&v2)), Some(5 * SEC));
        assert_eq!(time_to_failure(Some(&v3)), None);
        assert_eq!(time_to_failure(None), None);
    }
}
