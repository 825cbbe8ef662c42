//! Texts of somebody's own on a terminal.

/// What would move the cursor or change its colours is shown as what it is not.
pub(crate) fn plain(text: &str) -> String {
    let shown = |c: char| if c.is_control() && c != '\n' { char::REPLACEMENT_CHARACTER } else { c };
    text.chars().map(shown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_escape_sequence_gets_through() {
        assert_eq!(plain("a \u{1b}[31mred\u{7}\nname"), "a \u{fffd}[31mred\u{fffd}\nname");
    }
}
