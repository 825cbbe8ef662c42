//! Formats metrics for people.

use super::metric::{Metric, Unit};
use super::statistics::ConfidenceInterval;

/// Returns how many decimals are meaningful, from the width of the interval. A value that was equal in every run is shown
/// in full: 99.99 % is not rounded to 100 %.
pub(crate) fn decimals(mean: f64, interval: Option<ConfidenceInterval>, metric: Metric) -> usize {
    let scale = if metric.unit() == Unit::Share { 100.0 } else { 1.0 };
    let width = interval.map_or(0.0, |interval| interval.high - interval.low) * scale;
    let max = if metric.unit() == Unit::Count { 2 } else { 4 };
    match width {
        width if width >= 20.0 => 0,
        width if width >= 2.0 => 1,
        width if width >= 0.2 => 2,
        width if width >= 0.02 => max.min(3),
        width if width == 0.0 && mean.fract() == 0.0 => 0,
        _ => max,
    }
}

/// Formats a value of a metric with its unit.
pub(crate) fn format_value(value: f64, metric: Metric, decimals: usize) -> String {
    match metric.unit() {
        Unit::Share => format!("{:.decimals$} %", value * 100.0),
        Unit::Count => format!("{value:.decimals$}"),
        Unit::Seconds => format_seconds(value),
    }
}

/// Formats like [`format_value`], but a share without the percent sign.
pub(crate) fn format_value_without_percent(value: f64, metric: Metric, decimals: usize) -> String {
    if metric.unit() == Unit::Share {
        format!("{:.decimals$}", value * 100.0)
    } else {
        format_value(value, metric, decimals)
    }
}

/// Formats a duration with three significant digits, in the largest suitable unit: seconds, minutes, hours or days.
pub(crate) fn format_seconds(seconds: f64) -> String {
    let (value, unit) = match seconds.abs() {
        length if length >= 2.0 * 86_400.0 => (seconds / 86_400.0, "d"),
        length if length >= 2.0 * 3600.0 => (seconds / 3600.0, "h"),
        length if length >= 120.0 => (seconds / 60.0, "min"),
        _ => (seconds, "s"),
    };
    let decimals = match value.abs() {
        value if value >= 99.95 => 0,
        value if value >= 9.995 => 1,
        _ => 2,
    };
    let text = format!("{value:.decimals$}");
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{} {unit}", if text == "-0" { "0" } else { text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_three_significant_digits_in_a_suitable_unit() {
        let formatted =
            [0.0, 0.125, 59.0, 119.96, 120.0, 5400.0, 7200.0, 86_400.0, 2_592_000.0, 31_536_000.0].map(format_seconds);
        assert_eq!(formatted, ["0 s", "0.12 s", "59 s", "120 s", "2 min", "90 min", "2 h", "24 h", "30 d", "365 d"]);
    }

    #[test]
    fn negative_durations_are_formatted_like_positive_ones() {
        assert_eq!([-150.0, -0.000_1].map(format_seconds), ["-2.5 min", "0 s"]);
    }
}
