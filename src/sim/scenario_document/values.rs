//! Values that occur in several parts of a scenario.

use crate::policy::Exit;
use crate::policy::read::{Value, Walk, signal};

pub(super) fn replica(walk: &mut Walk, value: &Value) -> Option<u32> {
    walk.count(value, &(0..=999_999))
}

/// Reads a code, `success`, or `{signal: 9}`.
pub(super) fn exit(walk: &mut Walk, value: &Value) -> Option<Exit> {
    const WHAT: &str = "an exit code, success, or {signal: 9}";
    match value {
        Value::Int(code) => match i32::try_from(*code) {
            Ok(code) => Some(Exit::Code(code)),
            Err(_) => walk.expected(WHAT, value),
        },
        Value::Str(word) if word == "success" => Some(Exit::Code(0)),
        Value::Map(_) => {
            let fields = walk.fields(value, &["signal"])?;
            fields.require(walk, "signal", "its name or number", signal).map(Exit::Signal)
        }
        other => walk.expected(WHAT, other),
    }
}

/// Reads a flag that can only be `true`. `hint` says what to write instead of `false`.
pub(super) fn only_true(walk: &mut Walk, value: &Value, hint: &str) -> Option<()> {
    if walk.flag(value)? {
        return Some(());
    }
    walk.problem(format!("can only be true; {hint}"));
    None
}

pub(super) const LEAVE_OUT: &str = "leave it out instead";
