//! What is shown of the set as a whole, above its replicas: status, how many are available, incidents, what operators
//! asked for.

use super::axis::{Axis, text_width};
use super::canvas::{Canvas, GREY, SMALL, TextAnchor};
use super::format::format_duration_units;
use super::marker::Marker;
use super::markup::number;
use super::spans::LaneColumns;
use super::style::{INK, STATUSES, word};
use super::timeline_data::TimelineData;

fn severity(state: u8) -> u8 {
    STATUSES[usize::from(state)].severity
}

/// The status over time, a column a pixel.
pub(super) fn status_columns(data: &TimelineData, axis: Axis) -> LaneColumns {
    let mut columns = LaneColumns::new(axis.from, axis.until, axis.width as usize);
    columns.add(&data.status, severity);
    columns
}

pub(super) fn status(canvas: &mut Canvas, data: &TimelineData) {
    const HEIGHT: f64 = 24.0;
    let columns = status_columns(data, canvas.axis);
    let spans = columns.spans(severity);
    let (top, count) = (canvas.y, columns.count());
    canvas.draw_spans(&spans, count, (top, HEIGHT), &STATUSES, ("status", false));
    let column = canvas.column(count);
    for span in &spans {
        let style = &STATUSES[usize::from(span.worst)];
        let place = (canvas.axis.left + span.column as f64 * column, span.columns as f64 * column);
        match span.worst == span.most {
            true => canvas.label_inside(word(style), place, top + HEIGHT / 2.0, style),
            false => {
                let most = &STATUSES[usize::from(span.most)];
                canvas.label_inside(&format!("{}, often {}", word(most), word(style)), place, top + HEIGHT / 2.0, most);
            }
        }
    }
    canvas.frame(top, HEIGHT);
    canvas.label(top + HEIGHT / 2.0, "status");
    canvas.y += HEIGHT + 6.0;
}

/// How many are available, of how many: the fewest within each column.
pub(super) fn available(canvas: &mut Canvas, data: &TimelineData) {
    const HEIGHT: f64 = 40.0;
    let most = data.counts.iter().map(|(_, available, desired)| *available.max(desired)).max().unwrap_or(0);
    if most < 4 {
        return;
    }
    let (top, axis) = (canvas.y, canvas.axis);
    let height = |count: u32| top + HEIGHT - (HEIGHT - 4.0) * f64::from(count) / f64::from(most);
    // One place each half pixel at most; of several in one, the lowest.
    let mut low: Vec<(f64, u32)> = Vec::new();
    let mut wanted: Vec<(f64, u32)> = Vec::new();
    let mut last = 0;
    for (index, &(at, available, desired)) in data.counts.iter().enumerate() {
        let ends = data.counts.get(index + 1).map_or(u64::MAX, |(at, ..)| *at);
        if ends < axis.from || at > axis.until || ends == at {
            continue;
        }
        let x = (axis.x(at) * 2.0).round() / 2.0;
        match low.last_mut() {
            Some((place, count)) if *place == x => *count = available.min(*count),
            _ => low.push((x, available)),
        }
        last = available;
        if wanted.last().is_none_or(|(_, count)| *count != desired) {
            wanted.push((x, desired));
        }
    }
    // Where several share a place, the next place says what came of them.
    if low.last().is_some_and(|(_, count)| *count != last) {
        low.push((axis.left + axis.width, last));
    }
    let (base, right) = (number(top + HEIGHT), number(axis.left + axis.width));
    let steps = |places: &[(f64, u32)]| -> String {
        places.iter().map(|(x, count)| format!("H{}V{}", number(*x), number(height(*count)))).collect()
    };
    if let (Some((first, _)), Some((_, count))) = (low.first(), wanted.first()) {
        let area = format!("M{} {base}{}H{right}V{base}z", number(*first), steps(&low));
        canvas.svg.leaf("path", &[("d", &area), ("fill", &"#a9bccb"), ("stroke", &"#4b6170"), ("stroke-width", &0.8)]);
        let line = format!("M{} {}{}H{right}", number(*first), number(height(*count)), steps(&wanted));
        canvas.svg.leaf(
            "path",
            &[("d", &line), ("fill", &"none"), ("stroke", &INK), ("stroke-width", &1.0), ("stroke-dasharray", &"4 3")],
        );
    }
    canvas.label(top + HEIGHT / 2.0, "available");
    let x = axis.left + axis.width + 6.0;
    canvas.text(x, top + 8.0, SMALL, GREY, TextAnchor::Start, &most.to_string());
    canvas.text(x, top + HEIGHT, SMALL, GREY, TextAnchor::Start, "0");
    canvas.y += HEIGHT + 10.0;
}

