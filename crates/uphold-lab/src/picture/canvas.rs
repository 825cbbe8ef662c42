//! The drawing surface of a timeline, and the primitives that its parts share.

use std::collections::BTreeSet;

use super::axis::Axis;
use super::marker::Marker;
use super::markup::{Attribute, Markup, path_number};
use super::spans::Span;
use super::style::{INK, LINE_GREY, ROLE, StateStyle};
use super::text::{text_width, truncate};
use crate::format_duration::format_duration_units;

/// The font size of labels and small print, in pixels.
pub(super) const SMALL: f64 = 11.0;

/// The most tooltips of a picture. It bounds the size of the file.
const MAX_TOOLTIPS: usize = 2_500;

/// A timeline being drawn from top to bottom. Lengths and positions are in pixels.
pub(super) struct Canvas {
    pub(super) svg: Markup,
    pub(super) axis: Axis,
    pub(super) width: f64,
    /// The top of the next part.
    pub(super) y: f64,
    tooltips_left: usize,
    /// The names of the styles drawn so far, for the legend.
    pub(super) used_styles: BTreeSet<&'static str>,
    /// The markers drawn so far, for the legend.
    pub(super) used_markers: BTreeSet<Marker>,
    /// The symbols of slots drawn so far, for the legend.
    pub(super) used_symbols: SlotSymbols,
    /// Whether some columns are split in two halves that show different states.
    pub(super) has_split_columns: bool,
    /// Whether some columns or markers stand for more than they show.
    pub(super) has_hidden_changes: bool,
}

/// Which symbols of slots a timeline contains.
#[derive(Clone, Copy, Default)]
pub(super) struct SlotSymbols {
    pub(super) roles: bool,
    pub(super) revisions: bool,
    pub(super) drains: bool,
}

/// Which part of a text is at its position.
#[derive(Clone, Copy)]
pub(super) enum TextAnchor {
    Start,
    Middle,
    End,
}

/// The subject of a row of spans, as tooltips name it.
#[derive(Clone, Copy)]
pub(super) struct Subject<'s> {
    pub(super) name: &'s str,
    /// Whether the row stands for several replicas.
    pub(super) shared: bool,
}

impl Canvas {
    pub(super) fn new(axis: Axis, width: f64) -> Self {
        Self {
            svg: Markup::default(),
            axis,
            width,
            y: 0.0,
            tooltips_left: MAX_TOOLTIPS,
            used_styles: BTreeSet::new(),
            used_markers: BTreeSet::new(),
            used_symbols: SlotSymbols::default(),
            has_split_columns: false,
            has_hidden_changes: false,
        }
    }

    /// Draws a line of text whose baseline is at `y`.
    pub(super) fn text(&mut self, x: f64, y: f64, size: f64, colour: &str, anchor: TextAnchor, content: &str) {
        let anchor = match anchor {
            TextAnchor::Start => "start",
            TextAnchor::Middle => "middle",
            TextAnchor::End => "end",
        };
        self.svg.text(
            "text",
            &[("x", &x), ("y", &y), ("font-size", &size), ("fill", &colour), ("text-anchor", &anchor)],
            content,
        );
    }

    /// Draws a line of text from `x` to the right edge at most, shortened if necessary.
    pub(super) fn text_truncated(&mut self, x: f64, y: f64, size: f64, colour: &str, content: &str) {
        let content = truncate(content, size, self.width - x - 8.0);
        self.text(x, y, size, colour, TextAnchor::Start, &content);
    }

    /// Draws the name of a row to its left.
    pub(super) fn row_label(&mut self, middle: f64, content: &str) {
        self.text(self.axis.left - 8.0, middle + 4.0, SMALL, INK, TextAnchor::End, content);
    }

    /// Returns the text of a tooltip, or `None` if the picture has as many as it may have.
    pub(super) fn tooltip(&mut self, text: impl FnOnce() -> String) -> Option<String> {
        self.tooltips_left = self.tooltips_left.checked_sub(1)?;
        Some(text())
    }

