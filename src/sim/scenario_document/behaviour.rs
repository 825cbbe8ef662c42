//! Reads behaviours.

use super::super::behaviour::Behaviour;
use super::values::{LEAVE_OUT, exit, only_true, replica, revision};
use crate::document::{Fields, Reader, Value};
use crate::engine::ProbeKind;
use crate::policy::read::cause;
use crate::policy::{Cause, Exit};

const KEYS: [&str; 14] = [
    "replica",
    "revision",
    "runs",
    "exit",
    "times",
    "from",
    "to",
    "start_fails",
    "late_start",
    "hangs",
    "probe",
    "fails",
    "ignores_stop",
    "ignores_kill",
];

/// Keys of which each behaviour must have exactly one.
const KINDS: [&str; 6] = ["runs", "start_fails", "hangs", "probe", "ignores_stop", "ignores_kill"];

pub(super) fn behaviour(reader: &mut Reader, value: &Value) -> Option<Behaviour> {
    let fields = reader.fields(value, &KEYS)?;
    let mut behaviour = kind(reader, &fields);
    if fields.get("late_start").is_some() && fields.get("start_fails").is_none() {
        reader.field("late_start", |reader| reader.problem("applies only to 'start_fails'"));
    }
    behaviour.replica = fields.read(reader, "replica", replica);
    behaviour.revision = fields.read(reader, "revision", revision);
    behaviour.times = fields.read(reader, "times", |reader, value| reader.count(value, &(1..=u32::MAX))).map(u64::from);
    if let Some(from) = fields.read(reader, "from", Reader::duration) {
        behaviour = behaviour.active_from(from);
    }
    if let Some(to) = fields.read(reader, "to", Reader::duration) {
        behaviour = behaviour.active_until(to);
    }
    if behaviour.to <= behaviour.from {
        reader.problem("ends before it begins: 'to' is not later than 'from'");
    }
    Some(behaviour)
}

/// Reads the keys that say what replicas do. A key that cannot be read is replaced, so that the others are still checked.
fn kind(reader: &mut Reader, fields: &Fields<'_>) -> Behaviour {
    let given: Vec<&str> = KINDS.into_iter().filter(|kind| fields.get(kind).is_some()).collect();
    match given[..] {
        ["runs"] => {
            let runs = fields.read(reader, "runs", Reader::duration);
            let exit = fields.require(reader, "exit", "how it exits: a code, success, or {signal: 9}", exit);
            Behaviour::runs(runs.unwrap_or_default(), exit.unwrap_or(Exit::Code(0)))
        }
        ["start_fails"] => {
            let cause = fields.read(reader, "start_fails", cause).unwrap_or(Cause::NoCapacity);
            match fields.read(reader, "late_start", Reader::duration) {
                Some(after) => Behaviour::late_start(cause, after),
                None => Behaviour::start_fails(cause),
            }
        }
        [kind @ ("hangs" | "ignores_stop" | "ignores_kill")] => {
            fields.read(reader, kind, |reader, value| only_true(reader, value, LEAVE_OUT));
            match kind {
                "hangs" => Behaviour::hangs(),
                "ignores_stop" => Behaviour::ignores_stop(),
                _ => Behaviour::ignores_kill(),
            }
        }
        ["probe"] => {
            let kinds =
                [ProbeKind::Startup, ProbeKind::Readiness, ProbeKind::Liveness].map(|kind| (kind.as_str(), kind));
            let kind = fields.read(reader, "probe", |reader, value| reader.word(value, &kinds, &[]));
            if fields.require(reader, "fails", "true", Reader::flag) == Some(false) {
                reader.field("fails", |reader| {
                    reader.problem("probes succeed by default; write fails: true, or leave the behaviour out");
                });
            }
            Behaviour::probe_fails(kind.unwrap_or(ProbeKind::Liveness))
        }
        _ => {
            reader.problem(
                "needs exactly one of: runs (with exit), start_fails, hangs, probe (with fails), ignores_stop, \
                 ignores_kill",
            );
            fields.read(reader, "runs", Reader::duration);
            fields.read(reader, "exit", exit);
            fields.read(reader, "start_fails", cause);
            fields.read(reader, "hangs", Reader::flag);
            fields.read(reader, "fails", Reader::flag);
            Behaviour::start_fails(Cause::NoCapacity)
        }
    }
}
