//! Makes text of users safe to print on a terminal.

/// What would move the cursor, change its colours or reorder the line is shown as what it is not.
pub(crate) fn sanitize(text: &str) -> String {
    let shown = |c: char| if is_unprintable(c) && c != '\n' { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().map(shown).collect()
}

/// Control characters, line and paragraph separators, invisible and bidirectional formatting characters.
pub(crate) fn is_unprintable(c: char) -> bool {
    let formats = matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}');
    c.is_control() || formats || c == '\u{feff}'
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_are_replaced() {
        assert_eq!(sanitize("a \u{1b}[31mred\u{7}\nname"), "a \u{fffd}[31mred\u{fffd}\nname");
    }
}
