//! Tests of the validation, through the builder.

use std::time::Duration;

use crate::policy::*;

const SEC: Duration = Duration::from_secs(1);

fn mistakes(builder: PolicyBuilder) -> Vec<String> {
    builder.build().unwrap_err().problems().iter().map(ToString::to_string).collect()
}

fn retry(retry: RetryPolicy) -> PolicyBuilder {
    Policy::builder().replicas(3).retry(retry)
}

fn rules(rules: impl IntoIterator<Item = Rule>) -> PolicyBuilder {
    Policy::builder().failure(rules.into_iter().fold(FailurePolicy::new(), FailurePolicy::rule))
}

#[test]
fn the_builder_names_mistakes_by_the_paths_of_the_document() {
    let wrong = RetryPolicy::every(Duration::MAX)
        .max_interval(Duration::ZERO)
        .max_attempts(u32::MAX)
        .limit(0, Duration::ZERO)
        .jitter(Jitter::Spread(101))
        .backoff(Backoff::Schedule(Vec::new()))
        .recover(Recover::Step(Some(Duration::ZERO)))
        .stages([RetryStage::new(), RetryStage::new().interval(Duration::MAX)])
        .on_events(OnEvents::new());
    assert_eq!(
        mistakes(retry(wrong).replicas(1_000_001).start_timeout(Duration::ZERO)),
        [
            "replicas: 1000001 is out of range: 0 to 1000000",
            "start_timeout: must be longer than 0s",
            "retry.interval: is longer than 584 years, the maximum",
            "retry.max_interval: must be longer than 0s",
            "retry.max_attempts: 4294967295 is out of range: 0 to 4294967294",
            "retry.limit.restarts: 0 is out of range: 1 to 1000000",
            "retry.limit.within: must be longer than 0s",
            "retry.jitter.spread: 101 is out of range: 1 to 100",
            "retry.backoff.schedule: is empty; write at least one delay",
            "retry.recover.after: must be longer than 0s with `by: step`",
            "retry.stages[1].interval: is longer than 584 years, the maximum",
            "retry.on_events: is empty; write at least one of no-capacity, interruption, error, or leave it out",
        ]
    );
}

#[test]
fn a_rule_that_retries_needs_a_retry() {
    let plain = || Rule::new(RuleAction::Retry);
    let problems = mistakes(rules([plain()]));
    assert!(problems[0].starts_with("failure.rules[0].then: there is no `retry`"), "{problems:?}");
    assert!(rules([plain()]).retry(RetryPolicy::every(SEC)).build().is_ok());
    assert!(rules([plain().retry(RetryPolicy::every(SEC))]).build().is_ok());
    assert!(rules([Rule::new(RuleAction::Degrade)]).build().is_ok());
}

#[test]
fn names_of_rules_are_unique_and_not_numbers() {
    let named = |name: &str| Rule::new(RuleAction::Degrade).name(name);
    let problems = mistakes(rules([named("a"), named(""), named("17"), named("a"), named("a\n"), named("b")]));
    let paths: Vec<&str> = problems.iter().map(|problem| problem.split_once(':').unwrap().0).collect();
    assert_eq!(paths, [1, 2, 3, 4].map(|index| format!("failure.rules[{index}].name")));
    assert!(problems[2].contains("is also the name of failure.rules[0]"), "{problems:?}");
}

#[test]
fn keys_of_the_policys_own_retry_are_refused_in_a_rule() {
    let own = RetryPolicy::every(SEC).on_events(OnEvents::new().error()).keep_min_available(true);
    let problems = mistakes(rules([Rule::new(RuleAction::Retry).retry(own)]));
    assert!(problems[0].starts_with("failure.rules[0].retry.on_events: belongs in"), "{problems:?}");
    assert!(problems[1].starts_with("failure.rules[0].retry.keep_min_available: belongs in"), "{problems:?}");
    assert!(rules([Rule::new(RuleAction::Retry).retry(RetryPolicy::recommended())]).build().is_ok());
}

#[test]
fn quantities_that_would_start_nothing_are_refused() {
    for none in [Quantity::Count(0), Quantity::Percent(0), Quantity::Percent(101)] {
        let failure = FailurePolicy::new().max_concurrent_starts(none).correlated(Correlated::new(none, SEC));
        let health = HealthPolicy::new().max_probe_restarts(none);
        assert_eq!(mistakes(Policy::builder().failure(failure).health(health)).len(), 3, "{none}");
    }
    assert!(Policy::builder().failure(FailurePolicy::new().min_available(Quantity::Count(0))).build().is_ok());
}

#[test]
fn durations_that_must_be_positive_are_checked() {
    let failure = FailurePolicy::new()
        .rule(Rule::new(RuleAction::Hold(Some(Duration::ZERO))))
        .exhausted(Exhausted::Quarantine(Quarantine::new(Duration::ZERO).rounds(256)))
        .budget(Budget::new(1, Duration::ZERO))
        .correlated(Correlated::new(Quantity::Count(2), Duration::ZERO));
    let problems = mistakes(Policy::builder().failure(failure));
    let paths: Vec<&str> = problems.iter().map(|problem| problem.split_once(": ").unwrap().0).collect();
    assert_eq!(
        paths,
        ["rules[0].then.hold", "exhausted.quarantine", "exhausted.rounds", "budget.per", "correlated.within"]
            .map(|key| format!("failure.{key}"))
    );
}

