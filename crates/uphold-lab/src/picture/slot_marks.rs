//! Shows roles, revisions and drains on the lane of a slot.

use super::canvas::{Canvas, TextAnchor};
use super::slots::SlotHistory;
use super::style::{INK, ROLE};
use super::text::text_width;
use crate::format_duration::format_duration_units;

/// The font size of the texts above a bar, in pixels.
const SIZE: f64 = 10.0;

/// Of marks closer than this, in pixels, only the first is drawn. It bounds the size of the file.
const MIN_DISTANCE: f64 = 4.0;

/// The bar of a lane.
#[derive(Clone, Copy)]
pub(super) struct LaneBar {
    pub(super) top: f64,
    pub(super) height: f64,
    /// Where the line of a drain is drawn: below the bar, or across it if there is no room.
    pub(super) drains_at: f64,
    /// Whether there is room for texts above the bar.
    pub(super) has_texts: bool,
}

/// Draws the marks of one slot at the bar of its lane.
pub(super) fn draw(canvas: &mut Canvas, slots: &SlotHistory, replica: u32, bar: LaneBar) {
    let axis = canvas.axis;
    let mut notes: Vec<(u64, &str, &str)> = Vec::new();
    let mut drawn_until = f64::MIN;
    for period in slots.roles.get(&replica).into_iter().flatten() {
        let until = period.until.unwrap_or(axis.until);
        if period.from > axis.until || until < axis.from {
            continue;
        }
        notes.push((period.from.max(axis.from), &period.label, ROLE));
        if axis.x(until) < drawn_until + MIN_DISTANCE {
            canvas.has_hidden_changes = true;
            continue;
        }
        drawn_until = axis.x(until);
        let (from, to) = (format_duration_units(period.from, 4), format_duration_units(until, 4));
        let tooltip = canvas.tooltip(|| format!("replica {replica}: {} from {from} to {to}", period.label));
        canvas.draw_role((axis.x(period.from), axis.x(until)), bar.top - 0.5, tooltip.as_deref());
    }
    let mut changes: Vec<f64> = Vec::new();
    for (at, name) in slots.revisions.get(&replica).into_iter().flatten().filter(|(at, _)| axis.contains(*at)) {
        if changes.last().is_none_or(|last| axis.x(*at) >= last + MIN_DISTANCE) {
            changes.push(axis.x(*at));
        } else {
            canvas.has_hidden_changes = true;
        }
        notes.push((*at, name, INK));
    }
    canvas.draw_revision_changes(&changes, bar.top, bar.height);
    for drain in slots.drains.iter().filter(|drain| drain.replica == replica) {
        let until = drain.answer.as_ref().map_or(axis.until, |(at, _)| *at);
        if drain.from > axis.until || until < axis.from {
            continue;
        }
        let from = format_duration_units(drain.from, 4);
        let outcome = drain.answer.as_ref().map_or_else(
            || "not over at the end".to_owned(),
            |(at, outcome)| format!("{outcome} at {}", format_duration_units(*at, 4)),
        );
        let tooltip = canvas.tooltip(|| format!("replica {replica}: drain from {from}, {outcome}"));
        canvas.draw_drain((axis.x(drain.from), axis.x(until)), bar.drains_at, tooltip.as_deref());
    }
    if bar.has_texts {
        draw_notes(canvas, notes, bar.top - 5.0);
    }
}

/// Draws the texts from left to right. One that has no room is left out; its tooltip and its lane still show it.
fn draw_notes(canvas: &mut Canvas, mut notes: Vec<(u64, &str, &str)>, baseline: f64) {
    notes.sort_by_key(|(at, ..)| *at);
    let axis = canvas.axis;
    let (right, mut free_from) = (axis.left + axis.width, axis.left - 4.0);
    for (at, text, colour) in notes {
        let width = text_width(text, SIZE);
        let x = axis.x(at).max(free_from).min(right - width);
        // A text that had to move far from its place would be misread.
        if x < free_from || x - axis.x(at) > width + 60.0 {
            continue;
        }
        canvas.text(x, baseline, SIZE, colour, TextAnchor::Start, text);
        free_from = x + width + 6.0;
    }
}
