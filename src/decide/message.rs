//! A short text that explains a failure to people.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest text in bytes.
const LONGEST: usize = 256;

/// A short text reported with a failure, such as why a start failed or what a probe received.
///
/// Texts longer than 256 bytes are cut and end in `...`. `Display` escapes control characters, because the text may come from an
/// untrusted source and be shown in a terminal.
///
/// ```
/// use uphold::decide::Message;
///
/// assert_eq!(Message::new("no such image\x07").to_string(), "no such image\\u{7}");
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Message(
    // One word wide, because every decision has the field and most have no message.
    Arc<Box<str>>,
);

impl Message {
    /// Creates a message from a text, cut to 256 bytes.
    pub fn new(text: &str) -> Self {
        if text.len() <= LONGEST {
            return Self(Arc::new(text.into()));
        }
        let end = (0..=LONGEST).rev().find(|&end| text.is_char_boundary(end)).unwrap_or(0);
        Self(Arc::new(format!("{}...", &text[..end]).into()))
    }

    /// Returns the text without escaping.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Message {
    type Target = str;

    fn deref(&self) -> &str {
        self.as_str()
    }
}

impl From<&str> for Message {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Message {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

impl fmt::Display for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.chars().try_for_each(|char| {
            if char.is_control() { write!(f, "{}", char.escape_default()) } else { fmt::Write::write_char(f, char) }
        })
    }
}

impl Serialize for Message {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self)
    }
}

impl<'de> Deserialize<'de> for Message {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::new(&String::deserialize(deserializer)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_between_characters_and_control_characters_are_shown_escaped() {
        assert_eq!(&*Message::new("short"), "short");
        assert_eq!(&*Message::new(&"\u{fc}".repeat(300)), format!("{}...", "\u{fc}".repeat(128)));
        assert_eq!(Message::new("a\x1b[2J\n").to_string(), "a\\u{1b}[2J\\n");
    }
}
