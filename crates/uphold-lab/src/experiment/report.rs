//! What came of an experiment.

use std::collections::BTreeMap;

use serde::Serialize;

use super::definition::Experiment;
use super::metric::Metric;
use super::statistics::{Estimate, PairedDifference};
use super::tally::Tally;

/// What came of an experiment. Serialises for programs; its `Display` is two tables for people.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct ExperimentReport {
    /// The experiment's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question: Option<String>,
    /// The note that the document has.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// The answer that was written into the document, which these figures may or may not bear out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<String>,
    /// How long each history is, in seconds.
    pub until_seconds: f64,
    /// The first seed; the others follow it.
    pub first_seed: u64,
    /// How many seeds were asked for.
    pub seeds: u64,
    /// How many were done: fewer if it was stopped early, and then not always the first ones.
    pub seeds_done: u64,
    /// What came of each policy, in the order of the document.
    pub policies: Vec<PolicyReport>,
}

/// What came of one policy.
#[derive(Clone, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct PolicyReport {
    /// Its name.
    pub name: String,
    /// What was measured; a metric about which no run says anything is left out.
    pub figures: BTreeMap<Metric, Estimate>,
    /// Compared with the first policy; empty for the first.
    pub differences: BTreeMap<Metric, PairedDifference>,
    /// How long it took to be healthy again.
    pub recovery: Recovery,
    /// The sets that were terminated.
    pub gave_up: GaveUp,
    /// The seed with the median availability, of the first 10 000: a run to look at, with
    /// [`Experiment::run_of`].
    pub typical_seed: u64,
    /// The seed with the lowest availability.
    pub worst_seed: u64,
}

/// From leaving healthy until healthy again, in seconds to three decimals: of all runs together.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct Recovery {
    /// How many there were.
    pub count: u64,
    /// Half were shorter; `None` if there was none.
    pub p50: Option<f64>,
    /// 95 of 100 were shorter.
    pub p95: Option<f64>,
    /// The longest.
    pub max: Option<f64>,
    /// Runs that were not healthy again by their end. They are not among the above.
    pub unfinished: u64,
}

/// Sets that were terminated, and when, in seconds to three decimals since the beginning.
#[derive(Clone, Copy, PartialEq, Debug, Serialize)]
#[non_exhaustive]
pub struct GaveUp {
    /// In how many runs.
    pub count: u64,
    /// The earliest; `None` if there was none.
    pub first: Option<f64>,
    /// Half were earlier.
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
            first_seed: experiment.seed,
            seeds: experiment.seeds,
            seeds_done: done,
            policies: policies
                .map(|(place, ((name, _), tally))| PolicyReport::new(name, tally, place == 0, experiment.seed))
                .collect(),
        }
    }

    /// Whether it was stopped before all seeds were done.
    pub fn is_partial(&self) -> bool {
        self.seeds_done < self.seeds
    }
}

impl PolicyReport {
    fn new(name: &str, tally: &Tally, is_first: bool, first_seed: u64) -> Self {
        let told = |metric: &Metric| tally.figure(*metric).count() > 0;
        let figures = Metric::ALL.into_iter().filter(told);
        let compared = Metric::ALL.into_iter().filter(|metric| !is_first && tally.difference(*metric).count() > 0);
        let (typical, worst) = tally.notable_seeds().unwrap_or_default();
        Self {
            name: name.to_owned(),
            figures: figures.map(|metric| (metric, Estimate::of(tally.figure(metric), metric))).collect(),
            differences: compared
                .map(|metric| (metric, PairedDifference::of(tally.difference(metric), metric)))
                .collect(),
            recovery: Recovery {
                count: tally.recoveries.len(),
                p50: tally.recoveries.quantile(0.5),
                p95: tally.recoveries.quantile(0.95),
                max: tally.recoveries.quantile(1.0),
                unfinished: tally.unrecovered,
            },
            gave_up: GaveUp {
                count: tally.gave_up.len(),
                first: tally.gave_up.quantile(0.0),
                median: tally.gave_up.quantile(0.5),
            },
            typical_seed: first_seed.wrapping_add(typical),
            worst_seed: first_seed.wrapping_add(worst),
        }
    }
}
