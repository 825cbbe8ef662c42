//! Lints of the set as a whole.

use std::time::Duration;

use super::super::budget::BudgetEmpty;
use super::super::correlated::Correlated;
use super::super::exhausted::Exhausted;
use super::super::policy::Policy;
use super::super::preset::{CORRELATED_SHARE, CORRELATED_WITHIN, MAX_PROBE_RESTARTS};
use super::super::quantity::Quantity;
use super::super::retry::{ImmediateFirst, Scope};
use super::super::retry_schedule::{FOREVER, Limits, Pacing, RetrySchedule, UNLIMITED};
use super::super::settings::{OnSuccess, StartOrder};
use super::Lints;
use super::window::min_delay;
use crate::document::format_duration;
use crate::time::nanos;

pub(super) fn lint(lints: &mut Lints, policy: &Policy) {
    let (settings, compiled) = (policy.settings(), policy.compiled());
    let replicas = settings.most_replicas();
    let failure = &settings.failure;
    let retries = settings.retry.is_some() || failure.rules.iter().any(|rule| rule.retry.is_some());
    let path = |key: &str| format!("failure.{key}");

    if let Some(Quantity::Count(count)) = failure.min_available {
        if count > replicas && replicas > 0 {
            lints.add(
                "min-available-above-replicas",
                path("min_available"),
                format!("the set has only {replicas} replicas, so each of them is needed and any failure is an outage"),
                format!("write at most {replicas}, or a percentage"),
            );
        }
    }
    outage_deadline(lints, policy);
    if let Some(correlated) = compiled.correlated {
        let threshold = correlated.threshold(replicas);
        // Values that `retry: true` sets are not reported.
        let own = failure.correlated != Some(Correlated::new(CORRELATED_SHARE, CORRELATED_WITHIN));
        if !retries {
            lints.add(
                "unused-correlated",
                path("correlated"),
                "nothing is restarted, so an incident has nothing to hold back and this has no effect",
                "add a `retry`, or leave it out",
            );
        } else if threshold > replicas && own {
            lints.add(
                "unused-correlated",
                path("correlated"),
                format!(
                    "an incident needs {threshold} failed replicas, and the set has {replicas}, so this has no effect"
                ),
                "write a smaller `share`, or leave it out",
            );
        }
    }
    if let Some(Quantity::Count(count)) = failure.max_concurrent_starts {
        if count > replicas && replicas > 0 {
            lints.add(
                "unused-max-concurrent-starts",
                path("max_concurrent_starts"),
                format!("the set has {replicas} replicas and never starts {count} at once, so the cap has no effect"),
                "write a number below `replicas`, or a percentage",
            );
        }
    }
    health(lints, policy);
    if policy.start_order() == StartOrder::Ordered && replicas == 1 {
        lints.add(
            "unused-start-order",
            "start_order".into(),
            "a single replica has no order, so this has no effect",
            "leave it out, or raise `replicas`",
        );
    }
    uncapped_liveness(lints, policy, retries);
    fatal_blip(lints, policy);
    worker_outage(lints, policy);
    if failure.exhausted.is_some() && !retries {
        lints.add(
            "unused-exhausted",
            path("exhausted"),
            "without a `retry` nothing is ever exhausted: the first failure terminates the set",
            "add a `retry`, or a rule that says what happens after a failure",
        );
    }
    if let Some(budget) = failure.budget {
        // A group restart takes one token, and so does an incident.
        let alone = settings.retry.as_ref().is_some_and(|retry| {
            retry.stages.is_empty() && retry.settings.scope.or(failure.scope).unwrap_or_default() == Scope::Replica
        });
        if alone
            && budget.empty == BudgetEmpty::Terminate
            && budget.restarts < replicas
            && compiled.correlated.is_none()
        {
            lints.add(
                "fatal-budget",
                path("budget"),
                format!(
                    "a failure of all {replicas} replicas at once finds only {} tokens and terminates the set",
                    budget.restarts
                ),
                "write at least as many `restarts` as replicas, `empty: wait`, or add `correlated`",
            );
        }
    }
}

fn uncapped_liveness(lints: &mut Lints, policy: &Policy, retries: bool) {
    let (health, replicas) = (&policy.settings().health, policy.settings().most_replicas());
    if health.liveness.is_some() && health.max_probe_restarts.is_none() && replicas > 1 && retries {
        lints.add(
            "uncapped-liveness",
            "health.liveness".into(),
            format!(
                "if a dependency that the probes of all {replicas} replicas check is down, all of them are restarted at once"
            ),
            "write `health: {max_probe_restarts: 25%}`",
        );
    }
}

