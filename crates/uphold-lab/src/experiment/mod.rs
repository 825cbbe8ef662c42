//! Experiments: Monte Carlo comparisons of policies under random faults.
//!
//! Each seed gives one history of faults, and every policy is simulated through every history. Differences between
//! policies are measured seed by seed (a paired comparison), so they are not due to different faults. An experiment is
//! built in code, or read from a document:
//!
//! ```
//! use uphold_lab::experiment::{Experiment, Metric};
//! use uphold_lab::files::parse_yaml;
//!
//! let experiment: Experiment = parse_yaml(
//!     "
//! question: Does it pay to restart at once?
//! policies:
//!   - {name: at once, policy: {replicas: 3, retry: {interval: 100ms}}}
//!   - {name: after a minute, policy: {replicas: 3, retry: {interval: 60s}}}
//! faults:
//!   ready_in: 20s
//!   failures: {after: {exponential: {mean: 12h}}}
//! until: 10d
//! seeds: 20
//! ",
//! )?;
//! let report = experiment.run()?;
//! let slower = &report.policies[1];
//! assert!(slower.differences[&Metric::Healthy].compared.is_significant());
//! assert!(slower.differences[&Metric::Healthy].mean < 0.0);
//! println!("{report}");
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! The keys of the document:
//!
//! | key | what | default |
//! |---|---|---|
//! | `name`, `question`, `note`, `answer` | texts that the report shows | none |
//! | `policies` | a list of `{name, policy}` or `{name, policy_file}`; all others are compared with the first; at most 64 | required |
//! | `faults` | the [fault model](crate::fault) | no faults |
//! | `timeline` | requests to every set: `{at: 1h, roll_out: v2}`, and as in [scenarios](uphold::sim::Scenario) `scale`, `drain`, `undrain`, `notice`, `promote`, `roll_back`, `stop`, `start`, `restart`, `reset`, `retry_now`, `terminate` | none |
//! | `until` | the length of each history, such as `30d` | required |
//! | `seeds` | the number of histories, 1 to 100 000 000 | 100 |
//! | `seed` | the first seed; the others are the numbers that follow | 0 |
//! | `healed_within` | see [`Metric::GaveUpTooEarly`] | 1h |
//!
//! [`Metric`] lists what is measured; [`Estimate`] and [`PairedDifference`] describe the confidence intervals.

mod definition;
mod document;
mod error;
pub(crate) mod format;
mod metric;
mod observations;
mod observed_environment;
mod reference;
mod report;
mod runner;
mod statistics;
mod table;
mod tally;

pub use definition::Experiment;
pub use document::{ExperimentDocument, MAX_SEEDS};
pub use error::ExperimentError;
pub use metric::{Metric, Unit};
pub use report::{ExperimentReport, PolicyReport, RecoveryTimes, Terminations};
pub use runner::{Progress, RunOptions};
pub use statistics::{Comparison, ConfidenceInterval, Estimate, PairedDifference};
