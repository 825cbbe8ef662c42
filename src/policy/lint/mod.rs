//! Lints: what is legal and surely not meant.

mod pacing;
mod rules;
mod set;
mod window;

use std::fmt;

use super::document::Policy;

/// A warning about a policy that is legal and surely not meant: see [`Policy::lint`].
///
/// Its `Display` is one line: `path: what would happen; what to write instead [name]`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Lint {
    name: &'static str,
    path: String,
    effect: String,
    advice: String,
}

impl Lint {
    /// The names of all lints, in the order of the documentation of [`Policy::lint`].
    pub const NAMES: [&'static str; 30] = [
        "unreachable-limit",
        "cap-below-interval",
        "cap-below-floor",
        "early-recovery",
        "endless-retry",
        "hot-loop",
        "no-attempts",
        "short-duration",
        "unreachable-stage",
        "unused-backoff",
        "unused-keep-min-available",
        "contradictory-rule",
        "shadowed-rule",
        "unreachable-attempts",
        "success-rule",
        "unused-rule-retry",
        "unusual-cause",
        "min-available-above-replicas",
        "short-outage-deadline",
        "unused-outage-deadline",
        "unused-correlated",
        "unused-max-concurrent-starts",
        "unused-max-probe-restarts",
        "uncapped-liveness",
        "short-unready-timeout",
        "unused-start-order",
        "unused-exhausted",
        "fatal-budget",
        "fatal-blip",
        "worker-outage",
    ];

    /// What kind of warning it is, such as `unreachable-limit`; the same in every release, for lists of exceptions.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Where it is, such as `failure.rules[2].when`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// What would happen.
    pub fn effect(&self) -> &str {
        &self.effect
    }

    /// What to write instead.
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
    /// What is legal in this policy and surely not meant. Empty for a policy that means what it says.
    ///
    /// | lint | what it warns of |
    /// |---|---|
    /// | `unreachable-limit` | a window limit that the pacing never fills |
    /// | `cap-below-interval` | `max_interval` cuts the first delay |
    /// | `cap-below-floor` | `max_interval` is below the 100 ms that a failed start waits all the same |
    /// | `early-recovery` | a replica counts as recovered sooner than the longest delay |
    /// | `endless-retry` | restarts without limit and without growth |
    /// | `hot-loop` | restarts without delay and without a limit of attempts |
    /// | `no-attempts` | `max_attempts: 0` restarts nothing |
    /// | `short-duration` | `max_duration` is over before the first restart |
    /// | `unreachable-stage` | the stage before never ends |
    /// | `unused-backoff` | decorrelated jitter replaces the backoff |
    /// | `unused-keep-min-available` | there is no window to wait for |
    /// | `contradictory-rule` | conditions that never hold together, such as an exit code and a signal |
    /// | `unreachable-replica` | a rule for replicas that the set does not have |
    /// | `shadowed-rule` | earlier rules match all that this one matches |
    /// | `unreachable-attempts` | a streak of its own that never begins |
    /// | `success-rule` | a rule for exit code 0, which is not a failure |
    /// | `unused-rule-retry` | a rule's own `retry` that it never uses |
    /// | `unusual-cause` | a cause that is nearly a built-in one, or what another system calls it |
    /// | `min-available-above-replicas` | the set can never have what it needs |
    /// | `short-outage-deadline` | the first failure ends the set before its restart is due |
    /// | `unused-outage-deadline` | there are no outages |
    /// | `unused-correlated` | nothing can become an incident |
    /// | `unused-max-concurrent-starts` | a cap above the number of replicas |
    /// | `unused-max-probe-restarts` | there is no probe evidence to act on |
    /// | `uncapped-liveness` | what all liveness probes depend on may restart every replica at once |
    /// | `short-unready-timeout` | replicas fail before they can be ready |
    /// | `unused-start-order` | there is only one replica |
    /// | `unused-exhausted` | there is no `retry` to use up |
    /// | `fatal-budget` | one failure of all replicas at once ends the set |
    /// | `fatal-blip` | limits that an outage of something shared uses up for all replicas, which ends the set |
    /// | `worker-outage` | replicas that exit 0 as they should leave fewer than `min_available` |
    ///
    /// ```
    /// use std::time::Duration;
    /// use uphold::{Policy, RetryPolicy};
    ///
    /// // Restarts a minute apart: five minutes hold five of them, of which the first has left the window.
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
        lints.found
    }
}

/// What was found so far.
#[derive(Default)]
struct Lints {
    found: Vec<Lint>,
}

impl Lints {
    fn add(&mut self, name: &'static str, path: String, effect: impl Into<String>, advice: impl Into<String>) {
        debug_assert!(Lint::NAMES.contains(&name), "{name}");
        self.found.push(Lint { name, path, effect: effect.into(), advice: advice.into() });
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    /// `path name` of every lint of a document.
    pub(super) fn lints(document: &Value) -> Vec<String> {
        let policy = Policy::read(document).unwrap();
        policy.lint().iter().map(|lint| format!("{} {}", lint.path(), lint.name())).collect()
    }

    /// The document has just this lint.
    pub(super) fn warns(document: Value, expected: &str) {
        assert_eq!(lints(&document), [expected], "{document}");
    }

    /// The document means what it says.
    pub(super) fn is_quiet(document: Value) {
        assert!(lints(&document).is_empty(), "{document}: {:?}", lints(&document));
    }

    #[test]
    fn common_documents_mean_what_they_say() {
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
            "retry.limit: 5 restarts take at least 5m even if every run fails at once, so 5m never hold as many and the \
             limit is never reached; write a `within` longer than 5m, fewer `restarts`, or a shorter `interval` \
             [unreachable-limit]"
        );
    }

    #[test]
    fn the_names_are_those_of_the_documentation() {
        let rows = include_str!("mod.rs").lines().filter_map(|line| line.trim().strip_prefix("/// | `"));
        let documented: Vec<&str> = rows.filter_map(|row| row.split('`').next()).collect();
        assert_eq!(documented, Lint::NAMES);
    }

    #[test]
    fn linting_any_policy_ends_without_panic() {
        for policy in crate::policy::generate::policies(2000) {
            let _ = policy.lint();
        }
    }
}
