//! The report of an experiment as a self-contained HTML page.

mod figures;
mod format;
mod page;
mod typical_runs;

pub use page::html;