    /// Returns the width of one of `columns` columns.
    pub(super) fn column_width(&self, columns: usize) -> f64 {
        self.axis.width / columns as f64
    }

    /// Draws a row of spans.
    pub(super) fn draw_spans(
        &mut self,
        spans: &[Span],
        columns: usize,
        (top, height): (f64, f64),
        styles: &[StateStyle],
        subject: Subject<'_>,
    ) {
        let column_width = self.column_width(columns);
        let with_tooltips = spans.len() <= self.tooltips_left;
        // Without tooltips, all spans of one style are one path: a third of the bytes.
        let mut paths = vec![String::new(); styles.len()];
        for span in spans {
            let x = self.axis.left + span.column as f64 * column_width;
            let width = span.columns as f64 * column_width;
            let (worst, longest) = (&styles[usize::from(span.worst)], &styles[usize::from(span.longest)]);
            self.used_styles.extend([worst.name, longest.name]);
            self.has_hidden_changes |= span.has_hidden_changes;
            let halves = [(longest, top, height / 2.0), (worst, top + height / 2.0, height / 2.0)];
            let whole = [(worst, top, height)];
            let split = span.worst != span.longest;
            self.has_split_columns |= split && !subject.shared;
            for &(style, y, height) in if split { &halves[..] } else { &whole[..] } {
                if with_tooltips {
                    let tooltip = self.tooltip(|| describe(subject, style, span, split));
                    let fill = style.paint(width, height);
                    self.svg.leaf_with_tooltip(
                        "rect",
                        &[("x", &x), ("y", &y), ("width", &width), ("height", &height), ("fill", &fill)],
                        tooltip.as_deref(),
                    );
                } else if let Some(index) = styles.iter().position(|other| other == style) {
                    let [x, y, width, height] = [x, y, width, height].map(path_number);
                    paths[index] += &format!("M{x} {y}h{width}v{height}h-{width}z");
                }
            }
        }
        for (style, path) in styles.iter().zip(paths).filter(|(_, path)| !path.is_empty()) {
            let tooltip = self.tooltip(|| format!("{}: {}", subject.name, style.label()));
            let fill = style.paint(f64::MAX, height);
            self.svg.leaf_with_tooltip("path", &[("d", &path), ("fill", &fill)], tooltip.as_deref());
        }
    }

    /// Draws the frame of a row.
    pub(super) fn frame(&mut self, top: f64, height: f64) {
        let (x, width) = (self.axis.left, self.axis.width);
        self.svg.leaf(
            "rect",
            &[
                ("x", &x),
                ("y", &top),
                ("width", &width),
                ("height", &height),
                ("fill", &"none"),
                ("stroke", &LINE_GREY),
                ("stroke-width", &0.6),
            ],
        );
    }

