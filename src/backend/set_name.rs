//! The name of a set.

use std::fmt;

/// The maximum length of a name, in bytes.
const MAX_LEN: usize = 40;

/// A valid name of a set: 1 to 40 characters of `a-z0-9-`, first and last alphanumeric. It needs no escaping in file names
/// and commands, and is valid as a DNS label.
///
/// ```
/// use uphold::backend::SetName;
///
/// assert_eq!(SetName::new("web-2")?.as_str(), "web-2");
/// assert!(SetName::new("web; rm -r .").is_err());
/// # Ok::<(), uphold::backend::SetNameError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct SetName(String);

/// The error for a text that is not a valid name of a set.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "{0:?} is not a valid set name: expected 1 to 40 of a-z, 0-9 and '-', beginning and ending with a letter or a digit"
)]
pub struct SetNameError(String);

impl SetName {
    /// Returns the name if it is valid.
    ///
    /// # Errors
    /// The text is not a valid name of a set.
    pub fn new(name: impl Into<String>) -> Result<Self, SetNameError> {
        let name = name.into();
        if Self::is_valid(&name) { Ok(Self(name)) } else { Err(SetNameError(name.chars().take(2 * MAX_LEN).collect())) }
    }

    /// Returns whether a text is a valid name.
    pub fn is_valid(name: &str) -> bool {
        let alphanumeric = |byte: &u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let bytes = name.as_bytes();
        (1..=MAX_LEN).contains(&bytes.len())
            && bytes.iter().all(|byte| alphanumeric(byte) || *byte == b'-')
            && bytes.first().is_some_and(alphanumeric)
            && bytes.last().is_some_and(alphanumeric)
    }

    /// Returns the name as a string.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_1_to_40_of_lower_case_letters_digits_and_dashes() {
        let longest = "a".repeat(40);
        for name in ["a", "0", "web-2", "a--b", &longest] {
            assert!(SetName::new(name).is_ok(), "{name}");
        }
        let longer = "a".repeat(41);
        for name in ["", "-", "-a", "a-", "Web", "a_b", "a.b", "a b", "$(x)", "a\n", "\u{fc}", &longer] {
            assert!(SetName::new(name).is_err(), "{name}");
        }
    }
}
