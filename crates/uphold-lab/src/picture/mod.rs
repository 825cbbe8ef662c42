//! Pictures of incidents, to be pasted into a report: SVG that needs nothing else, legible in black and white and to
//! the colour-blind.

mod axis;
mod bands;
mod canvas;
mod chart;
mod glyph;
mod history;
mod lanes;
mod legend;
mod look;
pub(crate) mod markup;
mod spans;
mod spell;
mod timeline;

pub use chart::Chart;
pub use timeline::{PictureError, Timeline};
