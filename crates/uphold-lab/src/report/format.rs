//! Formats metrics for the report: numbers and units are joined by no-break spaces.

use crate::experiment::format::{self, decimals};
use crate::experiment::{ConfidenceInterval, Metric, Unit};

/// Formats a mean, and its interval if there is one.
pub(super) fn format_estimate(
    mean: f64,
    interval: Option<ConfidenceInterval>,
    metric: Metric,
) -> (String, Option<String>) {
    let decimals = decimals(mean, interval, metric);
    let interval = interval.filter(|interval| interval.high > interval.low).map(|interval| {
        format!("{} to {}", number(interval.low, metric, decimals), number(interval.high, metric, decimals))
    });
    (number(mean, metric, decimals), interval)
}

/// Formats like [`format_estimate`], with a plus sign before positive numbers.
pub(super) fn format_difference(
    mean: f64,
    interval: Option<ConfidenceInterval>,
    metric: Metric,
) -> (String, Option<String>) {
    let (mut number, interval) = format_estimate(mean, interval, metric);
    if mean > 0.0 {
        number.insert(0, '+');
    }
    (number, interval)
}

fn number(value: f64, metric: Metric, decimals: usize) -> String {
    format::format_value(value, metric, decimals).replace(' ', "\u{a0}")
}

/// Returns how a chart with values up to `largest` is scaled: the size of its unit, and the formatter for values in that
/// unit. Durations get a suitable unit, so that ticks are round numbers in it.
pub(super) fn scale(metric: Metric, largest: f64) -> (f64, fn(f64) -> String) {
    match metric.unit() {
        Unit::Share => (0.01, |value| format!("{}\u{a0}%", trim_zeros(value))),
        Unit::Count => (1.0, trim_zeros),
        Unit::Seconds => match largest {
            seconds if seconds >= 2.0 * 86_400.0 => (86_400.0, |value| format!("{}\u{a0}d", trim_zeros(value))),
            seconds if seconds >= 2.0 * 3600.0 => (3600.0, |value| format!("{}\u{a0}h", trim_zeros(value))),
            seconds if seconds >= 120.0 => (60.0, |value| format!("{}\u{a0}min", trim_zeros(value))),
            _ => (1.0, |value| format!("{}\u{a0}s", trim_zeros(value))),
        },
    }
}

/// Formats with up to four decimals, so that rounding errors of binary fractions do not show.
fn trim_zeros(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

pub(super) fn format_seconds(value: f64) -> String {
    format::format_seconds(value).replace(' ', "\u{a0}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_of_a_chart_shows_no_rounding_errors() {
        let formatted = |metric, value| {
            let (unit, format) = scale(metric, value);
            format(value / unit)
        };
        assert_eq!(formatted(Metric::Availability, 0.1 + 0.2), "30\u{a0}%");
        assert_eq!(formatted(Metric::Restarts, -0.000_000_01), "0");
        assert_eq!(formatted(Metric::LongestOutage, 90.0), "90\u{a0}s");
        assert_eq!(formatted(Metric::LongestOutage, 90.0 * 60.0), "90\u{a0}min");
    }
}
