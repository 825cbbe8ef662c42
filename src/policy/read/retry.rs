//! Reading the `retry` block.

use std::time::Duration;

use super::duration::LONGEST;
use super::keys;
use super::value::Value;
use super::walk::{Fields, Walk};
use crate::policy::check;
use crate::policy::range;
use crate::policy::retry::{
    Backoff, Factor, ImmediateFirst, Jitter, Limit, OnEvents, Placement, Recover, RetryPolicy, Rung, Scope, Stage,
};

/// A word and what it stands for.
type RecoverWord = (&'static str, fn(Option<Duration>) -> Recover);
/// Likewise.
type EventWord = (&'static str, fn(OnEvents) -> OnEvents);

/// The policy's own `retry`. What cannot be read still counts as given, so that no rule is said to lack it.
pub(super) fn policy_retry(walk: &mut Walk, value: &Value) -> Option<RetryPolicy> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::Bool(true) => Some(RetryPolicy::recommended()),
        Value::Map(_) => Some(retry(walk, value, &keys::RETRY)),
        other => {
            walk.expected::<()>("true, false or a block of keys such as {interval: 30s, max_duration: 1h}", other);
            Some(RetryPolicy::default())
        }
    }
}

/// A rule's own `retry`.
pub(super) fn rule_retry(walk: &mut Walk, value: &Value) -> Option<RetryPolicy> {
    match value {
        Value::Bool(true) => Some(RetryPolicy::recommended()),
        Value::Map(_) => Some(retry(walk, value, &keys::RULE_RETRY)),
        other => {
            walk.expected::<()>("true or a block of keys; leave it out to use the policy's `retry`", other);
            Some(RetryPolicy::default())
        }
    }
}

fn retry(walk: &mut Walk, value: &Value, known: &'static keys::Block) -> RetryPolicy {
    let Some(fields) = walk.fields(value, &known) else { return RetryPolicy::default() };
    let of_the_policy = std::ptr::eq(known, &keys::RETRY);
    let mut retry = RetryPolicy {
        rung: rung(walk, fields),
        immediate_first: fields.read(walk, "immediate_first", immediate_first),
        recover: fields.read(walk, "recover", recover),
        stages: fields.read(walk, "stages", |walk, value| Some(stages(walk, value))).unwrap_or_default(),
        // A rule's own has neither, which has been reported.
        on_events: fields.read(walk, "on_events", on_events).filter(|_| of_the_policy),
        keep_min_available: fields.read(walk, "keep_min_available", Walk::flag).unwrap_or_default() && of_the_policy,
        recommended: false,
    };
    let duration = fields.read(walk, "duration", seconds_or_duration);
    if fields.get("duration").is_some() && fields.get("max_duration").is_some() {
        walk.field("duration", |walk| {
            walk.problem("is dstack's word for 'max_duration', which is given too; keep one")
        });
    } else if duration.is_some() {
        retry.rung.max_duration = duration;
    }
    retry
}

fn rung(walk: &mut Walk, fields: Fields<'_>) -> Rung {
    Rung {
        interval: fields.read(walk, "interval", Walk::duration),
        backoff: fields.read(walk, "backoff", backoff),
        max_interval: fields.read(walk, "max_interval", Walk::duration),
        jitter: fields.read(walk, "jitter", jitter),
        max_attempts: fields.read(walk, "max_attempts", |walk, value| walk.count(value, &range::ATTEMPTS)),
        max_duration: fields.read(walk, "max_duration", Walk::duration),
        limit: fields.read(walk, "limit", limit),
        placement: fields.read(walk, "placement", |walk, value| {
            walk.word(value, &[Placement::Same, Placement::Elsewhere].map(|place| (place.as_str(), place)), &[])
        }),
        scope: fields.read(walk, "scope", scope),
    }
}

pub(super) fn scope(walk: &mut Walk, value: &Value) -> Option<Scope> {
    walk.word(value, &[Scope::Replica, Scope::All, Scope::Rest].map(|scope| (scope.as_str(), scope)), &[])
}

fn stages(walk: &mut Walk, value: &Value) -> Vec<Stage> {
    let mut stages = Vec::new();
    walk.list(value, "a list of stages, such as [{max_attempts: 3, interval: 1s}]", |walk, item| {
        if item == &Value::Null {
            walk.problem("is empty; give at least one of its keys, or take it out");
        }
        let rung = walk.fields(item, &&keys::STAGE).map(|fields| rung(walk, fields)).unwrap_or_default();
        stages.push(Stage { rung });
    });
    stages
}

fn backoff(walk: &mut Walk, value: &Value) -> Option<Backoff> {
    const OR: [&str; 2] = ["{exponential: {factor: 3}}", "{schedule: [1s, 1s, 30s]}"];
    let Value::Map(entries) = value else {
        let words = [
            ("constant", Backoff::Constant),
            ("linear", Backoff::Linear),
            ("exponential", Backoff::exponential()),
            ("fibonacci", Backoff::Fibonacci),
        ];
        return walk.word(value, &words, &OR);
    };
    let fields = walk.fields(value, &&keys::BACKOFF)?;
    if entries.len() != 1 {
        walk.problem(format!("expected exactly one of: {}", OR.join(", ")));
    }
    let exponential = fields.read(walk, "exponential", exponential).map(Backoff::Exponential);
    let schedule = fields.read(walk, "schedule", schedule).map(Backoff::Schedule);
    if let (Some(_), Some(unused)) = (&exponential, &schedule) {
        check::backoff(walk, unused);
    }
    exponential.or(schedule)
}

