//! A lane per replica; of so many that none can be seen any more, one for several.

use super::canvas::{Canvas, GREY, SMALL, Side};
use super::glyph::Glyph;
use super::history::{History, Judged};
use super::look::{INK, PHASES};
use super::spans::{Columns, Span};
use super::spell::share;

/// How lanes are laid out.
#[derive(Clone, Copy, Debug)]
pub(super) struct Layout {
    /// From one to the next, in pixels.
    pitch: f64,
    /// So many replicas share one.
    each: usize,
    lanes: usize,
}

/// All lanes together have about this height; few are less high, and hundreds a little higher.
const HEIGHT: f64 = 700.0;
const MOST_LANES: usize = 300;

/// How many spans all lanes have at most: the size of the picture is bounded.
const MOST_SPANS: usize = 30_000;

impl Layout {
    pub(super) fn of(replicas: usize) -> Self {
        let least = replicas.div_ceil(MOST_LANES).max(1);
        let round = (0..6).flat_map(|power| [1, 2, 5].map(|count| count * 10usize.pow(power)));
        let each = round.into_iter().find(|each| *each >= least).unwrap_or(least);
        let lanes = replicas.div_ceil(each);
        Self { pitch: (HEIGHT / lanes.max(1) as f64).clamp(3.0, 30.0), each, lanes }
    }

    /// Whether marks have a place above each lane, or all lanes share one row of them.
    fn has_marks(self) -> bool {
        self.pitch >= 20.0
    }

    /// Whether figures stand right of each lane.
    pub(super) fn has_figures(self) -> bool {
        self.pitch >= 12.0 && self.each == 1
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

pub(super) fn draw(canvas: &mut Canvas, history: &History, layout: Layout) {
    if layout.lanes == 0 {
        canvas.text(canvas.axis.left + 4.0, canvas.y + 16.0, 12.0, GREY, Side::Start, "no replica is asked for");
        canvas.y += 26.0;
        return;
    }
    let axis = canvas.axis;
    let verdicts: Vec<&Judged> = history.verdicts.iter().filter(|judged| axis.shows(judged.at)).collect();
    if !layout.has_marks() {
        shared_marks(canvas, &verdicts);
    }
    headings(canvas, layout);
    let mut count = axis.width as usize;
    let mut lanes = columns(history, canvas, layout, count);
    while lanes.iter().map(|lane| lane.spans.len()).sum::<usize>() > MOST_SPANS && count > 60 {
        count /= 2;
        lanes = columns(history, canvas, layout, count);
    }
    let count = count.min(usize::try_from(axis.length()).unwrap_or(usize::MAX)).max(1);
    let mut of_lane: Vec<Vec<(u64, Glyph, &str)>> = vec![Vec::new(); layout.lanes];
    for judged in &verdicts {
        if let Some(marks) = of_lane.get_mut(judged.replica as usize / layout.each) {
            marks.push((judged.at, Glyph::of(&judged.verdict), &judged.sentence));
        }
    }
    let mut restarts = vec![0u64; layout.lanes];
    for (_, replica) in history.restarts.iter().filter(|(at, _)| axis.shows(*at)) {
        restarts[*replica as usize / layout.each] += 1;
    }
    let (inset, tall) = layout.bar();
    for (index, lane) in lanes.iter().enumerate() {
        let top = canvas.y + index as f64 * layout.pitch;
        let middle = top + inset + tall / 2.0;
        let (first, last) = (index * layout.each, (index + 1) * layout.each - 1);
        let shared = layout.each > 1;
        let told = if shared { format!("replicas {first} to {last}") } else { format!("replica {first}") };
        canvas.spans(&lane.spans, count, (top + inset, tall), &PHASES, (&told, shared));
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
            let ready = if lane.there == 0 { "–".to_owned() } else { share(lane.ready, lane.there) };
            canvas.text(right + 66.0, middle + 4.0, SMALL, INK, Side::End, &ready);
            canvas.text(right + 118.0, middle + 4.0, SMALL, INK, Side::End, &restarts[index].to_string());
        }
        if layout.has_marks() {
            canvas.marks(&of_lane[index], top + inset - 6.0, 11.0);
        }
    }
    canvas.y += layout.lanes as f64 * layout.pitch;
    if layout.pitch < 12.0 {
        canvas.frame(canvas.y - layout.lanes as f64 * layout.pitch, layout.lanes as f64 * layout.pitch);
    }
    canvas.y += 4.0;
}

fn columns(history: &History, canvas: &Canvas, layout: Layout, count: usize) -> Vec<Lane> {
    let axis = canvas.axis;
    let ready = super::look::phase(uphold::Phase::Ready);
    let lane = |replicas: &[super::history::Changes]| {
        let mut columns = Columns::new(axis.from, axis.until, count);
        replicas.iter().for_each(|changes| columns.add(changes, severity));
        let totals = columns.totals();
        Lane {
            spans: columns.spans(severity),
            ready: totals.get(&ready).copied().unwrap_or(0),
            there: totals.values().sum(),
        }
    };
    history.replicas.chunks(layout.each).map(lane).collect()
}

fn headings(canvas: &mut Canvas, layout: Layout) {
    // The row of the first marks is free at its ends.
    let lower = if layout.has_marks() { 4.0 } else { 0.0 };
    canvas.label(canvas.y + 6.0, "replica");
    if layout.has_figures() {
        let right = canvas.axis.left + canvas.axis.width;
        canvas.text(right + 66.0, canvas.y + 10.0, SMALL, GREY, Side::End, "ready");
        canvas.text(right + 118.0, canvas.y + 10.0, SMALL, GREY, Side::End, "restarts");
    } else if layout.each > 1 {
        let note = format!("each lane is {} replicas: above what most are, below the worst", layout.each);
        canvas.text(canvas.axis.left, canvas.y + 10.0, SMALL, GREY, Side::Start, &note);
    }
    canvas.y += 16.0 - lower;
}

/// Verdicts of all lanes in one row, each with how many it stands for.
fn shared_marks(canvas: &mut Canvas, verdicts: &[&Judged]) {
    if verdicts.is_empty() {
        return;
    }
    let told: Vec<String> =
        verdicts.iter().map(|judged| format!("replica {} {}", judged.replica, judged.sentence)).collect();
    let marks: Vec<(u64, Glyph, &str)> = verdicts
        .iter()
        .zip(&told)
        .map(|(judged, told)| (judged.at, Glyph::of(&judged.verdict), told.as_str()))
        .collect();
    let y = canvas.y + 6.0;
    canvas.label(y + 5.0, "verdicts");
    for (x, count) in canvas.marks(&marks, y, 18.0) {
        if count > 1 {
            canvas.text(x, y + 15.0, 9.0, INK, Side::Middle, &thousands(count));
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
