//! Lints of `rollout`, and of what a drain waits for.

use super::super::policy::Policy;
use super::super::quantity::Quantity;
use super::super::rollout::Promote;
use super::Lints;
use crate::document::format_duration;

pub(super) fn lint(lints: &mut Lints, policy: &Policy) {
    let (rollout, replicas) = (policy.rollout(), policy.replicas());
    let most = policy.settings().most_replicas();
    let surge = policy.max_surge(replicas);
    let canaries = rollout.canaries.unwrap_or(0);
    let is_zero = |quantity: Quantity| matches!(quantity, Quantity::Count(0) | Quantity::Percent(0));
    let path = |key: &str| format!("rollout.{key}");

    if rollout.max_surge.is_none_or(is_zero) && rollout.max_unavailable.is_some_and(is_zero) {
        lints.add(
            "zero-max-unavailable",
            path("max_unavailable"),
            "without a `max_surge` nothing could ever be replaced, so one replica at a time is taken down all the same",
            "write a `max_surge` of at least 1, or `max_unavailable: 1`",
        );
    }
    blocked_drain(lints, policy);
    if canaries > most && replicas > 0 {
        lints.add(
            "canaries-above-replicas",
            path("canaries"),
            format!("{most} replicas are fewer than {canaries} canaries, so all of them are replaced before the first is judged"),
            format!("write fewer than {most}"),
        );
    } else if surge > 0 && canaries > surge {
        lints.add(
            "canaries-above-surge",
            path("canaries"),
            format!(
                "canaries stay beside the old replicas until they are promoted, so `max_surge` allows only {surge}"
            ),
            format!("write at most {surge}, or a larger `max_surge`"),
        );
    }
    if canaries == 0 && rollout.bake.is_some_and(|bake| !bake.is_zero()) {
        lints.add(
            "unused-bake",
            path("bake"),
            "there are no canaries that could bake",
            "add `canaries: 1`, or use `min_ready` to wait for every replica",
        );
    }
    if canaries == 0 && rollout.promote == Some(Promote::Manual) {
        lints.add(
            "unused-promote",
            path("promote"),
            "there are no canaries, so nothing waits to be promoted",
            "add `canaries: 1`, or leave it out",
        );
    }
    if let (Some(bake), Some(deadline)) = (rollout.bake, rollout.progress_deadline) {
        if canaries > 0 && bake > deadline {
            lints.add(
                "long-bake",
                path("bake"),
                format!(
                    "canaries bake for {}, which the `progress_deadline` of {} does not count, so it does not bound a rollout as a \
                     whole",
                    format_duration(bake),
                    format_duration(deadline)
                ),
                "write a shorter `bake`, or a longer `progress_deadline`",
            );
        }
    }
}

/// Reports a set that needs every replica and cannot start another first.
fn blocked_drain(lints: &mut Lints, policy: &Policy) {
    let (replicas, most) = (policy.replicas(), policy.settings().most_replicas());
    let min_available = policy.failure().min_available;
    if matches!(min_available, Some(Quantity::Count(count)) if count > most) {
        // Reported as `min-available-above-replicas`.
        return;
    }
    let path = match (min_available, policy.rollout().max_unavailable) {
        (Some(_), _) => "failure.min_available",
        (None, Some(_)) => "rollout.max_unavailable",
        // A policy that sets neither, such as the smallest one, is no mistake.
        (None, None) => return,
    };
    let spares_none =
        |replicas: u32| replicas > 0 && policy.compiled().need(replicas) == replicas && policy.max_surge(replicas) == 0;
    if spares_none(replicas) && spares_none(most) {
        lints.add(
            "blocked-drain",
            path.into(),
            format!("the service needs all {replicas} of its replicas, so a drain without a deadline waits for ever"),
            "write `rollout: {max_surge: 1}`, which starts the replacement first, or a smaller `min_available`",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{is_quiet, warns};
    use serde_json::{Value, json};

    fn set(replicas: u32, rollout: Value) -> Value {
        json!({"replicas": replicas, "retry": true, "rollout": rollout})
    }

    #[test]
    fn a_rollout_that_may_neither_add_nor_take_is_reported() {
        for rollout in [
            json!({"max_surge": 0, "max_unavailable": 0}),
            json!({"max_unavailable": "0%"}),
            json!({"max_surge": "0%", "max_unavailable": 0}),
        ] {
            warns(set(3, rollout), "rollout.max_unavailable zero-max-unavailable");
        }
        is_quiet(set(3, json!({"max_surge": 0})));
        is_quiet(set(3, json!({"max_surge": 1, "max_unavailable": 0})));
        // 25 % of 3 rounds to 0, but is not written as 0.
        is_quiet(set(3, json!({"max_unavailable": "25%"})));
    }

    #[test]
    fn a_drain_that_waits_for_ever_is_reported() {
        let needs = |min_available: Value, rollout: Value| json!({"replicas": 3, "retry": true, "failure": {"min_available": min_available}, "rollout": rollout});
        let blocked = "failure.min_available blocked-drain";
        warns(needs(json!(3), json!({})), blocked);
        warns(needs(json!("100%"), json!({"max_unavailable": 1})), blocked);
        is_quiet(needs(json!("100%"), json!({"max_surge": 1})));
        is_quiet(needs(json!(2), json!({})));
        warns(set(1, json!({"max_unavailable": 1})), "rollout.max_unavailable blocked-drain");
        is_quiet(set(1, json!({})));
        is_quiet(set(3, json!({"max_unavailable": 1})));
        is_quiet(json!({"replicas": "2..9", "retry": true, "failure": {"min_available": 2}}));
    }

    #[test]
    fn more_canaries_than_can_be_started_are_reported() {
        warns(set(3, json!({"canaries": 4})), "rollout.canaries canaries-above-replicas");
        is_quiet(set(3, json!({"canaries": 3})));
        is_quiet(json!({"replicas": "2..9", "retry": true, "rollout": {"canaries": 4}}));
        warns(set(8, json!({"canaries": 3, "max_surge": "25%"})), "rollout.canaries canaries-above-surge");
        is_quiet(set(8, json!({"canaries": 2, "max_surge": "25%"})));
    }

    #[test]
    fn settings_of_canaries_without_canaries_are_reported() {
        warns(set(3, json!({"bake": "5m"})), "rollout.bake unused-bake");
        warns(set(3, json!({"promote": "manual"})), "rollout.promote unused-promote");
        is_quiet(set(3, json!({"bake": "5m", "promote": "manual", "canaries": 1})));
        is_quiet(set(3, json!({"bake": "0s", "promote": "auto"})));
    }

    #[test]
    fn a_bake_beyond_the_progress_deadline_is_reported() {
        let bake = |bake: &str| set(3, json!({"canaries": 1, "bake": bake, "progress_deadline": "10m"}));
        warns(bake("11m"), "rollout.bake long-bake");
        is_quiet(bake("10m"));
    }
}