    pub(super) fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), more: &[(&str, &dyn Attribute)]) {
        let mut attributes: Vec<(&str, &dyn Attribute)> = vec![("x1", &x1), ("y1", &y1), ("x2", &x2), ("y2", &y2)];
        attributes.extend_from_slice(more);
        self.svg.leaf("line", &attributes);
    }

    /// Draws the line above a lane's bar that says that its slot is an extra one.
    pub(super) fn draw_role(&mut self, (left, right): (f64, f64), y: f64, tooltip: Option<&str>) {
        let (left, right, y) = (path_number(left), path_number(right.max(left + 2.0)), path_number(y));
        let d = format!("M{left} {y}v-2H{right}v2");
        self.used_symbols.roles = true;
        self.svg.leaf_with_tooltip(
            "path",
            &[("d", &d), ("fill", &"none"), ("stroke", &ROLE), ("stroke-width", &1.6)],
            tooltip,
        );
    }

    /// Draws the lines across a lane's bar where another revision begins, at these positions.
    pub(super) fn draw_revision_changes(&mut self, positions: &[f64], top: f64, height: f64) {
        if positions.is_empty() {
            return;
        }
        self.used_symbols.revisions = true;
        let (top, bottom) = (path_number(top - 1.5), path_number(top + height + 1.5));
        let d: String = positions.iter().map(|x| format!("M{} {top}V{bottom}", path_number(*x))).collect();
        for (colour, width) in [("#ffffff", 4.0), (INK, 1.8)] {
            self.svg.leaf("path", &[("d", &d), ("stroke", &colour), ("stroke-width", &width)]);
        }
    }

    /// Draws the line below a lane's bar that says that its replica is to leave.
    pub(super) fn draw_drain(&mut self, (left, right): (f64, f64), y: f64, tooltip: Option<&str>) {
        let d = format!("M{} {}H{}", path_number(left), path_number(y), path_number(right.max(left + 2.0)));
        self.used_symbols.drains = true;
        self.svg.leaf_with_tooltip(
            "path",
            &[("d", &d), ("fill", &"none"), ("stroke", &INK), ("stroke-width", &2.2), ("stroke-dasharray", &"4 2")],
            tooltip,
        );
    }

    /// Draws markers, each a time, a marker and the text of its tooltip, in order of time. Of those closer together than
    /// `min_distance` only the most severe is drawn. Returns the position of each drawn marker, and how many it stands
    /// for.
    pub(super) fn draw_markers(
        &mut self,
        markers: &[(u64, Marker, &str)],
        y: f64,
        min_distance: f64,
    ) -> Vec<(f64, usize)> {
        let mut drawn = Vec::new();
        let mut rest = markers;
        while let Some(&(first, ..)) = rest.first() {
            let left = self.axis.x(first);
            let close = rest.iter().take_while(|(at, ..)| self.axis.x(*at) < left + min_distance).count();
            let (group, after) = rest.split_at(close);
            rest = after;
            // Reversed, because `max_by_key` returns the last of equal elements.
            let Some(&(at, marker, text)) = group.iter().rev().max_by_key(|(_, marker, _)| *marker) else { break };
            let x = self.axis.x(at);
            let tooltip = self.tooltip(|| match group.len() {
                1 => format!("{}: {text}", format_duration_units(at, 3)),
                several => format!("{}: {text}; and {} more nearby", format_duration_units(at, 3), several - 1),
            });
            marker.draw(&mut self.svg, x, y, tooltip.as_deref());
            self.used_markers.insert(marker);
            self.has_hidden_changes |= group.len() > 1;
            drawn.push((x, group.len()));
        }
        drawn
    }

    /// Draws a text within a span of a row if there is room, with an outline in the span's colour.
    pub(super) fn label_inside(&mut self, content: &str, (x, width): (f64, f64), middle: f64, style: &StateStyle) {
        let size = 12.0;
        if text_width(content, size) + 14.0 > width {
            return;
        }
        self.svg.text(
            "text",
            &[
                ("x", &(x + width / 2.0)),
                ("y", &(middle + 4.0)),
                ("font-size", &size),
                ("font-weight", &"600"),
                ("fill", &style.ink),
                ("text-anchor", &"middle"),
                ("stroke", &style.fill()),
                ("stroke-width", &3.0),
                ("stroke-linejoin", &"round"),
                ("paint-order", &"stroke"),
            ],
            content,
        );
    }
}

/// Returns the tooltip of a span.
fn describe(subject: Subject<'_>, style: &StateStyle, span: &Span, split: bool) -> String {
    let (name, label) = (subject.name, style.label());
    let (from, until) = (format_duration_units(span.start, 4), format_duration_units(span.end, 4));
    let lasted = format_duration_units(span.end.saturating_sub(span.start), 4);
    match span.times {
        _ if subject.shared && split => format!("{name}, some: {label} from {from} to {until}"),
        _ if subject.shared => format!("{name}, the worst: {label} from {from} to {until}"),
        _ if split => format!("{name}: {label} repeatedly from {from} to {until}"),
        0 | 1 => format!("{name}: {label} from {from} to {until} ({lasted})"),
        times => format!("{name}: {label}, {times} times from {from} to {until}"),
    }
}
