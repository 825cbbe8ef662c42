//! How phases and statuses look: colours that the colour-blind tell apart, patterns, and a lightness of their own each,
//! so that black and white print shows them too.

use uphold::{Phase, Status};

use super::markup::Markup;

/// How a state looks. The colours stem from the palette of Okabe and Ito.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Look {
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
    shape: Shape,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Shape {
    /// Turned by so many degrees, one each so many pixels, so wide.
    Stripes(&'static str, f64, f64),
    Dots,
}

pub(super) const INK: &str = "#1a1a1a";

impl Look {
    const fn plain(word: &'static str, fill: &'static str, severity: u8) -> Self {
        Self { word, fill, pattern: None, ink: INK, severity }
    }

    const fn with(self, ink: &'static str, shape: Shape) -> Self {
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
            Shape::Stripes(degrees, every, _) => (every, format!("rotate({degrees})")),
            Shape::Dots => (5.0, "rotate(30)".to_owned()),
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
            Shape::Stripes(_, every, wide) => {
                svg.leaf("rect", &[("width", &wide), ("height", &(every + 1.0)), ("fill", &ink)]);
            }
            Shape::Dots => svg.leaf("circle", &[("cx", &2.0), ("cy", &2.0), ("r", &1.1), ("fill", &ink)]),
        }
        svg.close();
    }
}

/// No replica: the lane is empty.
pub(super) const ABSENT: Look = Look::plain("", "none", 0);

/// Phases, the lightest being the best. Their index is what spans hold.
pub(super) const PHASES: [Look; 10] = [
    ABSENT,
    Look::plain("ready", "#d3ebe1", 1),
    Look::plain("completed", "#ffffff", 2).with("#8a8a8a", Shape::Stripes("45", 6.0, 1.0)),
    Look::plain("running", "#9ccfee", 3),
    Look::plain("starting", "#3f8fc4", 4).with("#d6ebf8", Shape::Stripes("45", 5.0, 1.6)),
    Look::plain("stopping", "#6b6b6b", 5).with("#c9c9c9", Shape::Stripes("0", 4.0, 1.2)),
    Look::plain("waiting", "#cf5500", 6),
    Look::plain("unknown", "#d9a6c6", 7).with("#4a1f3c", Shape::Dots),
    Look::plain("stopped", "#b9b0d6", 8).with("#3d3170", Shape::Stripes("90", 6.0, 1.4)),
    Look::plain("quarantined", "#151515", 9).with("#6f6f6f", Shape::Stripes("135", 6.0, 1.0)),
];

/// Statuses. Their index is what spans hold.
pub(super) const STATUSES: [Look; 8] = [
    ABSENT,
    Look::plain("healthy", "#d3ebe1", 1),
    Look::plain("completed-set", "#ffffff", 2).with("#8a8a8a", Shape::Stripes("45", 6.0, 1.0)),
    Look::plain("pending", "#e9eef2", 3).with("#7d8b96", Shape::Dots),
    Look::plain("degraded", "#f2b632", 4).with("#fbe3a6", Shape::Stripes("45", 7.0, 3.0)),
    Look::plain("terminating", "#8c8c8c", 5).with("#d0d0d0", Shape::Stripes("0", 4.0, 1.2)),
    Look { ink: "#ffffff", ..Look::plain("outage", "#9c2f00", 6) },
    Look { ink: "#ffffff", ..Look::plain("terminated", "#151515", 7) },
];

/// An index into [`PHASES`].
pub(super) fn phase(phase: Phase) -> u8 {
    index(&PHASES, phase.as_str())
}

/// An index into [`STATUSES`].
pub(super) fn status(status: Status) -> u8 {
    match status {
        Status::Completed => index(&STATUSES, "completed-set"),
        other => index(&STATUSES, other.as_str()),
    }
}

/// What is not known, such as a removed replica, is absent.
fn index(looks: &[Look], word: &str) -> u8 {
    looks.iter().position(|look| look.word == word).map_or(0, |index| index as u8)
}

/// The word that is shown.
pub(super) fn word(look: &Look) -> &'static str {
    look.word.trim_end_matches("-set")
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
        assert!(phases.into_iter().all(|one| PHASES[phase(one) as usize].word == one.as_str()));
        assert_eq!(phase(Phase::Removed), 0);
        let statuses = [
            Status::Pending,
            Status::Healthy,
            Status::Degraded,
            Status::Outage,
            Status::Terminating,
            Status::Terminated,
            Status::Completed,
        ];
        assert!(statuses.into_iter().all(|one| word(&STATUSES[status(one) as usize]) == one.as_str()));
        for looks in [&PHASES[..], &STATUSES] {
            assert!(looks.windows(2).all(|pair| pair[0].severity < pair[1].severity));
        }
    }

    #[test]
    fn without_colours_two_looks_differ_in_lightness_or_by_a_pattern() {
        for looks in [&PHASES[1..], &STATUSES[1..]] {
            for (index, one) in looks.iter().enumerate() {
                for other in &looks[index + 1..] {
                    let apart = (lightness(one.fill) - lightness(other.fill)).abs();
                    let patterns = one.pattern.map(|p| p.shape) != other.pattern.map(|p| p.shape);
                    assert!(apart > 25.0 || (patterns && apart > 4.0), "{} and {}: {apart}", one.word, other.word);
                }
            }
        }
    }
}
