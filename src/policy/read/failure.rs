//! Reading the `failure` block.

use std::time::Duration;

use super::hints::built_in_cause;
use super::keys;
use super::retry;
use crate::document::Reader;
use crate::document::closest;
use crate::document::{Value, clip};
use crate::policy::budget::{Budget, BudgetEmpty};
use crate::policy::cause::Cause;
use crate::policy::correlated::Correlated;
use crate::policy::exhausted::{Exhausted, Quarantine};
use crate::policy::exit::Signal;
use crate::policy::failure::FailurePolicy;
use crate::policy::preset;
use crate::policy::quantity::Quantity;
use crate::policy::range;
use crate::policy::rule::{CodeRange, ReplicaRange, Rule, RuleAction};
use crate::policy::text::{self, ends, number};

const SECOND: Duration = Duration::from_secs(1);

pub(super) fn failure(reader: &mut Reader, value: &Value) -> Option<FailurePolicy> {
    let fields = reader.fields(value, &&keys::FAILURE)?;
    let is_off = |name| fields.get(name).is_some_and(|value| matches!(value, Value::Null | Value::Bool(false)));
    Some(FailurePolicy {
        rules: fields.read(reader, "rules", |reader, value| Some(rules(reader, value))).unwrap_or_default(),
        scope: fields.read(reader, "scope", retry::scope),
        exhausted: fields.read(reader, "exhausted", exhausted),
        min_available: fields.read(reader, "min_available", Reader::quantity),
        outage_deadline: fields.read(reader, "outage_deadline", Reader::duration),
        max_failures_before_ready: fields.read(reader, "max_failures_before_ready", |reader, value| {
            reader.count(value, &range::MAX_FAILURES_BEFORE_READY)
        }),
        clear_after: fields.read(reader, "clear_after", Reader::duration),
        budget: fields.read(reader, "budget", budget),
        max_concurrent_starts: fields.read(reader, "max_concurrent_starts", max_concurrent_starts),
        correlated: fields.read(reader, "correlated", correlated),
        starts_unlimited: is_off("max_concurrent_starts"),
        uncorrelated: is_off("correlated"),
    })
}

fn rules(reader: &mut Reader, value: &Value) -> Vec<Rule> {
    let mut rules = Vec::new();
    reader.list(value, "a list of rules, such as [{when: {exit_code: 2}, then: terminate}]", |reader, item| {
        // A placeholder keeps the indices of the other elements.
        rules.push(rule(reader, item).unwrap_or_else(|| Rule::new(RuleAction::Degrade)));
    });
    rules
}

fn rule(reader: &mut Reader, value: &Value) -> Option<Rule> {
    let fields = reader.fields(value, &&keys::RULE)?;
    let then = fields.require(reader, "then", "one of retry, degrade, terminate, hold, {hold: 30m}", then);
    let mut rule = Rule::new(then.unwrap_or(RuleAction::Degrade));
    rule.name = fields.read(reader, "name", Reader::text).map(str::to_owned);
    rule.charge = fields.read(reader, "charge", Reader::flag).unwrap_or(true);
    rule.retry = fields.read(reader, "retry", retry::rule_retry);
    fields.read(reader, "when", |reader, value| when(reader, value, &mut rule));
    Some(rule)
}

fn when(reader: &mut Reader, value: &Value, rule: &mut Rule) -> Option<()> {
    let fields = reader.fields(value, &&keys::WHEN)?;
    rule.exit_codes =
        fields.read(reader, "exit_code", |reader, value| values(reader, value, exit_code)).unwrap_or_default();
    rule.signals = fields.read(reader, "signal", |reader, value| values(reader, value, signal)).unwrap_or_default();
    rule.causes = fields.read(reader, "cause", |reader, value| values(reader, value, cause)).unwrap_or_default();
    rule.reasons = fields
        .read(reader, "reason", |reader, value| {
            // A placeholder keeps the indices of the other elements.
            values(reader, value, |reader, item| Some(reader.text(item).unwrap_or("*").to_owned()))
        })
        .unwrap_or_default();
    rule.attempts_over = fields.read(reader, "attempts_over", |reader, value| reader.count(value, &range::ATTEMPTS));
    rule.replicas = fields.read(reader, "replica", |reader, value| values(reader, value, replica)).unwrap_or_default();
    rule.ran_under = fields.read(reader, "ran_under", Reader::duration);
    rule.was_ready = fields.read(reader, "was_ready", Reader::flag);
    Some(())
}

