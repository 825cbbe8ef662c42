//! Lints of rules that never match, or that probably should match something else.

use super::super::cause::Cause;
use super::super::glob::glob_matches;
use super::super::read::built_in_cause;
use super::super::rule::{CodeRange, Rule, RuleAction};
use super::super::settings::{OnSuccess, Settings};
use super::{Lints, pacing};
use crate::document::closest;

pub(super) fn lint(lints: &mut Lints, settings: &Settings) {
    let rules = &settings.failure.rules;
    for (index, rule) in rules.iter().enumerate() {
        let at = format!("failure.rules[{index}]");
        if let Some(retry) = &rule.retry {
            pacing::lint(lints, &format!("{at}.retry"), retry, settings);
        }
        if contradicts_itself(rule) {
            lints.add(
                "contradictory-rule",
                format!("{at}.when"),
                "a process ends by an exit code or by a signal, never by both: the rule never matches",
                "write two rules",
            );
        } else if never_ran(rule) && (rule.was_ready == Some(true)) {
            lints.add(
                "contradictory-rule",
                format!("{at}.when"),
                "an incarnation that failed to start was never ready: the rule never matches",
                "leave `was_ready` out",
            );
        } else if let Some(first) = out_of_reach(rule, settings.most_replicas()) {
            lints.add(
                "unreachable-replica",
                format!("{at}.when.replica"),
                format!(
                    "replicas are numbered from 0, so a set of {} has no replica {first}: the rule matches nothing unless the \
                     set is scaled up",
                    settings.most_replicas()
                ),
                "name replicas that the set has, or raise `replicas`",
            );
        } else if settings.retry.is_none() && waits_for_itself(rule) {
            lints.add(
                "unreachable-attempts",
                format!("{at}.when.attempts_over"),
                "the policy has no `retry`, and the streak of the rule's own `retry` only begins when the rule matches: it \
                 never matches",
                "remove `retry` or `attempts_over` from this rule",
            );
        } else if let Some(shadow) = shadowed_by(rule, &rules[..index]) {
            let effect = match shadow {
                Shadow::Rule(earlier) => {
                    format!("failure.rules[{earlier}] matches every failure that this rule matches: it never decides")
                }
                Shadow::Together => {
                    "the rules before it together match every failure that this rule matches: it never decides".into()
                }
                Shadow::ButFailedStarts(earlier) => format!(
                    "failure.rules[{earlier}] matches every failure that this rule matches: it only decides failed restarts, \
                     for which a rule that names their cause comes first"
                ),
            };
            lints.add("shadowed-rule", at.clone(), effect, "move it before that rule, or remove it");
        }
        let success_only =
            !rule.exit_codes.is_empty() && rule.exit_codes.iter().all(|range| range.first == 0 && range.last == 0);
        if success_only && settings.success != Some(OnSuccess::Failure) {
            lints.add(
                "success-rule",
                format!("{at}.when.exit_code"),
                "exit code 0 is not a failure, so the rule never matches",
                "set `success` to say what exit code 0 means",
            );
        }
        let uses_retry = rule.then == RuleAction::Retry || rule.attempts_over.is_some();
        if rule.retry.is_some() && !uses_retry {
            lints.add(
                "unused-rule-retry",
                format!("{at}.retry"),
                "the rule restarts nothing, so its `retry` is never used",
                "write `then: retry`, or leave `retry` out",
            );
        }
        for (place, cause) in rule.causes.iter().enumerate() {
            let Cause::Named(name) = cause else { continue };
            let built_in = || Cause::BUILT_IN.iter().map(Cause::as_str);
            if let Some(meant) = built_in_cause(name.as_str()).or_else(|| closest(name.as_str(), built_in())) {
                lints.add(
                    "unusual-cause",
                    format!("{at}.when.cause[{place}]"),
                    format!("'{cause}' is a custom cause and does not match the built-in '{meant}'"),
                    format!("write '{meant}', or a less similar name"),
                );
            }
        }
    }
}

fn contradicts_itself(rule: &Rule) -> bool {
    !rule.exit_codes.is_empty() && !rule.signals.is_empty()
}

