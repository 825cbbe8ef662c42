//! Durations as documents write them: humantime.

use std::time::Duration;

use humantime_serde::re::humantime;

/// The longest duration of a document. Instants are 64-bit nanoseconds, which end a little later.
pub(crate) const LONGEST: Duration = Duration::from_secs(584 * 31_557_600);
/// [`LONGEST`] in words.
pub(crate) const LONGEST_WORDS: &str = "584 years";

/// Reads `30s`, `1h 30m`, `0`. `None` if it is not a duration; anything longer than [`LONGEST`] is more than that.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    if text.trim() == "0" {
        return Some(Duration::ZERO);
    }
    let mut total: Option<Duration> = None;
    for part in parts(text) {
        // One part at a time: humantime's own sum can panic at the end of its range.
        let duration = match humantime::parse_duration(part) {
            Ok(duration) => duration,
            Err(humantime::DurationError::NumberOverflow) if !part.contains('.') => Duration::MAX,
            Err(_) => return None,
        };
        total = Some(total.unwrap_or_default().saturating_add(duration));
    }
    total
}

/// The spans of `1h 30m`, cut where a digit follows a letter.
fn parts(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text.trim();
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut letters = false;
        let end = rest
            .char_indices()
            .find(|(_, c)| {
                letters |= c.is_alphabetic();
                letters && c.is_ascii_digit()
            })
            .map_or(rest.len(), |(index, _)| index);
        let (part, after) = rest.split_at(end);
        rest = after;
        Some(part.trim())
    })
}

/// Writes a duration so that [`parse`] reads the same, in the units that people use: no months or years, which
/// are not whole days.
pub(crate) fn format(duration: Duration) -> String {
    const UNITS: [(u128, &str); 7] = [
        (86_400_000_000_000, "d"),
        (3_600_000_000_000, "h"),
        (60_000_000_000, "m"),
        (1_000_000_000, "s"),
        (1_000_000, "ms"),
        (1_000, "us"),
        (1, "ns"),
    ];
    let mut rest = duration.as_nanos();
    let mut spans = Vec::new();
    for (nanos, unit) in UNITS {
        if rest >= nanos {
            spans.push(format!("{}{unit}", rest / nanos));
            rest %= nanos;
        }
    }
    if spans.is_empty() { "0s".into() } else { spans.join(" ") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_read_as_humantime() {
        assert_eq!(parse("30s"), Some(Duration::from_secs(30)));
        assert_eq!(parse("1h 30m"), Some(Duration::from_secs(5400)));
        assert_eq!(parse(" 1h30min "), Some(Duration::from_secs(5400)));
        assert_eq!(parse("0"), Some(Duration::ZERO));
        for wrong in ["", "30", "s", "-5s", "1 fortnight", "5 s s", "\u{b5}", "1h and a half"] {
            assert_eq!(parse(wrong), None, "{wrong}");
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
        ] {
            assert!(parse(&text).unwrap() > LONGEST, "{text}");
        }
    }

    #[test]
    fn what_is_written_reads_the_same() {
        assert_eq!(format(Duration::from_secs(90)), "1m 30s");
        assert_eq!(format(Duration::ZERO), "0s");
        assert_eq!(format(Duration::from_secs(31 * 86_400)), "31d");
        for nanos in [1, 1_500, 999_999_999, 86_400_000_000_001, u64::MAX] {
            let duration = Duration::from_nanos(nanos);
            assert_eq!(parse(&format(duration)), Some(duration));
        }
    }
}
