//! The legend: explains the styles and markers that the timeline contains.

use super::canvas::{Canvas, SMALL, SlotSymbols, TextAnchor};
use super::marker::Marker;
use super::style::{INK, LINE_GREY, PHASES, ROLLOUTS, STATUSES, StateStyle, TEXT_GREY};
use super::text::text_width;
use crate::format_duration::format_duration_units;

/// Draws the legend below everything drawn so far.
pub(super) fn draw(canvas: &mut Canvas) {
    let used = |styles: &[StateStyle], canvas: &Canvas| -> Vec<StateStyle> {
        styles.iter().filter(|style| style.severity > 0 && canvas.used_styles.contains(style.name)).copied().collect()
    };
    let (statuses, phases) = (used(&STATUSES, canvas), used(&PHASES, canvas));
    let rollouts = used(&ROLLOUTS, canvas);
    draw_swatches(canvas, "status", &statuses);
    draw_rollouts(canvas, &rollouts);
    draw_swatches(canvas, "replica", &phases);
    let mut markers: Vec<Marker> =
        Marker::VERDICTS.into_iter().filter(|marker| canvas.used_markers.contains(marker)).collect();
    if !markers.is_empty() {
        markers.extend(canvas.used_markers.contains(&Marker::Canary).then_some(Marker::Canary));
        let mut row = LegendRow::begin(canvas, "verdict");
        for marker in markers {
            row.add(canvas, 12.0, marker.label(), |canvas, x, y| marker.draw(&mut canvas.svg, x + 5.0, y, None));
        }
        row.end(canvas);
    }
    draw_slots(canvas);
    if canvas.has_hidden_changes {
        let nanos_per_pixel = canvas.axis.length() / (canvas.axis.width as u64).max(1);
        let pixel = format_duration_units(two_digits(nanos_per_pixel), 2);
        let mut note = format!("One pixel is about {pixel} and shows the worst state within it.");
        if canvas.has_split_columns {
            note += " Where it is split, the upper half shows the state that lasted longest, the lower half the worst.";
        }
        canvas.text_truncated(12.0, canvas.y + 10.0, SMALL, TEXT_GREY, &note);
        canvas.y += 18.0;
    }
}

/// Truncates a number to two significant digits.
fn two_digits(number: u64) -> u64 {
    let unit = 10u64.pow(number.checked_ilog10().unwrap_or(0).saturating_sub(1));
    number / unit * unit
}

fn draw_swatches(canvas: &mut Canvas, heading: &str, styles: &[StateStyle]) {
    if styles.is_empty() {
        return;
    }
    let mut row = LegendRow::begin(canvas, heading);
    row.add_swatches(canvas, styles);
    row.end(canvas);
}

/// Explains what rollouts were doing, and their steps.
fn draw_rollouts(canvas: &mut Canvas, styles: &[StateStyle]) {
    let steps = Marker::ROLLOUT_STEPS.into_iter().filter(|marker| canvas.used_markers.contains(marker));
    let steps: Vec<Marker> = steps.collect();
    if styles.is_empty() && steps.is_empty() {
        return;
    }
    let mut row = LegendRow::begin(canvas, "rollout");
    row.add_swatches(canvas, styles);
    for marker in steps {
        row.add(canvas, 12.0, marker.label(), |canvas, x, y| marker.draw(&mut canvas.svg, x + 5.0, y, None));
    }
    row.end(canvas);
}

/// Explains the lines at the bars of the lanes.
fn draw_slots(canvas: &mut Canvas) {
    let SlotSymbols { roles, revisions, drains } = canvas.used_symbols;
    if !(roles || revisions || drains) {
        return;
    }
    let mut row = LegendRow::begin(canvas, "slot");
    if roles {
        row.add(canvas, 20.0, "extra slot", |canvas, x, y| canvas.draw_role((x, x + 18.0), y, None));
    }
    if revisions {
        row.add(canvas, 8.0, "another revision from here on", |canvas, x, y| {
            canvas.draw_revision_changes(&[x + 4.0], y - 6.0, 12.0);
        });
    }
    if drains {
        row.add(canvas, 20.0, "drain under way", |canvas, x, y| canvas.draw_drain((x, x + 18.0), y, None));
    }
    row.end(canvas);
}

/// A row of symbols with labels, wrapped at the right edge.
struct LegendRow {
    x: f64,
}

impl LegendRow {
    fn begin(canvas: &mut Canvas, heading: &str) -> Self {
        canvas.row_label(canvas.y + 6.0, heading);
        Self { x: canvas.axis.left }
    }

    fn add_swatches(&mut self, canvas: &mut Canvas, styles: &[StateStyle]) {
        for style in styles {
            self.add(canvas, 20.0, style.label(), |canvas, x, y| {
                canvas.svg.leaf(
                    "rect",
                    &[
                        ("x", &x),
                        ("y", &(y - 6.0)),
                        ("width", &18.0),
                        ("height", &12.0),
                        ("fill", &style.paint(18.0, 12.0)),
                        ("stroke", &LINE_GREY),
                        ("stroke-width", &0.6),
                    ],
                );
            });
        }
    }

    /// Adds a symbol of this width, drawn by `draw` at its left end and vertical middle, and its label.
    fn add(&mut self, canvas: &mut Canvas, width: f64, label: &str, draw: impl FnOnce(&mut Canvas, f64, f64)) {
        let needed = width + 5.0 + text_width(label, SMALL) + 16.0;
        if self.x + needed > canvas.width && self.x > canvas.axis.left {
            self.x = canvas.axis.left;
            canvas.y += 18.0;
        }
        draw(canvas, self.x, canvas.y + 6.0);
        canvas.text(self.x + width + 5.0, canvas.y + 10.0, SMALL, INK, TextAnchor::Start, label);
        self.x += needed;
    }

    fn end(self, canvas: &mut Canvas) {
        canvas.y += 20.0;
    }
}