#[test]
fn a_probe_cannot_inject_lines_into_a_request() {
    let check = HttpCheck::new("80").path("/a\r\nx: y").host("a\nb").header("a b", "c").header("ok", "c\r\nd");
    let probe = Probe::new(ProbeCheck::Http(check)).interval(Duration::ZERO).timeout(Duration::ZERO).successes(2);
    let problems = mistakes(Policy::builder().health(HealthPolicy::new().liveness(probe)));
    let paths: Vec<&str> = problems.iter().map(|problem| problem.split_once(": ").unwrap().0).collect();
    let expected =
        ["interval", "timeout", "successes", "http.host", "http.path", "http.headers.a b", "http.headers.ok"];
    assert_eq!(paths, expected.map(|key| format!("health.liveness.{key}")));
}

#[test]
fn totals_of_the_whole_policy_are_bounded() {
    let staged = || {
        Rule::new(RuleAction::Retry).retry(RetryPolicy::every(SEC).stages(vec![RetryStage::new().limit(1, SEC); 100]))
    };
    let codes = (0..2001).fold(Rule::new(RuleAction::Degrade), Rule::exit_code);
    let problems = mistakes(rules((0..11).map(|_| staged()).chain([codes])));
    assert_eq!(
        problems,
        [
            "there are 1100 stages in all; at most 1000 are allowed",
            "there are 1100 window limits in all; at most 1000 are allowed",
            "there are 2001 exit codes in rules in all; at most 2000 are allowed",
        ]
    );
    let problems = mistakes(rules((0..1001).map(|_| Rule::new(RuleAction::Degrade))));
    assert_eq!(problems, ["failure.rules: has 1001 rules; at most 1000 are allowed"]);
}

#[test]
fn extra_replicas_are_refused_beside_groups_and_jobs() {
    let extras = ScalingPolicy::new().standby(1).stand_ins(StandIns::new(1));
    let scaled = || Policy::builder().replicas(3).scaling(extras);
    let place = |problems: Vec<String>, at: &str| {
        assert_eq!(problems.len(), 2, "{problems:?}");
        for (problem, key) in problems.iter().zip(["standby", "stand_ins"]) {
            assert!(problem.starts_with(&format!("scaling.{key}: is refused with `scope: all`")), "{problem}");
            assert!(problem.ends_with(&format!("the scope at {at}")), "{problem}");
        }
    };
    for scope in [Scope::All, Scope::Rest] {
        let retry = || RetryPolicy::every(SEC).scope(scope);
        place(mistakes(scaled().failure(FailurePolicy::new().scope(scope))), "failure.scope");
        place(mistakes(scaled().retry(retry())), "retry.scope");
        let staged = || RetryPolicy::every(SEC).stages([RetryStage::new(), RetryStage::new().scope(scope)]);
        place(mistakes(scaled().retry(staged())), "retry.stages[1].scope");
        let rule = FailurePolicy::new().rule(Rule::new(RuleAction::Retry).retry(staged())).scope(scope);
        place(mistakes(scaled().failure(rule)), "failure.rules[0].retry.stages[1].scope, failure.scope");
    }
    let problems = mistakes(scaled().success(OnSuccess::Complete));
    assert_eq!(problems.len(), 2);
    assert!(problems[0].starts_with("scaling.standby: is refused with `success: complete`"), "{problems:?}");
    // What starts no extra replica is no contradiction.
    let none = ScalingPolicy::new().min(1).max(9).standby(0).stand_ins(StandIns::new(0));
    let group = FailurePolicy::new().scope(Scope::All);
    assert!(Policy::builder().failure(group).scaling(none).success(OnSuccess::Complete).build().is_ok());
    assert!(scaled().failure(FailurePolicy::new().scope(Scope::Replica)).build().is_ok());
}

#[test]
fn the_list_of_scopes_is_bounded() {
    let stages = vec![RetryStage::new().scope(Scope::All); 100];
    let problems = mistakes(retry(RetryPolicy::every(SEC).stages(stages)).scaling(ScalingPolicy::new().standby(1)));
    assert!(problems[0].ends_with("retry.stages[4].scope and 95 more"), "{problems:?}");
}

#[test]
fn bounds_of_scaling_and_rollouts_are_checked_in_the_builder_too() {
    let scaling =
        ScalingPolicy::new().max(1_000_001).standby(1_000_001).stand_ins(StandIns::new(1).after(Duration::MAX));
    let rollout = RolloutPolicy::new()
        .max_surge(Quantity::Percent(101))
        .max_unavailable(Quantity::Percent(101))
        .canaries(u32::MAX)
        .bake(Duration::MAX)
        .progress_deadline(Duration::ZERO)
        .max_failures(0);
    let problems = mistakes(Policy::builder().scaling(scaling).rollout(rollout));
    let paths: Vec<&str> = problems.iter().map(|problem| problem.split_once(": ").unwrap().0).collect();
    assert_eq!(
        paths,
        [
            "scaling.max",
            "scaling.standby",
            "scaling.stand_ins.after",
            "rollout.max_surge",
            "rollout.max_unavailable",
            "rollout.canaries",
            "rollout.bake",
            "rollout.progress_deadline",
            "rollout.max_failures",
        ]
    );
    // Left out, `replicas` is the nearest number that is allowed.
    let of = |scaling: ScalingPolicy| Policy::builder().scaling(scaling).build().unwrap().replicas();
    assert_eq!([of(ScalingPolicy::new().min(4)), of(ScalingPolicy::new().max(0)), of(ScalingPolicy::new())], [4, 0, 1]);
    let below = Policy::builder().replicas(1).scaling(ScalingPolicy::new().min(4));
    assert_eq!(mistakes(below), ["replicas: 1 is outside of `scaling`: 4 to 1000000"]);
}
