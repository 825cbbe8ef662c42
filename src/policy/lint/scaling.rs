//! Lints of `scaling`: extra replicas that cannot help.

use super::super::rule::RuleAction;
use super::super::settings::Settings;
use super::Lints;

pub(super) fn lint(lints: &mut Lints, settings: &Settings) {
    let (scaling, health) = (&settings.scaling, &settings.health);
    let standby = scaling.standby.unwrap_or(0);
    if let Some(stand_ins) = scaling.stand_ins.filter(|stand_ins| stand_ins.max == 0) {
        // A standby takes over after `after` too.
        if standby == 0 || stand_ins.after.is_none() {
            lints.add(
                "unused-stand-ins",
                "scaling.stand_ins.max".into(),
                "no stand-in is ever started",
                "write at least 1, or leave `stand_ins` out",
            );
        }
    }
    let tells_ready = health.readiness.is_some()
        || health.startup.is_some()
        || settings.min_ready.is_some_and(|time| !time.is_zero());
    if standby > 0 && !tells_ready {
        lints.add(
            "unready-standby",
            "scaling.standby".into(),
            "a standby may count as available, and take the place of a failed replica, before it can serve",
            "add a readiness probe, or a `min_ready`",
        );
    }
    let ends_at_once =
        settings.retry.is_none() && settings.failure.rules.iter().all(|rule| rule.then == RuleAction::Terminate);
    if scaling.has_extras() && ends_at_once {
        lints.add(
            "fail-fast-stand-ins",
            if standby > 0 { "scaling.standby" } else { "scaling.stand_ins" }.into(),
            "without a `retry` the first failure terminates the set, so an extra replica only helps while one is unready or \
             unknown",
            "add a `retry`, or a rule that keeps the set up",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{is_quiet, lints, warns};
    use serde_json::{Value, json};

    fn scaled(scaling: Value) -> Value {
        json!({"replicas": 3, "retry": true, "min_ready": "5s", "scaling": scaling})
    }

    #[test]
    fn stand_ins_that_are_never_started_are_reported() {
        warns(scaled(json!({"stand_ins": {"max": 0}})), "scaling.stand_ins.max unused-stand-ins");
        warns(scaled(json!({"stand_ins": {"max": 0, "after": "5s"}})), "scaling.stand_ins.max unused-stand-ins");
        is_quiet(scaled(json!({"stand_ins": {"max": 1, "after": "0s"}})));
        is_quiet(scaled(json!({"standby": 1, "stand_ins": {"max": 0, "after": "5s"}})));
    }

    #[test]
    fn a_standby_without_a_readiness_check_is_reported() {
        let standby =
            |key: &str, value: Value| json!({"replicas": 3, "retry": true, "scaling": {"standby": 1}, key: value});
        warns(standby("min_ready", json!("0s")), "scaling.standby unready-standby");
        is_quiet(standby("min_ready", json!("5s")));
        is_quiet(standby("health", json!({"readiness": {"tcp": {"port": 80}}})));
        is_quiet(standby("health", json!({"startup": {"tcp": {"port": 80}}})));
        is_quiet(json!({"replicas": 3, "retry": true, "scaling": {"standby": 0}}));
    }

    #[test]
    fn extra_replicas_of_a_set_that_ends_at_its_first_failure_are_reported() {
        let fail_fast = |scaling: Value, then: &str| {
            let rules = json!([{"when": {"exit_code": 2}, "then": then}]);
            json!({"replicas": 3, "min_ready": "5s", "failure": {"rules": rules}, "scaling": scaling})
        };
        warns(fail_fast(json!({"standby": 1}), "terminate"), "scaling.standby fail-fast-stand-ins");
        warns(fail_fast(json!({"stand_ins": {"max": 1}}), "terminate"), "scaling.stand_ins fail-fast-stand-ins");
        is_quiet(fail_fast(json!({"standby": 1}), "degrade"));
        is_quiet(fail_fast(json!({"min": 1, "max": 9}), "terminate"));
        is_quiet(scaled(json!({"standby": 1})));
    }

    #[test]
    fn other_lints_count_the_replicas_that_the_set_may_be_scaled_to() {
        let to = |max: u32, failure: Value| json!({"replicas": 1, "retry": true, "scaling": {"max": max}, "failure": failure, "start_order": "ordered"});
        for failure in [
            json!({"min_available": 3}),
            json!({"max_concurrent_starts": 3}),
            json!({"correlated": {"share": 3}}),
            json!({"rules": [{"when": {"replica": 2}, "then": "hold"}]}),
        ] {
            is_quiet(to(9, failure.clone()));
            assert_eq!(lints(&to(2, failure.clone())).len(), 1, "{failure}");
        }
    }
}
