//! The revision of an instance.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

/// The name of a revision of the workload: a text of 1 to 128 characters, such as `v2` or the digest of an image.
///
/// The library compares revisions and puts one into every start command. The caller decides what a revision runs.
///
/// ```
/// use uphold::decide::Revision;
///
/// let revision = Revision::new("v2")?;
/// assert_eq!(revision.as_str(), "v2");
/// assert!(Revision::new("").is_err());
/// # Ok::<(), uphold::decide::RevisionError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize)]
#[serde(transparent)]
pub struct Revision(Arc<str>);

/// Why a text is not a valid revision.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RevisionError {
    /// The text is empty.
    #[error("a revision is a text of 1 to {MAX_LENGTH} characters, such as v2; this one is empty")]
    Empty,
    /// It is longer than 128 characters; contains its length.
    #[error("a revision is a text of 1 to {MAX_LENGTH} characters, such as v2; this one has {0}")]
    TooLong(usize),
    /// The text contains a control character, such as a line break.
    #[error("a revision is a text without control characters, such as v2")]
    ControlCharacter,
}

/// The length of the longest revision, in characters.
pub(crate) const MAX_LENGTH: usize = 128;

impl Revision {
    /// Creates a revision from its name.
    ///
    /// # Errors
    /// The name is empty, longer than 128 characters, or has control characters.
    pub fn new(name: impl AsRef<str>) -> Result<Self, RevisionError> {
        let name = name.as_ref();
        if name.is_empty() {
            Err(RevisionError::Empty)
        } else if name.len() > MAX_LENGTH && name.chars().count() > MAX_LENGTH {
            Err(RevisionError::TooLong(name.chars().count()))
        } else if name.chars().any(char::is_control) {
            Err(RevisionError::ControlCharacter)
        } else {
            Ok(Self(name.into()))
        }
    }

    /// Returns the name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl std::str::FromStr for Revision {
    type Err = RevisionError;

    fn from_str(name: &str) -> Result<Self, RevisionError> {
        Self::new(name)
    }
}

impl<'de> Deserialize<'de> for Revision {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::new(name).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_revision_is_a_short_text() {
        assert_eq!(Revision::new("é".repeat(128)).unwrap().as_str().chars().count(), 128);
        assert_eq!(Revision::new("é".repeat(129)), Err(RevisionError::TooLong(129)));
        assert_eq!(Revision::new("x".repeat(1 << 20)), Err(RevisionError::TooLong(1 << 20)));
        assert_eq!(Revision::new("a\nb"), Err(RevisionError::ControlCharacter));
        assert_eq!("v2".parse::<Revision>().unwrap().to_string(), "v2");
    }

    #[test]
    fn a_revision_is_checked_when_it_is_read() {
        assert_eq!(serde_json::from_str::<Revision>("\"v2\"").unwrap(), Revision::new("v2").unwrap());
        assert!(serde_json::from_str::<Revision>("\"\"").is_err());
    }
}