/// Returns whether the rule matches only incarnations that never ran.
fn never_ran(rule: &Rule) -> bool {
    let starts = [Cause::NoCapacity, Cause::StartTimeout, Cause::StartError];
    !rule.causes.is_empty() && rule.causes.iter().all(|cause| starts.contains(cause))
}

/// Returns the first replica that the rule names, if the set has none that it names.
fn out_of_reach(rule: &Rule, replicas: u32) -> Option<u32> {
    let first = rule.replicas.iter().map(|range| range.first).min()?;
    (replicas > 0 && first >= replicas).then_some(first)
}

fn waits_for_itself(rule: &Rule) -> bool {
    rule.retry.is_some() && rule.attempts_over.is_some_and(|over| over > 0)
}

enum Shadow {
    Rule(usize),
    Together,
    ButFailedStarts(usize),
}

/// Returns the rules before it that match every failure that `rule` matches.
fn shadowed_by(rule: &Rule, before: &[Rule]) -> Option<Shadow> {
    let live = || before.iter().enumerate().filter(|(_, rule)| !contradicts_itself(rule) && !waits_for_itself(rule));
    // For a failed restart, the rules that name a cause are tried before all others.
    let asked_first = |earlier: &Rule| rule.causes.is_empty() || !earlier.causes.is_empty();
    let covers =
        |earlier: &Rule| covers_exits(earlier, rule) && covers_causes(earlier, rule) && covers_the_rest(earlier, rule);
    if let Some((index, _)) = live().find(|(_, earlier)| asked_first(earlier) && covers(earlier)) {
        return Some(Shadow::Rule(index));
    }

    let all_codes: Vec<CodeRange> = live()
        .filter(|(_, earlier)| asked_first(earlier) && covers_causes(earlier, rule) && covers_the_rest(earlier, rule))
        .flat_map(|(_, earlier)| earlier.exit_codes.iter().copied())
        .collect();
    let all_causes: Vec<&Cause> = live()
        .filter(|(_, earlier)| covers_exits(earlier, rule) && covers_the_rest(earlier, rule))
        .flat_map(|(_, earlier)| &earlier.causes)
        .collect();
    let by_codes = !rule.exit_codes.is_empty() && covers_codes(all_codes, &rule.exit_codes);
    let by_causes = !rule.causes.is_empty() && rule.causes.iter().all(|cause| all_causes.contains(&cause));
    if by_codes || by_causes {
        return Some(Shadow::Together);
    }
    live().find(|(_, earlier)| covers(earlier)).map(|(index, _)| Shadow::ButFailedStarts(index))
}

fn covers_exits(earlier: &Rule, rule: &Rule) -> bool {
    if earlier.exit_codes.is_empty() && earlier.signals.is_empty() {
        return true;
    }
    if !rule.exit_codes.is_empty() {
        return covers_codes(earlier.exit_codes.clone(), &rule.exit_codes);
    }
    !rule.signals.is_empty() && rule.signals.iter().all(|signal| earlier.signals.contains(signal))
}

fn covers_codes(mut outer: Vec<CodeRange>, inner: &[CodeRange]) -> bool {
    outer.sort_unstable_by_key(|range| range.first);
    let mut joined: Vec<CodeRange> = Vec::new();
    for range in outer {
        match joined.last_mut() {
            Some(last) if i64::from(range.first) <= i64::from(last.last) + 1 => last.last = last.last.max(range.last),
            _ => joined.push(range),
        }
    }
    inner.iter().all(|inner| {
        let after = joined.partition_point(|outer| outer.first <= inner.first);
        after > 0 && inner.last <= joined[after - 1].last
    })
}

fn covers_causes(earlier: &Rule, rule: &Rule) -> bool {
    earlier.causes.is_empty()
        || (!rule.causes.is_empty() && rule.causes.iter().all(|cause| earlier.causes.contains(cause)))
}

