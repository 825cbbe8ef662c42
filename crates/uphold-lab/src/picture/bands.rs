//! The rows above the lanes, which show the set as a whole: status, available replicas, incidents, requests and rollouts.

use super::axis::Axis;
use super::canvas::{Canvas, SMALL, Subject, TextAnchor};
use super::marker::Marker;
use super::markup::path_number;
use super::spans::LaneColumns;
use super::style::{INK, ROLLOUTS, STATUSES, TEXT_GREY};
use super::text::text_width;
use super::timeline_data::TimelineData;
use crate::format_duration::format_duration_units;

fn severity(state: u8) -> u8 {
    STATUSES[usize::from(state)].severity
}

/// Returns the status over time, with a column for each pixel.
pub(super) fn status_columns(data: &TimelineData, axis: Axis) -> LaneColumns {
    let mut columns = LaneColumns::new(axis.from, axis.until, axis.width as usize);
    columns.add(&data.status, severity);
    columns
}

/// Draws the status over time.
pub(super) fn draw_status(canvas: &mut Canvas, data: &TimelineData) {
    const HEIGHT: f64 = 24.0;
    let columns = status_columns(data, canvas.axis);
    let spans = columns.spans(severity);
    let (top, count) = (canvas.y, columns.count());
    canvas.draw_spans(&spans, count, (top, HEIGHT), &STATUSES, Subject { name: "status", shared: false });
    let column_width = canvas.column_width(count);
    for span in &spans {
        let (worst, longest) = (&STATUSES[usize::from(span.worst)], &STATUSES[usize::from(span.longest)]);
        let area = (canvas.axis.left + span.column as f64 * column_width, span.columns as f64 * column_width);
        if span.worst == span.longest {
            canvas.label_inside(worst.label(), area, top + HEIGHT / 2.0, worst);
        } else {
            let text = format!("{}, often {}", longest.label(), worst.label());
            canvas.label_inside(&text, area, top + HEIGHT / 2.0, longest);
        }
    }
    canvas.frame(top, HEIGHT);
    canvas.row_label(top + HEIGHT / 2.0, "status");
    canvas.y += HEIGHT + 6.0;
}

/// Draws the number of available replicas as an area, and the number of desired ones as a line. Of several values at one
/// position the lowest is drawn. Sets of fewer than four replicas have no such row: their lanes show it.
pub(super) fn draw_available(canvas: &mut Canvas, data: &TimelineData) {
    const HEIGHT: f64 = 40.0;
    let max = data.counts.iter().map(|count| count.available.max(count.desired)).max().unwrap_or(0);
    if max < 4 {
        return;
    }
    let (top, axis) = (canvas.y, canvas.axis);
    let height = |count: u32| top + HEIGHT - (HEIGHT - 4.0) * f64::from(count) / f64::from(max);
    // Positions are rounded to half pixels, to bound the number of points.
    let mut available: Vec<(f64, u32)> = Vec::new();
    let mut desired: Vec<(f64, u32)> = Vec::new();
    let mut last_available = 0;
    for (index, count) in data.counts.iter().enumerate() {
        let end = data.counts.get(index + 1).map_or(u64::MAX, |next| next.at);
        if end < axis.from || count.at > axis.until || end == count.at {
            continue;
        }
        let x = (axis.x(count.at) * 2.0).round() / 2.0;
        match available.last_mut() {
            Some((position, lowest)) if *position == x => *lowest = count.available.min(*lowest),
            _ => available.push((x, count.available)),
        }
        last_available = count.available;
        if desired.last().is_none_or(|(_, last)| *last != count.desired) {
            desired.push((x, count.desired));
        }
    }
    // The last position shows the lowest value there; the area must end at the last value.
    if available.last().is_some_and(|(_, lowest)| *lowest != last_available) {
        available.push((axis.left + axis.width, last_available));
    }
    let (base, right) = (path_number(top + HEIGHT), path_number(axis.left + axis.width));
    let steps = |points: &[(f64, u32)]| -> String {
        points.iter().map(|(x, count)| format!("H{}V{}", path_number(*x), path_number(height(*count)))).collect()
    };
    if let (Some((first, _)), Some((_, count))) = (available.first(), desired.first()) {
        let first = path_number(*first);
        let area = format!("M{first} {base}{}H{right}V{base}z", steps(&available));
        canvas.svg.leaf("path", &[("d", &area), ("fill", &"#a9bccb"), ("stroke", &"#4b6170"), ("stroke-width", &0.8)]);
        let line = format!("M{first} {}{}H{right}", path_number(height(*count)), steps(&desired));
        canvas.svg.leaf(
            "path",
            &[("d", &line), ("fill", &"none"), ("stroke", &INK), ("stroke-width", &1.0), ("stroke-dasharray", &"4 3")],
        );
    }
    canvas.row_label(top + HEIGHT / 2.0, "available");
    let x = axis.left + axis.width + 6.0;
    canvas.text(x, top + 8.0, SMALL, TEXT_GREY, TextAnchor::Start, &max.to_string());
    canvas.text(x, top + HEIGHT, SMALL, TEXT_GREY, TextAnchor::Start, "0");
    canvas.y += HEIGHT + 10.0;
}

