//! Checks of a `retry`.

use super::super::backoff::Backoff;
use super::super::jitter::Jitter;
use super::super::range;
use super::super::retry::{Recover, RetryPolicy, StageSettings};
use super::{duration, number, positive};
use crate::document::{MAX_DURATION, MAX_DURATION_TEXT, Reader};
use std::time::Duration;

pub(super) fn validate(reader: &mut Reader, retry: &RetryPolicy) {
    stage_settings(reader, &retry.settings);
    if let Some(Recover::Reset(after) | Recover::Step(after)) = retry.recover {
        reader.field("recover", |reader| {
            if after == Some(Duration::ZERO) && matches!(retry.recover, Some(Recover::Step(_))) {
                reader.field("after", |reader| reader.problem("must be longer than 0s with `by: step`"));
            }
            duration(reader, "after", after);
        });
    }
    if retry.stages.len() > range::MAX_STAGES {
        reader.field("stages", |reader| {
            reader.problem(format!("has {} stages; at most {} are allowed", retry.stages.len(), range::MAX_STAGES));
        });
    }
    reader.field("stages", |reader| {
        for (index, stage) in retry.stages.iter().enumerate() {
            reader.index(index, |reader| stage_settings(reader, &stage.settings));
        }
    });
}

fn stage_settings(reader: &mut Reader, settings: &StageSettings) {
    duration(reader, "interval", settings.interval);
    positive(reader, "max_interval", settings.max_interval);
    number(reader, "max_attempts", settings.max_attempts, &range::ATTEMPTS);
    duration(reader, "max_duration", settings.max_duration);
    if let Some(limit) = settings.limit {
        reader.field("limit", |reader| {
            number(reader, "restarts", Some(limit.restarts), &range::WINDOW_RESTARTS);
            positive(reader, "within", Some(limit.within));
        });
    }
    if let Some(Jitter::Spread(percent)) = settings.jitter {
        reader.field("jitter", |reader| number(reader, "spread", Some(percent.into()), &range::SPREAD));
    }
    if let Some(given) = &settings.backoff {
        reader.field("backoff", |reader| backoff(reader, given));
    }
}

pub(crate) fn backoff(reader: &mut Reader, backoff: &Backoff) {
    if let Backoff::Schedule(delays) = backoff {
        reader.field("schedule", |reader| schedule(reader, delays));
    }
}

fn schedule(reader: &mut Reader, delays: &[Duration]) {
    if delays.is_empty() {
        reader.problem("is empty; write at least one delay");
    }
    if delays.len() > range::MAX_SCHEDULE {
        reader.problem(format!("has {} delays; at most {} are allowed", delays.len(), range::MAX_SCHEDULE));
    }
    for (index, _) in delays.iter().enumerate().filter(|(_, delay)| **delay > MAX_DURATION) {
        reader.index(index, |reader| reader.problem(format!("is longer than {MAX_DURATION_TEXT}, the maximum")));
    }
}
