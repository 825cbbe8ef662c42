//! Reads and writes durations in the grammar of humantime.

use std::time::Duration;

use humantime_serde::re::humantime;

/// The longest duration of a document. A [`Timestamp`](crate::Timestamp) has 64 bits of nanoseconds, which is a little
/// more.
pub(crate) const MAX_DURATION: Duration = Duration::from_secs(584 * 31_557_600);
/// [`MAX_DURATION`] in words.
pub(crate) const MAX_DURATION_TEXT: &str = "584 years";

/// The pattern of a duration. Beyond it the reader checks two bounds: [`MAX_DURATION`], and whole nanoseconds.
pub(crate) const PATTERN: &str = r"^ *(0 *|([0-9]+(\.[0-9]+)? *(nanos|nsec|ns|usec|us|µs|millis|msec|ms|seconds|second|secs|sec|s|minutes|minute|mins|min|m|hours|hour|hrs|hr|h|days|day|d|weeks|week|wks|wk|w|months|month|M|years|year|yrs|yr|y) *)+)$";

/// Why a text cannot be read as a duration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum DurationError {
    /// It does not match [`PATTERN`].
    Malformed,
    /// It is longer than [`MAX_DURATION`].
    TooLong,
    /// A number has decimals that humantime cannot represent, such as `0.5ns` or `0.001h`.
    Inexact,
}

/// Reads a duration such as `30s`, `1h 30m`, `1.5h` or `0`.
pub(crate) fn parse(text: &str) -> Result<Duration, DurationError> {
    use humantime::DurationError::NumberOverflow;
    let text = text.trim_matches(' ');
    if text == "0" {
        return Ok(Duration::ZERO);
    }
    let mut total = Duration::ZERO;
    // One span at a time: humantime 2.4 panics where a sum of spans reaches `Duration::MAX`.
    for span in spans(text) {
        // humantime also reads `1 0s` as 10s, and takes tabs and line breaks for spaces.
        let number = span.trim_end_matches(|c: char| c.is_alphabetic() || c == ' ');
        let has_unit = number.len() < span.len();
        if !has_unit || !number.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.') {
            return Err(DurationError::Malformed);
        }
        let span = humantime::parse_duration(span).map_err(|error| match error {
            NumberOverflow if number.contains('.') => DurationError::Inexact,
            NumberOverflow => DurationError::TooLong,
            _ => DurationError::Malformed,
        })?;
        total = total.saturating_add(span);
    }
    if total > MAX_DURATION { Err(DurationError::TooLong) } else { Ok(total) }
}

/// Splits `1h 30m` into `1h ` and `30m`. A span begins at each number that follows a unit.
fn spans(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let current = rest?;
        let unit = current.find(char::is_alphabetic).unwrap_or(current.len());
        let next = current[unit..].find(|c: char| c.is_ascii_digit()).map(|digit| unit + digit);
        let (span, after) = current.split_at(next.unwrap_or(current.len()));
        rest = next.map(|_| after);
        Some(span)
    })
}

/// Writes a duration so that [`parse`] reads the same. The longest unit is the day, because humantime's months and
/// years are not whole days.
pub(crate) fn format(duration: Duration) -> String {
    const DAY: u64 = 86_400;
    let days = duration.as_secs() / DAY;
    let rest = duration - Duration::from_secs(days * DAY);
    match (days, rest) {
        (0, rest) => humantime::format_duration(rest).to_string(),
        (days, Duration::ZERO) => format!("{days}d"),
        (days, rest) => format!("{days}d {}", humantime::format_duration(rest)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_humantime() {
        assert_eq!(parse("30s"), Ok(Duration::from_secs(30)));
        assert_eq!(parse("1h 30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(parse(" 1h30min "), Ok(Duration::from_secs(5400)));
        assert_eq!(parse(" 0 "), Ok(Duration::ZERO));
        assert_eq!(parse("1.5h 0.25m 1.5us"), Ok(Duration::from_nanos(5_415_000_001_500)));
        assert_eq!(parse("1M 1w 1\u{b5}s"), Ok(Duration::from_nanos((2_630_016 + 604_800) * 1_000_000_000 + 1_000)));
        let no_duration =
            ["", " ", "30", "s", "-5s", "+5s", "1 fortnight", "5 s s", "1s 0", "\u{b5}", "1h and a half", "1.s"];
        let nearly = [".5s", "30x", "00", "1s0", "1s\t2m", "1\ts", "\u{0663}s", "1 0s", "1 .5s", "1. 5s", "1.5.5s"];
        for wrong in no_duration.into_iter().chain(nearly) {
            assert_eq!(parse(wrong), Err(DurationError::Malformed), "{wrong}");
        }
    }

    #[test]
    fn decimals_must_be_whole_nanoseconds() {
        assert_eq!(parse("0.000000001s"), Ok(Duration::from_nanos(1)));
        for wrong in ["0.5ns", "0.0001us", "0.0000000001s", "0.001h", "0.1M", "0.00000000000000000000s"] {
            assert_eq!(parse(wrong), Err(DurationError::Inexact), "{wrong}");
        }
    }

    #[test]
    fn no_text_overflows() {
        let most = u64::MAX;
        for text in [
            format!("{most}s 1000000000ns"),
            format!("{most}s 999999999ns 1ns"),
            format!("{most}y {most}y"),
            "9".repeat(40) + "s",
            "584y 1ns".into(),
        ] {
            assert_eq!(parse(&text), Err(DurationError::TooLong), "{text}");
        }
    }

    #[test]
    fn a_written_duration_reads_as_the_same() {
        assert_eq!(format(Duration::from_secs(90)), "1m 30s");
        assert_eq!(format(Duration::ZERO), "0s");
        assert_eq!(format(Duration::from_secs(31 * 86_400)), "31d");
        assert_eq!(format(Duration::from_secs(90_000)), "1d 1h");
        for nanos in [1, 1_500, 999_999_999, 86_400_000_000_001, u64::MAX / 2] {
            let duration = Duration::from_nanos(nanos);
            assert_eq!(parse(&format(duration)), Ok(duration));
        }
    }
}