/// Draws incidents, from the detection to the end of each.
pub(super) fn draw_incidents(canvas: &mut Canvas, data: &TimelineData) {
    const HEIGHT: f64 = 8.0;
    let axis = canvas.axis;
    let end_of = |over: Option<u64>| over.unwrap_or(u64::MAX);
    let is_visible = |recognised: u64, over| recognised <= axis.until && end_of(over) >= axis.from;
    let incidents: Vec<_> =
        data.incidents.iter().filter(|incident| is_visible(incident.recognised, incident.over)).collect();
    if incidents.is_empty() {
        return;
    }
    let (top, middle) = (canvas.y + 3.0, canvas.y + 7.0);
    let (mut free_from, mut drawn_until) = (axis.left, f64::MIN);
    for (index, incident) in incidents.iter().enumerate() {
        let left = axis.x(incident.recognised);
        let right = axis.x(end_of(incident.over)).max(left + 2.0);
        if right < drawn_until + 1.0 {
            continue;
        }
        drawn_until = right;
        let until = incident.over.map_or("the end".to_owned(), |over| format_duration_units(over, 3));
        let tooltip = canvas.tooltip(|| {
            let from = format_duration_units(incident.recognised, 3);
            format!("incident: {} failed together, from {from} to {until}", incident.replicas)
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
        let text = format!("{} failed together", incident.replicas);
        let next = incidents.get(index + 1).map_or(axis.left + axis.width, |next| axis.x(next.recognised));
        let width = text_width(&text, SMALL);
        if right + 8.0 + width < next {
            canvas.text(right + 8.0, middle + 4.0, SMALL, INK, TextAnchor::Start, &text);
        } else if left - 8.0 - width > free_from {
            canvas.text(left - 8.0, middle + 4.0, SMALL, INK, TextAnchor::End, &text);
        }
        free_from = right + 8.0 + width;
    }
    let resuming = incidents.iter().filter_map(|incident| incident.resuming).filter(|at| axis.contains(*at));
    let markers: Vec<_> = resuming.map(|at| (at, Marker::Canary, "canary up, the others restart")).collect();
    canvas.draw_markers(&markers, middle, 11.0);
    canvas.row_label(middle, if incidents.len() == 1 { "incident" } else { "incidents" });
    canvas.y += 20.0;
}

/// Draws the requests of operators.
pub(super) fn draw_operator_requests(canvas: &mut Canvas, data: &TimelineData) {
    let axis = canvas.axis;
    let requests: Vec<_> = data.operator_requests.iter().filter(|(at, _)| axis.contains(*at)).collect();
    if requests.is_empty() {
        return;
    }
    let middle = canvas.y + 7.0;
    let (mut free_from, mut drawn_until) = (axis.left, f64::MIN);
    for (at, text) in requests {
        let x = axis.x(*at);
        if x < drawn_until + 2.0 {
            continue;
        }
        drawn_until = x;
        let tooltip = canvas.tooltip(|| format!("{}: {text}", format_duration_units(*at, 3)));
        let d = format!("M{} {}l-4 -8h8z", path_number(x), path_number(middle + 5.0));
        canvas.svg.leaf_with_tooltip("path", &[("d", &d), ("fill", &INK)], tooltip.as_deref());
        let width = text_width(text, SMALL);
        let fits_right = x + 7.0 + width < axis.left + axis.width;
        let left = if fits_right { x + 7.0 } else { x - 7.0 - width };
        if left >= free_from {
            canvas.text(left, middle + 4.0, SMALL, INK, TextAnchor::Start, text);
            free_from = left + width + 6.0;
        }
    }
    canvas.row_label(middle, "operator");
    canvas.y += 20.0;
}

/// Draws what rollouts were doing, with their steps as markers and how each ended.
pub(super) fn draw_rollouts(canvas: &mut Canvas, data: &TimelineData) {
    const HEIGHT: f64 = 16.0;
    let axis = canvas.axis;
    let end_of = |until: Option<u64>| until.unwrap_or(u64::MAX);
    let rollouts = data.slots.rollouts.iter();
    let rollouts: Vec<_> =
        rollouts.filter(|rollout| rollout.from <= axis.until && end_of(rollout.until) >= axis.from).collect();
    if rollouts.is_empty() {
        return;
    }
    let severity = |state: u8| ROLLOUTS[usize::from(state)].severity;
    let mut columns = LaneColumns::new(axis.from, axis.until, axis.width as usize);
    columns.add(&data.slots.rollout_states, severity);
    let spans = columns.spans(severity);
    let (top, middle, count) = (canvas.y, canvas.y + HEIGHT / 2.0, columns.count());
    canvas.draw_spans(&spans, count, (top, HEIGHT), &ROLLOUTS, Subject { name: "rollout", shared: false });
    let column_width = canvas.column_width(count);
    for span in spans.iter().filter(|span| span.worst == span.longest) {
        let style = &ROLLOUTS[usize::from(span.worst)];
        let area = (axis.left + span.column as f64 * column_width, span.columns as f64 * column_width);
        canvas.label_inside(style.label(), area, middle, style);
    }
    for (index, rollout) in rollouts.iter().enumerate() {
        let markers: Vec<_> = rollout.events.iter().filter(|(at, ..)| axis.contains(*at)).collect();
        let markers: Vec<_> = markers.into_iter().map(|(at, marker, text)| (*at, *marker, text.as_str())).collect();
        canvas.draw_markers(&markers, middle, 11.0);
        let text = if rollout.result.is_empty() { &rollout.revision } else { &rollout.result };
        let left = axis.x(end_of(rollout.until)) + 9.0;
        let next = rollouts.get(index + 1).map_or(axis.left + axis.width, |next| axis.x(next.from));
        if left + text_width(text, SMALL) < next {
            canvas.text(left, middle + 4.0, SMALL, INK, TextAnchor::Start, text);
        }
    }
    canvas.row_label(middle, if rollouts.len() == 1 { "rollout" } else { "rollouts" });
    canvas.y += HEIGHT + 8.0;
}
