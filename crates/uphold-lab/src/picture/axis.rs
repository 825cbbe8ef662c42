//! The time axis, for runs from nanoseconds to centuries.

use super::text::text_width;
use crate::format_duration::{DAY, HOUR, MICROSECOND, MILLISECOND, MINUTE, SECOND, format_duration};

/// Maps the shown time window, in nanoseconds, to horizontal positions, in pixels.
#[derive(Clone, Copy, Debug)]
pub(super) struct Axis {
    pub(super) from: u64,
    pub(super) until: u64,
    /// The position of `from`.
    pub(super) left: f64,
    pub(super) width: f64,
}

impl Axis {
    pub(super) fn length(&self) -> u64 {
        self.until - self.from
    }

    /// Returns the position of a time, clamped to the window.
    pub(super) fn x(&self, at: u64) -> f64 {
        let offset = at.clamp(self.from, self.until) - self.from;
        self.left + self.width * offset as f64 / self.length().max(1) as f64
    }

    pub(super) fn contains(&self, at: u64) -> bool {
        (self.from..=self.until).contains(&at)
    }

    /// Returns the ticks with their labels, as densely as the labels fit.
    pub(super) fn ticks(&self) -> Vec<(u64, String)> {
        const GAP: f64 = 18.0;
        for step in steps() {
            if self.length() / step > 100 {
                continue;
            }
            let ticks: Vec<(u64, String)> = multiples(self.from, self.until, step).collect();
            let widest = ticks.iter().map(|(_, label)| text_width(label, 11.0)).fold(0.0, f64::max);
            if ticks.len() as f64 * (widest + GAP) <= self.width {
                return ticks;
            }
        }
        vec![(self.from, format_duration(self.from))]
    }
}

fn multiples(from: u64, until: u64, step: u64) -> impl Iterator<Item = (u64, String)> {
    let first = from.div_ceil(step);
    (first..=until / step).map(move |count| (count * step, format_duration(count * step)))
}

/// Returns the possible distances between ticks, in ascending order.
fn steps() -> impl Iterator<Item = u64> {
    let decimal = |unit: u64| [1, 2, 5, 10, 20, 50, 100, 200, 500].map(|count| count * unit);
    let sexagesimal = |unit: u64| [1, 2, 5, 10, 15, 30].map(|count| count * unit);
    let days = [1, 2, 5, 10, 20, 30, 60, 90, 180, 365].map(|count| count * DAY);
    let years = (0..4).flat_map(|power| [2, 5, 10].map(|count| count * 365 * DAY * 10u64.pow(power)));
    (decimal(1).into_iter().chain(decimal(MICROSECOND)).chain(decimal(MILLISECOND)))
        .chain(sexagesimal(SECOND))
        .chain(sexagesimal(MINUTE))
        .chain([1, 2, 3, 6, 12].map(|count| count * HOUR))
        .chain(days)
        .chain(years)
        .filter(|step| *step <= u64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(from: u64, until: u64) -> Vec<String> {
        Axis { from, until, left: 0.0, width: 800.0 }.ticks().into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn ticks_are_round_from_nanoseconds_to_centuries() {
        assert_eq!(labels(0, 400 * MILLISECOND)[..3], ["0s", "50ms", "100ms"]);
        assert_eq!(labels(0, HOUR)[..3], ["0s", "5m", "10m"]);
        assert_eq!(labels(0, 14 * DAY)[..3], ["0s", "1d", "2d"]);
        assert_eq!(labels(0, 365 * DAY)[..3], ["0s", "30d", "60d"]);
        assert_eq!(labels(0, 5)[..2], ["0s", "1ns"]);
    }

    #[test]
    fn every_window_has_ticks_and_they_fit() {
        for power in 0..64 {
            for from in [0, 30 * DAY + 1] {
                let until = from + (1u64 << power) - from.min(1u64 << power) / 2;
                let ticks = labels(from, until.max(from + 1));
                assert!(!ticks.is_empty(), "{from} {until}");
                let width: f64 = ticks.iter().map(|label| text_width(label, 11.0)).sum();
                assert!(width < 800.0, "{ticks:?}");
            }
        }
        assert!(!labels(0, u64::MAX).is_empty());
    }
}