/// The outage of a shared dependency that a policy should survive.
const BLIP: Duration = Duration::from_secs(600);

/// Warns if all replicas exhaust their retry when they fail together for less than [`BLIP`].
fn fatal_blip(lints: &mut Lints, policy: &Policy) {
    let (settings, compiled, replicas) = (policy.settings(), policy.compiled(), policy.replicas());
    let failure = &settings.failure;
    let Some(retry) = &settings.retry else { return };
    let exhausted = failure.exhausted.unwrap_or_default();
    let ends = match exhausted {
        Exhausted::Degrade => compiled.need(replicas) > 0,
        Exhausted::Terminate => true,
        _ => false,
    };
    let together = retry.settings.scope.or(failure.scope).unwrap_or_default() != Scope::Replica;
    if !ends || together || replicas < 2 || compiled.correlated.is_some() {
        return;
    }
    let schedule = RetrySchedule::new("", retry, failure.scope.unwrap_or_default(), &mut 0);
    let keep = retry.keep_min_available && exhausted == Exhausted::Degrade;
    let mut stages = 0u64;
    for stage in &schedule.stages {
        stages = stages.saturating_add(used_up_after(&stage.pacing, &stage.limits, keep));
    }
    let whole = match &*schedule.stages {
        [only] => used_up_after(&only.pacing, &schedule.whole, keep),
        _ => schedule.whole.duration,
    };
    let after = Duration::from_nanos(stages.min(whole));
    if after < BLIP {
        lints.add(
            "fatal-blip",
            "retry".into(),
            format!(
                "an outage longer than {} of a dependency that all {replicas} replicas share exhausts the retry of \
                 each, and the set is terminated",
                format_duration(after),
            ),
            "write `failure: {correlated: true}`, which treats it as one incident that counts towards no limit, or a \
             `max_duration` in place of the limit",
        );
    }
}

/// Returns how long a replica that always fails at once takes to exhaust these limits.
fn used_up_after(pacing: &Pacing, limits: &Limits, keep_min_available: bool) -> u64 {
    let most = nanos(BLIP);
    let time_of = |restarts: u32| {
        let mut sum = 0u64;
        for level in 0..restarts {
            sum = sum.saturating_add(pacing.nominal(level));
            // More than this makes no difference. Delays of 0 would never reach it.
            if sum > most || level > 10_000 {
                break;
            }
        }
        sum
    };
    let attempts = if limits.attempts == UNLIMITED { FOREVER } else { time_of(limits.attempts) };
    let window = match limits.window.filter(|_| !keep_min_available) {
        Some(window) => Some(time_of(window.restarts)).filter(|time| *time < window.within).unwrap_or(FOREVER),
        None => FOREVER,
    };
    attempts.min(window).min(limits.duration)
}

fn worker_outage(lints: &mut Lints, policy: &Policy) {
    let (settings, need) = (policy.settings(), policy.compiled().need(policy.replicas()));
    let probed = settings.health.readiness.is_some() || settings.health.liveness.is_some();
    // An explicit `success: restart` expects exit code 0. A replica with probes is a server.
    if settings.success == Some(OnSuccess::Restart) && need > 0 && !probed {
        lints.add(
            "worker-outage",
            "failure.min_available".into(),
            format!(
                "a replica that exits 0 is unavailable until it is restarted, and fewer than {need} available is an \
                 `outage`: workers that exit after each job raise that alarm in normal operation"
            ),
            "for workers, write `failure: {min_available: 0}`; for a server, leave `success` out",
        );
    }
}

fn health(lints: &mut Lints, policy: &Policy) {
    let health = policy.health();
    let restarts = health.liveness.is_some() || health.startup.is_some() || health.unready_timeout.is_some();
    // Values that `retry: true` sets are not reported.
    if health.max_probe_restarts.is_some_and(|own| own != MAX_PROBE_RESTARTS) && !restarts {
        lints.add(
            "unused-max-probe-restarts",
            "health.max_probe_restarts".into(),
            "without a liveness or startup probe or `unready_timeout`, probes restart nothing and the cap has no effect",
            "add one of them, or leave it out",
        );
    }
    let compiled = policy.compiled();
    if let (Some(timeout), Some(probe)) = (health.unready_timeout, compiled.probes.readiness) {
        let earliest = probe.initial_delay.saturating_add(probe.interval.saturating_mul((probe.successes - 1).into()));
        if compiled.unready_timeout <= earliest {
            lints.add(
                "short-unready-timeout",
                "health.unready_timeout".into(),
                format!(
                    "the readiness probe passes after at least {}, so every replica fails before it is ready",
                    format_duration(Duration::from_nanos(earliest))
                ),
                format!("write a time well above {}", format_duration(timeout.max(Duration::from_nanos(earliest)))),
            );
        }
    }
}

