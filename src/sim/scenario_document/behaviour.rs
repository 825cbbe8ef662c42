//! Reading behaviours.

use super::super::behaviour::Behaviour;
use super::values::{LEAVE_OUT, exit, only_true, replica};
use crate::engine::ProbeKind;
use crate::policy::read::{Fields, Value, Walk, cause};
use crate::policy::{Cause, Exit};

const KEYS: [&str; 13] = [
    "replica",
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

/// Keys of which each behaviour has exactly one.
const KINDS: [&str; 6] = ["runs", "start_fails", "hangs", "probe", "ignores_stop", "ignores_kill"];

pub(super) fn behaviour(walk: &mut Walk, value: &Value) -> Option<Behaviour> {
    let fields = walk.fields(value, &KEYS)?;
    let mut behaviour = kind(walk, &fields);
    if fields.get("late_start").is_some() && fields.get("start_fails").is_none() {
        walk.field("late_start", |walk| walk.problem("has no meaning here: it belongs to 'start_fails'"));
    }
    behaviour.replica = fields.read(walk, "replica", replica);
    behaviour.times = fields.read(walk, "times", |walk, value| walk.count(value, &(1..=u32::MAX))).map(u64::from);
    if let Some(from) = fields.read(walk, "from", Walk::duration) {
        behaviour = behaviour.active_from(from);
    }
    if let Some(to) = fields.read(walk, "to", Walk::duration) {
        behaviour = behaviour.active_until(to);
    }
    if behaviour.to <= behaviour.from {
        walk.problem("ends before it begins: 'to' is not later than 'from'");
    }
    Some(behaviour)
}

/// Reads the keys that say what replicas do. Replaces what cannot be read by stand-ins, so that the rest is checked.
fn kind(walk: &mut Walk, fields: &Fields<'_>) -> Behaviour {
    let given: Vec<&str> = KINDS.into_iter().filter(|kind| fields.get(kind).is_some()).collect();
    match given[..] {
        ["runs"] => {
            let runs = fields.read(walk, "runs", Walk::duration);
            let exit = fields.require(walk, "exit", "how it exits then: a code, success, or {signal: 9}", exit);
            Behaviour::runs(runs.unwrap_or_default(), exit.unwrap_or(Exit::Code(0)))
        }
        ["start_fails"] => {
            let cause = fields.read(walk, "start_fails", cause).unwrap_or(Cause::NoCapacity);
            match fields.read(walk, "late_start", Walk::duration) {
                Some(after) => Behaviour::late_start(cause, after),
                None => Behaviour::start_fails(cause),
            }
        }
        [kind @ ("hangs" | "ignores_stop" | "ignores_kill")] => {
            fields.read(walk, kind, |walk, value| only_true(walk, value, LEAVE_OUT));
            match kind {
                "hangs" => Behaviour::hangs(),
                "ignores_stop" => Behaviour::ignores_stop(),
                _ => Behaviour::ignores_kill(),
            }
        }
        ["probe"] => {
            let kinds =
                [ProbeKind::Startup, ProbeKind::Readiness, ProbeKind::Liveness].map(|kind| (kind.as_str(), kind));
            let kind = fields.read(walk, "probe", |walk, value| walk.word(value, &kinds, &[]));
            if fields.require(walk, "fails", "true", Walk::flag) == Some(false) {
                walk.field("fails", |walk| {
                    walk.problem("probes succeed by default; write fails: true, or leave the behaviour out");
                });
            }
            Behaviour::probe_fails(kind.unwrap_or(ProbeKind::Liveness))
        }
        _ => {
            walk.problem(
                "needs exactly one of: runs (with exit), start_fails, hangs, probe (with fails), ignores_stop, \
                 ignores_kill",
            );
            fields.read(walk, "runs", Walk::duration);
            fields.read(walk, "exit", exit);
            fields.read(walk, "start_fails", cause);
            fields.read(walk, "hangs", Walk::flag);
            fields.read(walk, "fails", Walk::flag);
            Behaviour::start_fails(Cause::NoCapacity)
        }
    }
}
