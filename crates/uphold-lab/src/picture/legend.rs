//! What the colours and marks mean: only those that are there.

use super::axis::text_width;
use super::canvas::{Canvas, GREY, SMALL, TextAnchor};
use super::format::format_duration_units;
use super::marker::Marker;
use super::style::{INK, PHASES, STATUSES, StateStyle, word};

pub(super) fn draw(canvas: &mut Canvas) {
    let there = |styles: &[StateStyle], canvas: &Canvas| -> Vec<StateStyle> {
        styles.iter().filter(|style| style.severity > 0 && canvas.shown.contains(style.word)).copied().collect()
    };
    let (statuses, phases) = (there(&STATUSES, canvas), there(&PHASES, canvas));
    swatches(canvas, "status", &statuses);
    swatches(canvas, "replica", &phases);
    let verdicts: Vec<Marker> = Marker::VERDICTS.into_iter().filter(|marker| canvas.markers.contains(marker)).collect();
    if !verdicts.is_empty() {
        let mut row = LegendRow::begin(canvas, "verdict");
        for marker in verdicts {
            row.place(canvas, 12.0, marker.word(), |canvas, x, y| marker.draw(&mut canvas.svg, x + 5.0, y, None));
        }
        if canvas.markers.contains(&Marker::Canary) {
            let mark = Marker::Canary;
            row.place(canvas, 12.0, mark.word(), |canvas, x, y| mark.draw(&mut canvas.svg, x + 5.0, y, None));
        }
        row.end(canvas);
    }
    if canvas.crowded {
        let pixel = canvas.axis.length() / (canvas.axis.width as u64).max(1);
        let mut note = format!(
            "One pixel is about {}: of what falls into it, the worst is shown.",
            format_duration_units(rounded(pixel), 2)
        );
        if canvas.divided {
            note +=
                " Where that happens all along, the upper half shows what lasted longest, the lower half the worst.";
        }
        canvas.text_truncated(12.0, canvas.y + 10.0, SMALL, GREY, &note);
        canvas.y += 18.0;
    }
}

/// To two digits.
fn rounded(number: u64) -> u64 {
    let unit = 10u64.pow(number.checked_ilog10().unwrap_or(0).saturating_sub(1));
    number / unit * unit
}

fn swatches(canvas: &mut Canvas, heading: &str, styles: &[StateStyle]) {
    if styles.is_empty() {
        return;
    }
    let mut row = LegendRow::begin(canvas, heading);
    for style in styles {
        row.place(canvas, 20.0, word(style), |canvas, x, y| {
            canvas.svg.leaf(
                "rect",
                &[
                    ("x", &x),
                    ("y", &(y - 6.0)),
                    ("width", &18.0),
                    ("height", &12.0),
                    ("fill", &style.paint(18.0, 12.0)),
                    ("stroke", &"#8a8a8a"),
                    ("stroke-width", &0.6),
                ],
            );
        });
    }
    row.end(canvas);
}

/// Samples with their words, side by side, on as many lines as they need.
struct LegendRow {
    x: f64,
}

impl LegendRow {
    fn begin(canvas: &mut Canvas, heading: &str) -> Self {
        canvas.label(canvas.y + 6.0, heading);
        Self { x: canvas.axis.left }
    }

    fn place(&mut self, canvas: &mut Canvas, wide: f64, word: &str, draw: impl FnOnce(&mut Canvas, f64, f64)) {
        let needed = wide + 5.0 + text_width(word, SMALL) + 16.0;
        if self.x + needed > canvas.width && self.x > canvas.axis.left {
            self.x = canvas.axis.left;
            canvas.y += 18.0;
        }
        draw(canvas, self.x, canvas.y + 6.0);
        canvas.text(self.x + wide + 5.0, canvas.y + 10.0, SMALL, INK, TextAnchor::Start, word);
        self.x += needed;
    }

    fn end(self, canvas: &mut Canvas) {
        canvas.y += 20.0;
    }
}