fn covers_the_rest(earlier: &Rule, rule: &Rule) -> bool {
    // A glob that matches another glob as a text matches every text that the other matches.
    let covers_glob = |glob: &String| earlier.reasons.iter().any(|wider| glob_matches(wider, glob));
    let reasons = earlier.reasons.is_empty() || (!rule.reasons.is_empty() && rule.reasons.iter().all(covers_glob));
    // Attempts of different streaks cannot be compared.
    let attempts = match (earlier.attempts_over, rule.attempts_over) {
        (None | Some(0), _) => true,
        (Some(earlier), Some(over)) => rule.retry.is_none() && over >= earlier,
        (Some(_), None) => false,
    };
    let numbers = |rule: &Rule| -> Vec<CodeRange> {
        let ends = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        rule.replicas.iter().map(|range| CodeRange { first: ends(range.first), last: ends(range.last) }).collect()
    };
    let replicas =
        earlier.replicas.is_empty() || (!rule.replicas.is_empty() && covers_codes(numbers(earlier), &numbers(rule)));
    let run = earlier.ran_under.is_none_or(|wider| rule.ran_under.is_some_and(|under| under <= wider));
    let ready = earlier.was_ready.is_none() || earlier.was_ready == rule.was_ready;
    reasons && attempts && replicas && run && ready
}

#[cfg(test)]
mod tests {
    use super::super::tests::{is_quiet, lints, warns};
    use serde_json::{Value, json};

    fn rules(rules: Value) -> Value {
        json!({"retry": {"max_attempts": 5}, "failure": {"rules": rules}})
    }

    /// Whether the second of two rules with these conditions is never reached.
    fn shadows(first: Value, second: Value) -> bool {
        let document = rules(json!([{"when": first, "then": "retry"}, {"when": second, "then": "degrade"}]));
        lints(&document) == ["failure.rules[1] shadowed-rule"]
    }

    #[test]
    fn a_rule_is_shadowed_if_an_earlier_one_matches_all_its_failures() {
        for (first, second) in [
            (json!({}), json!({"exit_code": 1})),
            (json!({}), json!({})),
            (json!({}), json!({"cause": "node-lost"})),
            (json!({"exit_code": ["1..=5", "6..=9"]}), json!({"exit_code": ["2..=8", 9]})),
            (json!({"signal": ["SIGKILL", "SIGTERM"]}), json!({"signal": 9})),
            (json!({"cause": ["error", "unhealthy"]}), json!({"cause": "error", "exit_code": 3})),
            (json!({"reason": "quota*"}), json!({"reason": ["quota in *", "quota"]})),
            (json!({"attempts_over": 3}), json!({"attempts_over": 3, "exit_code": 1})),
            (json!({"attempts_over": 0}), json!({"exit_code": 1})),
            (json!({"replica": ["0..=2", "1..=5"]}), json!({"replica": ["0..=2", 5]})),
            (json!({"ran_under": "60s"}), json!({"ran_under": "5s", "was_ready": false})),
            (json!({"was_ready": true}), json!({"was_ready": true})),
        ] {
            assert!(shadows(first.clone(), second.clone()), "{first} {second}");
        }
    }

    #[test]
    fn a_rule_with_failures_left_to_match_is_not_shadowed() {
        for (first, second) in [
            (json!({"exit_code": 1}), json!({})),
            (json!({"exit_code": "1..=5"}), json!({"exit_code": "1..=6"})),
            (json!({"exit_code": ["1..=3", "5..=7"]}), json!({"exit_code": "1..=7"})),
            (json!({"signal": 9}), json!({"signal": [9, 15]})),
            (json!({"signal": 9}), json!({"exit_code": 9})),
            (json!({"cause": "error", "exit_code": 1}), json!({"cause": "error"})),
            (json!({"reason": "quota*"}), json!({"reason": "*quota*"})),
            (json!({"reason": "*"}), json!({"exit_code": 1})),
            (json!({"attempts_over": 3}), json!({"attempts_over": 2})),
            (json!({"replica": 0}), json!({"replica": [0, 1]})),
            (json!({"ran_under": "5s"}), json!({"ran_under": "60s"})),
            (json!({"was_ready": false}), json!({"was_ready": true})),
            (json!({"was_ready": false}), json!({"exit_code": 1})),
        ] {
            assert!(!shadows(first.clone(), second.clone()), "{first} {second}");
        }
    }

