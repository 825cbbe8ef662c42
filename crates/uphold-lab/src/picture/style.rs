//! The styles of phases and statuses. They differ in lightness or pattern as well as in colour, so that they can be told
//! apart with any colour vision and in black and white print.

use uphold::{Phase, Status};

use super::markup::Markup;

/// The style of a phase or status. The colours are based on the palette of Okabe and Ito.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct StateStyle {
    /// Identifies the style; see [`label`](Self::label) for the text that is shown.
    pub(super) name: &'static str,
    fill: &'static str,
    pattern: Option<Pattern>,
    /// The colour of text on it.
    pub(super) ink: &'static str,
    /// Of several states within one pixel, the one with the highest severity is shown. 0: not drawn.
    pub(super) severity: u8,
}

/// A pattern drawn over the fill.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Pattern {
    ink: &'static str,
    shape: Hatch,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Hatch {
    Stripes { degrees: &'static str, spacing: f64, width: f64 },
    Dots,
}

/// The colour of labels, markers and axes.
pub(super) const INK: &str = "#1a1a1a";
/// The colour of small print.
pub(super) const TEXT_GREY: &str = "#4d4d4d";
/// The colour of what says that a slot is an extra one.
pub(super) const ROLE: &str = "#5b2a86";
/// The colour of frames and thin lines.
pub(super) const LINE_GREY: &str = "#8a8a8a";

impl StateStyle {
    const fn plain(name: &'static str, fill: &'static str, severity: u8) -> Self {
        Self { name, fill, pattern: None, ink: INK, severity }
    }

    const fn with_pattern(self, ink: &'static str, shape: Hatch) -> Self {
        Self { pattern: Some(Pattern { ink, shape }), ..self }
    }

    /// Returns the SVG `fill` for an area of this size in pixels. Small areas get the plain colour, because a pattern
    /// would not be recognisable.
    pub(super) fn paint(&self, width: f64, height: f64) -> String {
        match self.pattern {
            Some(_) if width >= 4.0 && height >= 5.0 => format!("url(#uphold-{})", self.name),
            _ => self.fill.to_owned(),
        }
    }

    /// Returns the text that is shown.
    pub(super) fn label(&self) -> &'static str {
        self.name.trim_end_matches("-set")
    }

    /// Returns the colour without the pattern.
    pub(super) fn fill(&self) -> &'static str {
        self.fill
    }

    /// Writes the definition of the pattern, if there is one. Belongs into `<defs>`.
    pub(super) fn define_pattern(&self, svg: &mut Markup) {
        let Some(Pattern { ink, shape }) = self.pattern else { return };
        let id = format!("uphold-{}", self.name);
        let (tile, transform) = match shape {
            Hatch::Stripes { degrees, spacing, .. } => (spacing, format!("rotate({degrees})")),
            Hatch::Dots => (5.0, "rotate(30)".to_owned()),
        };
        svg.open(
            "pattern",
            &[
                ("id", &id),
                ("width", &tile),
                ("height", &tile),
                ("patternUnits", &"userSpaceOnUse"),
                ("patternTransform", &transform),
            ],
        );
        // Larger than the tile, because seams would show between rotated tiles.
        svg.leaf("rect", &[("width", &(tile + 1.0)), ("height", &(tile + 1.0)), ("fill", &self.fill)]);
        match shape {
            Hatch::Stripes { width, .. } => {
                svg.leaf("rect", &[("width", &width), ("height", &(tile + 1.0)), ("fill", &ink)]);
            }
            Hatch::Dots => svg.leaf("circle", &[("cx", &2.0), ("cy", &2.0), ("r", &1.1), ("fill", &ink)]),
        }
        svg.close();
    }
}

/// The style where there is no replica: nothing is drawn.
pub(super) const ABSENT: StateStyle = StateStyle::plain("", "none", 0);

/// The styles of phases, in order of severity. Spans refer to them by index.
pub(super) const PHASES: [StateStyle; 10] = [
    ABSENT,
    StateStyle::plain("ready", "#d3ebe1", 1),
    StateStyle::plain("completed", "#ffffff", 2)
        .with_pattern("#8a8a8a", Hatch::Stripes { degrees: "45", spacing: 6.0, width: 1.0 }),
    StateStyle::plain("running", "#9ccfee", 3),
    StateStyle::plain("starting", "#3f8fc4", 4)
        .with_pattern("#d6ebf8", Hatch::Stripes { degrees: "45", spacing: 5.0, width: 1.6 }),
    StateStyle::plain("stopping", "#6b6b6b", 5)
        .with_pattern("#c9c9c9", Hatch::Stripes { degrees: "0", spacing: 4.0, width: 1.2 }),
    StateStyle::plain("waiting", "#cf5500", 6),
    StateStyle::plain("unknown", "#d9a6c6", 7).with_pattern("#4a1f3c", Hatch::Dots),
    StateStyle::plain("stopped", "#a99fcd", 8)
        .with_pattern("#3d3170", Hatch::Stripes { degrees: "90", spacing: 6.0, width: 1.4 }),
    StateStyle::plain("quarantined", "#151515", 9)
        .with_pattern("#6f6f6f", Hatch::Stripes { degrees: "135", spacing: 6.0, width: 1.0 }),
];

