//! What a scenario expects, and how it differs from what happened.

use serde::{Serialize, Serializer};

use super::trace::Trace;
use crate::engine::{TraceKind, TraceLine, TraceValue};

/// One line that a scenario expects, in part: the keys that it names must be those of a line at its instant.
///
/// An expectation of the status alone (`status`, `available`, `desired`, `reason`, and `cause` beside
/// one of these) also holds where the status was
/// the same before and no line tells of it. With `absent: true` no such line may be there; with `count: 3` there must
/// be so many, at that instant, or in the whole run where no instant is named.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Expectation {
    /// `None`: in the whole run.
    pub(super) at_ms: Option<u64>,
    pub(super) keys: Vec<(String, TraceValue)>,
    /// No such line must be there.
    pub(super) absent: bool,
    /// So many such lines.
    pub(super) count: Option<u32>,
}

/// The first thing that is not as expected.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Mismatch {
    /// Which expectation, from 0.
    pub index: usize,
    /// What was expected.
    pub expected: Expectation,
    /// The line at that instant that comes nearest; `None`: nothing happened then.
    pub nearest: Option<TraceLine>,
    /// The lines around that instant.
    pub around: Vec<TraceLine>,
    /// How many such lines there are, where a number was expected.
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

/// How many lines are shown before and after a mismatch.
const AROUND: usize = 6;

impl Expectation {
    fn matches(&self, line: &TraceLine) -> bool {
        self.keys.iter().all(|(key, value)| line.get(key) == Some(value))
    }

    fn agreement(&self, line: &TraceLine) -> usize {
        self.keys.iter().filter(|(key, value)| line.get(key) == Some(value)).count()
    }

    /// Whether it says nothing but what the status is.
    fn is_status_only(&self) -> bool {
        let status = ["status", "available", "desired", "reason", "cause", "kind"];
        let of_status = |(key, value): &(String, TraceValue)| {
            status.contains(&key.as_str()) && (key != "kind" || *value == TraceValue::from("status"))
        };
        // Verdicts and events have causes, too.
        let names_status = self.keys.iter().any(|(key, _)| key != "cause" && key != "kind");
        names_status && self.keys.iter().all(of_status)
    }

    /// The lines among which it looks.
    fn candidates<'t>(&self, trace: &'t Trace) -> &'t [TraceLine] {
        let lines = trace.lines();
        let Some(at_ms) = self.at_ms else { return lines };
        let first = lines.partition_point(|line| line.at_ms() < at_ms);
        let after = lines.partition_point(|line| line.at_ms() <= at_ms);
        &lines[first..after]
    }

    /// The status line in effect at its instant, if it is of the status alone.
    fn status_in_effect<'t>(&self, trace: &'t Trace) -> Option<&'t TraceLine> {
        let at_ms = self.at_ms.filter(|_| self.is_status_only())?;
        trace.status_line_at(at_ms)
    }

    fn holds(&self, trace: &Trace) -> bool {
        if let Some(count) = self.count {
            return self.count_found(trace) == count as usize;
        }
        let found = self.candidates(trace).iter().any(|line| self.matches(line))
            || self.status_in_effect(trace).is_some_and(|line| self.matches(line));
        found != self.absent
    }

    fn count_found(&self, trace: &Trace) -> usize {
        self.candidates(trace).iter().filter(|line| self.matches(line)).count()
    }

    pub(super) fn check(&self, index: usize, trace: &Trace) -> Result<(), Box<Mismatch>> {
        if self.holds(trace) {
            return Ok(());
        }
        let lines = trace.lines();
        // The last of those that agree the most: a later line is nearer to the end of the instant.
        let shown = self.candidates(trace).iter().max_by_key(|line| self.agreement(line));
        let nearest = shown.or_else(|| self.status_in_effect(trace));
        // Of a crowded instant only what stands around that line is shown.
        let place = match shown {
            Some(shown) => lines.iter().position(|line| std::ptr::eq(line, shown)).unwrap_or(0),
            None => self.at_ms.map_or(0, |at_ms| lines.partition_point(|line| line.at_ms() <= at_ms)),
        };
        let around = lines[place.saturating_sub(AROUND)..(place + AROUND + 1).min(lines.len())].to_vec();
        Err(Box::new(Mismatch {
            index,
            expected: self.clone(),
            nearest: nearest.cloned(),
            around,
            counted: self.count.map(|_| self.count_found(trace)),
        }))
    }
}

/// The keys that an expectation may name: those of the lines, and the short forms.
pub(super) const KEYS: [&str; 40] = [
    "at",
    "at_ms",
    "start",
    "stop",
    "kill",
    "status",
    "verdict",
    "event",
    "command",
    "replica",
    "replicas",
    "incarnation",
    "available",
    "desired",
    "reason",
    "due",
    "due_ms",
    "delay",
    "delay_ms",
    "attempt",
    "stage",
    "rule",
    "charged",
    "cause",
    "used_up",
    "scope",
    "placement",
    "gate",
    "incident",
    "exit_code",
    "signal",
    "message",
    "probe",
    "result",
    "all",
    "kind",
    "rules",
    "absent",
    "count",
    "note",
];

/// The line that a short form such as `start: 1` stands for.
pub(super) fn short_form(key: &str) -> Option<(TraceKind, &'static str)> {
    match key {
        "start" => Some((TraceKind::Command, "start")),
        "stop" => Some((TraceKind::Command, "stop")),
        "kill" => Some((TraceKind::Command, "kill")),
        _ => None,
    }
}
