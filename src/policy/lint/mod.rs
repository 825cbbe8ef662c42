//! Lints: settings that are valid and probably a mistake.

mod pacing;
mod rollout;
mod rules;
mod scaling;
mod set;
mod window;

use std::fmt;

use super::policy::Policy;

/// A warning about a setting that is valid and probably a mistake; see [`Policy::lint`].
///
/// Its `Display` is one line: `path: what would happen; what to write instead [name]`.
///
/// ```
/// use uphold::{Policy, RetryPolicy};
///
/// let policy = Policy::builder().retry(RetryPolicy::recommended().max_attempts(0)).build()?;
/// let lint = &policy.lint()[0];
/// assert_eq!((lint.path(), lint.name()), ("retry.max_attempts", "no-attempts"));
/// # Ok::<(), uphold::PolicyError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lint {
    name: &'static str,
    path: String,
    effect: String,
    advice: String,
}

impl Lint {
    /// Returns the names of all lints, in the order of the documentation of [`Policy::lint`].
    pub fn names() -> impl Iterator<Item = &'static str> {
        let rows = include_str!("lints.md").lines().filter_map(|row| row.strip_prefix("| `"));
        rows.filter_map(|row| row.split('`').next())
    }

    /// Returns the kind of warning, such as `unreachable-limit`. It is stable across releases, for lists of exceptions.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns where it is, such as `failure.rules[2].when`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns what would happen.
    pub fn effect(&self) -> &str {
        &self.effect
    }

    /// Returns what to write instead.
    pub fn advice(&self) -> &str {
        &self.advice
    }
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}; {} [{}]", self.path, self.effect, self.advice, self.name)
    }
}

impl Policy {
    /// Returns warnings about settings that are valid and probably a mistake.
    ///
    #[doc = include_str!("lints.md")]
    ///
    /// ```
    /// use std::time::Duration;
    /// use uphold::{Policy, RetryPolicy};
    ///
    /// // Restarts are a minute apart. The fifth comes when the first is 5 min old and no longer counts.
    /// let minute = Duration::from_secs(60);
    /// let policy = Policy::builder().retry(RetryPolicy::every(minute).limit(5, 5 * minute)).build()?;
    /// assert_eq!(policy.lint()[0].name(), "unreachable-limit");
    /// # Ok::<(), uphold::PolicyError>(())
    /// ```
    pub fn lint(&self) -> Vec<Lint> {
        let settings = self.settings();
        let mut lints = Lints::default();
        if let Some(retry) = &settings.retry {
            pacing::lint(&mut lints, "retry", retry, settings);
        }
        rules::lint(&mut lints, settings);
        set::lint(&mut lints, self);
        scaling::lint(&mut lints, settings);
        rollout::lint(&mut lints, self);
        lints.found
    }
}

/// The warnings found so far.
#[derive(Default)]
struct Lints {
    found: Vec<Lint>,
}

impl Lints {
    fn add(&mut self, name: &'static str, path: String, effect: impl Into<String>, advice: impl Into<String>) {
        debug_assert!(Lint::names().any(|known| known == name), "{name}");
        self.found.push(Lint { name, path, effect: effect.into(), advice: advice.into() });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// Returns `path name` of every lint of a document.
    pub(super) fn lints(document: &Value) -> Vec<String> {
        let policy = Policy::read(document).unwrap();
        policy.lint().iter().map(|lint| format!("{} {}", lint.path(), lint.name())).collect()
    }

    /// Checks that the document has exactly this lint.
    pub(super) fn warns(document: Value, expected: &str) {
        assert_eq!(lints(&document), [expected], "{document}");
    }

    /// Checks that the document has no lint.
    pub(super) fn is_quiet(document: Value) {
        assert!(lints(&document).is_empty(), "{document}: {:?}", lints(&document));
    }

    #[test]
    fn common_documents_have_no_lint() {
        is_quiet(json!({}));
        is_quiet(json!({"replicas": 0}));
        is_quiet(json!({"replicas": 3, "retry": {"max_duration": "1h", "interval": "30s"}}));
        is_quiet(json!({"retry": {"on_events": ["interruption"], "duration": "1h"}}));
        for replicas in [1, 2, 3, 100] {
            is_quiet(json!({"replicas": replicas, "retry": true}));
        }
    }

    #[test]
    fn a_lint_says_what_would_happen_and_what_to_write_instead() {
        let policy = Policy::read(json!({"retry": {"interval": "60s", "limit": {"restarts": 5, "within": "5m"}}}));
        assert_eq!(
            policy.unwrap().lint()[0].to_string(),
            "retry.limit: 5 restarts take at least 5m even if every run fails at once, so a window of 5m never \
             holds 5 and the limit is never reached; write a `within` longer than 5m, fewer `restarts`, or a shorter \
             `interval` [unreachable-limit]"
        );
    }

    #[test]
    fn linting_any_policy_ends_without_panic() {
        for policy in crate::policy::generate::policies(2000) {
            let _ = policy.lint();
        }
    }
}
