//! Reads expectations.

use super::super::expectation::Expectation;
use super::values::replica;
use crate::document::{Fields, Reader, Value};
use crate::engine::{TraceKind, TraceValue};
use crate::time::Timestamp;

/// Keys of the expectation itself. The others are keys of a trace line, or short forms for several of them.
const OWN_KEYS: [&str; 5] = ["at", "at_ms", "absent", "count", "note"];

const KEYS: [&str; 49] = [
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
    "role",
    "for",
    "revision",
    "rollout",
    "updated",
    "drain",
    "deadline",
    "deadline_ms",
    "asked",
    "absent",
    "count",
    "note",
];

pub(super) fn expectation(reader: &mut Reader, value: &Value, until: Option<Timestamp>) -> Option<Expectation> {
    let fields = reader.fields(value, &KEYS)?;
    let count = fields.read(reader, "count", |reader, value| reader.count(value, &(0..=u32::MAX)));
    let absent = fields.read(reader, "absent", Reader::flag).unwrap_or(false);
    if count.is_some() && absent {
        reader.field("absent", |reader| reader.problem("cannot be combined with 'count'; write count: 0"));
    }
    let at_ms = instant(reader, &fields);
    if let (Some(at_ms), Some(until)) = (at_ms, until) {
        if at_ms > until.as_millis() {
            reader.problem(format!("is at {at_ms} ms, after the end of the simulation, {until}"));
        }
    }
    let keys = line_keys(reader, &fields);
    if keys.is_empty() {
        reader.problem("expects nothing; name a key of a trace line, such as status: degraded or start: 1");
        return None;
    }
    if at_ms.is_none() && count.is_none() {
        return None;
    }
    Some(Expectation { at_ms, keys, absent, count })
}

/// Reads `at` or `at_ms`, in milliseconds. Optional with `count`.
fn instant(reader: &mut Reader, fields: &Fields<'_>) -> Option<u64> {
    match (fields.get("at"), fields.get("at_ms")) {
        (Some(_), Some(_)) => {
            reader.field("at_ms", |reader| reader.problem("cannot be combined with 'at'; give one of them"));
            fields.read(reader, "at", Reader::duration);
            None
        }
        (None, Some(_)) => fields.read(reader, "at_ms", |reader, value| match value {
            Value::Int(millis) if u64::try_from(*millis).is_ok() => u64::try_from(*millis).ok(),
            other => reader.expected("milliseconds since the start", other),
        }),
        (None, None) if fields.get("count").is_some() => None,
        _ => {
            let what = "at which instant, such as 90s; or 'count' for the whole run";
            let at = fields.require(reader, "at", what, Reader::duration);
            at.map(|at| u64::try_from(at.as_millis()).unwrap_or(u64::MAX))
        }
    }
}

/// Reads the keys of the trace line, with short forms and durations written out.
fn line_keys(reader: &mut Reader, fields: &Fields<'_>) -> Vec<(String, TraceValue)> {
    let mut keys = Vec::new();
    for key in KEYS {
        let Some(value) = fields.get(key).filter(|_| !OWN_KEYS.contains(&key)) else { continue };
        let expected = reader.field(key, |reader| expected_value(reader, key, value));
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
                    "deadline" => "deadline_ms",
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

fn expected_value(reader: &mut Reader, key: &str, value: &Value) -> Option<TraceValue> {
    if short_form(key).is_some() {
        return replica(reader, value).map(Into::into);
    }
    if matches!(key, "due" | "delay" | "deadline") && *value != Value::Null {
        let millis = reader.duration(value)?.as_millis();
        return Some(u64::try_from(millis).unwrap_or(u64::MAX).into());
    }
    match value {
        Value::Null => Some(TraceValue::Null),
        Value::Bool(flag) => Some(TraceValue::Bool(*flag)),
        Value::Int(number) => match i64::try_from(*number) {
            Ok(number) => Some(TraceValue::Int(number)),
            Err(_) => reader.expected("a number that fits in 64 bits", value),
        },
        Value::Str(text) => Some(TraceValue::Text(text.clone().into())),
        other => reader.expected("a word, a number, true, false or null", other),
    }
}