/// Reads the values of a condition. An empty list is a mistake: it could mean nothing or anything.
fn values<T>(reader: &mut Reader, value: &Value, read: impl Fn(&mut Reader, &Value) -> Option<T>) -> Option<Vec<T>> {
    if matches!(value, Value::Null) || matches!(value, Value::Seq(items) if items.is_empty()) {
        reader.problem("is empty; write at least one value, or leave it out");
    }
    let mut values = Vec::new();
    reader.each(value, |reader, item| values.extend(read(reader, item)));
    Some(values)
}

fn exit_code(reader: &mut Reader, value: &Value) -> Option<CodeRange> {
    const WHAT: &str = "an exit code such as 2, or a range such as \"64..=78\"";
    match value {
        Value::Int(code) => match i32::try_from(*code) {
            Ok(code) => Some(CodeRange { first: code, last: code }),
            Err(_) => {
                reader.problem(format!("{code} is not an exit code; write {} to {}", i32::MIN, i32::MAX));
                None
            }
        },
        Value::Str(text) => {
            if let Ok(code) = text.trim().parse::<i32>() {
                reader.problem(format!("is a text; write the exit code {code} without quotes"));
                return None;
            }
            if let Some((first, last)) = ends(text) {
                let (Some(first), Some(last)) = (number(first), number(last)) else {
                    let numbers = |end: &str| end.trim_start_matches('-').bytes().all(|byte| byte.is_ascii_digit());
                    if numbers(first) && numbers(last) && !first.is_empty() && !last.is_empty() {
                        reader.problem(format!(
                            "an end of the range is not an exit code; write {} to {}",
                            i32::MIN,
                            i32::MAX
                        ));
                        return None;
                    }
                    return reader.expected(WHAT, value);
                };
                if first > last {
                    reader.problem(format!("the range is empty; did you mean \"{last}..={first}\"?"));
                    return None;
                }
                return Some(CodeRange { first, last });
            }
            let ends = text.split_once("..").or_else(|| text.split_once('-'));
            if let Some((Ok(first), Ok(last))) =
                ends.map(|(first, last)| (first.trim().parse::<i32>(), last.trim().parse::<i32>()))
            {
                reader.problem(format!("a range includes both ends; write \"{first}..={last}\""));
                return None;
            }
            reader.expected(WHAT, value)
        }
        other => reader.not_whole(WHAT, other),
    }
}

fn replica(reader: &mut Reader, value: &Value) -> Option<ReplicaRange> {
    const WHAT: &str = "the number of a replica such as 0, or a range such as \"1..=3\"";
    match value {
        Value::Int(number) => match u32::try_from(*number).ok().filter(|number| range::REPLICA.contains(number)) {
            Some(number) => Some(ReplicaRange { first: number, last: number }),
            None => {
                reader.out_of_range(*number, &range::REPLICA);
                None
            }
        },
        Value::Str(text) => {
            if let Some(number) = text::replica(text.trim()) {
                reader.problem(format!("is a text; write the replica {number} without quotes"));
                return None;
            }
            if let Some((Some(first), Some(last))) =
                ends(text).map(|(first, last)| (text::replica(first), text::replica(last)))
            {
                if first > last {
                    reader.problem(format!("the range is empty; did you mean \"{last}..={first}\"?"));
                    return None;
                }
                return Some(ReplicaRange { first, last });
            }
            let ends = text.split_once("..").or_else(|| text.split_once('-'));
            if let Some((Some(first), Some(last))) =
                ends.map(|(first, last)| (text::replica(first.trim()), text::replica(last.trim())))
            {
                reader.problem(format!("a range includes both ends; write \"{first}..={last}\""));
                return None;
            }
            reader.expected(WHAT, value)
        }
        other => reader.not_whole(WHAT, other),
    }
}