/// The styles of statuses, in order of severity. Spans refer to them by index.
pub(super) const STATUSES: [StateStyle; 8] = [
    ABSENT,
    StateStyle::plain("healthy", "#d3ebe1", 1),
    StateStyle::plain("completed-set", "#ffffff", 2)
        .with_pattern("#8a8a8a", Hatch::Stripes { degrees: "45", spacing: 6.0, width: 1.0 }),
    StateStyle::plain("pending", "#e9eef2", 3).with_pattern("#7d8b96", Hatch::Dots),
    StateStyle::plain("degraded", "#f2b632", 4)
        .with_pattern("#fbe3a6", Hatch::Stripes { degrees: "45", spacing: 7.0, width: 3.0 }),
    StateStyle::plain("terminating", "#8c8c8c", 5)
        .with_pattern("#d0d0d0", Hatch::Stripes { degrees: "0", spacing: 4.0, width: 1.2 }),
    StateStyle { ink: "#ffffff", ..StateStyle::plain("outage", "#9c2f00", 6) },
    StateStyle { ink: "#ffffff", ..StateStyle::plain("terminated", "#151515", 7) },
];

/// The styles of what a rollout is doing, in order of severity. Spans refer to them by index.
pub(super) const ROLLOUTS: [StateStyle; 5] = [
    ABSENT,
    StateStyle::plain("replacing", "#9ccfee", 1),
    StateStyle::plain("baking", "#f7e7b4", 2).with_pattern("#8d7a2e", Hatch::Dots),
    StateStyle::plain("paused", "#a99fcd", 3)
        .with_pattern("#3d3170", Hatch::Stripes { degrees: "90", spacing: 6.0, width: 1.4 }),
    StateStyle { ink: "#ffffff", ..StateStyle::plain("rolling back", "#9c2f00", 4) },
];

/// Returns the index of what a rollout is doing in [`ROLLOUTS`]; that of [`ABSENT`] for anything else.
pub(super) fn rollout_index(state: &str) -> u8 {
    index(&ROLLOUTS, state)
}

/// Returns the index of a phase in [`PHASES`].
pub(super) fn phase_index(phase: Phase) -> u8 {
    index(&PHASES, phase.as_str())
}

/// Returns the index of a status in [`STATUSES`].
pub(super) fn status_index(status: Status) -> u8 {
    match status {
        Status::Completed => index(&STATUSES, "completed-set"),
        other => index(&STATUSES, other.as_str()),
    }
}

/// Returns the index of a style by name; that of [`ABSENT`] if there is none, as for a removed replica.
fn index(styles: &[StateStyle], name: &str) -> u8 {
    styles.iter().position(|style| style.name == name).map_or(0, |index| index as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the perceived lightness, 0 to 255.
    fn lightness(colour: &str) -> f64 {
        let channel = |at: usize| f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap());
        0.299 * channel(1) + 0.587 * channel(3) + 0.114 * channel(5)
    }

    #[test]
    fn every_phase_and_status_has_its_own_style() {
        let phases = [
            Phase::Waiting,
            Phase::Starting,
            Phase::Running,
            Phase::Ready,
            Phase::Unknown,
            Phase::Stopping,
            Phase::Stopped,
            Phase::Quarantined,
            Phase::Completed,
        ];
        assert!(phases.into_iter().all(|one| PHASES[phase_index(one) as usize].name == one.as_str()));
        assert_eq!(phase_index(Phase::Removed), 0);
        let statuses = [
            Status::Pending,
            Status::Healthy,
            Status::Degraded,
            Status::Outage,
            Status::Terminating,
            Status::Terminated,
            Status::Completed,
        ];
        assert!(statuses.into_iter().all(|one| STATUSES[status_index(one) as usize].label() == one.as_str()));
        for styles in [&PHASES[..], &STATUSES, &ROLLOUTS] {
            assert!(styles.windows(2).all(|pair| pair[0].severity < pair[1].severity));
        }
    }

    #[test]
    fn without_colour_styles_differ_in_lightness_or_pattern() {
        for styles in [&PHASES[1..], &STATUSES[1..], &ROLLOUTS[1..]] {
            for (index, one) in styles.iter().enumerate() {
                for other in &styles[index + 1..] {
                    let difference = (lightness(one.fill) - lightness(other.fill)).abs();
                    let patterns = one.pattern.map(|p| p.shape) != other.pattern.map(|p| p.shape);
                    assert!(
                        difference > 25.0 || (patterns && difference > 4.0),
                        "{} and {}: {difference}",
                        one.name,
                        other.name
                    );
                }
            }
        }
    }
}
