//! Reading the `failure` block.

use std::time::Duration;

use super::hints::built_in_cause;
use super::keys;
use super::nearest::nearest;
use super::retry;
use super::text::{self, ends, number};
use super::value::{Value, clip};
use super::walk::Walk;
use crate::policy::cause::Cause;
use crate::policy::exit::Signal;
use crate::policy::failure::{
    Budget, BudgetEmpty, CodeRange, Correlated, Exhausted, FailurePolicy, Quarantine, ReplicaRange, Rule, RuleAction,
};
use crate::policy::preset;
use crate::policy::quantity::Quantity;
use crate::policy::range;

const SECOND: Duration = Duration::from_secs(1);

pub(super) fn failure(walk: &mut Walk, value: &Value) -> Option<FailurePolicy> {
    let fields = walk.fields(value, &&keys::FAILURE)?;
    let is_off = |name| fields.get(name).is_some_and(|value| matches!(value, Value::Null | Value::Bool(false)));
    Some(FailurePolicy {
        rules: fields.read(walk, "rules", |walk, value| Some(rules(walk, value))).unwrap_or_default(),
        scope: fields.read(walk, "scope", retry::scope),
        exhausted: fields.read(walk, "exhausted", exhausted),
        min_available: fields.read(walk, "min_available", Walk::quantity),
        outage_deadline: fields.read(walk, "outage_deadline", Walk::duration),
        max_failures_before_ready: fields.read(walk, "max_failures_before_ready", |walk, value| {
            walk.count(value, &range::MAX_FAILURES_BEFORE_READY)
        }),
        clear_after: fields.read(walk, "clear_after", Walk::duration),
        budget: fields.read(walk, "budget", budget),
        max_concurrent_starts: fields.read(walk, "max_concurrent_starts", max_concurrent_starts),
        correlated: fields.read(walk, "correlated", correlated),
        starts_unlimited: is_off("max_concurrent_starts"),
        uncorrelated: is_off("correlated"),
    })
}

fn rules(walk: &mut Walk, value: &Value) -> Vec<Rule> {
    let mut rules = Vec::new();
    walk.list(value, "a list of rules, such as [{when: {exit_code: 2}, then: terminate}]", |walk, item| {
        // One that cannot be read keeps its place, so that the paths of the others stay right.
        rules.push(rule(walk, item).unwrap_or_else(|| Rule::new(RuleAction::Degrade)));
    });
    rules
}

fn rule(walk: &mut Walk, value: &Value) -> Option<Rule> {
    let fields = walk.fields(value, &&keys::RULE)?;
    let then = fields.require(walk, "then", "one of retry, degrade, terminate, hold, {hold: 30m}", then);
    let mut rule = Rule::new(then.unwrap_or(RuleAction::Degrade));
    rule.name = fields.read(walk, "name", Walk::text).map(str::to_owned);
    rule.charge = fields.read(walk, "charge", Walk::flag).unwrap_or(true);
    rule.retry = fields.read(walk, "retry", retry::rule_retry);
    fields.read(walk, "when", |walk, value| when(walk, value, &mut rule));
    Some(rule)
}

fn when(walk: &mut Walk, value: &Value, rule: &mut Rule) -> Option<()> {
    let fields = walk.fields(value, &&keys::WHEN)?;
    rule.exit_codes = fields.read(walk, "exit_code", |walk, value| some_of(walk, value, exit_code)).unwrap_or_default();
    rule.signals = fields.read(walk, "signal", |walk, value| some_of(walk, value, signal)).unwrap_or_default();
    rule.causes = fields.read(walk, "cause", |walk, value| some_of(walk, value, cause)).unwrap_or_default();
    rule.reasons = fields
        .read(walk, "reason", |walk, value| {
            // One that cannot be read keeps its place, so that the paths of the others stay right.
            some_of(walk, value, |walk, item| Some(walk.text(item).unwrap_or("*").to_owned()))
        })
        .unwrap_or_default();
    rule.attempts_over = fields.read(walk, "attempts_over", |walk, value| walk.count(value, &range::ATTEMPTS));
    rule.replicas = fields.read(walk, "replica", |walk, value| some_of(walk, value, replica)).unwrap_or_default();
    rule.ran_under = fields.read(walk, "ran_under", Walk::duration);
    rule.was_ready = fields.read(walk, "was_ready", Walk::flag);
    Some(())
}

