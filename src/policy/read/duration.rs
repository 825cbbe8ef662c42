//! Durations as documents write them: humantime.

use std::time::Duration;

/// The longest duration of a document. Instants are 64-bit nanoseconds, which end a little later.
pub(crate) const LONGEST: Duration = Duration::from_secs(584 * 31_557_600);
/// [`LONGEST`] in words.
pub(crate) const LONGEST_WORDS: &str = "584 years";

/// A unit's names, its length in nanoseconds, and how many decimals a number of it may have, so that every number
/// is a whole number of nanoseconds or is cut to one, and none but zero is zero.
type Unit = (&'static [&'static str], u128, usize);

/// The units of humantime. A month is 30.44 days, a year 365.25 days.
pub(crate) const UNITS: [Unit; 10] = [
    (&["ns", "nsec", "nanos"], 1, 0),
    (&["us", "usec", "\u{b5}s"], 1_000, 3),
    (&["ms", "msec", "millis"], 1_000_000, 6),
    (&["s", "sec", "secs", "second", "seconds"], SECOND, 9),
    (&["m", "min", "mins", "minute", "minutes"], 60 * SECOND, 9),
    (&["h", "hr", "hrs", "hour", "hours"], 3_600 * SECOND, 9),
    (&["d", "day", "days"], 86_400 * SECOND, 9),
    (&["w", "wk", "wks", "week", "weeks"], 604_800 * SECOND, 9),
    (&["M", "month", "months"], 2_630_016 * SECOND, 9),
    (&["y", "yr", "yrs", "year", "years"], 31_557_600 * SECOND, 9),
];
const SECOND: u128 = 1_000_000_000;

/// Reads `30s`, `1h 30m`, `1.5h`, `0`. `None` if it is not a duration; anything longer than [`LONGEST`] is more than
/// that. The schema has the same grammar as a pattern.
pub(crate) fn parse(text: &str) -> Option<Duration> {
    let mut rest = text.trim_matches(' ');
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    if rest.is_empty() {
        return None;
    }
    let mut total = 0u128;
    while !rest.is_empty() {
        let (whole, after) = take(rest, |c| c.is_ascii_digit());
        let (decimals, after) = match after.strip_prefix('.') {
            Some(after) => take(after, |c| c.is_ascii_digit()),
            None => ("0", after),
        };
        let (name, after) = take(after.trim_start_matches(' '), char::is_alphabetic);
        let (_, unit, most) = UNITS.iter().find(|(names, ..)| names.contains(&name))?;
        if whole.is_empty() || decimals.is_empty() || (decimals != "0" && decimals.len() > *most) {
            return None;
        }
        let number = |digits: &str| {
            digits.bytes().fold(0u128, |sum, digit| sum.saturating_mul(10).saturating_add((digit - b'0').into()))
        };
        let nanos = number(whole).saturating_mul(*unit);
        let part = number(decimals) * unit / 10u128.pow(decimals.len() as u32);
        total = total.saturating_add(nanos).saturating_add(part);
        rest = after.trim_start_matches(' ');
    }
    let (seconds, nanos) = (u64::try_from(total / SECOND).ok(), (total % SECOND) as u32);
    Some(seconds.map_or(Duration::MAX, |seconds| Duration::new(seconds, nanos)))
}

/// The longest beginning of such characters, and the rest.
fn take(text: &str, is: impl Fn(char) -> bool) -> (&str, &str) {
    text.split_at(text.find(|c| !is(c)).unwrap_or(text.len()))
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
        assert_eq!(parse("1.5h 0.25m 1.5us"), Some(Duration::from_nanos(5_415_000_001_500)));
        assert_eq!(parse("1M 1w 1\u{b5}s"), Some(Duration::from_nanos((2_630_016 + 604_800) * 1_000_000_000 + 1_000)));
        let none = ["", " ", "30", "s", "-5s", "+5s", "1 fortnight", "5 s s", "\u{b5}", "1h and a half", "1 0s", "1.s"];
        let no_nanosecond = [".5s", "0.5ns", "0.0001us", "30x", "00", "1s0", "1s\t2m", "\u{0663}s"];
        for wrong in none.into_iter().chain(no_nanosecond) {
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