fn exponential(walk: &mut Walk, value: &Value) -> Option<Factor> {
    let fields = walk.fields(value, &&keys::EXPONENTIAL)?;
    if fields.get("factor").is_none() { Some(Factor::DOUBLE) } else { fields.read(walk, "factor", factor) }
}

fn factor(walk: &mut Walk, value: &Value) -> Option<Factor> {
    let text = match value {
        Value::Int(number) => number.to_string(),
        // The shortest text that reads as this number; taken apart as text, so that nothing is rounded.
        Value::Float(number) => number.to_string(),
        _ => String::new(),
    };
    hundredths(&text)
        .and_then(Factor::from_hundredths)
        .or_else(|| walk.expected("a number from 1.01 to 100 with at most two decimals", value))
}

/// The hundredths of `1.5`.
fn hundredths(text: &str) -> Option<u32> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 2 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{whole}{decimals:0<2}").parse().ok()
}

fn schedule(walk: &mut Walk, value: &Value) -> Option<Vec<Duration>> {
    let mut delays = Vec::new();
    walk.list(value, "a list of durations, such as [1s, 1s, 30s]", |walk, item| {
        // One that cannot be read keeps its place.
        delays.push(walk.duration(item).unwrap_or_default());
    });
    matches!(value, Value::Seq(_) | Value::Null).then_some(delays)
}

fn jitter(walk: &mut Walk, value: &Value) -> Option<Jitter> {
    if let Value::Map(_) = value {
        let fields = walk.fields(value, &&keys::JITTER)?;
        return fields.require(walk, "spread", "a percentage such as 25%", Walk::percentage).map(Jitter::Spread);
    }
    let words = [
        ("none", Jitter::None),
        ("equal", Jitter::Equal),
        ("full", Jitter::Full),
        ("decorrelated", Jitter::Decorrelated),
    ];
    walk.word(value, &words, &["{spread: 25%}"])
}

fn limit(walk: &mut Walk, value: &Value) -> Option<Limit> {
    let fields = walk.fields(value, &&keys::LIMIT)?;
    let restarts = fields.require(walk, "restarts", "how many restarts, such as 5", |walk, value| {
        walk.count(value, &range::WINDOW_RESTARTS)
    });
    let within = fields.require(walk, "within", "the length of the window, such as 10m", Walk::duration);
    // Stand-ins for what could not be read, so that the rest is checked too.
    Some(Limit { restarts: restarts.unwrap_or(1), within: within.unwrap_or(Duration::from_secs(1)) })
}

fn immediate_first(walk: &mut Walk, value: &Value) -> Option<ImmediateFirst> {
    match value {
        Value::Bool(false) => Some(ImmediateFirst::Never),
        Value::Bool(true) => Some(ImmediateFirst::Always),
        _ => walk.word(value, &[("isolated", ImmediateFirst::Isolated)], &["true", "false"]),
    }
}

fn recover(walk: &mut Walk, value: &Value) -> Option<Recover> {
    if let Value::Map(_) = value {
        let fields = walk.fields(value, &&keys::RECOVER)?;
        let after = fields.read(walk, "after", Walk::duration);
        let words: [RecoverWord; 3] =
            [("reset", Recover::Reset), ("step", Recover::Step), ("never", |_| Recover::Never)];
        let by = fields.read(walk, "by", |walk, value| walk.word(value, &words, &[]));
        let recover = by.unwrap_or(Recover::Reset)(after);
        if recover == Recover::Never && fields.get("after").is_some() {
            walk.field("after", |walk| walk.problem("has no meaning with `by: never`; keep one of them"));
        }
        return Some(recover);
    }
    walk.word(value, &[("never", Recover::Never)], &["{after: 2m}", "{after: 2m, by: step}"])
}

fn on_events(walk: &mut Walk, value: &Value) -> Option<OnEvents> {
    let words: [EventWord; 3] =
        [("no-capacity", OnEvents::no_capacity), ("interruption", OnEvents::interruption), ("error", OnEvents::error)];
    let (mut events, mut wrong) = (OnEvents::new(), false);
    walk.each(value, |walk, item| match walk.word(item, &words, &[]) {
        Some(add) => events = add(events),
        None => wrong = true,
    });
    Some(events).filter(|_| !wrong)
}

/// dstack writes a number of seconds or a duration.
fn seconds_or_duration(walk: &mut Walk, value: &Value) -> Option<Duration> {
    match value {
        Value::Int(seconds) => match u64::try_from(*seconds) {
            Ok(seconds) if seconds <= LONGEST.as_secs() => Some(Duration::from_secs(seconds)),
            _ => walk.expected("a duration such as 1h, or a whole number of seconds", value),
        },
        Value::Float(_) => walk.not_whole("a duration such as 1h, or a whole number of seconds", value),
        _ => walk.duration(value),
    }
}
