//! Formats durations in the syntax of policy documents.

use std::fmt::Write;

pub(crate) const MICROSECOND: u64 = 1_000;
pub(crate) const MILLISECOND: u64 = 1_000 * MICROSECOND;
pub(crate) const SECOND: u64 = 1_000 * MILLISECOND;
pub(crate) const MINUTE: u64 = 60 * SECOND;
pub(crate) const HOUR: u64 = 60 * MINUTE;
pub(crate) const DAY: u64 = 24 * HOUR;

const UNITS: [(u64, &str); 7] =
    [(DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s"), (MILLISECOND, "ms"), (MICROSECOND, "us"), (1, "ns")];

/// Formats nanoseconds in the syntax of policy documents, such as `1h 30m`, rounded to the `units` largest units and to
/// none shorter than a ten-thousandth of the largest: `51s 27ms`, `1m 30s`.
pub(crate) fn format_duration_units(nanos: u64, units: usize) -> String {
    let first = UNITS.iter().position(|(unit, _)| nanos >= *unit).unwrap_or(UNITS.len() - 1);
    let shown = UNITS[first..].iter().take(units).take_while(|(unit, _)| *unit >= UNITS[first].0 / 10_000);
    let last = shown.last().map_or(1, |(unit, _)| *unit);
    let rounded = (u128::from(nanos) + u128::from(last / 2)) / u128::from(last) * u128::from(last);
    exact(u64::try_from(rounded).unwrap_or(nanos), UNITS.len())
}

fn exact(nanos: u64, units: usize) -> String {
    let mut out = String::new();
    let mut rest = nanos;
    let first = UNITS.iter().position(|(unit, _)| nanos >= *unit).unwrap_or(UNITS.len());
    for (unit, word) in UNITS.iter().skip(first).take(units) {
        let count = rest / unit;
        rest %= unit;
        if count > 0 {
            let space = if out.is_empty() { "" } else { " " };
            let _ = write!(out, "{space}{count}{word}");
        }
    }
    if out.is_empty() { "0s".to_owned() } else { out }
}

/// Formats nanoseconds exactly, in the syntax of policy documents.
pub(crate) fn format_duration(nanos: u64) -> String {
    exact(nanos, UNITS.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_the_syntax_of_policy_documents() {
        assert_eq!(format_duration(90 * MINUTE), "1h 30m");
        assert_eq!(format_duration(0), "0s");
        assert_eq!(format_duration(1_500 * MICROSECOND), "1ms 500us");
        assert_eq!(format_duration_units(DAY + HOUR + MINUTE + SECOND, 3), "1d 1h 1m");
        assert_eq!(format_duration_units(DAY + SECOND, 2), "1d");
        assert_eq!(format_duration_units(51_027_394_342, 4), "51s 27ms");
        assert_eq!(format_duration_units(MINUTE + 30 * SECOND + 600 * MILLISECOND, 4), "1m 31s");
        assert_eq!(format_duration_units(MINUTE - 1, 4), "1m");
        assert_eq!(format_duration_units(0, 4), "0s");
        assert_eq!(format_duration(u64::MAX), "213503d 23h 34m 33s 709ms 551us 615ns");
    }
}
