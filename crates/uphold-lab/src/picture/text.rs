//! Text in a picture: its width, shortening, and shares in percent.

/// Estimates the width of a text in pixels. The font that will show it is not known.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    let em_width = |character: char| match character {
        'i' | 'j' | 'l' | 'I' | '.' | ',' | ':' | ';' | '\'' | '|' | ' ' | '\u{a0}' | 'f' | 't' | 'r' => 0.36,
        'm' | 'w' | 'M' | 'W' | '%' => 0.9,
        character if character.is_ascii() => 0.58,
        _ => 1.0,
    };
    text.chars().map(em_width).sum::<f64>() * size
}

/// Shortens a text to a width in pixels, with an ellipsis.
pub(super) fn truncate(text: &str, size: f64, width: f64) -> String {
    if text_width(text, size) <= width {
        return text.to_owned();
    }
    let mut shortened = String::new();
    for character in text.chars() {
        shortened.push(character);
        if text_width(&shortened, size) + size > width {
            break;
        }
    }
    shortened.pop();
    shortened.trim_end().to_owned() + "…"
}

/// Formats a share in percent, truncated to three decimals so that nothing below 1 reads `100 %`.
pub(super) fn format_share(part: u64, whole: u64) -> String {
    let thousandths = (u128::from(part) * 100_000).checked_div(whole.into()).unwrap_or(0);
    if thousandths == 0 && part > 0 {
        return "< 0.001 %".to_owned();
    }
    let (percent, decimals) = (thousandths / 1000, format!("{:03}", thousandths % 1000));
    match decimals.trim_end_matches('0') {
        "" => format!("{percent} %"),
        decimals => format!("{percent}.{decimals} %"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_long_is_truncated() {
        assert_eq!(truncate("short", 12.0, 100.0), "short");
        let truncated = truncate(&"long ".repeat(100), 12.0, 100.0);
        assert!(truncated.ends_with('…') && text_width(&truncated, 12.0) <= 110.0, "{truncated}");
    }

    #[test]
    fn a_share_just_below_1_does_not_read_100_percent() {
        assert_eq!(format_share(1, 1), "100 %");
        assert_eq!(format_share(999_999_999, 1_000_000_000), "99.999 %");
        assert_eq!(format_share(1, 1_000_000_000), "< 0.001 %");
        assert_eq!(format_share(3, 40), "7.5 %");
        assert_eq!(format_share(0, 0), "0 %");
    }
}
