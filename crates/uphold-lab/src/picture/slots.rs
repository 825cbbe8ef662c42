//! The history of slots: roles, revisions, rollouts and drains, extracted from a trace. Times are in nanoseconds since the
//! start of the run.

use std::collections::BTreeMap;

use uphold::trace::{TraceKind, TraceLine, TraceValue};

use super::marker::Marker;
use super::spans::StateChanges;
use super::style::rollout_index;

/// What slots were for, which revisions they ran, and what rollouts and drains did with them.
#[derive(Default)]
pub(super) struct SlotHistory {
    /// By replica number, then in order of time.
    pub(super) roles: BTreeMap<u32, Vec<RolePeriod>>,
    /// By replica number, then in order of time: the start of the first instance of another revision, and its name.
    pub(super) revisions: BTreeMap<u32, Vec<(u64, String)>>,
    pub(super) drains: Vec<DrainRecord>,
    pub(super) rollouts: Vec<RolloutRecord>,
    /// What the rollouts were doing.
    pub(super) rollout_states: StateChanges,
    /// The revision of each replica's last instance; `None`: the one that the set began with.
    current: BTreeMap<u32, Option<String>>,
}

/// A period in which a slot was an extra one.
pub(super) struct RolePeriod {
    pub(super) from: u64,
    /// `None`: to the end of the run.
    pub(super) until: Option<u64>,
    /// Such as `surge for 1`.
    pub(super) label: String,
}

/// The drain of one replica.
pub(super) struct DrainRecord {
    pub(super) replica: u32,
    pub(super) from: u64,
    /// When it was answered, and how; `None`: not by the end of the run.
    pub(super) answer: Option<(u64, String)>,
}

/// A rollout, from its start until it was completed, rolled back or superseded.
pub(super) struct RolloutRecord {
    pub(super) revision: String,
    pub(super) from: u64,
    pub(super) until: Option<u64>,
    /// What the end of its row says, such as `v2 rolled back`; empty as long as it has not failed or ended.
    pub(super) result: String,
    pub(super) events: Vec<(u64, Marker, String)>,
}

impl SlotHistory {
    /// Whether the lanes have anything to say besides phases.
    pub(super) fn is_annotated(&self) -> bool {
        !self.roles.is_empty() || !self.revisions.is_empty() || !self.drains.is_empty()
    }

    /// Adds a line of the trace.
    pub(super) fn add_line(&mut self, line: &TraceLine, at: u64) {
        match (line.kind(), text(line, "command"), text(line, "event")) {
            (TraceKind::Command, "start", _) => self.add_start(line, at),
            (TraceKind::Role, ..) => self.set_role(number(line, "replica"), at, line),
            (TraceKind::Rollout, ..) => self.add_rollout(line, at),
            (TraceKind::Drain, ..) => self.answer_drain(number(line, "replica"), at, text(line, "drain")),
            (TraceKind::Event, _, "drain" | "interruption-notice") => {
                for replica in replicas(line) {
                    self.drains.push(DrainRecord { replica, from: at, answer: None });
                }
            }
            (TraceKind::Event, _, "undrain") => {
                for replica in replicas(line) {
                    self.answer_drain(replica, at, "taken back");
                }
            }
            _ => {}
        }
    }

    /// Records that a slot was removed.
    pub(super) fn remove(&mut self, replica: u32, at: u64) {
        self.end_role(replica, at);
        self.current.remove(&replica);
    }

    /// Drops drains of slots that were not there: they were refused.
    pub(super) fn drop_refused_drains(&mut self, phases: &[StateChanges]) {
        self.drains.retain(|drain| {
            let changes = phases.get(drain.replica as usize).map_or(&[][..], Vec::as_slice);
            let before = changes.partition_point(|(at, _)| *at <= drain.from);
            // The slot may have been removed at this very instant, which answered the drain.
            before > 0 && (changes[before - 1].1 != 0 || drain.answer.is_some())
        });
    }