/// A condition's value, or its list of values. An empty list would match nothing, or anything: it is a mistake.
fn some_of<T>(walk: &mut Walk, value: &Value, read: impl Fn(&mut Walk, &Value) -> Option<T>) -> Option<Vec<T>> {
    if matches!(value, Value::Null) || matches!(value, Value::Seq(items) if items.is_empty()) {
        walk.problem("is empty; give at least one value, or leave it out");
    }
    let mut values = Vec::new();
    walk.each(value, |walk, item| values.extend(read(walk, item)));
    Some(values)
}

fn exit_code(walk: &mut Walk, value: &Value) -> Option<CodeRange> {
    const WHAT: &str = "an exit code such as 2, or a range such as \"64..=78\"";
    match value {
        Value::Int(code) => match i32::try_from(*code) {
            Ok(code) => Some(CodeRange { first: code, last: code }),
            Err(_) => {
                walk.problem(format!("{code} is not an exit code: {} to {}", i32::MIN, i32::MAX));
                None
            }
        },
        Value::Str(text) => {
            if let Ok(code) = text.trim().parse::<i32>() {
                walk.problem(format!("is a text; write the exit code {code} without quotes"));
                return None;
            }
            if let Some((first, last)) = ends(text) {
                let (Some(first), Some(last)) = (number(first), number(last)) else {
                    let numbers = |end: &str| end.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
                    if numbers(first) && numbers(last) && !first.is_empty() && !last.is_empty() {
                        walk.problem(format!("a range of exit codes lies between {} and {}", i32::MIN, i32::MAX));
                        return None;
                    }
                    return walk.expected(WHAT, value);
                };
                if first > last {
                    walk.problem(format!("the range is empty; did you mean \"{last}..={first}\"?"));
                    return None;
                }
                return Some(CodeRange { first, last });
            }
            let ends = text.split_once("..").or_else(|| text.split_once('-'));
            if let Some((Ok(first), Ok(last))) =
                ends.map(|(first, last)| (first.trim().parse::<i32>(), last.trim().parse::<i32>()))
            {
                walk.problem(format!("a range names both its ends: \"{first}..={last}\""));
                return None;
            }
            walk.expected(WHAT, value)
        }
        other => walk.not_whole(WHAT, other),
    }
}

fn replica(walk: &mut Walk, value: &Value) -> Option<ReplicaRange> {
    const WHAT: &str = "the number of a replica such as 0, or a range such as \"1..=3\"";
    match value {
        Value::Int(number) => match u32::try_from(*number).ok().filter(|number| range::REPLICA.contains(number)) {
            Some(number) => Some(ReplicaRange { first: number, last: number }),
            None => {
                walk.out_of_range(*number, &range::REPLICA);
                None
            }
        },
        Value::Str(text) => {
            if let Some(number) = text::replica(text.trim()) {
                walk.problem(format!("is a text; write the replica {number} without quotes"));
                return None;
            }
            if let Some((Some(first), Some(last))) =
                ends(text).map(|(first, last)| (text::replica(first), text::replica(last)))
            {
                if first > last {
                    walk.problem(format!("the range is empty; did you mean \"{last}..={first}\"?"));
                    return None;
                }
                return Some(ReplicaRange { first, last });
            }
            let ends = text.split_once("..").or_else(|| text.split_once('-'));
            if let Some((Some(first), Some(last))) =
                ends.map(|(first, last)| (text::replica(first.trim()), text::replica(last.trim())))
            {
                walk.problem(format!("a range names both its ends: \"{first}..={last}\""));
                return None;
            }
            walk.expected(WHAT, value)
        }
        other => walk.not_whole(WHAT, other),
    }
}

pub(crate) fn signal(walk: &mut Walk, value: &Value) -> Option<Signal> {
    const WHAT: &str = "a signal by name, such as SIGKILL, or by number, 1 to 64";
    let signal = match value {
        Value::Int(number) => i64::try_from(*number).ok().and_then(Signal::from_number),
        Value::Str(name) => Signal::from_name(name),
        _ => None,
    };
    signal.or_else(|| walk.not_whole(WHAT, value))
}

