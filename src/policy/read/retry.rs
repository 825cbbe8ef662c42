//! Reading the `retry` block.

use std::time::Duration;

use super::keys;
use crate::document::MAX_DURATION;
use crate::document::Value;
use crate::document::{Fields, Reader};
use crate::policy::backoff::{Backoff, Factor};
use crate::policy::jitter::Jitter;
use crate::policy::on_events::OnEvents;
use crate::policy::range;
use crate::policy::retry::{ImmediateFirst, Limit, Placement, Recover, RetryPolicy, RetryStage, Scope, StageSettings};
use crate::policy::validate;

/// A word of `recover.by` and its meaning.
type RecoverWord = (&'static str, fn(Option<Duration>) -> Recover);
/// A word of `on_events` and its meaning.
type EventWord = (&'static str, fn(OnEvents) -> OnEvents);

/// Reads the policy's own `retry`. Returns a default if it cannot be read, so that no rule is reported to lack a
/// `retry`.
pub(super) fn policy_retry(reader: &mut Reader, value: &Value) -> Option<RetryPolicy> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::Bool(true) => Some(RetryPolicy::recommended()),
        Value::Map(_) => Some(retry(reader, value, &keys::RETRY)),
        other => {
            reader.expected::<()>("true, false or a block of keys such as {interval: 30s, max_duration: 1h}", other);
            Some(RetryPolicy::default())
        }
    }
}

/// Reads a rule's own `retry`.
pub(super) fn rule_retry(reader: &mut Reader, value: &Value) -> Option<RetryPolicy> {
    match value {
        Value::Bool(true) => Some(RetryPolicy::recommended()),
        Value::Map(_) => Some(retry(reader, value, &keys::RULE_RETRY)),
        other => {
            reader.expected::<()>("true or a block of keys; leave it out to use the policy's `retry`", other);
            Some(RetryPolicy::default())
        }
    }
}

fn retry(reader: &mut Reader, value: &Value, known: &'static keys::Block) -> RetryPolicy {
    let Some(fields) = reader.fields(value, &known) else { return RetryPolicy::default() };
    let of_the_policy = std::ptr::eq(known, &keys::RETRY);
    let mut retry = RetryPolicy {
        settings: stage_settings(reader, fields),
        immediate_first: fields.read(reader, "immediate_first", immediate_first),
        recover: fields.read(reader, "recover", recover),
        stages: fields.read(reader, "stages", |reader, value| Some(stages(reader, value))).unwrap_or_default(),
        // A rule's own `retry` has neither key, which has been reported.
        on_events: fields.read(reader, "on_events", on_events).filter(|_| of_the_policy),
        keep_min_available: fields.read(reader, "keep_min_available", Reader::flag).unwrap_or_default()
            && of_the_policy,
        recommended: false,
    };
    let duration = fields.read(reader, "duration", seconds_or_duration);
    if fields.get("duration").is_some() && fields.get("max_duration").is_some() {
        reader.field("duration", |reader| {
            reader.problem("is dstack's name for 'max_duration', which is also given; keep one of them")
        });
    } else if duration.is_some() {
        retry.settings.max_duration = duration;
    }
    retry
}

fn stage_settings(reader: &mut Reader, fields: Fields<'_>) -> StageSettings {
    StageSettings {
        interval: fields.read(reader, "interval", Reader::duration),
        backoff: fields.read(reader, "backoff", backoff),
        max_interval: fields.read(reader, "max_interval", Reader::duration),
        jitter: fields.read(reader, "jitter", jitter),
        max_attempts: fields.read(reader, "max_attempts", |reader, value| reader.count(value, &range::ATTEMPTS)),
        max_duration: fields.read(reader, "max_duration", Reader::duration),
        limit: fields.read(reader, "limit", limit),
        placement: fields.read(reader, "placement", |reader, value| {
            reader.word(value, &[Placement::Same, Placement::Elsewhere].map(|place| (place.as_str(), place)), &[])
        }),
        scope: fields.read(reader, "scope", scope),
    }
}

pub(super) fn scope(reader: &mut Reader, value: &Value) -> Option<Scope> {
    reader.word(value, &[Scope::Replica, Scope::All, Scope::Rest].map(|scope| (scope.as_str(), scope)), &[])
}

fn stages(reader: &mut Reader, value: &Value) -> Vec<RetryStage> {
    let mut stages = Vec::new();
    reader.list(value, "a list of stages, such as [{max_attempts: 3, interval: 1s}]", |reader, item| {
        if item == &Value::Null {
            reader.problem("is empty; write at least one of its keys, or remove it");
        }
        let settings =
            reader.fields(item, &&keys::STAGE).map(|fields| stage_settings(reader, fields)).unwrap_or_default();
        stages.push(RetryStage { settings });
    });
    stages
}

fn backoff(reader: &mut Reader, value: &Value) -> Option<Backoff> {
    const OR: [&str; 2] = ["{exponential: {factor: 3}}", "{schedule: [1s, 1s, 30s]}"];
    let Value::Map(entries) = value else {
        let words = [
            ("constant", Backoff::Constant),
            ("linear", Backoff::Linear),
            ("exponential", Backoff::exponential()),
            ("fibonacci", Backoff::Fibonacci),
        ];
        return reader.word(value, &words, &OR);
    };
    let fields = reader.fields(value, &&keys::BACKOFF)?;
    if entries.len() != 1 {
        reader.problem(format!("expected exactly one of: {}", OR.join(", ")));
    }
    let exponential = fields.read(reader, "exponential", exponential).map(Backoff::Exponential);
    let schedule = fields.read(reader, "schedule", schedule).map(Backoff::Schedule);
    if let (Some(_), Some(unused)) = (&exponential, &schedule) {
        validate::backoff(reader, unused);
    }
    exponential.or(schedule)
}

