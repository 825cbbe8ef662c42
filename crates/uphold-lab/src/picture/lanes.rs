//! The lanes, which show the phases of the replicas: one for each replica, or for several if there are too many.

use uphold::Phase;

use super::canvas::{Canvas, SMALL, Subject, TextAnchor};
use super::marker::Marker;
use super::slot_marks::{self, LaneBar};
use super::spans::{LaneColumns, Span, StateChanges};
use super::style::{INK, PHASES, TEXT_GREY, phase_index};
use super::text::format_share;
use super::timeline_data::{TimelineData, VerdictRecord};

/// The layout of the lanes. Lengths are in pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct LaneLayout {
    /// The distance from the top of one lane to the top of the next.
    pitch: f64,
    replicas_per_lane: usize,
    lanes: usize,
    /// Lanes have a row of texts above the bar, on roles and revisions.
    annotated: bool,
}

/// The height of the row of texts.
const ANNOTATION: f64 = 12.0;

/// The height of all lanes together, unless the limits of the pitch prevail.
const HEIGHT: f64 = 700.0;
/// The same, if lanes have a row of texts.
const ANNOTATED_HEIGHT: f64 = 1_300.0;
const MAX_LANES: usize = 300;

/// The most spans of all lanes together. It bounds the size of the file.
const MAX_SPANS: usize = 30_000;

impl LaneLayout {
    /// `annotated`: there are roles, revisions or drains to show.
    pub(super) fn new(replicas: usize, annotated: bool) -> Self {
        let min_per_lane = replicas.div_ceil(MAX_LANES).max(1);
        let mut round_numbers = (0..6).flat_map(|power| [1, 2, 5].map(|count| count * 10usize.pow(power)));
        let replicas_per_lane = round_numbers.find(|number| *number >= min_per_lane).unwrap_or(min_per_lane);
        let lanes = replicas.div_ceil(replicas_per_lane);
        let annotated =
            annotated && replicas_per_lane == 1 && ANNOTATED_HEIGHT / lanes.max(1) as f64 >= 20.0 + ANNOTATION;
        let (height, most) = if annotated { (ANNOTATED_HEIGHT, 30.0 + ANNOTATION) } else { (HEIGHT, 30.0) };
        Self { pitch: (height / lanes.max(1) as f64).clamp(3.0, most), replicas_per_lane, lanes, annotated }
    }

    /// Returns whether each lane has its own markers above it. Otherwise all lanes share one row of markers.
    fn has_own_markers(self) -> bool {
        self.pitch >= 20.0
    }

    /// Returns whether figures are shown to the right of each lane.
    pub(super) fn has_figures(self) -> bool {
        self.pitch >= 12.0 && self.replicas_per_lane == 1
    }

    /// Returns the top of the bar within a lane, and its height.
    fn bar(self) -> (f64, f64) {
        match self.pitch {
            pitch if self.annotated => (12.0 + ANNOTATION, pitch - 16.0 - ANNOTATION),
            pitch if self.has_own_markers() => (12.0, pitch - 15.0),
            pitch if pitch >= 12.0 => (1.5, pitch - 3.0),
            pitch if pitch >= 5.0 => (0.5, pitch - 1.0),
            pitch => (0.0, pitch),
        }
    }

    /// Returns n such that every nth lane has a label.
    fn label_interval(self) -> usize {
        let min_distance = if self.pitch < 12.0 { 24.0 } else { 12.0 };
        let fits = |interval: &usize| *interval as f64 * self.pitch >= min_distance;
        [1, 2, 5, 10, 20, 50, 100, 200].into_iter().find(fits).unwrap_or(500)
    }
}

fn severity(state: u8) -> u8 {
    PHASES[usize::from(state)].severity
}

struct Lane {
    spans: Vec<Span>,
    /// Nanoseconds in phase `ready`.
    ready: u64,
    /// Nanoseconds in any phase.
    present: u64,
}

