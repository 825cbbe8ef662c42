//! The serialised form of a [`History`]. It refers to rules by name.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::detail::Detail;
use super::flags::Flags;
use super::history::History;
use super::ids::{Incarnation, ReplicaId};
use super::streak::Streak;
use super::undo::Undo;
use super::window::Window;
use crate::policy::{Cause, Exit, Layout};
use crate::time::Timestamp;

/// The version of the rows that this release writes.
pub(crate) const ROW_VERSION: u8 = 2;

pub(super) fn known_version<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let version = u8::deserialize(deserializer)?;
    if version == ROW_VERSION {
        Ok(version)
    } else {
        Err(serde::de::Error::custom(format_args!(
            "the row has version {version}; this release reads version {ROW_VERSION}"
        )))
    }
}

/// The fields of a row. State is keyed by rule name; "" is the policy's own `retry`.
#[derive(PartialEq, Serialize, Deserialize)]
pub(super) struct Row {
    #[serde(deserialize_with = "known_version")]
    version: u8,
    replica: ReplicaId,
    stream: u64,
    incarnation: Incarnation,
    live: bool,
    #[serde(default)]
    counts_on_start: bool,
    #[serde(default)]
    repairing: bool,
    #[serde(default)]
    was_ready: bool,
    #[serde(default, alias = "judged_by")]
    matched_rule: Option<String>,
    #[serde(default)]
    started_at: Option<Timestamp>,
    #[serde(default)]
    ready_since: Option<Timestamp>,
    /// The time of the last call.
    #[serde(default)]
    as_of: Timestamp,
    #[serde(default)]
    noted_at: Option<Timestamp>,
    #[serde(default)]
    clean_exits: u16,
    #[serde(default)]
    streak: Streak,
    #[serde(default)]
    last_cause: Option<Cause>,
    #[serde(default)]
    last_exit: Option<Exit>,
    /// The streaks of rules with a `retry` of their own, by name.
    #[serde(default)]
    streaks: BTreeMap<String, Streak>,
    #[serde(default)]
    windows: Vec<WindowRow>,
    #[serde(default)]
    undo: Vec<UndoRow>,
}

#[derive(PartialEq, Serialize, Deserialize)]
struct WindowRow {
    rule: String,
    /// `None`: the limit of the whole `retry`.
    stage: Option<u16>,
    restarts: Window,
}

#[derive(PartialEq, Serialize, Deserialize)]
struct UndoRow {
    at: Timestamp,
    rule: String,
    before: Streak,
    charged: u32,
}

impl Serialize for History {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        Row::from(self).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for History {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Row::deserialize(deserializer)?.try_into().map_err(serde::de::Error::custom)
    }
}

impl PartialEq for History {
    /// Compares rows, so that the order of the rules in the policies does not matter.
    fn eq(&self, other: &Self) -> bool {
        Row::from(self) == Row::from(other)
    }
}

impl Eq for History {}

impl From<&History> for Row {
    fn from(history: &History) -> Self {
        let none = Detail::default();
        let detail = history.detail.as_deref().unwrap_or(&none);
        let schedule = |place: usize| detail.layout.schedules.get(place).cloned().unwrap_or_default();
        let streaks = (1..).zip(&detail.streaks).filter(|(_, streak)| **streak != Streak::default());
        let windows = detail.windows.iter().zip(&detail.layout.windows).filter(|(window, _)| !window.is_empty());
        let undo = detail.undo.iter().map(|undo| UndoRow {
            at: undo.at,
            rule: schedule(undo.schedule.into()),
            before: undo.before,
            charged: undo.charged,
        });
        let matched_rule = history.matched_rule().and_then(|rule| detail.layout.rules.get(usize::from(rule)));
        Self {
            version: ROW_VERSION,
            replica: history.replica,
            stream: history.stream,
            incarnation: history.incarnation,
            live: history.has(Flags::LIVE),
            counts_on_start: history.has(Flags::COUNTS_ON_START),
            repairing: history.has(Flags::REPAIRING),
            was_ready: history.has(Flags::WAS_READY),
            matched_rule: matched_rule.cloned(),
            started_at: history.started_at(),
            ready_since: history.ready_since(),
            as_of: history.as_of(),
            noted_at: detail.noted_at,
            clean_exits: history.clean_exits,
            streak: history.streak,
            last_cause: history.last_failure().map(|(cause, _)| cause),
            last_exit: history.last_exit(),
            streaks: streaks.map(|(place, streak)| (schedule(place), *streak)).collect(),
            windows: windows
                .map(|(window, (rule, stage))| WindowRow {
                    rule: rule.clone(),
                    stage: *stage,
                    restarts: window.clone(),
                })
                .collect(),
            undo: undo.collect(),
        }
    }
}

