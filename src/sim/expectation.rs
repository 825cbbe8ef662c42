//! Expectations of a scenario, and mismatches with a run.

use serde::{Serialize, Serializer};

use super::trace::Trace;
use crate::engine::{TraceLine, TraceValue};

/// An expectation of a scenario: at its instant there must be a trace line that has all the keys and values that it names.
///
/// An expectation of the status alone (`status`, `available`, `desired`, `reason`, and `cause` with one of these) is
/// compared with the status in effect, which an earlier line may have set. With `absent: true` there must be no such line. With `count: 3` there
/// must be exactly three, at that instant or, if no instant is given, in the whole run.
///
/// ```
/// use uphold::sim::Scenario;
///
/// let scenario: Scenario = serde_json::from_str(r#"{
///     "policy": {"replicas": 2, "retry": {"interval": "30s"}},
///     "timeline": [{"at": "60s", "replica": 1, "exit": 137}],
///     "until": "5m",
///     "expect": [
///         {"at": "60s", "verdict": "restart", "replica": 1, "due": "90s"},
///         {"at": "75s", "status": "degraded", "available": 1},
///         {"at": "75s", "start": 1, "absent": true},
///         {"command": "start", "count": 4}
///     ]
/// }"#)?;
/// let mismatch = scenario.check(&scenario.run()?).unwrap_err();
/// assert_eq!(mismatch.index, 3);
/// assert_eq!(mismatch.counted, Some(3)); // two first starts and one restart
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expectation {
    /// The instant; `None`: the whole run.
    pub(super) at_ms: Option<u64>,
    /// Keys of a trace line and their values.
    pub(super) keys: Vec<(String, TraceValue)>,
    pub(super) absent: bool,
    pub(super) count: Option<u32>,
}

/// An expectation that a run does not meet. Returned by [`Scenario::check`](super::Scenario::check).
///
/// ```
/// use uphold::sim::Scenario;
///
/// let scenario: Scenario = serde_json::from_str(r#"{
///     "policy": {"replicas": 1, "retry": {"interval": "30s"}},
///     "timeline": [{"at": "60s", "replica": 0, "exit": 1}],
///     "until": "5m",
///     "expect": [{"at": "90s", "command": "start", "incarnation": 3}]
/// }"#)?;
/// let mismatch = scenario.check(&scenario.run()?).unwrap_err();
/// let nearest = mismatch.nearest.as_ref().and_then(|line| line.get("incarnation"));
/// assert_eq!(nearest, Some(&uphold::trace::TraceValue::Int(2)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Mismatch {
    /// The index of the expectation, from 0.
    pub index: usize,
    /// What was expected.
    pub expected: Expectation,
    /// The line at that instant with the most matching keys; `None`: there is no line at that instant.
    pub nearest: Option<TraceLine>,
    /// The lines around it, for display.
    pub around: Vec<TraceLine>,
    /// The number of matching lines, if a number was expected.
    pub counted: Option<usize>,
}

impl Serialize for Expectation {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let at = self.at_ms.map(|at_ms| ("at_ms".to_owned(), at_ms.into()));
        let absent = self.absent.then(|| ("absent".to_owned(), TraceValue::Bool(true)));
        let count = self.count.map(|count| ("count".to_owned(), count.into()));
        serializer.collect_map(at.into_iter().chain(self.keys.iter().cloned()).chain(absent).chain(count))
    }
}

/// How many lines `Mismatch::around` has before and after the nearest line.
const AROUND: usize = 6;

impl Expectation {
    fn matches(&self, line: &TraceLine) -> bool {
        self.keys.iter().all(|(key, value)| line.get(key) == Some(value))
    }

    fn matching_keys(&self, line: &TraceLine) -> usize {
        self.keys.iter().filter(|(key, value)| line.get(key) == Some(value)).count()
    }

    fn is_status_only(&self) -> bool {
        let status = ["status", "available", "desired", "reason", "cause", "kind"];
        let of_status = |(key, value): &(String, TraceValue)| {
            status.contains(&key.as_str()) && (key != "kind" || *value == TraceValue::from("status"))
        };
        // Verdicts and events have causes as well.
        let names_status = self.keys.iter().any(|(key, _)| key != "cause" && key != "kind");
        names_status && self.keys.iter().all(of_status)
    }

    /// Returns the lines at its instant, or all lines.
    fn candidates<'t>(&self, trace: &'t Trace) -> &'t [TraceLine] {
        let lines = trace.lines();
        let Some(at_ms) = self.at_ms else { return lines };
        let first = lines.partition_point(|line| line.at_ms() < at_ms);
        let after = lines.partition_point(|line| line.at_ms() <= at_ms);
        &lines[first..after]
    }

    /// Returns the status line in effect at its instant; `None` if it expects more than the status.
    fn status_in_effect<'t>(&self, trace: &'t Trace) -> Option<&'t TraceLine> {
        let at_ms = self.at_ms.filter(|_| self.is_status_only())?;
        trace.status_line_at(at_ms)
    }

    fn is_met(&self, trace: &Trace) -> bool {
        if let Some(count) = self.count {
            return self.count_matches(trace) == count as usize;
        }
        let found = self.candidates(trace).iter().any(|line| self.matches(line))
            || self.status_in_effect(trace).is_some_and(|line| self.matches(line));
        found != self.absent
    }

    fn count_matches(&self, trace: &Trace) -> usize {
        self.candidates(trace).iter().filter(|line| self.matches(line)).count()
    }

    pub(super) fn check(&self, index: usize, trace: &Trace) -> Result<(), Box<Mismatch>> {
        if self.is_met(trace) {
            return Ok(());
        }
        let lines = trace.lines();
        // `max_by_key` returns the last of several: the one nearest to the end of the instant.
        let shown = self.candidates(trace).iter().max_by_key(|line| self.matching_keys(line));
        let nearest = shown.or_else(|| self.status_in_effect(trace));
        let centre = match shown {
            Some(shown) => lines.iter().position(|line| std::ptr::eq(line, shown)).unwrap_or(0),
            None => self.at_ms.map_or(0, |at_ms| lines.partition_point(|line| line.at_ms() <= at_ms)),
        };
        let around = lines[centre.saturating_sub(AROUND)..(centre + AROUND + 1).min(lines.len())].to_vec();
        Err(Box::new(Mismatch {
            index,
            expected: self.clone(),
            nearest: nearest.cloned(),
            around,
            counted: self.count.map(|_| self.count_matches(trace)),
        }))
    }
}
