//! Experiments: several policies against the same faults, over many seeds.
//!
//! An experiment is a question with numbers for an answer. Each seed is one history of faults, and every policy lives
//! through it: what tells policies apart is then the policies, not their luck. Read from a document:
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
//! | `name`, `question`, `note`, `answer` | texts, for people | none |
//! | `policies` | a list of `{name, policy}` or `{name, policy_file}`; the others are compared with the first; at most 64 | required |
//! | `faults` | what befalls each: see [`fault`](crate::fault) | nothing |
//! | `until` | how long each history is, such as `30d` | required |
//! | `seeds` | how many histories, 1 to 100 000 000 | 100 |
//! | `seed` | the first seed; the others follow it | 0 |
//! | `healed_within` | see [`Metric::GaveUpTooEarly`] | 1h |
//!
//! What is measured is said at [`Metric`]; how sure the numbers are, at [`Estimate`] and [`PairedDifference`].

mod definition;
mod document;
mod error;
pub(crate) mod format;
mod metric;
mod observer;
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
pub use report::{ExperimentReport, GaveUp, PolicyReport, Recovery};
pub use runner::{Progress, RunOptions};
pub use statistics::{Comparison, ConfidenceInterval, Estimate, PairedDifference};
