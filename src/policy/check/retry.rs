//! Checks of a `retry`.

use super::super::range;
use super::super::read::{LONGEST, LONGEST_WORDS, Walk};
use super::super::retry::{Backoff, Jitter, Recover, RetryPolicy, Rung};
use super::{duration, number, positive};
use std::time::Duration;

pub(super) fn check(walk: &mut Walk, retry: &RetryPolicy) {
    rung(walk, &retry.rung);
    if let Some(Recover::Reset(after) | Recover::Step(after)) = retry.recover {
        walk.field("recover", |walk| {
            if after == Some(Duration::ZERO) && matches!(retry.recover, Some(Recover::Step(_))) {
                walk.field("after", |walk| walk.problem("must be longer than 0s with `by: step`"));
            }
            duration(walk, "after", after);
        });
    }
    if retry.stages.len() > range::MAX_STAGES {
        walk.field("stages", |walk| {
            walk.problem(format!("has {} stages; at most {} are allowed", retry.stages.len(), range::MAX_STAGES));
        });
    }
    walk.field("stages", |walk| {
        for (index, stage) in retry.stages.iter().enumerate() {
            walk.index(index, |walk| rung(walk, &stage.rung));
        }
    });
}

fn rung(walk: &mut Walk, rung: &Rung) {
    duration(walk, "interval", rung.interval);
    positive(walk, "max_interval", rung.max_interval);
    number(walk, "max_attempts", rung.max_attempts, &range::ATTEMPTS);
    duration(walk, "max_duration", rung.max_duration);
    if let Some(limit) = rung.limit {
        walk.field("limit", |walk| {
            number(walk, "restarts", Some(limit.restarts), &range::WINDOW_RESTARTS);
            positive(walk, "within", Some(limit.within));
        });
    }
    if let Some(Jitter::Spread(percent)) = rung.jitter {
        walk.field("jitter", |walk| number(walk, "spread", Some(percent.into()), &range::SPREAD));
    }
    if let Some(given) = &rung.backoff {
        walk.field("backoff", |walk| backoff(walk, given));
    }
}

pub(crate) fn backoff(walk: &mut Walk, backoff: &Backoff) {
    if let Backoff::Schedule(delays) = backoff {
        walk.field("schedule", |walk| schedule(walk, delays));
    }
}

fn schedule(walk: &mut Walk, delays: &[Duration]) {
    if delays.is_empty() {
        walk.problem("is empty; give at least one delay");
    }
    if delays.len() > range::MAX_SCHEDULE {
        walk.problem(format!("has {} delays; at most {} are allowed", delays.len(), range::MAX_SCHEDULE));
    }
    for (index, _) in delays.iter().enumerate().filter(|(_, delay)| **delay > LONGEST) {
        walk.index(index, |walk| walk.problem(format!("is longer than {LONGEST_WORDS}, the longest")));
    }
}
