//! Reading a document: a value tree is collected, and one walk finds every mistake.

use std::fmt;

/// One mistake in a document: where it is, what is wrong, and what would be right.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    pub(crate) path: String,
    pub(crate) message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.path, self.message)
    }
}

/// Everything that is wrong with a policy.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{problems:?}")]
pub struct PolicyError {
    problems: Vec<Problem>,
}
