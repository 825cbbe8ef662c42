//! What makes running replicas fail by themselves.

use std::time::Duration;

use uphold::{Outcome, Timestamp};

use super::distribution::Distribution;
use super::draw::Draws;

/// One thing that makes running replicas fail. Of several, the first to come true does.
///
/// Plain wear is `Failure::new(to_failure)`; one replica that flaps is `.of([3])` with a short time to failure; a bad
/// node is `.on_node(2)`; a bad release is `.from(..).to(..)` with a time to failure of seconds.
///
/// ```
/// use std::time::Duration;
/// use uphold::{Cause, Outcome, Timestamp};
/// use uphold_lab::fault::{Distribution, Failure, FaultModel};
///
/// let day = Duration::from_secs(86_400);
/// let crashes = Outcome::exited(137, Timestamp::ZERO);
/// let reclaimed = Outcome::failed(Cause::Interruption, Timestamp::ZERO);
/// let model = FaultModel::new()
///     .starts_in(Duration::from_secs(20))
///     .failure(Failure::new(Distribution::exponential(7 * day)?).ends(crashes))
///     .failure(Failure::new(Distribution::exponential(20 * day)?).ends(reclaimed));
/// # let _ = model;
/// # Ok::<(), uphold_lab::fault::DistributionError>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
#[must_use]
pub struct Failure {
    after: Distribution,
    /// How it ends, each with the sum of the weights up to it.
    ends: Vec<(f64, Outcome)>,
    pub(super) replicas: Option<Vec<u32>>,
    pub(super) node: Option<u32>,
    from: u64,
    to: u64,
}

/// What is wrong with weights.
#[derive(Clone, PartialEq, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightError {
    /// A weight is not a number from 0 up.
    #[error("weight {0:?} is out of range: a number from 0 to 1000000000")]
    Weight(f64),
    /// The weights sum to 0.
    #[error("the weights sum to 0; give at least one way to end a weight above 0")]
    Nothing,
}

impl Failure {
    /// So long after an instance begins to run, it exits with code 1.
    pub fn new(after: impl Into<Distribution>) -> Self {
        let crash = Outcome::exited(1, Timestamp::ZERO);
        Self { after: after.into(), ends: vec![(1.0, crash)], replicas: None, node: None, from: 0, to: u64::MAX }
    }

    /// How it ends; the time in it does not matter. Default: exit code 1.
    pub fn ends(mut self, outcome: Outcome) -> Self {
        self.ends = vec![(1.0, outcome)];
        self
    }

    /// Several ways to end, as often as their weights say.
    ///
    /// # Errors
    /// A weight is not a number from 0 to 1 000 000 000, or all are 0.
    pub fn ends_by_weight(mut self, ends: impl IntoIterator<Item = (f64, Outcome)>) -> Result<Self, WeightError> {
        let mut sum = 0.0;
        self.ends.clear();
        for (weight, outcome) in ends {
            if !(0.0..=1e9).contains(&weight) {
                return Err(WeightError::Weight(weight));
            }
            sum += weight;
            self.ends.push((sum, outcome));
        }
        if sum > 0.0 { Ok(self) } else { Err(WeightError::Nothing) }
    }

    /// Of these replicas alone. Default: of all.
    pub fn of(mut self, replicas: impl IntoIterator<Item = u32>) -> Self {
        let mut replicas: Vec<u32> = replicas.into_iter().collect();
        replicas.sort_unstable();
        self.replicas = Some(replicas);
        self
    }

    /// Of what runs on this node alone. Default: on all.
    pub fn on_node(mut self, node: u32) -> Self {
        self.node = Some(node);
        self
    }

    /// Of instances that begin to run from this time on, included. Default: from the beginning.
    pub fn from(mut self, from: Duration) -> Self {
        self.from = (Timestamp::ZERO + from).as_nanos();
        self
    }

    /// Of instances that begin to run before this time. Default: to the end.
    pub fn to(mut self, to: Duration) -> Self {
        self.to = (Timestamp::ZERO + to).as_nanos();
        self
    }

