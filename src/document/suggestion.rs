//! Suggests the known word that is closest to an unknown one.

/// Returns the known word closest to `given`, if it is close enough to be a typo.
pub(crate) fn closest<'k>(given: &str, known: impl IntoIterator<Item = &'k str>) -> Option<&'k str> {
    // Longer than any known word.
    if given.len() > 64 {
        return None;
    }
    let given = normalized(given);
    let allowed = (given.len() / 3).clamp(1, 3);
    known
        .into_iter()
        .map(|word| (distance(&given, &normalized(word)), word))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, word)| word)
}

/// Removes case and separators, the likeliest differences: `maxAttempts`, `max-attempts`.
pub(crate) fn normalized(word: &str) -> Vec<char> {
    word.chars().filter(|c| !matches!(c, '_' | '-' | ' ')).flat_map(char::to_lowercase).collect()
}

/// Returns the edit distance, in which swapping two neighbours is one edit.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before_last = vec![0; b.len() + 1];
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.iter().enumerate() {
        let mut row = vec![i + 1; b.len() + 1];
        for (j, to) in b.iter().enumerate() {
            let replaced = last[j] + usize::from(from != to);
            row[j + 1] = replaced.min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && *from == b[j - 1] && a[i - 1] == *to {
                row[j + 1] = row[j + 1].min(before_last[j - 1] + 1);
            }
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    const KNOWN: [&str; 4] = ["interval", "max_interval", "max_attempts", "jitter"];

    #[test]
    fn a_typo_finds_the_word_that_was_meant() {
        assert_eq!(closest("intervall", KNOWN), Some("interval"));
        assert_eq!(closest("jitetr", KNOWN), Some("jitter"));
        assert_eq!(closest("maxAttempts", KNOWN), Some("max_attempts"));
        assert_eq!(closest("max-interval", KNOWN), Some("max_interval"));
    }

    #[test]
    fn an_unrelated_word_finds_none() {
        assert_eq!(closest("backoff", KNOWN), None);
        assert_eq!(closest("x", KNOWN), None);
        assert_eq!(closest(&"interval".repeat(20), KNOWN), None);
    }
}
