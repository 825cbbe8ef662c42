//! Timelines of runs and charts of estimates as self-contained SVG, legible in black and white and with any colour vision.

mod axis;
mod bands;
mod canvas;
mod chart;
mod lanes;
mod legend;
mod marker;
pub(crate) mod markup;
mod slot_marks;
mod slots;
mod spans;
mod style;
mod text;
mod timeline;
mod timeline_data;

pub use chart::Chart;
pub use timeline::{PictureError, Timeline};
