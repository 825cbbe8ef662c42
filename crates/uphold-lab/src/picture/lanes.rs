//! A lane per replica; of so many that none can be seen any more, one for several.

use super::canvas::{Canvas, GREY, SMALL, TextAnchor};
use super::format::format_share;
use super::marker::Marker;
use super::spans::{LaneColumns, Span};
use super::style::{INK, PHASES};
use super::timeline_data::{TimelineData, VerdictRecord};

/// How lanes are laid out.
#[derive(Clone, Copy, Debug)]
pub(super) struct LaneLayout {
    /// From one to the next, in pixels.
    pitch: f64,
    /// So many replicas share one.
    replicas_per_lane: usize,
    lanes: usize,
}

/// All lanes together have about this height; few are less high, and hundreds a little higher.
const HEIGHT: f64 = 700.0;
const MAX_LANES: usize = 300;

/// How many spans all lanes have at most: the size of the picture is bounded.
const MAX_SPANS: usize = 30_000;

impl LaneLayout {
    pub(super) fn of(replicas: usize) -> Self {
        let least = replicas.div_ceil(MAX_LANES).max(1);
        let round = (0..6).flat_map(|power| [1, 2, 5].map(|count| count * 10usize.pow(power)));
        let replicas_per_lane =
            round.into_iter().find(|replicas_per_lane| *replicas_per_lane >= least).unwrap_or(least);
        let lanes = replicas.div_ceil(replicas_per_lane);
        Self { pitch: (HEIGHT / lanes.max(1) as f64).clamp(3.0, 30.0), replicas_per_lane, lanes }
    }

    /// Whether marks have a place above replicas_per_lane lane, or all lanes share one row of them.
    fn has_marks(self) -> bool {
        self.pitch >= 20.0
    }

    /// Whether figures stand right of replicas_per_lane lane.
    pub(super) fn has_figures(self) -> bool {
        self.pitch >= 12.0 && self.replicas_per_lane == 1
    }

    /// Where the bar of a lane is: from the top of the lane, and how high.
    fn bar(self) -> (f64, f64) {
        match self.pitch {
            pitch if self.has_marks() => (12.0, pitch - 15.0),
            pitch if pitch >= 12.0 => (1.5, pitch - 3.0),
            pitch if pitch >= 5.0 => (0.5, pitch - 1.0),
            pitch => (0.0, pitch),
        }
    }

    /// Every how many lanes a number stands.
    fn every(self) -> usize {
        let apart = if self.pitch < 12.0 { 24.0 } else { 12.0 };
        let fits = |every: &usize| *every as f64 * self.pitch >= apart;
        [1, 2, 5, 10, 20, 50, 100, 200].into_iter().find(fits).unwrap_or(500)
    }
}

fn severity(state: u8) -> u8 {
    PHASES[usize::from(state)].severity
}

/// A lane, ready to be drawn.
struct Lane {
    spans: Vec<Span>,
    /// Nanoseconds ready, and there at all.
    ready: u64,
    there: u64,
}