    fn add_start(&mut self, line: &TraceLine, at: u64) {
        let replica = number(line, "replica");
        let last = self.roles.get(&replica).and_then(|periods| periods.last()).filter(|last| last.until.is_none());
        if last.map_or("", |last| last.label.as_str()) != role_label(line) {
            self.set_role(replica, at, line);
        }
        let revision = line.get("revision").map(|_| text(line, "revision").to_owned());
        let before = self.current.insert(replica, revision.clone());
        if before.clone().unwrap_or_default() != revision {
            let name = revision.unwrap_or_else(|| "first revision".to_owned());
            self.revisions.entry(replica).or_default().push((at, name));
        }
    }

    fn set_role(&mut self, replica: u32, at: u64, line: &TraceLine) {
        self.end_role(replica, at);
        let label = role_label(line);
        if !label.is_empty() {
            self.roles.entry(replica).or_default().push(RolePeriod { from: at, until: None, label });
        }
    }

    fn end_role(&mut self, replica: u32, at: u64) {
        if let Some(last) = self.roles.get_mut(&replica).and_then(|periods| periods.last_mut()) {
            last.until.get_or_insert(at);
        }
    }

    fn answer_drain(&mut self, replica: u32, at: u64, outcome: &str) {
        let open = self.drains.iter_mut().filter(|drain| drain.replica == replica && drain.answer.is_none());
        open.for_each(|drain| drain.answer = Some((at, outcome.replace('-', " "))));
    }

    fn add_rollout(&mut self, line: &TraceLine, at: u64) {
        let (event, revision) = (text(line, "rollout"), text(line, "revision"));
        let revision = if revision.is_empty() { "first revision" } else { revision };
        let open = self.rollouts.last_mut().filter(|rollout| rollout.until.is_none());
        let rollout = match open {
            Some(rollout) => rollout,
            None => {
                self.rollouts.push(RolloutRecord {
                    revision: revision.to_owned(),
                    from: at,
                    until: None,
                    result: String::new(),
                    events: Vec::new(),
                });
                let Some(rollout) = self.rollouts.last_mut() else { return };
                rollout
            }
        };
        let (state, marker) = match event {
            "started" => (Some("replacing"), None),
            "baking" => (Some("baking"), None),
            "promoted" => (Some("replacing"), Some(Marker::Promoted)),
            "paused" => (Some("paused"), None),
            "rolling-back" => (Some("rolling back"), None),
            "failed" => (None, Some(Marker::RolloutFailed)),
            "completed" => (Some(""), Some(Marker::RolloutCompleted)),
            "rolled-back" => (Some(""), Some(Marker::RolledBack)),
            "superseded" => (Some(""), None),
            _ => return,
        };
        let event = event.replace('-', " ");
        if let Some(state) = state {
            self.rollout_states.push((at, rollout_index(state)));
        }
        if state == Some("") {
            rollout.until = Some(at);
        }
        if state == Some("") || event == "failed" {
            rollout.result = format!("{} {event}", rollout.revision);
        }
        if let Some(marker) = marker {
            let reason = text(line, "reason").replace('-', " ");
            let because = if reason.is_empty() { String::new() } else { format!(" ({reason})") };
            rollout.events.push((at, marker, format!("rollout of {} {event}{because}", rollout.revision)));
        }
    }
}

/// Returns what the slot of a start or of a new role is, such as `surge for 1`; empty for a regular slot.
fn role_label(line: &TraceLine) -> String {
    match (text(line, "role"), line.get("for")) {
        ("" | "regular", _) => String::new(),
        (role, Some(_)) => format!("{role} for {}", number(line, "for")),
        (role, None) => role.to_owned(),
    }
}

/// Returns the value of a key that holds a text; empty if there is none.
pub(super) fn text<'l>(line: &'l TraceLine, key: &str) -> &'l str {
    match line.get(key) {
        Some(TraceValue::Text(text)) => text.as_ref(),
        _ => "",
    }
}

/// Returns the value of a key that holds a number; 0 if there is none.
pub(super) fn number(line: &TraceLine, key: &str) -> u32 {
    match line.get(key) {
        Some(TraceValue::Int(number)) => u32::try_from(*number).unwrap_or(u32::MAX),
        _ => 0,
    }
}

/// Returns the replicas that a request names: one as a number, several as a text.
fn replicas(line: &TraceLine) -> Vec<u32> {
    match line.get("replica") {
        Some(_) => vec![number(line, "replica")],
        None => text(line, "replicas").split(", ").filter_map(|replica| replica.parse().ok()).collect(),
    }
}