pub(crate) fn cause(walk: &mut Walk, value: &Value) -> Option<Cause> {
    let word = walk.text(value)?;
    match word.parse() {
        Ok(cause) => Some(cause),
        Err(_) => {
            let built_in = Cause::BUILT_IN.each_ref().map(Cause::as_str);
            let meant = built_in_cause(word).or_else(|| nearest(word, built_in));
            let meant = meant.map_or_else(|| ";".to_owned(), |meant| format!("; did you mean '{meant}'?"));
            let listed = Cause::BUILT_IN.map(|cause| cause.as_str().to_owned()).join(", ");
            walk.problem(format!(
                "'{}' is not a cause{meant} known: {listed}, or a word of your own of 1 to 64 lower-case letters, digits, \
                 '-', '_' or '.', beginning with a letter",
                clip(word)
            ));
            None
        }
    }
}

fn then(walk: &mut Walk, value: &Value) -> Option<RuleAction> {
    if let Value::Map(_) = value {
        let fields = walk.fields(value, &&keys::HOLD)?;
        let hold = fields.require(walk, "hold", "for how long, such as 30m", Walk::duration);
        return hold.map(|duration| RuleAction::Hold(Some(duration)));
    }
    let words = [
        ("retry", RuleAction::Retry),
        ("degrade", RuleAction::Degrade),
        ("terminate", RuleAction::Terminate),
        ("hold", RuleAction::Hold(None)),
    ];
    walk.word(value, &words, &["{hold: 30m}"])
}

fn exhausted(walk: &mut Walk, value: &Value) -> Option<Exhausted> {
    if let Value::Map(_) = value {
        let fields = walk.fields(value, &&keys::EXHAUSTED)?;
        let time = fields.require(walk, "quarantine", "for how long, such as 1h", Walk::duration);
        let rounds = fields.read(walk, "rounds", |walk, value| walk.count(value, &range::ROUNDS));
        return time.map(|time| Exhausted::Quarantine(Quarantine { time, rounds }));
    }
    let words = [("degrade", Exhausted::Degrade), ("terminate", Exhausted::Terminate), ("hold", Exhausted::Hold)];
    walk.word(value, &words, &["{quarantine: 1h}"])
}

fn budget(walk: &mut Walk, value: &Value) -> Option<Budget> {
    let fields = walk.fields(value, &&keys::BUDGET)?;
    let restarts = fields.require(walk, "restarts", "how many restarts, such as 10", |walk, value| {
        walk.count(value, &range::BUDGET_RESTARTS)
    });
    let per = fields.require(walk, "per", "in what time, such as 10m", Walk::duration);
    let words = [("wait", BudgetEmpty::Wait), ("terminate", BudgetEmpty::Terminate)];
    let empty = fields.read(walk, "empty", |walk, value| walk.word(value, &words, &[]));
    // Stand-ins for what could not be read, so that the rest is checked too.
    Some(Budget::new(restarts.unwrap_or(1), per.unwrap_or(SECOND)).when_empty(empty.unwrap_or_default()))
}

fn max_concurrent_starts(walk: &mut Walk, value: &Value) -> Option<Quantity> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::Bool(true) => Some(preset::MAX_CONCURRENT_STARTS),
        value => walk.quantity(value),
    }
}

fn correlated(walk: &mut Walk, value: &Value) -> Option<Correlated> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::Bool(true) => Some(Correlated::new(preset::CORRELATED_SHARE, preset::CORRELATED_WITHIN)),
        Value::Map(_) => {
            let fields = walk.fields(value, &&keys::CORRELATED)?;
            let share = fields.read(walk, "share", Walk::quantity);
            let within: Option<Duration> = fields.read(walk, "within", Walk::duration);
            Some(Correlated::new(
                share.unwrap_or(preset::CORRELATED_SHARE),
                within.unwrap_or(preset::CORRELATED_WITHIN),
            ))
        }
        other => walk.expected("true, false or {share: 50%, within: 30s}", other),
    }
}