fn outage_deadline(lints: &mut Lints, policy: &Policy) {
    let (settings, compiled, replicas) = (policy.settings(), policy.compiled(), policy.replicas());
    if compiled.outage_deadline == FOREVER || replicas == 0 {
        return;
    }
    let path = || "failure.outage_deadline".to_owned();
    if compiled.need(replicas) == 0 {
        lints.add(
            "unused-outage-deadline",
            path(),
            "a set that needs no replica never has an outage",
            "write a `min_available` of at least 1, or leave it out",
        );
        return;
    }
    let Some(retry) = &settings.retry else { return };
    let schedule = RetrySchedule::new("", retry, settings.failure.scope.unwrap_or_default(), &mut 0);
    let first = match schedule.immediate_first {
        ImmediateFirst::Never => min_delay(&schedule.stage(0).pacing, 0),
        ImmediateFirst::Always | ImmediateFirst::Isolated => 0,
    };
    if compiled.need(replicas) == replicas && first >= compiled.outage_deadline {
        lints.add(
            "short-outage-deadline",
            path(),
            format!(
                "every replica is needed, and a failed one is restarted after {} at the earliest: its first failure \
                 terminates the set",
                format_duration(Duration::from_nanos(first)),
            ),
            "write a deadline longer than the first delay and a start, or a smaller `min_available`",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{is_quiet, warns};
    use serde_json::json;

    #[test]
    fn a_need_above_the_number_of_replicas_is_reported() {
        let needs = |count: u32| json!({"replicas": 3, "retry": true, "failure": {"min_available": count}});
        warns(needs(4), "failure.min_available min-available-above-replicas");
        is_quiet(needs(2));
        is_quiet(json!({"replicas": 0, "failure": {"min_available": 1}}));
    }

    #[test]
    fn a_deadline_shorter_than_the_first_delay_is_reported() {
        let deadline = |replicas: u32, deadline: &str| {
            let retry = json!({"interval": "30s", "max_attempts": 50});
            json!({"replicas": replicas, "retry": retry, "failure": {"outage_deadline": deadline}})
        };
        warns(deadline(1, "30s"), "failure.outage_deadline short-outage-deadline");
        is_quiet(deadline(1, "31s"));
        is_quiet(deadline(2, "30s"));
    }

    #[test]
    fn an_outage_deadline_without_possible_outages_is_reported() {
        let needs = |need: &str| json!({"replicas": 3, "retry": true, "failure": {"outage_deadline": "10m", "min_available": need}});
        warns(needs("0%"), "failure.outage_deadline unused-outage-deadline");
        is_quiet(needs("1%"));
    }

    #[test]
    fn a_correlation_without_restarts_or_enough_replicas_is_reported() {
        let share = |replicas: u32, share: u32| {
            let correlated = json!({"share": share, "within": "10s"});
            json!({"replicas": replicas, "retry": {"interval": "5m"}, "failure": {"correlated": correlated, "budget": {"restarts": 9, "per": "1h"}}})
        };
        warns(share(3, 4), "failure.correlated unused-correlated");
        warns(share(1, 1), "failure.correlated unused-correlated");
        is_quiet(share(3, 3));
        warns(json!({"replicas": 3, "failure": {"correlated": true}}), "failure.correlated unused-correlated");
    }

    #[test]
    fn a_cap_on_starts_above_the_number_of_replicas_is_reported() {
        let starts = |count: u32| json!({"replicas": 3, "retry": true, "failure": {"max_concurrent_starts": count}});
        warns(starts(4), "failure.max_concurrent_starts unused-max-concurrent-starts");
        is_quiet(starts(3));
    }

    #[test]
    fn a_cap_on_probe_restarts_without_a_probe_is_reported() {
        let cap = |probe: &str| json!({"health": {"max_probe_restarts": "20%", probe: {"tcp": {"port": 80}}}});
        warns(cap("readiness"), "health.max_probe_restarts unused-max-probe-restarts");
        is_quiet(cap("liveness"));
        is_quiet(json!({"health": {"max_probe_restarts": 1, "unready_timeout": "10m"}}));
    }

    #[test]
    fn an_unready_timeout_shorter_than_the_readiness_probe_is_reported() {
        let unready = |timeout: &str| {
            let readiness = json!({"tcp": {"port": 80}, "initial_delay": "20s", "interval": "5s", "successes": 3});
            json!({"health": {"unready_timeout": timeout, "readiness": readiness}})
        };
        warns(unready("30s"), "health.unready_timeout short-unready-timeout");
        is_quiet(unready("31s"));
    }

    #[test]
    fn a_start_order_for_one_replica_is_reported() {
        warns(json!({"replicas": 1, "start_order": "ordered"}), "start_order unused-start-order");
        is_quiet(json!({"replicas": 2, "start_order": "ordered"}));
        is_quiet(json!({"replicas": 1, "start_order": "parallel"}));
    }

    #[test]
    fn exhausted_without_a_retry_is_reported() {
        warns(json!({"failure": {"exhausted": "hold"}}), "failure.exhausted unused-exhausted");
        is_quiet(json!({"retry": true, "failure": {"exhausted": "hold"}}));
    }

    #[test]
    fn a_budget_that_one_incident_empties_is_reported() {
        let budget = |restarts: u32, empty: &str| {
            let budget = json!({"restarts": restarts, "per": "10m", "empty": empty});
            json!({"replicas": 3, "retry": {"max_duration": "1h"}, "failure": {"budget": budget}})
        };
        warns(budget(2, "terminate"), "failure.budget fatal-budget");
        is_quiet(budget(3, "terminate"));
        is_quiet(budget(2, "wait"));
    }

    #[test]
    fn liveness_probes_that_may_restart_every_replica_at_once_are_reported() {
        let set = |replicas: u32, health: serde_json::Value| json!({"replicas": replicas, "retry": {"max_duration": "1h"}, "health": health});
        let liveness = json!({"tcp": {"port": 80}});
        warns(set(2, json!({"liveness": liveness})), "health.liveness uncapped-liveness");
        is_quiet(set(1, json!({"liveness": liveness})));
        is_quiet(set(2, json!({"liveness": liveness, "max_probe_restarts": 1})));
        is_quiet(set(2, json!({"readiness": liveness})));
        is_quiet(json!({"replicas": 2, "health": {"liveness": liveness}}));
    }

    #[test]
    fn limits_that_a_short_outage_of_a_shared_dependency_exhausts_are_reported() {
        let set = |replicas: u32, retry: serde_json::Value, failure: serde_json::Value| json!({"replicas": replicas, "retry": retry, "failure": failure});
        let blip = "retry fatal-blip";
        warns(set(2, json!({"max_attempts": 5}), json!({})), blip);
        is_quiet(set(1, json!({"max_attempts": 5}), json!({})));
        is_quiet(set(2, json!({"max_attempts": 60}), json!({})));
        let window = json!({"interval": "1s", "limit": {"restarts": 5, "within": "10m"}});
        warns(set(9, window.clone(), json!({})), blip);
        warns(set(9, window.clone(), json!({"exhausted": "terminate", "min_available": 0})), blip);
        warns(set(9, json!({"stages": [{"max_attempts": 3}, {"max_attempts": 2, "interval": "1m"}]}), json!({})), blip);
        is_quiet(set(9, json!({"stages": [{"max_attempts": 3}, {"max_attempts": 9, "interval": "2m"}]}), json!({})));
        for harmless in [
            json!({"correlated": true}),
            json!({"exhausted": "hold"}),
            json!({"exhausted": {"quarantine": "1h"}}),
            json!({"min_available": 0}),
            json!({"scope": "all"}),
        ] {
            is_quiet(set(9, window.clone(), harmless));
        }
        let mut keep = window;
        keep["keep_min_available"] = json!(true);
        is_quiet(set(9, keep, json!({})));
        is_quiet(set(9, json!({"max_duration": "1h", "interval": "30s"}), json!({})));
    }

    #[test]
    fn workers_that_raise_an_alarm_in_normal_operation_are_reported() {
        let set = |failure: serde_json::Value| json!({"success": "restart", "retry": true, "failure": failure});
        warns(set(json!({})), "failure.min_available worker-outage");
        is_quiet(set(json!({"min_available": 0})));
        is_quiet(json!({"success": "complete", "retry": true}));
        let probe = json!({"tcp": {"port": 80}});
        is_quiet(json!({"success": "restart", "retry": true, "health": {"readiness": probe}}));
    }
}
