//! Checks of `replicas`, `scaling` and `rollout`.

use super::super::range;
use super::super::retry::{RetryPolicy, Scope};
use super::super::rollout::RolloutPolicy;
use super::super::scaling::ScalingPolicy;
use super::super::settings::{MAX_REPLICAS, OnSuccess, Settings};
use super::{duration, number, positive, quantity};
use crate::document::Reader;

pub(super) fn replicas(reader: &mut Reader, settings: &Settings) {
    number(reader, "replicas", Some(settings.replicas), &range::REPLICAS);
    let (min, max) = (settings.scaling.min.unwrap_or(0), settings.scaling.max.unwrap_or(MAX_REPLICAS));
    let known = min <= max && max <= MAX_REPLICAS && settings.replicas <= MAX_REPLICAS;
    if known && !(min..=max).contains(&settings.replicas) {
        reader.field("replicas", |reader| {
            reader.problem(format!("{} is outside of `scaling`: {min} to {max}", settings.replicas));
        });
    }
}

pub(super) fn scaling(reader: &mut Reader, settings: &Settings) {
    let ScalingPolicy { min, max, standby, stand_ins } = settings.scaling;
    number(reader, "min", min, &range::REPLICAS);
    number(reader, "max", max, &range::REPLICAS);
    if let (Some(min), Some(max)) = (min, max) {
        if min > max {
            reader.field("max", |reader| reader.problem(format!("{max} is below `min`, which is {min}")));
        }
    }
    number(reader, "standby", standby, &range::REPLICAS);
    if let Some(stand_ins) = stand_ins {
        reader.field("stand_ins", |reader| {
            number(reader, "max", Some(stand_ins.max), &range::REPLICAS);
            duration(reader, "after", stand_ins.after);
        });
    }
    let groups = groups(settings);
    let extras = [("standby", standby), ("stand_ins", stand_ins.map(|stand_ins| stand_ins.max))];
    for (key, _) in extras.into_iter().filter(|(_, count)| count.is_some_and(|count| count > 0)) {
        reader.field(key, |reader| {
            if !groups.is_empty() {
                reader.problem(format!(
                    "is refused with `scope: all` or `rest`, because an extra replica belongs to no group: leave it out, \
                     or the scope at {}",
                    listed(&groups)
                ));
            }
            if settings.success == Some(OnSuccess::Complete) {
                reader.problem(
                    "is refused with `success: complete`, because a job needs no extra replicas: leave one of them out",
                );
            }
        });
    }
}

/// Returns the path of every scope that restarts several replicas.
fn groups(settings: &Settings) -> Vec<String> {
    let is_group = |scope: Option<Scope>| matches!(scope, Some(Scope::All | Scope::Rest));
    let of_retry = |path: &str, retry: &RetryPolicy| {
        let own = is_group(retry.settings.scope).then(|| format!("{path}.scope"));
        let stages = retry.stages.iter().enumerate().filter(|(_, stage)| is_group(stage.settings.scope));
        own.into_iter().chain(stages.map(|(index, _)| format!("{path}.stages[{index}].scope"))).collect::<Vec<_>>()
    };
    let mut found = Vec::new();
    if let Some(retry) = &settings.retry {
        found.extend(of_retry("retry", retry));
    }
    for (index, rule) in settings.failure.rules.iter().enumerate() {
        if let Some(retry) = &rule.retry {
            found.extend(of_retry(&format!("failure.rules[{index}].retry"), retry));
        }
    }
    found.extend(is_group(settings.failure.scope).then(|| "failure.scope".to_owned()));
    found
}

/// Lists the first paths, and counts the others.
fn listed(paths: &[String]) -> String {
    const SHOWN: usize = 5;
    let shown = paths.iter().take(SHOWN).map(String::as_str).collect::<Vec<_>>().join(", ");
    match paths.len().saturating_sub(SHOWN) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

pub(super) fn rollout(reader: &mut Reader, rollout: &RolloutPolicy) {
    quantity(reader, "max_surge", rollout.max_surge);
    quantity(reader, "max_unavailable", rollout.max_unavailable);
    number(reader, "canaries", rollout.canaries, &range::REPLICAS);
    duration(reader, "bake", rollout.bake);
    positive(reader, "progress_deadline", rollout.progress_deadline);
    number(reader, "max_failures", rollout.max_failures, &range::ROLLOUT_FAILURES);
}
