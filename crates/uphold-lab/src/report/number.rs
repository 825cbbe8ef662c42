//! Figures as the report writes them.

use crate::experiment::number::{self, digits};
use crate::experiment::{Interval, Metric, Unit};

/// A figure with its interval: the number, and the interval in words if there is one.
pub(super) fn told(mean: f64, interval: Option<Interval>, metric: Metric) -> (String, Option<String>) {
    let digits = digits(mean, interval, metric);
    let told = interval.filter(|interval| interval.high > interval.low).map(|interval| {
        format!("{} to {}", number(interval.low, metric, digits), number(interval.high, metric, digits))
    });
    (number(mean, metric, digits), told)
}

/// As [`told`], a difference: the sign is always there.
pub(super) fn told_signed(mean: f64, interval: Option<Interval>, metric: Metric) -> (String, Option<String>) {
    let (mut number, interval) = told(mean, interval, metric);
    if mean > 0.0 {
        number.insert(0, '+');
    }
    (number, interval)
}

/// Number and unit stay on one line.
fn number(value: f64, metric: Metric, digits: usize) -> String {
    number::number(value, metric, digits).replace(' ', "\u{a0}")
}

/// For the scale of a chart up to `largest`: what numbers are divided by, and what writes them then. Times are counted in
/// the unit that fits, so that its ticks are round.
pub(super) fn scale(metric: Metric, largest: f64) -> (f64, fn(f64) -> String) {
    match metric.unit() {
        Unit::Share => (0.01, |value| format!("{}\u{a0}%", short(value))),
        Unit::Count => (1.0, short),
        Unit::Seconds => match largest {
            seconds if seconds >= 2.0 * 86_400.0 => (86_400.0, |value| format!("{}\u{a0}d", short(value))),
            seconds if seconds >= 2.0 * 3600.0 => (3600.0, |value| format!("{}\u{a0}h", short(value))),
            seconds if seconds >= 120.0 => (60.0, |value| format!("{}\u{a0}min", short(value))),
            _ => (1.0, |value| format!("{}\u{a0}s", short(value))),
        },
    }
}

/// Without the noise of binary fractions.
fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// As durations are told; number and unit stay on one line.
pub(super) fn seconds(value: f64) -> String {
    number::duration(value).replace(' ', "\u{a0}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_of_a_chart_shows_no_binary_fractions() {
        let told = |metric, value| {
            let (unit, spell) = scale(metric, value);
            spell(value / unit)
        };
        assert_eq!(told(Metric::Availability, 0.1 + 0.2), "30\u{a0}%");
        assert_eq!(told(Metric::Restarts, -0.000_000_01), "0");
        assert_eq!(told(Metric::LongestOutage, 90.0), "90\u{a0}s");
        assert_eq!(told(Metric::LongestOutage, 90.0 * 60.0), "90\u{a0}min");
    }
}
