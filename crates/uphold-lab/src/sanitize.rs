//! Makes text of users safe to print on a terminal.

/// Replaces unprintable characters other than newlines, so that the text cannot contain escape sequences or reorder a
/// line.
///
/// ```
/// use uphold_lab::sanitize::sanitize;
///
/// assert_eq!(sanitize("web\u{1b}[2J"), "web\u{fffd}[2J");
/// ```
pub fn sanitize(text: &str) -> String {
    let printable = |c: char| if is_unprintable(c) && c != '\n' { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().map(printable).collect()
}

/// Returns whether a character is a control character, a line or paragraph separator, or an invisible or bidirectional
/// formatting character.
pub fn is_unprintable(c: char) -> bool {
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
