//! The report of an experiment: estimates for each policy, and comparisons with the first one.

use std::collections::BTreeMap;

use serde::Serialize;

use super::definition::Experiment;
use super::metric::Metric;
use super::statistics::{Estimate, PairedDifference};
use super::tally::Tally;

/// The report of an experiment. It serialises for programs; its `Display` output is two tables for people.
///
/// Returned by [`Experiment::run`]; see there for an example.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct ExperimentReport {
    /// The name of the experiment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// The note in the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The answer in the document. It was written by a person, and nothing checks it against these figures.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// The length of each history, in seconds.
    pub until_seconds: f64,
    /// The first seed; the others are the numbers that follow.
    pub first_seed: u64,
    /// The number of seeds of the experiment.
    pub seeds: u64,
    /// The number of complete seeds: fewer if the experiment was stopped early, and then not always the first ones.
    pub seeds_done: u64,
    /// The policies, in the order of the document.
    pub policies: Vec<PolicyReport>,
}

/// The results of one policy.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct PolicyReport {
    /// The name of the policy.
    pub name: String,
    /// The estimates of the metrics. A metric that is not defined in any run is left out.
    pub figures: BTreeMap<Metric, Estimate>,
    /// The comparisons with the first policy; empty for the first.
    pub differences: BTreeMap<Metric, PairedDifference>,
    /// The times to recovery.
    pub recovery: RecoveryTimes,
    /// The sets that were terminated.
    pub gave_up: Terminations,
    /// The seed with the median availability among the first 10 000, for use with [`Experiment::run_of`].
    pub typical_seed: u64,
    /// The seed with the lowest availability.
    pub worst_seed: u64,
}

/// The distribution of the time from leaving `healthy` until being healthy again, over all runs. In seconds, with three
/// significant digits.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct RecoveryTimes {
    /// The number of recoveries.
    pub count: u64,
    /// The median; `None` if there was no recovery.
    pub p50: Option<f64>,
    /// The 95th percentile.
    pub p95: Option<f64>,
    /// The maximum.
    pub max: Option<f64>,
    /// The number of runs that had not recovered at the end. Their last, unfinished recovery is not included above.
    pub unfinished: u64,
}

/// How many sets were terminated, and when. Times are in seconds since the start of the run, with three significant
/// digits.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct Terminations {
    /// The number of runs in which the set was terminated.
    pub count: u64,
    /// The earliest time; `None` if there is none.
    pub first: Option<f64>,
    /// The median time.
    pub median: Option<f64>,
}

impl ExperimentReport {
    pub(super) fn new(experiment: &Experiment, tallies: &[Tally], done: u64) -> Self {
        let policies = experiment.policies.iter().zip(tallies).enumerate();
        Self {
            name: experiment.name.clone(),
            question: experiment.question.clone(),
            note: experiment.note.clone(),
            answer: experiment.answer.clone(),
            until_seconds: experiment.until().as_secs_f64(),
            first_seed: experiment.first_seed,
            seeds: experiment.seeds,
            seeds_done: done,
            policies: policies
                .map(|(index, ((name, _), tally))| PolicyReport::new(name, tally, index == 0, experiment.first_seed))
                .collect(),
        }
    }

    /// Returns whether the experiment was stopped before all seeds were complete.
    pub fn is_partial(&self) -> bool {
        self.seeds_done < self.seeds
    }
}

impl PolicyReport {
    fn new(name: &str, tally: &Tally, is_first: bool, first_seed: u64) -> Self {
        let is_defined = |metric: &Metric| tally.figure(*metric).count() > 0;
        let figures = Metric::ALL.into_iter().filter(is_defined);
        let compared = Metric::ALL.into_iter().filter(|metric| !is_first && tally.difference(*metric).count() > 0);
        let (typical, worst) = tally.typical_and_worst().unwrap_or_default();
        Self {
            name: name.to_owned(),
            figures: figures.map(|metric| (metric, Estimate::of(tally.figure(metric), metric))).collect(),
            differences: compared
                .map(|metric| (metric, PairedDifference::of(tally.difference(metric), metric)))
                .collect(),
            recovery: RecoveryTimes {
                count: tally.recoveries.len(),
                p50: tally.recoveries.quantile(0.5),
                p95: tally.recoveries.quantile(0.95),
                max: tally.recoveries.quantile(1.0),
                unfinished: tally.unrecovered,
            },
            gave_up: Terminations {
                count: tally.gave_up.len(),
                first: tally.gave_up.quantile(0.0),
                median: tally.gave_up.quantile(0.5),
            },
            typical_seed: first_seed.wrapping_add(typical),
            worst_seed: first_seed.wrapping_add(worst),
        }
    }
}
