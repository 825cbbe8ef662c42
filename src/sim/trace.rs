//! The trace of a run.

use serde::Serialize;

use crate::decide::Status;
use crate::engine::{StatusChange, TraceKind, TraceLine, TraceValue};
use crate::policy::Cause;
use crate::time::Timestamp;

/// The trace of a run: what happened, in order. Serialises as a list; serialise its lines one by one for NDJSON.
///
/// The lines of one instant are events, then verdicts, then commands, then at most one status (two if the set went from
/// `terminating` to `terminated`). Events of one batch are ordered by replica, with operator requests last.
///
/// ```
/// use uphold::Policy;
/// use uphold::sim::Simulation;
///
/// let run = Simulation::new(Policy::builder().replicas(1).build()?).run_until("1s")?;
/// let first = serde_json::to_string(&run.trace().lines()[0])?;
/// assert!(first.contains(r#""event":"started""#));
/// assert_eq!(run.trace().command_count("start", 0), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize)]
#[serde(transparent)]
pub struct Trace {
    lines: Vec<TraceLine>,
    #[serde(skip)]
    current: CurrentInstant,
    /// The last status line: status, available, desired, reason, cause.
    #[serde(skip)]
    last_status: Option<(Status, u32, u32, &'static str, Option<Cause>)>,
}

/// What has happened in the current instant so far.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
struct CurrentInstant {
    lines: Vec<TraceLine>,
    terminating: Option<StatusChange>,
    status: Option<StatusChange>,
}

impl Trace {
    /// Returns the lines, in order.
    pub fn lines(&self) -> &[TraceLine] {
        &self.lines
    }

    /// Returns the number of lines, including those of the current instant.
    pub(super) fn len(&self) -> usize {
        self.lines.len() + self.current.lines.len()
    }

    pub(super) fn add(&mut self, lines: impl IntoIterator<Item = TraceLine>) {
        self.current.lines.extend(lines);
    }

    pub(super) fn set_status(&mut self, change: StatusChange) {
        if change.status == Status::Terminating {
            self.current.terminating = Some(change.clone());
        }
        self.current.status = Some(change);
    }

    /// Ends the current instant: sorts its lines, and adds its status if that has changed.
    pub(super) fn end_instant(&mut self, at: Timestamp) {
        let mut current = std::mem::take(&mut self.current);
        current.lines.sort_by_key(TraceLine::kind);
        self.lines.append(&mut current.lines);
        // Keeps the allocation.
        self.current.lines = current.lines;
        let terminating = current.terminating.filter(|change| current.status.as_ref() != Some(change));
        for change in [terminating, current.status].into_iter().flatten() {
            let line = TraceLine::of_status(&change, at, Timestamp::ZERO);
            let status = (change.status, change.available, change.desired, change.reason.as_str(), change.cause);
            if self.last_status.as_ref() != Some(&status) {
                self.last_status = Some(status);
                self.lines.push(line);
            }
        }
    }

    /// Returns the status line in effect at the end of this millisecond.
    pub(super) fn status_line_at(&self, at_ms: u64) -> Option<&TraceLine> {
        let after = self.lines.partition_point(|line| line.at_ms() <= at_ms);
        self.lines[..after].iter().rev().find(|line| line.kind() == TraceKind::Status)
    }

    /// Returns how many commands of this kind (`start`, `stop`, `kill` or `probe`) were sent to a replica.
    pub fn command_count(&self, command: &str, replica: u32) -> usize {
        let matches = |line: &&TraceLine| {
            line.kind() == TraceKind::Command
                && line.get("command") == Some(&TraceValue::Text(command.to_owned().into()))
                && line.get("replica") == Some(&TraceValue::from(replica))
        };
        self.lines.iter().filter(matches).count()
    }
}
