//! A picture as it grows from top to bottom, and what all its parts draw with.

use std::collections::BTreeSet;

use super::axis::{Axis, text_width, truncate};
use super::format::format_duration_units;
use super::marker::Marker;
use super::markup::{Attribute, Markup, number};
use super::spans::Span;
use super::style::{INK, StateStyle};

pub(super) const GREY: &str = "#4d4d4d";

/// Of labels and small print, in pixels.
pub(super) const SMALL: f64 = 11.0;

/// How many tooltips a picture has at most: its size is bounded.
const MAX_TOOLTIPS: usize = 2_500;

/// A picture as it grows.
pub(super) struct Canvas {
    pub(super) svg: Markup,
    pub(super) axis: Axis,
    /// The whole width, in pixels.
    pub(super) width: f64,
    /// Where the next part begins.
    pub(super) y: f64,
    tooltips: usize,
    /// What the legend explains: words and marks that are there.
    pub(super) shown: BTreeSet<&'static str>,
    pub(super) markers: BTreeSet<Marker>,
    /// Some columns show two states.
    pub(super) divided: bool,
    /// Some columns hold more than they show.
    pub(super) crowded: bool,
}

/// Where a text stands to its place.
#[derive(Clone, Copy)]
pub(super) enum TextAnchor {
    Start,
    Middle,
    End,
}

impl Canvas {
    pub(super) fn new(axis: Axis, width: f64) -> Self {
        Self {
            svg: Markup::default(),
            axis,
            width,
            y: 0.0,
            tooltips: MAX_TOOLTIPS,
            shown: BTreeSet::new(),
            markers: BTreeSet::new(),
            divided: false,
            crowded: false,
        }
    }

