//! An experiment, put together in code or read from a document.

use std::time::Duration;

use serde::de::{Deserialize, Deserializer, Error as _};
use uphold::sim::{Run, SimError, Simulation};
use uphold::{Policy, Timestamp};

use super::document::ExperimentDocument;
use super::error::ExperimentError;
use super::report::ExperimentReport;
use super::runner::{self, RunOptions};
use crate::fault::FaultModel;

/// Several policies, what befalls them, for how long, and how often.
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
    pub(super) until: Timestamp,
    pub(super) seed: u64,
    pub(super) seeds: u64,
    pub(super) healed_within: Duration,
}

impl Experiment {
    /// What befalls the policies, and how long each history is. 100 seeds from 0 on, and no policy yet.
    pub fn new(faults: FaultModel, until: Duration) -> Self {
        Self {
            name: None,
            question: None,
            note: None,
            answer: None,
            policies: Vec::new(),
            faults,
            until: Timestamp::ZERO + until,
            seed: 0,
            seeds: 100,
            healed_within: Duration::from_secs(3600),
        }
    }

    /// Adds a policy under a name. The others are compared with the first.
    pub fn policy(mut self, name: impl Into<String>, policy: Policy) -> Self {
        self.policies.push((name.into(), policy));
        self
    }

    /// The question that it answers, for reports.
    pub fn question(mut self, question: impl Into<String>) -> Self {
        self.question = Some(question.into());
        self
    }

    /// So many histories, at least 1. Default 100.
    pub fn seeds(mut self, seeds: u64) -> Self {
        self.seeds = seeds.max(1);
        self
    }

    /// The seed of the first history; the others follow it. Default 0.
    pub fn first_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// See [`Metric::GaveUpTooEarly`](super::Metric::GaveUpTooEarly). Default 1 h.
    pub fn healed_within(mut self, within: Duration) -> Self {
        self.healed_within = within;
        self
    }

    /// Its name, if it has one.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The names and the policies, in order.
    pub fn policies(&self) -> impl ExactSizeIterator<Item = (&str, &Policy)> {
        self.policies.iter().map(|(name, policy)| (name.as_str(), policy))
    }

    /// How many histories there are.
    pub fn seed_count(&self) -> u64 {
        self.seeds
    }

    /// How long each history is.
    pub fn until(&self) -> Duration {
        self.until.since(Timestamp::ZERO)
    }

    /// What befalls the policies.
    pub fn faults(&self) -> &FaultModel {
        &self.faults
    }

    /// Runs it on all cores.
    ///
    /// # Errors
    /// There is no policy or no time, or a simulation fails.
    pub fn run(&self) -> Result<ExperimentReport, ExperimentError> {
        self.run_with(&RunOptions::new())
    }

    /// Runs it with a say in how: threads, progress, stopping early.
    ///
    /// # Errors
    /// As [`run`](Self::run); or it was stopped before one history was done.
    pub fn run_with(&self, options: &RunOptions<'_>) -> Result<ExperimentReport, ExperimentError> {
        runner::run(self, options)
    }

    /// The run of one policy, by its place, under one seed, with its whole trace: for a picture. The report names
    /// seeds that are worth looking at. A history of years makes a long trace; ask for a shorter experiment then.
    ///
    /// # Errors
    /// There is no such policy, or the simulation fails.
    pub fn run_of(&self, policy: usize, seed: u64) -> Result<Run, ExperimentError> {
        let (name, policy) =
            self.policies.get(policy).ok_or(ExperimentError::NoSuchPolicy(policy, self.policies.len()))?;
        let mut environment = self.faults.environment(seed, policy.replicas());
        let run = Simulation::new(policy.clone()).seed(seed).run_in(&mut environment, self.until);
        run.map_err(failed(name, seed))
    }
}

/// A simulation that failed.
pub(super) fn failed(policy: &str, seed: u64) -> impl FnOnce(SimError) -> ExperimentError {
    move |error| ExperimentError::Simulation { policy: policy.to_owned(), seed, error }
}

impl<'de> Deserialize<'de> for Experiment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let load = |_: &str| Err("a policy file cannot be read here; write the policy itself".to_owned());
        ExperimentDocument::deserialize(deserializer)?.read(load).map_err(D::Error::custom)
    }
}
