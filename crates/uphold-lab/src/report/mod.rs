//! The report of an experiment as one HTML file, to be read by people and passed on: nothing else is needed to show it.

mod figures;
mod format;
mod page;
mod typical_runs;

pub use page::html;
