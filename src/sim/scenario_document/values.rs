//! Reads values that several parts of a scenario share.

use crate::decide::Revision;
use crate::document::{Reader, Value};
use crate::policy::read::signal;
use crate::policy::{Exit, MAX_REPLICAS};

pub(super) fn replica(reader: &mut Reader, value: &Value) -> Option<u32> {
    reader.count(value, &(0..=MAX_REPLICAS - 1))
}

/// Reads a code, `success`, or `{signal: 9}`.
pub(super) fn exit(reader: &mut Reader, value: &Value) -> Option<Exit> {
    const WHAT: &str = "an exit code, success, or {signal: 9}";
    match value {
        Value::Int(code) => match i32::try_from(*code) {
            Ok(code) => Some(Exit::Code(code)),
            Err(_) => reader.expected(WHAT, value),
        },
        Value::Str(word) if word == "success" => Some(Exit::Code(0)),
        Value::Map(_) => {
            let fields = reader.fields(value, &["signal"])?;
            fields.require(reader, "signal", "its name or number", signal).map(Exit::Signal)
        }
        other => reader.expected(WHAT, other),
    }
}

/// Reads a flag that can only be `true`. `hint` says what to write instead of `false`.
pub(super) fn only_true(reader: &mut Reader, value: &Value, hint: &str) -> Option<()> {
    if reader.flag(value)? {
        return Some(());
    }
    reader.problem(format!("can only be true; {hint}"));
    None
}

pub(super) const LEAVE_OUT: &str = "leave it out instead";

pub(super) fn revision(reader: &mut Reader, value: &Value) -> Option<Revision> {
    let name = reader.text(value)?;
    match Revision::new(name) {
        Ok(revision) => Some(revision),
        Err(error) => {
            reader.problem(error.to_string());
            None
        }
    }
}
