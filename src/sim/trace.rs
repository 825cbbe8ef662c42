//! The lines of a run, instant by instant.

use serde::Serialize;

use crate::decide::Status;
use crate::engine::{StatusChange, TraceKind, TraceLine, TraceValue};
use crate::policy::Cause;
use crate::time::Timestamp;

/// What happened in a run, in order. Serialises as a list; a line each is NDJSON.
///
/// Within one instant stand events, verdicts, commands, then at most one status (terminating and terminated both).
/// Events that are known together stand by replica, what an operator asks for after them.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Trace {
    lines: Vec<TraceLine>,
    #[serde(skip)]
    open: OpenInstant,
    #[serde(skip)]
    last_status: Option<(Status, u32, u32, &'static str, Option<Cause>)>,
}

/// What has happened in the current instant.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct OpenInstant {
    lines: Vec<TraceLine>,
    terminating: Option<StatusChange>,
    status: Option<StatusChange>,
}

impl Trace {
    /// The lines, in order.
    pub fn lines(&self) -> &[TraceLine] {
        &self.lines
    }

    /// How many lines there are, those of the present instant included.
    pub(super) fn len(&self) -> usize {
        self.lines.len() + self.open.lines.len()
    }

    pub(super) fn add(&mut self, line: TraceLine) {
        self.open.lines.push(line);
    }

    pub(super) fn extend(&mut self, line: Option<TraceLine>) {
        self.open.lines.extend(line);
    }

    pub(super) fn status(&mut self, change: StatusChange) {
        if change.status == Status::Terminating {
            self.open.terminating = Some(change.clone());
        }
        self.open.status = Some(change);
    }

    /// The instant is over: its lines are put in order, and its status is shown if it is another.
    pub(super) fn end_instant(&mut self, at: Timestamp) {
        let mut open = std::mem::take(&mut self.open);
        open.lines.sort_by_key(TraceLine::kind);
        self.lines.append(&mut open.lines);
        self.open.lines = open.lines;
        let terminating = open.terminating.filter(|change| open.status.as_ref() != Some(change));
        let shown = [terminating, open.status];
        for change in shown.into_iter().flatten() {
            let line = TraceLine::of_status(&change, at, Timestamp::ZERO);
            let seen = (change.status, change.available, change.desired, change.reason.as_str(), change.cause);
            if self.last_status.as_ref() != Some(&seen) {
                self.last_status = Some(seen);
                self.lines.push(line);
            }
        }
    }

    /// The status line in effect at the end of this millisecond.
    pub(super) fn status_line_at(&self, at_ms: u64) -> Option<&TraceLine> {
        let after = self.lines.partition_point(|line| line.at_ms() <= at_ms);
        self.lines[..after].iter().rev().find(|line| line.kind() == TraceKind::Status)
    }

    /// How often a command was given to a replica.
    pub fn command_count(&self, command: &str, replica: u32) -> usize {
        let is = |line: &&TraceLine| {
            line.kind() == TraceKind::Command
                && line.get("command") == Some(&TraceValue::Text(command.to_owned().into()))
                && line.get("replica") == Some(&TraceValue::from(replica))
        };
        self.lines.iter().filter(is).count()
    }
}
