//! Causes of failures, as rules name them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

/// Why an incarnation failed.
///
/// The backend names the cause that it knows; an exit without one is [`Cause::Error`]. Any other word is a custom
/// cause, which the rules of the policy match by name.
///
/// ```
/// use uphold::Cause;
///
/// assert_eq!("no-capacity".parse::<Cause>()?, Cause::NoCapacity);
/// assert_eq!(Cause::named("gpu-fell-off")?.to_string(), "gpu-fell-off");
/// # Ok::<(), uphold::policy::CauseError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
#[non_exhaustive]
pub enum Cause {
    /// It ended by itself: a bad exit code, a signal, a crash. The cause if no other is named.
    #[default]
    Error,
    /// The platform took it away: spot reclaim, preemption, drain.
    Interruption,
    /// There was no capacity to start it.
    NoCapacity,
    /// It used more memory than it was given.
    OutOfMemory,
    /// It had not started within `start_timeout`. Produced by the engine.
    StartTimeout,
    /// Its liveness or startup probe failed. Produced by the engine.
    Unhealthy,
    /// It was unknown for `lost_after`. Produced by the engine.
    NodeLost,
    /// It could not be started: no such image or command, a spec that does not work.
    StartError,
    /// A custom cause; see [`Cause::named`].
    Named(CauseName),
}

/// The name of a custom cause: 1 to 64 lower-case letters, digits, `-`, `_` and `.`, beginning with a letter.
///
/// ```
/// use uphold::Cause;
///
/// let Cause::Named(name) = Cause::named("gpu-fell-off")? else { unreachable!() };
/// assert_eq!(name.as_str(), "gpu-fell-off");
/// # Ok::<(), uphold::policy::CauseError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct CauseName(Arc<String>);

impl CauseName {
    /// Returns the name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The error of a text that is not a valid name of a cause.
///
/// ```
/// use uphold::Cause;
///
/// let error = Cause::named("No Capacity").unwrap_err();
/// assert!(error.to_string().starts_with("'No Capacity' is not a cause"));
/// ```
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("'{0}' is not a cause; write 1 to 64 lower-case letters, digits, '-', '_' or '.', beginning with a letter")]
pub struct CauseError(String);

impl Cause {
    /// The built-in causes, in the order of the documentation.
    pub const BUILT_IN: [Self; 8] = [
        Self::Error,
        Self::Interruption,
        Self::NoCapacity,
        Self::OutOfMemory,
        Self::StartTimeout,
        Self::Unhealthy,
        Self::NodeLost,
        Self::StartError,
    ];

    /// Returns the index in [`Cause::BUILT_IN`]; for a custom cause, the number of built-in ones.
    pub(crate) const fn index(&self) -> usize {
        match self {
            Self::Error => 0,
            Self::Interruption => 1,
            Self::NoCapacity => 2,
            Self::OutOfMemory => 3,
            Self::StartTimeout => 4,
            Self::Unhealthy => 5,
            Self::NodeLost => 6,
            Self::StartError => 7,
            Self::Named(_) => 8,
        }
    }

    /// Returns the cause of that name: a built-in one, or a custom one.
    ///
    /// # Errors
    /// Returns an error if the name is empty, longer than 64 bytes, or has characters that [`CauseName`] does not
    /// allow.
    pub fn named(name: &str) -> Result<Self, CauseError> {
        name.parse()
    }

    /// Returns the word that documents and traces use.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Error => "error",
            Self::Interruption => "interruption",
            Self::NoCapacity => "no-capacity",
            Self::OutOfMemory => "out-of-memory",
            Self::StartTimeout => "start-timeout",
            Self::Unhealthy => "unhealthy",
            Self::NodeLost => "node-lost",
            Self::StartError => "start-error",
            Self::Named(name) => name.as_str(),
        }
    }
}

impl FromStr for Cause {
    type Err = CauseError;

    fn from_str(word: &str) -> Result<Self, CauseError> {
        if let Some(cause) = Self::BUILT_IN.iter().find(|cause| cause.as_str() == word) {
            return Ok(cause.clone());
        }
        let legal = word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.len() <= 64
            && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-_.".contains(&b));
        if legal { Ok(Self::Named(CauseName(Arc::new(word.to_owned())))) } else { Err(CauseError(word.into())) }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl serde::Serialize for Cause {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for Cause {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let word = String::deserialize(deserializer)?;
        word.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_cause_reads_its_own_word() {
        for cause in Cause::BUILT_IN {
            assert_eq!(cause.as_str().parse::<Cause>().unwrap(), cause);
            assert_eq!(Cause::BUILT_IN[cause.index()], cause);
        }
    }

    #[test]
    fn words_that_are_probably_typos_are_refused() {
        for word in ["", "Error", "no capacity", "9lives", "-x", &"a".repeat(65)] {
            assert!(word.parse::<Cause>().is_err(), "{word}");
        }
    }
}
