//! How phases and statuses style: colours that the colour-blind tell apart, patterns, and a lightness of their own each,
//! so that black and white print shows them too.

use uphold::{Phase, Status};

use super::markup::Markup;

/// How a state styles. The colours stem from the palette of Okabe and Ito.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct StateStyle {
    pub(super) word: &'static str,
    fill: &'static str,
    pattern: Option<Pattern>,
    /// Of a text upon it.
    pub(super) ink: &'static str,
    /// Of several within one pixel, the highest is shown.
    pub(super) severity: u8,
}

/// What is drawn over the fill.
#[derive(Clone, Copy, PartialEq, Debug)]
struct Pattern {
    ink: &'static str,
    shape: Hatch,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Hatch {
    /// Turned by so many degrees, one each so many pixels, so wide.
    Stripes(&'static str, f64, f64),
    Dots,
}

pub(super) const INK: &str = "#1a1a1a";

impl StateStyle {
    const fn plain(word: &'static str, fill: &'static str, severity: u8) -> Self {
        Self { word, fill, pattern: None, ink: INK, severity }
    }

    const fn with(self, ink: &'static str, shape: Hatch) -> Self {
        Self { pattern: Some(Pattern { ink, shape }), ..self }
    }

    /// What `fill` is in SVG, for an area of these pixels: a pattern needs room to be recognised.
    pub(super) fn paint(&self, wide: f64, tall: f64) -> String {
        match self.pattern {
            Some(_) if wide >= 4.0 && tall >= 5.0 => format!("url(#uphold-{})", self.word),
            _ => self.fill.to_owned(),
        }
    }

    /// The colour without its pattern.
    pub(super) fn fill(&self) -> &'static str {
        self.fill
    }

    /// Writes its pattern, if it has one, into `defs`.
    pub(super) fn define(&self, svg: &mut Markup) {
        let Some(Pattern { ink, shape }) = self.pattern else { return };
        let id = format!("uphold-{}", self.word);
        let (every, turned) = match shape {
            Hatch::Stripes(degrees, every, _) => (every, format!("rotate({degrees})")),
            Hatch::Dots => (5.0, "rotate(30)".to_owned()),
        };
        svg.open(
            "pattern",
            &[
                ("id", &id),
                ("width", &every),
                ("height", &every),
                ("patternUnits", &"userSpaceOnUse"),
                ("patternTransform", &turned),
            ],
        );
        // A little more than the tile, or seams show between tiles that are turned.
        svg.leaf("rect", &[("width", &(every + 1.0)), ("height", &(every + 1.0)), ("fill", &self.fill)]);
        match shape {
            Hatch::Stripes(_, every, wide) => {
                svg.leaf("rect", &[("width", &wide), ("height", &(every + 1.0)), ("fill", &ink)]);
            }
            Hatch::Dots => svg.leaf("circle", &[("cx", &2.0), ("cy", &2.0), ("r", &1.1), ("fill", &ink)]),
        }
        svg.close();
    }
}

/// No replica: the lane is empty.
pub(super) const ABSENT: StateStyle = StateStyle::plain("", "none", 0);

/// Phases, the lightest being the best. Their index is what spans hold.
pub(super) const PHASES: [StateStyle; 10] = [
    ABSENT,
    StateStyle::plain("ready", "#d3ebe1", 1),
    StateStyle::plain("completed", "#ffffff", 2).with("#8a8a8a", Hatch::Stripes("45", 6.0, 1.0)),
    StateStyle::plain("running", "#9ccfee", 3),
    StateStyle::plain("starting", "#3f8fc4", 4).with("#d6ebf8", Hatch::Stripes("45", 5.0, 1.6)),
    StateStyle::plain("stopping", "#6b6b6b", 5).with("#c9c9c9", Hatch::Stripes("0", 4.0, 1.2)),
    StateStyle::plain("waiting", "#cf5500", 6),
    StateStyle::plain("unknown", "#d9a6c6", 7).with("#4a1f3c", Hatch::Dots),
    StateStyle::plain("stopped", "#b9b0d6", 8).with("#3d3170", Hatch::Stripes("90", 6.0, 1.4)),
    StateStyle::plain("quarantined", "#151515", 9).with("#6f6f6f", Hatch::Stripes("135", 6.0, 1.0)),
];

/// Statuses. Their index is what spans hold.
pub(super) const STATUSES: [StateStyle; 8] = [
    ABSENT,
    StateStyle::plain("healthy", "#d3ebe1", 1),
    StateStyle::plain("completed-set", "#ffffff", 2).with("#8a8a8a", Hatch::Stripes("45", 6.0, 1.0)),
    StateStyle::plain("pending", "#e9eef2", 3).with("#7d8b96", Hatch::Dots),
    StateStyle::plain("degraded", "#f2b632", 4).with("#fbe3a6", Hatch::Stripes("45", 7.0, 3.0)),
    StateStyle::plain("terminating", "#8c8c8c", 5).with("#d0d0d0", Hatch::Stripes("0", 4.0, 1.2)),
    StateStyle { ink: "#ffffff", ..StateStyle::plain("outage", "#9c2f00", 6) },
    StateStyle { ink: "#ffffff", ..StateStyle::plain("terminated", "#151515", 7) },
];

/// An index into [`PHASES`].
pub(super) fn phase_index(phase: Phase) -> u8 {
    index(&PHASES, phase.as_str())
}

/// An index into [`STATUSES`].
pub(super) fn status_index(status: Status) -> u8 {
    match status {
        Status::Completed => index(&STATUSES, "completed-set"),
        other => index(&STATUSES, other.as_str()),
    }
}

/// What is not known, such as a removed replica, is absent.
fn index(styles: &[StateStyle], word: &str) -> u8 {
    styles.iter().position(|style| style.word == word).map_or(0, |index| index as u8)
}

/// The word that is shown.
pub(super) fn word(style: &StateStyle) -> &'static str {
    style.word.trim_end_matches("-set")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Perceived lightness, 0 to 255.
    fn lightness(colour: &str) -> f64 {
        let channel = |at: usize| f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap());
        0.299 * channel(1) + 0.587 * channel(3) + 0.114 * channel(5)
    }

    #[test]
    fn every_phase_and_status_has_a_look_of_its_own() {
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
        assert!(phases.into_iter().all(|one| PHASES[phase_index(one) as usize].word == one.as_str()));
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
        assert!(statuses.into_iter().all(|one| word(&STATUSES[status_index(one) as usize]) == one.as_str()));
        for styles in [&PHASES[..], &STATUSES] {
            assert!(styles.windows(2).all(|pair| pair[0].severity < pair[1].severity));
        }
    }

    #[test]
    fn without_colours_two_looks_differ_in_lightness_or_by_a_pattern() {
        for styles in [&PHASES[1..], &STATUSES[1..]] {
            for (index, one) in styles.iter().enumerate() {
                for other in &styles[index + 1..] {
                    let apart = (lightness(one.fill) - lightness(other.fill)).abs();
                    let patterns = one.pattern.map(|p| p.shape) != other.pattern.map(|p| p.shape);
                    assert!(apart > 25.0 || (patterns && apart > 4.0), "{} and {}: {apart}", one.word, other.word);
                }
            }
        }
    }
}
