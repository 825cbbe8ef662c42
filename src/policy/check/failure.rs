//! Checks of the `failure` block.

use std::collections::BTreeMap;
use std::time::Duration;

use super::super::failure::{Exhausted, FailurePolicy, Rule, RuleAction};
use super::super::quantity::Quantity;
use super::super::range;
use super::super::read::Walk;
use super::super::read::text::Form;
use super::health::text;
use super::{duration, number, positive, retry};

pub(super) fn check(walk: &mut Walk, failure: &FailurePolicy, retries: bool) {
    walk.field("rules", |walk| rules(walk, &failure.rules, retries));
    if let Some(Exhausted::Quarantine(quarantine)) = failure.exhausted {
        walk.field("exhausted", |walk| {
            positive(walk, "quarantine", Some(quarantine.time));
            number(walk, "rounds", quarantine.rounds, &range::ROUNDS);
        });
    }
    quantity(walk, "min_available", failure.min_available);
    duration(walk, "outage_deadline", failure.outage_deadline);
    number(walk, "max_failures_before_ready", failure.max_failures_before_ready, &range::MAX_FAILURES_BEFORE_READY);
    duration(walk, "clear_after", failure.clear_after);
    if let Some(budget) = failure.budget {
        walk.field("budget", |walk| {
            number(walk, "restarts", Some(budget.restarts), &range::BUDGET_RESTARTS);
            positive(walk, "per", Some(budget.per));
        });
    }
    quantity(walk, "max_concurrent_starts", failure.max_concurrent_starts);
    if is_none(failure.max_concurrent_starts) {
        walk.field("max_concurrent_starts", |walk| {
            walk.problem("would start nothing again; give at least 1 or 1%, or `false` for no limit");
        });
    }
    if let Some(correlated) = failure.correlated {
        walk.field("correlated", |walk| {
            quantity(walk, "share", Some(correlated.share));
            if is_none(Some(correlated.share)) {
                walk.field("share", |walk| {
                    walk.problem("must be at least 1 or 1%; to turn it off write `correlated: false`");
                });
            }
            positive(walk, "within", Some(correlated.within));
        });
    }
}

/// A percentage above 100 can only come from code.
pub(super) fn quantity(walk: &mut Walk, name: &str, quantity: Option<Quantity>) {
    if let Some(Quantity::Percent(percent)) = quantity {
        if percent > 100 {
            walk.field(name, |walk| walk.problem(format!("{percent}% is out of range: 0% to 100%")));
        }
    }
}

/// No replica at all.
pub(super) fn is_none(quantity: Option<Quantity>) -> bool {
    matches!(quantity, Some(Quantity::Count(0) | Quantity::Percent(0)))
}

fn rules(walk: &mut Walk, rules: &[Rule], retries: bool) {
    if rules.len() > range::MAX_RULES {
        walk.problem(format!("has {} rules; at most {} are allowed", rules.len(), range::MAX_RULES));
    }
    let mut names = BTreeMap::new();
    for (index, rule) in rules.iter().enumerate() {
        walk.index(index, |walk| {
            if let Some(name) = &rule.name {
                walk.field("name", |walk| {
                    text(walk, Form::RuleName, name);
                    if let Some(first) = names.insert(name.as_str(), index) {
                        walk.problem(format!("is the name of failure.rules[{first}] too; names are unique"));
                        names.insert(name, first);
                    }
                });
            }
            check_rule(walk, rule, retries);
        });
    }
}

fn check_rule(walk: &mut Walk, rule: &Rule, retries: bool) {
    walk.field("when", |walk| {
        for (index, _) in rule.exit_codes.iter().enumerate().filter(|(_, range)| range.first > range.last) {
            walk.field("exit_code", |walk| walk.index(index, |walk| walk.problem("the range is empty")));
        }
        for (index, glob) in rule.reasons.iter().enumerate() {
            walk.field("reason", |walk| walk.index(index, |walk| text(walk, Form::Glob, glob)));
        }
        number(walk, "attempts_over", rule.attempts_over, &range::ATTEMPTS);
        for (index, replicas) in rule.replicas.iter().enumerate() {
            walk.field("replica", |walk| {
                walk.index(index, |walk| {
                    if replicas.first > replicas.last {
                        walk.problem("the range is empty");
                    } else if !range::REPLICA.contains(&replicas.last) {
                        walk.out_of_range(replicas.last, &range::REPLICA);
                    }
                });
            });
        }
        positive(walk, "ran_under", rule.ran_under);
    });
    if let RuleAction::Hold(Some(time)) = rule.then {
        walk.field("then", |walk| {
            if time == Duration::ZERO {
                walk.field("hold", |walk| walk.problem("must be longer than 0s; for a restart write `then: retry`"));
            }
            duration(walk, "hold", Some(time));
        });
    }
    if rule.then == RuleAction::Retry && rule.retry.is_none() && !retries {
        walk.field("then", |walk| {
            walk.problem("there is no `retry` to restart it by: give the rule one, or the policy (`retry: true`)");
        });
    }
    let Some(own) = &rule.retry else { return };
    walk.field("retry", |walk| {
        retry::check(walk, own);
        if own.on_events.is_some() {
            walk.field("on_events", |walk| {
                walk.problem("belongs to the policy's own `retry`; the rule says by `when` what it matches");
            });
        }
        if own.keep_min_available {
            walk.field("keep_min_available", |walk| walk.problem("belongs to the policy's own `retry`"));
        }
    });
}