fn exponential(reader: &mut Reader, value: &Value) -> Option<Factor> {
    let fields = reader.fields(value, &&keys::EXPONENTIAL)?;
    if fields.get("factor").is_none() { Some(Factor::DOUBLE) } else { fields.read(reader, "factor", factor) }
}

fn factor(reader: &mut Reader, value: &Value) -> Option<Factor> {
    let text = match value {
        Value::Int(number) => number.to_string(),
        // The shortest text that reads as this number. Splitting the text rounds nothing.
        Value::Float(number) => number.to_string(),
        _ => String::new(),
    };
    hundredths(&text)
        .and_then(Factor::from_hundredths)
        .or_else(|| reader.expected("a number from 1.01 to 100 with at most two decimals", value))
}

/// Returns the hundredths of a decimal number such as `1.5`.
fn hundredths(text: &str) -> Option<u32> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 2 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    format!("{whole}{decimals:0<2}").parse().ok()
}

fn schedule(reader: &mut Reader, value: &Value) -> Option<Vec<Duration>> {
    let mut delays = Vec::new();
    reader.list(value, "a list of durations, such as [1s, 1s, 30s]", |reader, item| {
        // A placeholder keeps the indices of the other delays.
        delays.push(reader.duration(item).unwrap_or_default());
    });
    matches!(value, Value::Seq(_) | Value::Null).then_some(delays)
}

fn jitter(reader: &mut Reader, value: &Value) -> Option<Jitter> {
    if let Value::Map(_) = value {
        let fields = reader.fields(value, &&keys::JITTER)?;
        return fields.require(reader, "spread", "a percentage such as 25%", Reader::percentage).map(Jitter::Spread);
    }
    let words = [
        ("none", Jitter::None),
        ("equal", Jitter::Equal),
        ("full", Jitter::Full),
        ("decorrelated", Jitter::Decorrelated),
    ];
    reader.word(value, &words, &["{spread: 25%}"])
}

fn limit(reader: &mut Reader, value: &Value) -> Option<Limit> {
    let fields = reader.fields(value, &&keys::LIMIT)?;
    let restarts = fields.require(reader, "restarts", "how many restarts, such as 5", |reader, value| {
        reader.count(value, &range::WINDOW_RESTARTS)
    });
    let within = fields.require(reader, "within", "the length of the window, such as 10m", Reader::duration);
    // Defaults for values that could not be read, so that the rest is checked too.
    Some(Limit { restarts: restarts.unwrap_or(1), within: within.unwrap_or(Duration::from_secs(1)) })
}

fn immediate_first(reader: &mut Reader, value: &Value) -> Option<ImmediateFirst> {
    match value {
        Value::Bool(false) => Some(ImmediateFirst::Never),
        Value::Bool(true) => Some(ImmediateFirst::Always),
        _ => reader.word(value, &[("isolated", ImmediateFirst::Isolated)], &["true", "false"]),
    }
}

fn recover(reader: &mut Reader, value: &Value) -> Option<Recover> {
    if let Value::Map(_) = value {
        let fields = reader.fields(value, &&keys::RECOVER)?;
        let after = fields.read(reader, "after", Reader::duration);
        let words: [RecoverWord; 3] =
            [("reset", Recover::Reset), ("step", Recover::Step), ("never", |_| Recover::Never)];
        let by = fields.read(reader, "by", |reader, value| reader.word(value, &words, &[]));
        let recover = by.unwrap_or(Recover::Reset)(after);
        if recover == Recover::Never && fields.get("after").is_some() {
            reader.field("after", |reader| reader.problem("has no meaning with `by: never`; keep one of them"));
        }
        return Some(recover);
    }
    reader.word(value, &[("never", Recover::Never)], &["{after: 2m}", "{after: 2m, by: step}"])
}

fn on_events(reader: &mut Reader, value: &Value) -> Option<OnEvents> {
    let words: [EventWord; 3] =
        [("no-capacity", OnEvents::no_capacity), ("interruption", OnEvents::interruption), ("error", OnEvents::error)];
    let (mut events, mut wrong) = (OnEvents::new(), false);
    reader.each(value, |reader, item| match reader.word(item, &words, &[]) {
        Some(add) => events = add(events),
        None => wrong = true,
    });
    Some(events).filter(|_| !wrong)
}

/// Reads dstack's `duration`: a number of seconds, or a duration.
fn seconds_or_duration(reader: &mut Reader, value: &Value) -> Option<Duration> {
    match value {
        Value::Int(seconds) => match u64::try_from(*seconds) {
            Ok(seconds) if seconds <= MAX_DURATION.as_secs() => Some(Duration::from_secs(seconds)),
            _ => reader.expected("a duration such as 1h, or a whole number of seconds", value),
        },
        Value::Float(_) => reader.not_whole("a duration such as 1h, or a whole number of seconds", value),
        _ => reader.duration(value),
    }
}
