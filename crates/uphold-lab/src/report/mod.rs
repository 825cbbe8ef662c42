//! The report of an experiment as one HTML file, to be read by people and passed on: nothing else is needed to show it.

mod figures;
mod number;
mod page;
mod runs;

pub use page::html;
