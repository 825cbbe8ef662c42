//! Measures and shortens text for a picture.

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_too_long_is_truncated() {
        assert_eq!(truncate("short", 12.0, 100.0), "short");
        let truncated = truncate(&"long ".repeat(100), 12.0, 100.0);
        assert!(truncated.ends_with('…') && text_width(&truncated, 12.0) <= 110.0, "{truncated}");
    }
}
