//! The marks of verdicts: shapes, not colours, tell them apart.

use uphold::Verdict;

use super::markup::{Attribute, Markup, number};
use super::style::INK;

/// A mark, drawn around its middle within about ten pixels.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Marker {
    // In the order of their gravity: of several at one place the last is shown.
    Complete,
    Restart,
    Canary,
    Hold,
    Degrade,
    Terminate,
}

impl Marker {
    pub(super) const VERDICTS: [Self; 5] = [Self::Restart, Self::Hold, Self::Degrade, Self::Terminate, Self::Complete];

    pub(super) fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Restart(_) => Self::Restart,
            Verdict::Hold(_) => Self::Hold,
            Verdict::Degrade(_) => Self::Degrade,
            Verdict::Terminate => Self::Terminate,
            Verdict::Complete => Self::Complete,
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Hold => "hold",
            Self::Degrade => "degrade",
            Self::Terminate => "terminate",
            Self::Complete => "complete",
            Self::Canary => "the canary is up",
        }
    }

    /// Draws it around a place. By itself, not by reference: office programs lose references.
    pub(super) fn draw(self, svg: &mut Markup, x: f64, y: f64, tooltip: Option<&str>) {
        let filled = |d: &'static str| (d, INK, "none", 0.0);
        let drawn = |d: &'static str, wide: f64| (d, "none", INK, wide);
        let (d, fill, stroke, wide) = match self {
            Self::Restart => filled("M-3 -4L4 0L-3 4z"),
            Self::Hold => drawn("M-2 -4V4M2 -4V4", 2.2),
            Self::Degrade => drawn("M-3.5 -3.5L3.5 3.5M-3.5 3.5L3.5 -3.5", 2.2),
            Self::Terminate => filled("M-4 -4H4V4H-4z"),
            Self::Complete => drawn("M-4 0L-1 3.5L4 -4", 2.0),
            Self::Canary => filled("M0 -5L4.5 0L0 5L-4.5 0z"),
        };
        let place = format!("translate({} {})", number(x), number(y));
        let attributes: [(&str, &dyn Attribute); 5] =
            [("d", &d), ("transform", &place), ("fill", &fill), ("stroke", &stroke), ("stroke-width", &wide)];
        svg.leaf_with_tooltip("path", if wide > 0.0 { &attributes } else { &attributes[..3] }, tooltip);
    }
}
