//! Pictures of incidents, to be pasted into a report: SVG that needs nothing else, legible in black and white and to
//! the colour-blind.

mod axis;
mod bands;
mod canvas;
mod chart;
mod format;
mod lanes;
mod legend;
mod marker;
pub(crate) mod markup;
mod spans;
mod style;
mod timeline;
mod timeline_data;

pub use chart::Chart;
pub use timeline::{PictureError, Timeline};