    /// A line of text: its base line is at `y`.
    pub(super) fn text(&mut self, x: f64, y: f64, size: f64, colour: &str, side: TextAnchor, content: &str) {
        let anchor = match side {
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

    /// The name of a row, left of it.
    pub(super) fn label(&mut self, middle: f64, content: &str) {
        self.text(self.axis.left - 8.0, middle + 4.0, SMALL, INK, TextAnchor::End, content);
    }

    /// Whether there is room for so many more tooltips.
    pub(super) fn has_tooltips_left(&self, tooltips: usize) -> bool {
        tooltips <= self.tooltips
    }

    /// One tooltip fewer is left, if there is one.
    pub(super) fn tooltip(&mut self, text: impl FnOnce() -> String) -> Option<String> {
        self.tooltips = self.tooltips.checked_sub(1)?;
        Some(text())
    }

    /// How wide a column is of so many.
    pub(super) fn column(&self, columns: usize) -> f64 {
        self.axis.width / columns as f64
    }

    /// A row of spans between two heights. `told`: what the tooltip begins with. `shared`: by several replicas.
    pub(super) fn draw_spans(
        &mut self,
        spans: &[Span],
        columns: usize,
        (top, height): (f64, f64),
        styles: &[StateStyle],
        (told, shared): (&str, bool),
    ) {
        let column = self.column(columns);
        let with_tooltips = self.has_tooltips_left(spans.len());
        // Without tooltips, what styles the same is one path: a third of the bytes.
        let mut paths = vec![String::new(); styles.len()];
        for span in spans {
            let (x, wide) = (self.axis.left + span.column as f64 * column, span.columns as f64 * column);
            let (worst, most) = (&styles[usize::from(span.worst)], &styles[usize::from(span.most)]);
            self.shown.extend([worst.word, most.word]);
            self.crowded |= span.crowded;
            let halves = [(most, top, height / 2.0), (worst, top + height / 2.0, height / 2.0)];
            let whole = [(worst, top, height)];
            let divided = span.worst != span.most;
            self.divided |= divided && !shared;
            for &(style, y, tall) in if divided { &halves[..] } else { &whole[..] } {
                if with_tooltips {
                    let tooltip = self.tooltip(|| describe((told, shared), style, span, divided));
                    self.svg.leaf_with_tooltip(
                        "rect",
                        &[
                            ("x", &x),
                            ("y", &y),
                            ("width", &wide),
                            ("height", &tall),
                            ("fill", &style.paint(wide, tall)),
                        ],
                        tooltip.as_deref(),
                    );
                } else if let Some(index) = styles.iter().position(|other| other == style) {
                    let (x, y, wide, tall) = (number(x), number(y), number(wide), number(tall));
                    paths[index] += &format!("M{x} {y}h{wide}v{tall}h-{wide}z");
                }
            }
        }
        for (style, path) in styles.iter().zip(paths).filter(|(_, path)| !path.is_empty()) {
            let tooltip = self.tooltip(|| format!("{told}: {}", super::style::word(style)));
            self.svg.leaf_with_tooltip(
                "path",
                &[("d", &path), ("fill", &style.paint(f64::MAX, height))],
                tooltip.as_deref(),
            );
        }
    }

    /// The frame of a row.
    pub(super) fn frame(&mut self, top: f64, height: f64) {
        let (x, wide) = (self.axis.left, self.axis.width);
        self.svg.leaf(
            "rect",
            &[
                ("x", &x),
                ("y", &top),
                ("width", &wide),
                ("height", &height),
                ("fill", &"none"),
                ("stroke", &"#8a8a8a"),
                ("stroke-width", &0.6),
            ],
        );
    }

    pub(super) fn line(&mut self, (x1, y1): (f64, f64), (x2, y2): (f64, f64), more: &[(&str, &dyn Attribute)]) {
        let mut attributes: Vec<(&str, &dyn Attribute)> = vec![("x1", &x1), ("y1", &y1), ("x2", &x2), ("y2", &y2)];
        attributes.extend_from_slice(more);
        self.svg.leaf("line", &attributes);
    }

    /// Marks at places, each with a sentence: of those that would overlap, the gravest is drawn.
    /// Returns how many each stands for, with its place.
    pub(super) fn draw_markers(&mut self, marks: &[(u64, Marker, &str)], y: f64, apart: f64) -> Vec<(f64, usize)> {
        let mut drawn = Vec::new();
        let mut rest = marks;
        while let Some(&(first, ..)) = rest.first() {
            let left = self.axis.x(first);
            let here = rest.iter().take_while(|(at, ..)| self.axis.x(*at) < left + apart).count();
            let (bin, after) = rest.split_at(here);
            rest = after;
            // The first of the gravest.
            let Some(&(at, marker, sentence)) = bin.iter().rev().max_by_key(|(_, marker, _)| *marker) else { break };
            let x = self.axis.x(at);
            let tooltip = self.tooltip(|| match bin.len() {
                1 => format!("{}: {sentence}", format_duration_units(at, 3)),
                several => format!("{}: {sentence}; and {} more near it", format_duration_units(at, 3), several - 1),
            });
            marker.draw(&mut self.svg, x, y, tooltip.as_deref());
            self.markers.insert(marker);
            self.crowded |= bin.len() > 1;
            drawn.push((x, bin.len()));
        }
        drawn
    }

    /// A text within a span of a row, if there is room, on a halo of the span's own colour.
    pub(super) fn label_inside(&mut self, content: &str, (x, wide): (f64, f64), middle: f64, style: &StateStyle) {
        let size = 12.0;
        if text_width(content, size) + 14.0 > wide {
            return;
        }
        self.svg.text(
            "text",
            &[
                ("x", &(x + wide / 2.0)),
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

    /// As much of a text as fits from `x` to the right end.
    pub(super) fn text_truncated(&mut self, x: f64, y: f64, size: f64, colour: &str, content: &str) {
        let content = truncate(content, size, self.width - x - 8.0);
        self.text(x, y, size, colour, TextAnchor::Start, &content);
    }
}

fn describe((told, shared): (&str, bool), style: &StateStyle, span: &Span, divided: bool) -> String {
    let word = super::style::word(style);
    let (from, until) = (format_duration_units(span.start, 4), format_duration_units(span.end, 4));
    let lasted = format_duration_units(span.end.saturating_sub(span.start), 4);
    match span.times {
        _ if shared && divided => format!("{told}, some: {word} from {from} to {until}"),
        _ if shared => format!("{told}, the worst: {word} from {from} to {until}"),
        _ if divided => format!("{told}: {word} again and again from {from} to {until}"),
        0 | 1 => format!("{told}: {word} from {from} to {until} ({lasted})"),
        times => format!("{told}: {word}, {times} times from {from} to {until}"),
    }
}
