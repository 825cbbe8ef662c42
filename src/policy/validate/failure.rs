//! Checks of the `failure` block.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::exhausted::Exhausted;
use super::super::failure::FailurePolicy;
use super::super::range;
use super::super::rule::{Rule, RuleAction};
use super::super::text::Form;
use super::{duration, is_none, number, positive, quantity, retry, text};
use crate::document::Reader;

pub(super) fn validate(reader: &mut Reader, failure: &FailurePolicy, retries: bool) {
    reader.field("rules", |reader| rules(reader, &failure.rules, retries));
    if let Some(Exhausted::Quarantine(quarantine)) = failure.exhausted {
        reader.field("exhausted", |reader| {
            positive(reader, "quarantine", Some(quarantine.time));
            number(reader, "rounds", quarantine.rounds, &range::ROUNDS);
        });
    }
    quantity(reader, "min_available", failure.min_available);
    duration(reader, "outage_deadline", failure.outage_deadline);
    number(reader, "max_failures_before_ready", failure.max_failures_before_ready, &range::MAX_FAILURES_BEFORE_READY);
    duration(reader, "clear_after", failure.clear_after);
    if let Some(budget) = failure.budget {
        reader.field("budget", |reader| {
            number(reader, "restarts", Some(budget.restarts), &range::BUDGET_RESTARTS);
            positive(reader, "per", Some(budget.per));
        });
    }
    quantity(reader, "max_concurrent_starts", failure.max_concurrent_starts);
    if is_none(failure.max_concurrent_starts) {
        reader.field("max_concurrent_starts", |reader| {
            reader.problem("would never restart anything; write at least 1 or 1%, or `false` for no cap");
        });
    }
    if let Some(correlated) = failure.correlated {
        reader.field("correlated", |reader| {
            quantity(reader, "share", Some(correlated.share));
            if is_none(Some(correlated.share)) {
                reader.field("share", |reader| {
                    reader.problem("must be at least 1 or 1%; to turn it off, write `correlated: false`");
                });
            }
            positive(reader, "within", Some(correlated.within));
        });
    }
}

fn rules(reader: &mut Reader, rules: &[Rule], retries: bool) {
    if rules.len() > range::MAX_RULES {
        reader.problem(format!("has {} rules; at most {} are allowed", rules.len(), range::MAX_RULES));
    }
    let mut names = BTreeMap::new();
    for (index, rule) in rules.iter().enumerate() {
        reader.index(index, |reader| {
            if let Some(name) = &rule.name {
                reader.field("name", |reader| {
                    text(reader, Form::RuleName, name);
                    if let Some(first) = names.insert(name.as_str(), index) {
                        reader.problem(format!("is also the name of failure.rules[{first}]; names must be unique"));
                        names.insert(name, first);
                    }
                });
            }
            check_rule(reader, rule, retries);
        });
    }
}

fn check_rule(reader: &mut Reader, rule: &Rule, retries: bool) {
    reader.field("when", |reader| {
        for (index, _) in rule.exit_codes.iter().enumerate().filter(|(_, range)| range.first > range.last) {
            reader.field("exit_code", |reader| {
                reader.index(index, |reader| reader.problem("the range is empty; write the lower end first"))
            });
        }
        for (index, glob) in rule.reasons.iter().enumerate() {
            reader.field("reason", |reader| reader.index(index, |reader| text(reader, Form::Glob, glob)));
        }
        number(reader, "attempts_over", rule.attempts_over, &range::ATTEMPTS);
        for (index, replicas) in rule.replicas.iter().enumerate() {
            reader.field("replica", |reader| {
                reader.index(index, |reader| {
                    if replicas.first > replicas.last {
                        reader.problem("the range is empty; write the lower end first");
                    } else if !range::REPLICA.contains(&replicas.last) {
                        reader.out_of_range(replicas.last, &range::REPLICA);
                    }
                });
            });
        }
        positive(reader, "ran_under", rule.ran_under);
    });
    if let RuleAction::Hold(Some(time)) = rule.then {
        reader.field("then", |reader| {
            if time == Duration::ZERO {
                reader
                    .field("hold", |reader| reader.problem("must be longer than 0s; to restart, write `then: retry`"));
            }
            duration(reader, "hold", Some(time));
        });
    }
    if rule.then == RuleAction::Retry && rule.retry.is_none() && !retries {
        reader.field("then", |reader| {
            reader.problem(
                "there is no `retry` to restart it with; add one to the rule, or to the policy (`retry: true`)",
            );
        });
    }
    let Some(own) = &rule.retry else { return };
    reader.field("retry", |reader| {
        retry::validate(reader, own);
        if own.on_events.is_some() {
            reader.field("on_events", |reader| {
                reader.problem("belongs in the policy's own `retry`; a rule says in `when` which failures it matches");
            });
        }
        if own.keep_min_available {
            reader.field("keep_min_available", |reader| reader.problem("belongs in the policy's own `retry`"));
        }
    });
}
