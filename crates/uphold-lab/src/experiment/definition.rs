//! The definition of an experiment: policies, faults, length and number of histories.

use std::time::Duration;

use uphold::sim::{Action, Simulation};
use uphold::{Policy, Timestamp};

use crate::fault::FaultModel;

/// A Monte Carlo comparison of policies: each seed gives one history of faults, and every policy is simulated through
/// every history.
///
/// ```
/// use std::time::Duration;
/// use uphold::{Policy, RetryPolicy};
/// use uphold_lab::experiment::{Experiment, Metric};
/// use uphold_lab::fault::{Distribution, FailureMode, FaultModel};
///
/// let day = Duration::from_secs(86_400);
/// let every = |secs| RetryPolicy::every(Duration::from_secs(secs));
/// let policy = |secs| Policy::builder().replicas(3).retry(every(secs)).build();
/// let faults = FaultModel::new().failure(FailureMode::new(Distribution::exponential(day)?));
/// let report = Experiment::new(faults, 30 * day)
///     .policy("every 10 s", policy(10)?)
///     .policy("every minute", policy(60)?)
///     .seeds(20)
///     .run()?;
/// let slower = &report.policies[1];
/// assert!(slower.figures[&Metric::Healthy].mean > 0.99);
/// assert!(slower.differences[&Metric::Healthy].compared.is_significant());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct Experiment {
    pub(super) name: Option<String>,
    pub(super) question: Option<String>,
    pub(super) note: Option<String>,
    pub(super) answer: Option<String>,
    pub(super) policies: Vec<(String, Policy)>,
    pub(super) faults: FaultModel,
    /// Sorted by time.
    pub(super) timeline: Vec<(Timestamp, Action)>,
    pub(super) until: Timestamp,
    pub(super) first_seed: u64,
    pub(super) seeds: u64,
    pub(super) healed_within: Duration,
}

impl Experiment {
    /// Returns an experiment without policies, with histories of length `until` and 100 seeds from 0 on.
    pub fn new(faults: FaultModel, until: Duration) -> Self {
        Self {
            name: None,
            question: None,
            note: None,
            answer: None,
            policies: Vec::new(),
            faults,
            timeline: Vec::new(),
            until: Timestamp::ZERO + until,
            first_seed: 0,
            seeds: 100,
            healed_within: Duration::from_secs(3600),
        }
    }

    /// Adds a policy. All others are compared with the first.
    pub fn policy(mut self, name: impl Into<String>, policy: Policy) -> Self {
        self.policies.push((name.into(), policy));
        self
    }

    /// Adds a request to every set at a time, such as a rollout or a drain. One about a replica that a set does not have then is
    /// rejected by that set.
    ///
    /// ```
    /// use std::time::Duration;
    /// use uphold::decide::Revision;
    /// use uphold::sim::roll_out;
    /// use uphold_lab::experiment::Experiment;
    /// use uphold_lab::fault::{FailureMode, FaultModel};
    ///
    /// let (minute, v2) = (Duration::from_secs(60), Revision::new("v2")?);
    /// let leak = FaultModel::new().failure(FailureMode::new(30 * minute).of_revision(v2.clone()));
    /// let experiment = Experiment::new(leak, 600 * minute).at(60 * minute, roll_out(v2));
    /// assert_eq!(experiment.timeline().count(), 1);
    /// # Ok::<(), uphold::decide::RevisionError>(())
    /// ```
    pub fn at(mut self, at: Duration, request: Action) -> Self {
        self.timeline.push((Timestamp::ZERO + at, request));
        self.timeline.sort_by_key(|(at, _)| *at);
        self
    }

    /// Sets the question that the report shows. Default: none.
    pub fn question(mut self, question: impl Into<String>) -> Self {
        self.question = Some(question.into());
        self
    }

    /// Sets the number of histories, at least 1. Default 100.
    pub fn seeds(mut self, seeds: u64) -> Self {
        self.seeds = seeds.max(1);
        self
    }

    /// Sets the seed of the first history; the others have the seeds that follow. Default 0.
    pub fn first_seed(mut self, seed: u64) -> Self {
        self.first_seed = seed;
        self
    }

    /// Sets the limit that [`Metric::GaveUpTooEarly`](super::Metric::GaveUpTooEarly) uses. Default 1 h.
    pub fn healed_within(mut self, within: Duration) -> Self {
        self.healed_within = within;
        self
    }

    /// Returns the name, if the document has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Returns the names and the policies, in order.
    pub fn policies(&self) -> impl ExactSizeIterator<Item = (&str, &Policy)> {
        self.policies.iter().map(|(name, policy)| (name.as_str(), policy))
    }

    /// Returns the requests with their times, in order.
    pub fn timeline(&self) -> impl ExactSizeIterator<Item = (Timestamp, &Action)> {
        self.timeline.iter().map(|(at, request)| (*at, request))
    }

    /// Returns the simulation of one policy under one seed.
    pub(super) fn simulation(&self, policy: &Policy, seed: u64) -> Simulation {
        let simulation = Simulation::new(policy.clone()).seed(seed).reject_unknown_replicas();
        self.timeline.iter().fold(simulation, |simulation, (at, request)| simulation.at(*at, request.clone()))
    }

    /// Returns the question that the report shows, if there is one.
    pub fn get_question(&self) -> Option<&str> {
        self.question.as_deref()
    }

    /// Returns the number of histories.
    pub fn get_seeds(&self) -> u64 {
        self.seeds
    }

    /// Returns the seed of the first history.
    pub fn get_first_seed(&self) -> u64 {
        self.first_seed
    }

    /// Returns the limit that [`Metric::GaveUpTooEarly`](super::Metric::GaveUpTooEarly) uses.
    pub fn get_healed_within(&self) -> Duration {
        self.healed_within
    }

    /// Returns the length of each history.
    pub fn until(&self) -> Duration {
        self.until.since(Timestamp::ZERO)
    }

    /// Returns the fault model.
    pub fn faults(&self) -> &FaultModel {
        &self.faults
    }
}
