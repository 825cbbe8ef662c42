//! What makes a policy valid, wherever it comes from: the document and the builder are held to the same checks.
//!
//! Paths are those of the document.

mod failure;
mod health;
mod retry;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;
use std::time::Duration;

use super::document::Settings;
use super::range;
use super::read::{LONGEST, LONGEST_WORDS, Walk};
use super::retry::RetryPolicy;

pub(super) use health::target;
pub(super) use retry::backoff;

pub(crate) fn check(walk: &mut Walk, settings: &Settings) {
    number(walk, "replicas", Some(settings.replicas), &range::REPLICAS);
    duration(walk, "min_ready", settings.min_ready);
    positive(walk, "start_timeout", settings.start_timeout);
    duration(walk, "stop_grace", settings.stop_grace);
    if let Some(retry) = &settings.retry {
        walk.field("retry", |walk| retry::check(walk, retry));
        if retry.on_events.is_some_and(|events| !(events.no_capacity || events.interruption || events.error)) {
            walk.field("retry", |walk| {
                walk.field("on_events", |walk| {
                    walk.problem("is empty; name at least one of no-capacity, interruption, error, or leave it out");
                });
            });
        }
    }
    walk.field("failure", |walk| failure::check(walk, &settings.failure, settings.retry.is_some()));
    walk.field("health", |walk| health::check(walk, &settings.health));
    totals(walk, settings);
}

/// What is bounded for the policy as a whole, because it costs memory or time for the policy as a whole.
fn totals(walk: &mut Walk, settings: &Settings) {
    let rules = &settings.failure.rules;
    let retries = || settings.retry.iter().chain(rules.iter().filter_map(|rule| rule.retry.as_ref()));
    let windows_of = |retry: &RetryPolicy| {
        let stages = retry.stages.iter().filter(|stage| stage.rung.limit.is_some()).count();
        stages + usize::from(retry.rung.limit.is_some())
    };
    let total = |counts: &mut dyn Iterator<Item = usize>| counts.fold(0, usize::saturating_add);
    let mut most = |what: &str, count: usize, most: usize| {
        if count > most {
            walk.problem(format!("there are {count} {what} in all; at most {most} are allowed"));
        }
    };
    most("stages", total(&mut retries().map(|retry| retry.stages.len())), range::MAX_ALL_STAGES);
    most("window limits", total(&mut retries().map(windows_of)), range::MAX_WINDOWS);
    most("exit codes in rules", total(&mut rules.iter().map(|rule| rule.exit_codes.len())), range::MAX_CONDITIONS);
    most("signals in rules", total(&mut rules.iter().map(|rule| rule.signals.len())), range::MAX_CONDITIONS);
    most("causes in rules", total(&mut rules.iter().map(|rule| rule.causes.len())), range::MAX_CONDITIONS);
    most("replicas in rules", total(&mut rules.iter().map(|rule| rule.replicas.len())), range::MAX_CONDITIONS);
    most("reasons in rules", total(&mut rules.iter().map(|rule| rule.reasons.len())), range::MAX_CONDITIONS);
}

fn number(walk: &mut Walk, name: &str, number: Option<u32>, range: &RangeInclusive<u32>) {
    if let Some(number) = number.filter(|number| !range.contains(number)) {
        walk.field(name, |walk| walk.out_of_range(number, range));
    }
}

fn duration(walk: &mut Walk, name: &str, duration: Option<Duration>) {
    if duration.is_some_and(|duration| duration > LONGEST) {
        walk.field(name, |walk| walk.problem(format!("is longer than {LONGEST_WORDS}, the longest")));
    }
}

fn positive(walk: &mut Walk, name: &str, given: Option<Duration>) {
    if given == Some(Duration::ZERO) {
        walk.field(name, |walk| walk.problem("must be longer than 0s"));
    }
    duration(walk, name, given);
}