pub(crate) fn signal(reader: &mut Reader, value: &Value) -> Option<Signal> {
    const WHAT: &str = "a signal by name, such as SIGKILL, or by number, 1 to 64";
    let signal = match value {
        Value::Int(number) => i64::try_from(*number).ok().and_then(Signal::from_number),
        Value::Str(name) => Signal::from_name(name),
        _ => None,
    };
    signal.or_else(|| reader.not_whole(WHAT, value))
}

pub(crate) fn cause(reader: &mut Reader, value: &Value) -> Option<Cause> {
    let word = reader.text(value)?;
    match word.parse() {
        Ok(cause) => Some(cause),
        Err(_) => {
            let built_in = Cause::BUILT_IN.each_ref().map(Cause::as_str);
            let meant = built_in_cause(word).or_else(|| closest(word, built_in));
            let meant = meant.map_or_else(|| ";".to_owned(), |meant| format!("; did you mean '{meant}'?"));
            let listed = Cause::BUILT_IN.map(|cause| cause.as_str().to_owned()).join(", ");
            reader.problem(format!(
                "'{}' is not a cause{meant} known: {listed}, or a custom one of 1 to 64 lower-case letters, digits, '-', \
                 '_' or '.', beginning with a letter",
                clip(word)
            ));
            None
        }
    }
}

fn then(reader: &mut Reader, value: &Value) -> Option<RuleAction> {
    if let Value::Map(_) = value {
        let fields = reader.fields(value, &&keys::HOLD)?;
        let hold = fields.require(reader, "hold", "for how long, such as 30m", Reader::duration);
        return hold.map(|duration| RuleAction::Hold(Some(duration)));
    }
    let words = [
        ("retry", RuleAction::Retry),
        ("degrade", RuleAction::Degrade),
        ("terminate", RuleAction::Terminate),
        ("hold", RuleAction::Hold(None)),
    ];
    reader.word(value, &words, &["{hold: 30m}"])
}

fn exhausted(reader: &mut Reader, value: &Value) -> Option<Exhausted> {
    if let Value::Map(_) = value {
        let fields = reader.fields(value, &&keys::EXHAUSTED)?;
        let time = fields.require(reader, "quarantine", "for how long, such as 1h", Reader::duration);
        let rounds = fields.read(reader, "rounds", |reader, value| reader.count(value, &range::ROUNDS));
        return time.map(|time| Exhausted::Quarantine(Quarantine { time, rounds }));
    }
    let words = [("degrade", Exhausted::Degrade), ("terminate", Exhausted::Terminate), ("hold", Exhausted::Hold)];
    reader.word(value, &words, &["{quarantine: 1h}"])
}

fn budget(reader: &mut Reader, value: &Value) -> Option<Budget> {
    let fields = reader.fields(value, &&keys::BUDGET)?;
    let restarts = fields.require(reader, "restarts", "how many restarts, such as 10", |reader, value| {
        reader.count(value, &range::BUDGET_RESTARTS)
    });
    let per = fields.require(reader, "per", "in what time, such as 10m", Reader::duration);
    let words = [("wait", BudgetEmpty::Wait), ("terminate", BudgetEmpty::Terminate)];
    let empty = fields.read(reader, "empty", |reader, value| reader.word(value, &words, &[]));
    // Defaults for values that could not be read, so that the rest is checked too.
    Some(Budget::new(restarts.unwrap_or(1), per.unwrap_or(SECOND)).when_empty(empty.unwrap_or_default()))
}

fn max_concurrent_starts(reader: &mut Reader, value: &Value) -> Option<Quantity> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::Bool(true) => Some(preset::MAX_CONCURRENT_STARTS),
        value => reader.quantity(value),
    }
}

fn correlated(reader: &mut Reader, value: &Value) -> Option<Correlated> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::Bool(true) => Some(Correlated::new(preset::CORRELATED_SHARE, preset::CORRELATED_WITHIN)),
        Value::Map(_) => {
            let fields = reader.fields(value, &&keys::CORRELATED)?;
            let share = fields.read(reader, "share", Reader::quantity);
            let within: Option<Duration> = fields.read(reader, "within", Reader::duration);
            Some(Correlated::new(
                share.unwrap_or(preset::CORRELATED_SHARE),
                within.unwrap_or(preset::CORRELATED_WITHIN),
            ))
        }
        other => reader.expected("true, false or {share: 50%, within: 30s}", other),
    }
}