impl TryFrom<Row> for History {
    type Error = String;

    fn try_from(row: Row) -> Result<Self, String> {
        row.check()?;
        let mut layout = Layout::default();
        layout.schedules.push(String::new());
        let mut detail = Detail { noted_at: row.noted_at, ..Detail::default() };
        for (rule, streak) in row.streaks {
            layout.schedules.push(rule);
            detail.streaks.push(streak);
        }
        let mut undo = Vec::with_capacity(row.undo.len());
        for UndoRow { at, rule, before, charged } in row.undo {
            let place = layout.schedules.iter().position(|known| *known == rule).unwrap_or_else(|| {
                layout.schedules.push(rule);
                layout.schedules.len() - 1
            });
            let schedule = u16::try_from(place).map_err(|_| "it has too many streaks".to_owned())?;
            undo.push(Undo { at, schedule, before, charged });
        }
        for WindowRow { rule, stage, mut restarts } in row.windows {
            restarts.sort();
            layout.windows.push((rule, stage));
            detail.windows.push(restarts);
        }
        layout.rules.extend(row.matched_rule);
        let mut history = Self {
            stream: row.stream,
            incarnation: row.incarnation,
            instance_changed_at: row.started_at.unwrap_or(row.as_of),
            readiness_changed_at: row.ready_since.unwrap_or(row.as_of),
            streak: row.streak,
            clean_exits: row.clean_exits,
            ..Self::new(0, row.replica)
        };
        history.put(Flags::LIVE, row.live);
        history.put(Flags::COUNTS_ON_START, row.counts_on_start);
        history.put(Flags::REPAIRING, row.repairing);
        history.put(Flags::WAS_READY, row.was_ready);
        history.put(Flags::STARTED, row.started_at.is_some());
        history.put(Flags::READY, row.ready_since.is_some());
        history.set_last_exit(row.last_exit);
        if let Some(cause) = &row.last_cause {
            history.last_cause = cause.index() as u8 + 1;
            if let Cause::Named(name) = cause {
                detail.cause = Some(name.as_str().to_owned());
            }
        }
        if !layout.rules.is_empty() {
            history.matched_rule = 0;
        }
        let bare = detail.noted_at.is_none()
            && detail.cause.is_none()
            && layout.rules.is_empty()
            && layout.windows.is_empty()
            && layout.schedules.len() == 1
            && undo.is_empty();
        if !bare {
            detail.layout = Arc::new(layout);
            detail.undo = undo.into_iter().collect();
            history.detail = Some(Box::new(detail));
        }
        Ok(history)
    }
}

impl Row {
    /// Rejects rows that no sequence of calls can have written.
    fn check(&self) -> Result<(), String> {
        let wrong = |what: &str| Err(format!("the row of replica {} is inconsistent: {what}", self.replica));
        if !self.live && (self.started_at.is_some() || self.ready_since.is_some()) {
            return wrong("it has started or is ready, but is not live");
        }
        if self.ready_since.is_some() && (self.started_at.is_none() || !self.was_ready) {
            return wrong("it is ready, but has not started or `was_ready` is false");
        }
        if [self.started_at, self.ready_since].into_iter().flatten().any(|at| at > self.as_of) {
            return wrong("it started or became ready later than `as_of`");
        }
        if self.as_of > Timestamp::LATEST {
            return wrong("`as_of` is later than `Timestamp::LATEST`");
        }
        if self.last_exit.is_some() && self.last_cause.is_none() {
            return wrong("its last failure has an exit code or signal, but no cause");
        }
        let befores = self.undo.iter().map(|undo| &undo.before);
        if [&self.streak].into_iter().chain(self.streaks.values()).chain(befores).any(|streak| !streak.is_sound()) {
            return wrong("a streak has more charged failures than failures");
        }
        Ok(())
    }
}
