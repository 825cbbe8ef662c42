//! The globs that the condition `reason` matches with.

/// Returns whether `text` matches `glob`, in which `*` stands for any run of characters.
///
/// Linear in the length of both: each piece between stars is searched once, from the end of the piece before it.
pub(crate) fn glob_matches(glob: &str, text: &str) -> bool {
    let Some((head, rest)) = glob.split_once('*') else { return glob == text };
    let Some(text) = text.strip_prefix(head) else { return false };
    let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(mut text) = text.strip_suffix(tail) else { return false };
    for piece in middle.split('*') {
        let Some(found) = text.find(piece) else { return false };
        text = &text[found + piece.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Matches by the definition: a star is nothing, or one character and a star.
    fn matches_by_definition(glob: &[u8], text: &[u8]) -> bool {
        match (glob, text) {
            ([], []) => true,
            ([b'*', rest @ ..], _) => {
                matches_by_definition(rest, text) || (!text.is_empty() && matches_by_definition(glob, &text[1..]))
            }
            ([first, rest @ ..], [one, text @ ..]) => first == one && matches_by_definition(rest, text),
            _ => false,
        }
    }

    #[test]
    fn every_short_glob_matches_as_it_is_defined() {
        let words = |letters: &[u8]| {
            let mut words = vec![Vec::new()];
            for length in 0..5 {
                for place in 0..words.len() {
                    if words[place].len() == length {
                        let longer = letters.iter().map(|letter| [&words[place][..], &[*letter]].concat());
                        words.extend(longer.collect::<Vec<_>>());
                    }
                }
            }
            words
        };
        for glob in words(b"ab*") {
            for text in words(b"ab") {
                let (glob_text, word) = (std::str::from_utf8(&glob).unwrap(), std::str::from_utf8(&text).unwrap());
                let expected = matches_by_definition(&glob, &text);
                assert_eq!(glob_matches(glob_text, word), expected, "{glob_text} {word}");
            }
        }
    }

    #[test]
    fn a_reason_matches_by_glob() {
        assert!(glob_matches("quota*", "quota exceeded in zone b"));
        assert!(!glob_matches("quota*", "no quota"));
        assert!(glob_matches("*quota*", "no quota left"));
        assert!(glob_matches("a*b*c", "a-b-b-c"));
        assert!(!glob_matches("a*b*c", "a-c-b"));
        assert!(glob_matches("*", ""));
        assert!(glob_matches("exact", "exact"));
        assert!(!glob_matches("exact", "exactly"));
    }
}
