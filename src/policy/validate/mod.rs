//! Validates settings, from a document or from the builder. Mistakes have the paths of the document.

mod failure;
mod health;
mod retry;
mod scaling;
#[cfg(test)]
mod tests;

use std::ops::RangeInclusive;
use std::time::Duration;

use super::quantity::Quantity;
use super::range;
use super::retry::RetryPolicy;
use super::settings::Settings;
use super::text::Form;
use crate::document::{MAX_DURATION, MAX_DURATION_TEXT, Reader};

pub(super) use health::target;
pub(super) use retry::backoff;

pub(crate) fn validate(reader: &mut Reader, settings: &Settings) {
    scaling::replicas(reader, settings);
    duration(reader, "min_ready", settings.min_ready);
    positive(reader, "start_timeout", settings.start_timeout);
    duration(reader, "stop_grace", settings.stop_grace);
    if let Some(retry) = &settings.retry {
        reader.field("retry", |reader| retry::validate(reader, retry));
        if retry.on_events.is_some_and(|events| !(events.no_capacity || events.interruption || events.error)) {
            reader.field("retry", |reader| {
                reader.field("on_events", |reader| {
                    reader.problem("is empty; write at least one of no-capacity, interruption, error, or leave it out");
                });
            });
        }
    }
    reader.field("failure", |reader| failure::validate(reader, &settings.failure, settings.retry.is_some()));
    reader.field("health", |reader| health::validate(reader, &settings.health));
    reader.field("scaling", |reader| scaling::scaling(reader, settings));
    reader.field("rollout", |reader| scaling::rollout(reader, &settings.rollout));
    totals(reader, settings);
}

/// Bounds the totals of a policy, which determine the memory and time of compiling it.
fn totals(reader: &mut Reader, settings: &Settings) {
    let rules = &settings.failure.rules;
    let retries = || settings.retry.iter().chain(rules.iter().filter_map(|rule| rule.retry.as_ref()));
    let windows_of = |retry: &RetryPolicy| {
        let stages = retry.stages.iter().filter(|stage| stage.settings.limit.is_some()).count();
        stages + usize::from(retry.settings.limit.is_some())
    };
    let total = |counts: &mut dyn Iterator<Item = usize>| counts.fold(0, usize::saturating_add);
    let mut most = |what: &str, count: usize, most: usize| {
        if count > most {
            reader.problem(format!("there are {count} {what} in all; at most {most} are allowed"));
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

fn number(reader: &mut Reader, name: &str, number: Option<u32>, range: &RangeInclusive<u32>) {
    if let Some(number) = number.filter(|number| !range.contains(number)) {
        reader.field(name, |reader| reader.out_of_range(number, range));
    }
}

fn duration(reader: &mut Reader, name: &str, duration: Option<Duration>) {
    if duration.is_some_and(|duration| duration > MAX_DURATION) {
        reader.field(name, |reader| reader.problem(format!("is longer than {MAX_DURATION_TEXT}, the maximum")));
    }
}

fn positive(reader: &mut Reader, name: &str, given: Option<Duration>) {
    if given == Some(Duration::ZERO) {
        reader.field(name, |reader| reader.problem("must be longer than 0s"));
    }
    duration(reader, name, given);
}

/// Checks a percentage; one above 100 can only come from the builder.
fn quantity(reader: &mut Reader, name: &str, quantity: Option<Quantity>) {
    if let Some(Quantity::Percent(percent)) = quantity {
        if percent > 100 {
            reader.field(name, |reader| reader.problem(format!("{percent}% is out of range: 0% to 100%")));
        }
    }
}

/// Returns whether a quantity is 0 or 0%.
fn is_none(quantity: Option<Quantity>) -> bool {
    matches!(quantity, Some(Quantity::Count(0) | Quantity::Percent(0)))
}

/// Reports what is wrong with a text.
fn text(reader: &mut Reader, form: Form, text: &str) {
    if let Some(problem) = form.problem(text) {
        reader.problem(problem);
    }
}