/// Draws all lanes.
pub(super) fn draw(canvas: &mut Canvas, data: &TimelineData, layout: LaneLayout) {
    if layout.lanes == 0 {
        let (x, y) = (canvas.axis.left + 4.0, canvas.y + 16.0);
        canvas.text(x, y, 12.0, TEXT_GREY, TextAnchor::Start, "no replicas desired");
        canvas.y += 26.0;
        return;
    }
    let axis = canvas.axis;
    let verdicts: Vec<&VerdictRecord> = data.verdicts.iter().filter(|record| axis.contains(record.at)).collect();
    if !layout.has_own_markers() {
        draw_shared_markers(canvas, &verdicts);
    }
    draw_headings(canvas, layout);
    let (lanes, columns) = lanes(data, canvas, layout);
    let mut markers: Vec<Vec<(u64, Marker, &str)>> = vec![Vec::new(); layout.lanes];
    for record in &verdicts {
        if let Some(markers) = markers.get_mut(record.replica as usize / layout.replicas_per_lane) {
            markers.push((record.at, Marker::of(&record.verdict), &record.sentence));
        }
    }
    let mut restarts = vec![0u64; layout.lanes];
    for (_, replica) in data.restarts.iter().filter(|(at, _)| axis.contains(*at)) {
        restarts[*replica as usize / layout.replicas_per_lane] += 1;
    }
    let (bar_top, bar_height) = layout.bar();
    for (index, lane) in lanes.iter().enumerate() {
        let top = canvas.y + index as f64 * layout.pitch + bar_top;
        let middle = top + bar_height / 2.0;
        let (first, last) = (index * layout.replicas_per_lane, (index + 1) * layout.replicas_per_lane - 1);
        let shared = layout.replicas_per_lane > 1;
        let name = if shared { format!("replicas {first} to {last}") } else { format!("replica {first}") };
        canvas.draw_spans(&lane.spans, columns, (top, bar_height), &PHASES, Subject { name: &name, shared });
        if layout.pitch >= 12.0 {
            canvas.frame(top, bar_height);
        }
        if index % layout.label_interval() == 0 {
            canvas.row_label(middle, &first.to_string());
            if layout.label_interval() > 1 {
                canvas.line((axis.left - 6.0, top), (axis.left - 1.0, top), &[("stroke", &TEXT_GREY)]);
            }
        }
        if layout.has_figures() {
            let right = axis.left + axis.width;
            let ready = if lane.present == 0 { "–".to_owned() } else { format_share(lane.ready, lane.present) };
            canvas.text(right + 66.0, middle + 4.0, SMALL, INK, TextAnchor::End, &ready);
            canvas.text(right + 118.0, middle + 4.0, SMALL, INK, TextAnchor::End, &restarts[index].to_string());
        }
        if layout.has_own_markers() {
            let markers_at = canvas.y + index as f64 * layout.pitch + 6.0;
            canvas.draw_markers(&markers[index], markers_at, 11.0);
        }
        if layout.replicas_per_lane == 1 && layout.pitch >= 5.0 {
            let drains_at = if layout.has_own_markers() { top + bar_height + 2.5 } else { middle };
            let bar = LaneBar { top, height: bar_height, drains_at, has_texts: layout.annotated };
            slot_marks::draw(canvas, &data.slots, first as u32, bar);
        }
    }
    canvas.y += layout.lanes as f64 * layout.pitch;
    if layout.pitch < 12.0 {
        canvas.frame(canvas.y - layout.lanes as f64 * layout.pitch, layout.lanes as f64 * layout.pitch);
    }
    canvas.y += 4.0;
}

/// Returns the lanes and their number of columns: one for each pixel, or fewer to respect [`MAX_SPANS`].
fn lanes(data: &TimelineData, canvas: &Canvas, layout: LaneLayout) -> (Vec<Lane>, usize) {
    let axis = canvas.axis;
    let with_columns = |columns: usize| -> Vec<Lane> {
        let lane = |replicas: &[StateChanges]| {
            let mut columns = LaneColumns::new(axis.from, axis.until, columns);
            replicas.iter().for_each(|changes| columns.add(changes, severity));
            let totals = columns.totals();
            Lane {
                spans: columns.spans(severity),
                ready: totals.get(&phase_index(Phase::Ready)).copied().unwrap_or(0),
                present: totals.values().sum(),
            }
        };
        data.replicas.chunks(layout.replicas_per_lane).map(lane).collect()
    };
    let mut columns = axis.width as usize;
    let mut lanes = with_columns(columns);
    while lanes.iter().map(|lane| lane.spans.len()).sum::<usize>() > MAX_SPANS && columns > 60 {
        columns /= 2;
        lanes = with_columns(columns);
    }
    (lanes, columns.min(usize::try_from(axis.length()).unwrap_or(usize::MAX)).max(1))
}

fn draw_headings(canvas: &mut Canvas, layout: LaneLayout) {
    canvas.row_label(canvas.y + 6.0, "replica");
    if layout.has_figures() {
        let right = canvas.axis.left + canvas.axis.width;
        canvas.text(right + 66.0, canvas.y + 10.0, SMALL, TEXT_GREY, TextAnchor::End, "ready");
        canvas.text(right + 118.0, canvas.y + 10.0, SMALL, TEXT_GREY, TextAnchor::End, "restarts");
    } else if layout.replicas_per_lane > 1 {
        let note = format!(
            "each lane is {} replicas: the upper half shows their most common phase, the lower half the worst",
            layout.replicas_per_lane
        );
        canvas.text(canvas.axis.left, canvas.y + 10.0, SMALL, TEXT_GREY, TextAnchor::Start, &note);
    }
    // Headings overlap the row of the first lane's markers, which has room at both ends.
    canvas.y += if layout.has_own_markers() { 12.0 } else { 16.0 };
}

/// Draws the verdicts of all lanes in one row. A number below a marker says how many verdicts it stands for.
fn draw_shared_markers(canvas: &mut Canvas, verdicts: &[&VerdictRecord]) {
    if verdicts.is_empty() {
        return;
    }
    let texts: Vec<String> =
        verdicts.iter().map(|record| format!("replica {} {}", record.replica, record.sentence)).collect();
    let markers: Vec<(u64, Marker, &str)> = verdicts
        .iter()
        .zip(&texts)
        .map(|(record, text)| (record.at, Marker::of(&record.verdict), text.as_str()))
        .collect();
    let y = canvas.y + 6.0;
    canvas.row_label(y + 5.0, "verdicts");
    for (x, count) in canvas.draw_markers(&markers, y, 18.0) {
        if count > 1 {
            canvas.text(x, y + 15.0, 9.0, INK, TextAnchor::Middle, &abbreviated(count));
        }
    }
    canvas.y += 28.0;
}

/// Formats a count briefly: `1234` as `1k`.
fn abbreviated(count: usize) -> String {
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{}k", count / 1_000),
        _ => format!("{}M", count / 1_000_000),
    }
}
