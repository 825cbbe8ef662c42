//! Reading expectations.

use super::super::expectation::Expectation;
use super::values::replica;
use crate::engine::{TraceKind, TraceValue};
use crate::policy::read::{Fields, Value, Walk};
use crate::time::Timestamp;

/// Keys of the expectation itself. The others are keys of a trace line, or short forms of one.
const OWN_KEYS: [&str; 5] = ["at", "at_ms", "absent", "count", "note"];

const KEYS: [&str; 40] = [
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

pub(super) fn expectation(walk: &mut Walk, value: &Value, until: Option<Timestamp>) -> Option<Expectation> {
    let fields = walk.fields(value, &KEYS)?;
    let count = fields.read(walk, "count", |walk, value| walk.count(value, &(0..=u32::MAX)));
    let absent = fields.read(walk, "absent", Walk::flag).unwrap_or(false);
    if count.is_some() && absent {
        walk.field("absent", |walk| walk.problem("is given beside 'count'; write count: 0"));
    }
    let at_ms = instant(walk, &fields);
    if let (Some(at_ms), Some(until)) = (at_ms, until) {
        if at_ms > until.as_millis() {
            walk.problem(format!("is at {at_ms} ms, after the end of the simulation, {until}"));
        }
    }
    let keys = line_keys(walk, &fields);
    if keys.is_empty() {
        walk.problem("expects nothing; name a key of a trace line, such as status: degraded or start: 1");
        return None;
    }
    if at_ms.is_none() && count.is_none() {
        return None;
    }
    Some(Expectation { at_ms, keys, absent, count })
}

/// Reads `at` or `at_ms`, in milliseconds. May be left out beside `count`.
fn instant(walk: &mut Walk, fields: &Fields<'_>) -> Option<u64> {
    match (fields.get("at"), fields.get("at_ms")) {
        (Some(_), Some(_)) => {
            walk.field("at_ms", |walk| walk.problem("is given beside 'at'; give only one of them"));
            fields.read(walk, "at", Walk::duration);
            None
        }
        (None, Some(_)) => fields.read(walk, "at_ms", |walk, value| match value {
            Value::Int(millis) if u64::try_from(*millis).is_ok() => u64::try_from(*millis).ok(),
            other => walk.expected("milliseconds since the start", other),
        }),
        (None, None) if fields.get("count").is_some() => None,
        _ => {
            let what = "at which instant, such as 90s; or 'count' for the whole run";
            let at = fields.require(walk, "at", what, Walk::duration);
            at.map(|at| u64::try_from(at.as_millis()).unwrap_or(u64::MAX))
        }
    }
}

/// Reads the keys of the trace line, with short forms and durations written out.
fn line_keys(walk: &mut Walk, fields: &Fields<'_>) -> Vec<(String, TraceValue)> {
    let mut keys = Vec::new();
    for key in KEYS {
        let Some(value) = fields.get(key).filter(|_| !OWN_KEYS.contains(&key)) else { continue };
        let expected = walk.field(key, |walk| expected_value(walk, key, value));
        match (short_form(key), expected) {
            (Some((kind, command)), Some(replica)) => {
                keys.push(("kind".to_owned(), kind.as_str().into()));
                keys.push(("command".to_owned(), command.into()));
                keys.push(("replica".to_owned(), replica));
            }
            (None, Some(value)) => {
                let key = match key {
                    "due" => "due_ms",
                    "delay" => "delay_ms",
                    other => other,
                };
                keys.push((key.to_owned(), value));
            }
            (_, None) => {}
        }
    }
    keys
}

/// Returns the kind and command of the line that a key such as `start` in `start: 1` stands for.
fn short_form(key: &str) -> Option<(TraceKind, &'static str)> {
    match key {
        "start" => Some((TraceKind::Command, "start")),
        "stop" => Some((TraceKind::Command, "stop")),
        "kill" => Some((TraceKind::Command, "kill")),
        _ => None,
    }
}

fn expected_value(walk: &mut Walk, key: &str, value: &Value) -> Option<TraceValue> {
    if short_form(key).is_some() {
        return replica(walk, value).map(Into::into);
    }
    if matches!(key, "due" | "delay") && *value != Value::Null {
        let millis = walk.duration(value)?.as_millis();
        return Some(u64::try_from(millis).unwrap_or(u64::MAX).into());
    }
    match value {
        Value::Null => Some(TraceValue::Null),
        Value::Bool(flag) => Some(TraceValue::Bool(*flag)),
        Value::Int(number) => match i64::try_from(*number) {
            Ok(number) => Some(TraceValue::Int(number)),
            Err(_) => walk.expected("a number that fits in 64 bits", value),
        },
        Value::Str(text) => Some(TraceValue::Text(text.clone().into())),
        other => walk.expected("a word, a number, true, false or null", other),
    }
}
