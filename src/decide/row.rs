//! How a replica's history is written: a row that people can read, whatever it is packed into in memory.

use serde::{Deserialize, Serialize};

use super::history::{Detail, Flags, History};
use super::ids::{Incarnation, ReplicaId};
use super::never;
use super::streak::Streak;
use crate::policy::Exit;
use crate::time::Timestamp;

/// The version of the rows that this release writes.
pub(crate) const ROW_VERSION: u8 = 1;

pub(super) fn known_version<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
    let version = u8::deserialize(deserializer)?;
    if version == ROW_VERSION {
        Ok(version)
    } else {
        Err(serde::de::Error::custom(format_args!(
            "version {version} of the row is not known to this release, which reads version {ROW_VERSION}"
        )))
    }
}

/// A history as it is written.
#[derive(Serialize, Deserialize)]
pub(super) struct Row {
    #[serde(deserialize_with = "known_version")]
    version: u8,
    stream: u64,
    incarnation: Incarnation,
    live: bool,
    #[serde(default)]
    counts_on_start: bool,
    #[serde(default)]
    repairing: bool,
    #[serde(default)]
    after_success: bool,
    #[serde(default)]
    judged_by: Option<u16>,
    #[serde(with = "never", default = "never::value")]
    started_at: Timestamp,
    #[serde(with = "never", default = "never::value")]
    ready_since: Timestamp,
    #[serde(with = "never", default = "never::value")]
    noted_at: Timestamp,
    #[serde(default)]
    streak: Streak,
    #[serde(default)]
    last_cause: u8,
    #[serde(default)]
    last_exit: Option<Exit>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    detail: Option<Box<Detail>>,
}

impl From<History> for Row {
    fn from(history: History) -> Self {
        Self {
            version: ROW_VERSION,
            stream: history.stream,
            incarnation: history.incarnation,
            live: history.has(Flags::LIVE),
            counts_on_start: history.has(Flags::COUNTS_ON_START),
            repairing: history.has(Flags::REPAIRING),
            after_success: history.has(Flags::AFTER_SUCCESS),
            judged_by: history.judged_by(),
            started_at: history.started_at,
            ready_since: history.ready_since,
            noted_at: history.noted_at,
            streak: history.streak,
            last_cause: history.last_cause,
            last_exit: history.last_exit(),
            detail: history.detail,
        }
    }
}

impl From<Row> for History {
    fn from(row: Row) -> Self {
        let mut history = Self {
            stream: row.stream,
            incarnation: row.incarnation,
            started_at: row.started_at,
            ready_since: row.ready_since,
            noted_at: row.noted_at,
            streak: row.streak,
            last_cause: row.last_cause,
            detail: row.detail,
            ..Self::new(0, ReplicaId(0))
        };
        history.put(Flags::LIVE, row.live);
        history.put(Flags::COUNTS_ON_START, row.counts_on_start);
        history.put(Flags::REPAIRING, row.repairing);
        history.put(Flags::AFTER_SUCCESS, row.after_success);
        history.set_judged_by(row.judged_by);
        history.set_last_exit(row.last_exit);
        history
    }
}
