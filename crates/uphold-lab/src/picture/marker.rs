//! The markers of verdicts and of steps of rollouts, distinguished by shape rather than colour.

use uphold::Verdict;

use super::markup::{Attribute, Markup, path_number};
use super::style::INK;

/// A marker, about ten pixels wide. In order of severity: of several at one place, the last is shown.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Marker {
    Complete,
    Restart,
    Canary,
    Hold,
    Degrade,
    Terminate,
    Promoted,
    RolloutCompleted,
    RolledBack,
    RolloutFailed,
}

impl Marker {
    pub(super) const VERDICTS: [Self; 5] = [Self::Restart, Self::Hold, Self::Degrade, Self::Terminate, Self::Complete];

    pub(super) const ROLLOUT_STEPS: [Self; 4] =
        [Self::Promoted, Self::RolloutFailed, Self::RolledBack, Self::RolloutCompleted];

    pub(super) fn of(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Restart(_) => Self::Restart,
            Verdict::Hold(_) => Self::Hold,
            Verdict::Degrade(_) => Self::Degrade,
            Verdict::Terminate => Self::Terminate,
            Verdict::Complete => Self::Complete,
        }
    }

    /// Returns the text that the legend shows.
    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Restart => "restart",
            Self::Hold => "hold",
            Self::Degrade => "degrade",
            Self::Terminate => "terminate",
            Self::Complete => "complete",
            Self::Canary => "canary up",
            Self::Promoted => "promoted",
            Self::RolloutCompleted => "completed",
            Self::RolledBack => "rolled back",
            Self::RolloutFailed => "failed",
        }
    }

    /// Draws the marker centred on a point. It does not use `<use>`, because office programs do not import it.
    pub(super) fn draw(self, svg: &mut Markup, x: f64, y: f64, tooltip: Option<&str>) {
        let filled = |d: &'static str| (d, INK, "none", 0.0);
        let outlined = |d: &'static str, width: f64| (d, "none", INK, width);
        let (d, fill, stroke, stroke_width) = match self {
            Self::Restart => filled("M-3 -4L4 0L-3 4z"),
            Self::Hold => outlined("M-2 -4V4M2 -4V4", 2.2),
            Self::Degrade | Self::RolloutFailed => outlined("M-3.5 -3.5L3.5 3.5M-3.5 3.5L3.5 -3.5", 2.2),
            Self::Terminate => filled("M-4 -4H4V4H-4z"),
            Self::Complete | Self::RolloutCompleted => outlined("M-4 0L-1 3.5L4 -4", 2.0),
            Self::Canary | Self::Promoted => filled("M0 -5L4.5 0L0 5L-4.5 0z"),
            Self::RolledBack => filled("M3 -4L-4 0L3 4z"),
        };
        let transform = format!("translate({} {})", path_number(x), path_number(y));
        let attributes: [(&str, &dyn Attribute); 5] = [
            ("d", &d),
            ("transform", &transform),
            ("fill", &fill),
            ("stroke", &stroke),
            ("stroke-width", &stroke_width),
        ];
        svg.leaf_with_tooltip("path", if stroke_width > 0.0 { &attributes } else { &attributes[..3] }, tooltip);
    }
}
