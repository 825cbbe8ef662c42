//! The mistakes in a document, and the errors that list them.

use std::fmt;

/// One mistake in a document: where it is, what is wrong, and what would be right.
///
/// Its `Display` is `path: message`.
///
/// ```
/// use uphold::Policy;
///
/// let error = Policy::builder().replicas(2_000_000).build().unwrap_err();
/// assert_eq!(error.problems()[0].path(), "replicas");
/// assert_eq!(error.problems()[0].message(), "2000000 is out of range: 0 to 1000000");
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Problem {
    pub(super) path: String,
    pub(super) message: String,
}

impl Problem {
    /// Returns where it is, such as `failure.rules[2].when.exit_code[0]`; empty for the document as a whole.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns what is wrong and what would be right.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() { f.write_str(&self.message) } else { write!(f, "{}: {}", self.path, self.message) }
    }
}

/// All mistakes in a policy, or in a document that contains one. Its `Display` is one [`Problem`] a line.
///
/// ```
/// use uphold::Policy;
///
/// let error = serde_json::from_str::<Policy>(r#"{"replicas": -1, "sucess": "complete"}"#).unwrap_err();
/// assert_eq!(error.to_string().lines().count(), 2);
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PolicyError {
    problems: Vec<Problem>,
    /// The number of mistakes beyond those kept.
    more: usize,
}

impl PolicyError {
    /// Returns the error of a reader that read nothing and reported no mistake, which is a bug of that reader.
    pub(crate) fn unspecified() -> Self {
        Self::new(Vec::new(), 1)
    }

    pub(super) fn new(problems: Vec<Problem>, more: usize) -> Self {
        Self { problems, more }
    }

    /// Returns the mistakes, at most 1000: first those of reading, in the order of the document, then those of
    /// validation.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            if index > 0 {
                f.write_str("\n")?;
            }
            fmt::Display::fmt(problem, f)?;
        }
        if self.more > 0 {
            write!(f, "\nand {} more", self.more)?;
        }
        Ok(())
    }
}

impl std::error::Error for PolicyError {}

/// Why [`Policy::read`](crate::Policy::read) failed.
#[derive(Clone, PartialEq, Eq, Debug)]
#[expect(clippy::exhaustive_enums, reason = "either the text is not a document, or the document is not a policy")]
pub enum ReadError<E> {
    /// The text is not a document of the format.
    Format(E),
    /// The document is not a valid policy.
    Policy(PolicyError),
}

impl<E: fmt::Display> fmt::Display for ReadError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Format(error) => fmt::Display::fmt(error, f),
            Self::Policy(error) => fmt::Display::fmt(error, f),
        }
    }
}

impl<E: std::error::Error> std::error::Error for ReadError<E> {}