pub(super) fn draw(canvas: &mut Canvas, data: &TimelineData, layout: LaneLayout) {
    if layout.lanes == 0 {
        canvas.text(canvas.axis.left + 4.0, canvas.y + 16.0, 12.0, GREY, TextAnchor::Start, "no replica is asked for");
        canvas.y += 26.0;
        return;
    }
    let axis = canvas.axis;
    let verdicts: Vec<&VerdictRecord> = data.verdicts.iter().filter(|judged| axis.contains(judged.at)).collect();
    if !layout.has_marks() {
        shared_marks(canvas, &verdicts);
    }
    headings(canvas, layout);
    let mut count = axis.width as usize;
    let mut lanes = columns(data, canvas, layout, count);
    while lanes.iter().map(|lane| lane.spans.len()).sum::<usize>() > MAX_SPANS && count > 60 {
        count /= 2;
        lanes = columns(data, canvas, layout, count);
    }
    let count = count.min(usize::try_from(axis.length()).unwrap_or(usize::MAX)).max(1);
    let mut of_lane: Vec<Vec<(u64, Marker, &str)>> = vec![Vec::new(); layout.lanes];
    for judged in &verdicts {
        if let Some(marks) = of_lane.get_mut(judged.replica as usize / layout.replicas_per_lane) {
            marks.push((judged.at, Marker::of(&judged.verdict), &judged.sentence));
        }
    }
    let mut restarts = vec![0u64; layout.lanes];
    for (_, replica) in data.restarts.iter().filter(|(at, _)| axis.contains(*at)) {
        restarts[*replica as usize / layout.replicas_per_lane] += 1;
    }
    let (inset, tall) = layout.bar();
    for (index, lane) in lanes.iter().enumerate() {
        let top = canvas.y + index as f64 * layout.pitch;
        let middle = top + inset + tall / 2.0;
        let (first, last) = (index * layout.replicas_per_lane, (index + 1) * layout.replicas_per_lane - 1);
        let shared = layout.replicas_per_lane > 1;
        let told = if shared { format!("replicas {first} to {last}") } else { format!("replica {first}") };
        canvas.draw_spans(&lane.spans, count, (top + inset, tall), &PHASES, (&told, shared));
        if layout.pitch >= 12.0 {
            canvas.frame(top + inset, tall);
        }
        if index % layout.every() == 0 {
            canvas.label(middle, &first.to_string());
            if layout.every() > 1 {
                canvas.line((axis.left - 6.0, top + inset), (axis.left - 1.0, top + inset), &[("stroke", &GREY)]);
            }
        }
        if layout.has_figures() {
            let right = axis.left + axis.width;
            let ready = if lane.there == 0 { "–".to_owned() } else { format_share(lane.ready, lane.there) };
            canvas.text(right + 66.0, middle + 4.0, SMALL, INK, TextAnchor::End, &ready);
            canvas.text(right + 118.0, middle + 4.0, SMALL, INK, TextAnchor::End, &restarts[index].to_string());
        }
        if layout.has_marks() {
            canvas.draw_markers(&of_lane[index], top + inset - 6.0, 11.0);
        }
    }
    canvas.y += layout.lanes as f64 * layout.pitch;
    if layout.pitch < 12.0 {
        canvas.frame(canvas.y - layout.lanes as f64 * layout.pitch, layout.lanes as f64 * layout.pitch);
    }
    canvas.y += 4.0;
}

fn columns(data: &TimelineData, canvas: &Canvas, layout: LaneLayout, count: usize) -> Vec<Lane> {
    let axis = canvas.axis;
    let ready = super::style::phase_index(uphold::Phase::Ready);
    let lane = |replicas: &[super::timeline_data::StateChanges]| {
        let mut columns = LaneColumns::new(axis.from, axis.until, count);
        replicas.iter().for_each(|changes| columns.add(changes, severity));
        let totals = columns.totals();
        Lane {
            spans: columns.spans(severity),
            ready: totals.get(&ready).copied().unwrap_or(0),
            there: totals.values().sum(),
        }
    };
    data.replicas.chunks(layout.replicas_per_lane).map(lane).collect()
}

fn headings(canvas: &mut Canvas, layout: LaneLayout) {
    // The row of the first marks is free at its ends.
    let lower = if layout.has_marks() { 4.0 } else { 0.0 };
    canvas.label(canvas.y + 6.0, "replica");
    if layout.has_figures() {
        let right = canvas.axis.left + canvas.axis.width;
        canvas.text(right + 66.0, canvas.y + 10.0, SMALL, GREY, TextAnchor::End, "ready");
        canvas.text(right + 118.0, canvas.y + 10.0, SMALL, GREY, TextAnchor::End, "restarts");
    } else if layout.replicas_per_lane > 1 {
        let note = format!(
            "replicas_per_lane lane is {} replicas: above what most are, below the worst",
            layout.replicas_per_lane
        );
        canvas.text(canvas.axis.left, canvas.y + 10.0, SMALL, GREY, TextAnchor::Start, &note);
    }
    canvas.y += 16.0 - lower;
}

/// Verdicts of all lanes in one row, replicas_per_lane with how many it stands for.
fn shared_marks(canvas: &mut Canvas, verdicts: &[&VerdictRecord]) {
    if verdicts.is_empty() {
        return;
    }
    let told: Vec<String> =
        verdicts.iter().map(|judged| format!("replica {} {}", judged.replica, judged.sentence)).collect();
    let marks: Vec<(u64, Marker, &str)> = verdicts
        .iter()
        .zip(&told)
        .map(|(judged, told)| (judged.at, Marker::of(&judged.verdict), told.as_str()))
        .collect();
    let y = canvas.y + 6.0;
    canvas.label(y + 5.0, "verdicts");
    for (x, count) in canvas.draw_markers(&marks, y, 18.0) {
        if count > 1 {
            canvas.text(x, y + 15.0, 9.0, INK, TextAnchor::Middle, &thousands(count));
        }
    }
    canvas.y += 28.0;
}

/// `1234` is `1k`: there is little room.
fn thousands(count: usize) -> String {
    match count {
        0..1_000 => count.to_string(),
        1_000..1_000_000 => format!("{}k", count / 1_000),
        _ => format!("{}M", count / 1_000_000),
    }
}