    #[test]
    fn a_rule_that_can_never_match_is_reported() {
        let rule = |when: Value| {
            let rules = json!([{"when": when, "then": "retry"}]);
            json!({"replicas": 10, "retry": {"max_duration": "1h"}, "failure": {"rules": rules}})
        };
        warns(rule(json!({"replica": [10, "12..=20"]})), "failure.rules[0].when.replica unreachable-replica");
        is_quiet(rule(json!({"replica": "9..=20"})));
        let never_ran = json!({"cause": ["no-capacity", "start-error"], "was_ready": true});
        warns(rule(never_ran), "failure.rules[0].when contradictory-rule");
        is_quiet(rule(json!({"cause": ["no-capacity", "unhealthy"], "was_ready": true})));
    }

    #[test]
    fn several_rules_together_can_shadow_one() {
        let codes = |last: &str| {
            rules(json!([
                {"when": {"exit_code": "1..=3"}, "then": "retry"},
                {"when": {"exit_code": "4..=6"}, "then": "hold"},
                {"when": {"exit_code": last}, "then": "degrade"},
            ]))
        };
        warns(codes("2..=5"), "failure.rules[2] shadowed-rule");
        is_quiet(codes("2..=7"));
        let causes = |last: Value| {
            rules(json!([
                {"when": {"cause": "interruption"}, "then": "retry"},
                {"when": {"cause": "node-lost"}, "then": "hold"},
                {"when": {"cause": last}, "then": "degrade"},
            ]))
        };
        warns(causes(json!(["node-lost", "interruption"])), "failure.rules[2] shadowed-rule");
        is_quiet(causes(json!(["node-lost", "error"])));
    }

    #[test]
    fn a_rule_that_never_matches_shadows_nothing() {
        let document = rules(json!([
            {"when": {"exit_code": 1, "signal": 9}, "then": "retry"},
            {"when": {"exit_code": 1}, "then": "degrade"},
        ]));
        warns(document, "failure.rules[0].when contradictory-rule");
        is_quiet(rules(json!([{"when": {"exit_code": 1, "cause": "error"}, "then": "retry"}])));
    }

    #[test]
    fn attempts_of_a_streak_that_only_the_rule_itself_can_begin_are_never_reached() {
        let rule = |over: u32| {
            let retry = json!({"interval": "1s", "max_attempts": 9});
            rules(json!([{"when": {"attempts_over": over}, "then": "retry", "retry": retry}]))
        };
        let without_retry = |over| {
            let mut document = rule(over);
            document.as_object_mut().unwrap().remove("retry");
            document
        };
        warns(without_retry(1), "failure.rules[0].when.attempts_over unreachable-attempts");
        is_quiet(without_retry(0));
        is_quiet(rule(1));
    }

    #[test]
    fn a_rule_for_exit_code_0_needs_success_to_be_a_failure() {
        let mut document = rules(json!([{"when": {"exit_code": 0}, "then": "degrade"}]));
        warns(document.clone(), "failure.rules[0].when.exit_code success-rule");
        document["success"] = json!("failure");
        is_quiet(document);
        is_quiet(rules(json!([{"when": {"exit_code": "0..=3"}, "then": "degrade"}])));
    }

    #[test]
    fn the_retry_of_a_rule_that_restarts_nothing_is_reported() {
        let rule = |then: &str| rules(json!([{"then": then, "retry": {"max_attempts": 3}}]));
        warns(rule("terminate"), "failure.rules[0].retry unused-rule-retry");
        is_quiet(rule("retry"));
    }

    #[test]
    fn a_cause_close_to_a_built_in_one_is_reported() {
        let rule = |cause: &str| rules(json!([{"when": {"cause": cause}, "then": "retry"}]));
        warns(rule("interuption"), "failure.rules[0].when.cause[0] unusual-cause");
        warns(rule("node_lost"), "failure.rules[0].when.cause[0] unusual-cause");
        for other in ["oom", "oom-killed", "evicted", "preempted", "unschedulable", "image-pull", "probe-failed"] {
            warns(rule(other), "failure.rules[0].when.cause[0] unusual-cause");
        }
        is_quiet(rule("gpu-fell-off"));
        is_quiet(rule("interruption"));
    }

    #[test]
    fn the_retry_of_a_rule_is_linted() {
        let document = rules(json!([{"then": "retry", "retry": {"interval": "5s"}}]));
        warns(document, "failure.rules[0].retry endless-retry");
    }
}