    /// From when an instance begins to run until this makes it fail, in nanoseconds; `None`: it does not.
    pub(super) fn strikes(&self, draws: Draws, at: &Place, runs_at: u64) -> Option<u64> {
        let concerned = (self.from..self.to).contains(&runs_at)
            && self.node.is_none_or(|node| at.node == Some(node))
            && self.replicas.as_ref().is_none_or(|replicas| replicas.binary_search(&at.replica).is_ok());
        if concerned { self.after.draw(draws.of(at.replica.into()), at.occurrence) } else { None }
    }

    /// How it ends then.
    pub(super) fn outcome(&self, draws: Draws, at: &Place) -> Outcome {
        let chosen = match self.ends.as_slice() {
            [(_, only)] => Some(only),
            ends => {
                let sum = ends.last().map_or(0.0, |(sum, _)| *sum);
                let draw = sum * draws.of(at.replica.into()).of(at.occurrence).uniform();
                ends.iter().find(|(up_to, _)| draw < *up_to).map(|(_, outcome)| outcome)
            }
        };
        chosen.cloned().unwrap_or_else(|| Outcome::exited(1, Timestamp::ZERO))
    }
}

/// Which instance it is about.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    pub(super) replica: u32,
    /// Which start of the replica, from 0.
    pub(super) occurrence: u64,
    pub(super) node: Option<u32>,
}

#[cfg(test)]
mod tests {
    use super::super::draw::Kind;
    use super::*;

    const SEC: u64 = 1_000_000_000;

    fn draws() -> Draws {
        Draws::new(7, Kind::Cause, 0)
    }

    fn place(replica: u32, node: Option<u32>) -> Place {
        Place { replica, occurrence: 0, node }
    }

    #[test]
    fn ways_to_end_come_as_often_as_their_weights_say() {
        let ends = [3.0, 0.0, 1.0].into_iter().zip([1, 2, 3].map(|code| Outcome::exited(code, Timestamp::ZERO)));
        let failure = Failure::new(Duration::ZERO).ends_by_weight(ends).unwrap();
        let mut counts = [0; 4];
        for replica in 0..4000 {
            let outcome = failure.outcome(draws(), &place(replica, None));
            match outcome.exit_status() {
                Some(uphold::Exit::Code(code)) => counts[code as usize] += 1,
                other => panic!("{other:?}"),
            }
        }
        assert!((2900..3100).contains(&counts[1]) && counts[2] == 0, "{counts:?}");
    }

    #[test]
    fn weights_that_mean_nothing_are_refused() {
        let end = || Outcome::exited(1, Timestamp::ZERO);
        let with = |weights: &[f64]| {
            Failure::new(Duration::ZERO).ends_by_weight(weights.iter().map(|weight| (*weight, end())))
        };
        assert_eq!(with(&[0.0, 0.0]), Err(WeightError::Nothing));
        assert_eq!(with(&[]), Err(WeightError::Nothing));
        assert_eq!(with(&[-1.0]), Err(WeightError::Weight(-1.0)));
        for weight in [f64::NAN, f64::INFINITY, 1e10] {
            assert!(with(&[weight]).is_err());
        }
    }

    #[test]
    fn only_those_concerned_are_struck() {
        let failure = Failure::new(Duration::from_secs(5)).of([3, 1]).on_node(2).from(Duration::from_secs(10));
        let failure = failure.to(Duration::from_secs(20));
        let strikes = |replica, node, at| failure.strikes(draws(), &place(replica, node), at * SEC);
        assert_eq!(strikes(1, Some(2), 10), Some(5 * SEC));
        assert_eq!(strikes(2, Some(2), 10), None);
        assert_eq!(strikes(1, Some(1), 10), None);
        assert_eq!(strikes(1, None, 10), None);
        assert_eq!(strikes(1, Some(2), 20), None);
        assert_eq!(strikes(1, Some(2), 9), None);
    }
}