/// Failures together that are one incident, from when it is recognised until it is over.
pub(super) fn incidents(canvas: &mut Canvas, data: &TimelineData) {
    const HEIGHT: f64 = 8.0;
    let axis = canvas.axis;
    let ends = |over: Option<u64>| over.unwrap_or(u64::MAX);
    let shown = data.incidents.iter().filter(|one| one.recognised <= axis.until && ends(one.over) >= axis.from);
    let shown: Vec<_> = shown.collect();
    if shown.is_empty() {
        return;
    }
    let (top, middle) = (canvas.y + 3.0, canvas.y + 7.0);
    let (mut free, mut drawn) = (axis.left, f64::MIN);
    for (index, one) in shown.iter().enumerate() {
        let (left, right) = (axis.x(one.recognised), axis.x(ends(one.over)).max(axis.x(one.recognised) + 2.0));
        if right < drawn + 1.0 {
            continue;
        }
        drawn = right;
        let until = one.over.map_or("the end".to_owned(), |over| format_duration_units(over, 3));
        let tooltip = canvas.tooltip(|| {
            format!(
                "incident: {} failed together, from {} to {until}",
                one.replicas,
                format_duration_units(one.recognised, 3)
            )
        });
        canvas.svg.leaf_with_tooltip(
            "rect",
            &[
                ("x", &left),
                ("y", &top),
                ("width", &(right - left)),
                ("height", &HEIGHT),
                ("fill", &"#ffffff"),
                ("stroke", &INK),
                ("stroke-width", &1.4),
            ],
            tooltip.as_deref(),
        );
        let text = format!("{} failed together", one.replicas);
        let next = shown.get(index + 1).map_or(axis.left + axis.width, |next| axis.x(next.recognised));
        let wide = text_width(&text, SMALL);
        if right + 8.0 + wide < next {
            canvas.text(right + 8.0, middle + 4.0, SMALL, INK, TextAnchor::Start, &text);
        } else if left - 8.0 - wide > free {
            canvas.text(left - 8.0, middle + 4.0, SMALL, INK, TextAnchor::End, &text);
        }
        free = right + 8.0 + wide;
    }
    let resuming = shown.iter().filter_map(|one| one.resuming).filter(|at| axis.contains(*at));
    let marks: Vec<_> = resuming.map(|at| (at, Marker::Canary, "the canary is up, the rest follow")).collect();
    canvas.draw_markers(&marks, middle, 11.0);
    canvas.label(middle, if shown.len() == 1 { "incident" } else { "incidents" });
    canvas.y += 20.0;
}

/// What operators asked for.
pub(super) fn operator_requests(canvas: &mut Canvas, data: &TimelineData) {
    let axis = canvas.axis;
    let shown: Vec<_> = data.operator_requests.iter().filter(|(at, _)| axis.contains(*at)).collect();
    if shown.is_empty() {
        return;
    }
    let middle = canvas.y + 7.0;
    let (mut free, mut drawn) = (axis.left, f64::MIN);
    for (at, text) in shown {
        let x = axis.x(*at);
        if x < drawn + 2.0 {
            continue;
        }
        drawn = x;
        let tooltip = canvas.tooltip(|| format!("{}: {text}", format_duration_units(*at, 3)));
        let d = format!("M{} {}l-4 -8h8z", number(x), number(middle + 5.0));
        canvas.svg.leaf_with_tooltip("path", &[("d", &d), ("fill", &INK)], tooltip.as_deref());
        let wide = text_width(text, SMALL);
        let right = x + 7.0 + wide < axis.left + axis.width;
        let begins = if right { x + 7.0 } else { x - 7.0 - wide };
        if begins >= free {
            canvas.text(begins, middle + 4.0, SMALL, INK, TextAnchor::Start, text);
            free = begins + wide + 6.0;
        }
    }
    canvas.label(middle, "operator");
    canvas.y += 20.0;
}
