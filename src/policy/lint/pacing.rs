//! Lints of a `retry`.

use std::time::Duration;

use super::super::backoff::Backoff;
use super::super::jitter::Jitter;
use super::super::retry::{ImmediateFirst, RetryPolicy, StageSettings};
use super::super::retry_schedule::{
    FOREVER, Limits, MIN_FAILED_START_DELAY, Pacing, Recovery, RetrySchedule, UNLIMITED, WindowLimit,
};
use super::super::settings::Settings;
use super::Lints;
use super::window::{Pace, min_delay};
use crate::document::format_duration;
use crate::time::nanos;

pub(super) fn lint(lints: &mut Lints, at: &str, retry: &RetryPolicy, settings: &Settings) {
    let schedule = RetrySchedule::new("", retry, settings.failure.scope.unwrap_or_default(), &mut 0);
    let stage_path = |index: usize| format!("{at}.stages[{index}]");
    stage_settings(lints, at, &retry.settings, &retry.settings);
    for (index, stage) in retry.stages.iter().enumerate() {
        stage_settings(lints, &stage_path(index), &stage.settings, &retry.settings);
    }

    let all: Vec<&Pacing> = schedule.stages.iter().map(|stage| &stage.pacing).collect();
    limit(lints, at, &schedule, &all, schedule.whole.window);
    for (index, stage) in retry.stages.iter().enumerate() {
        if stage.settings.limit.is_some() {
            let compiled = &schedule.stages[index];
            limit(lints, &stage_path(index), &schedule, &[&compiled.pacing], compiled.limits.window);
        }
    }

    if let Some(index) = schedule.stages.iter().rev().skip(1).rev().position(|stage| !stage.limits.any) {
        lints.add(
            "unreachable-stage",
            stage_path(index + 1),
            format!("{} has no limit, so this stage and those after it are never reached", stage_path(index)),
            "give the stage before it a `max_attempts`, `max_duration` or `limit`",
        );
    }
    recovery(lints, at, retry, &schedule);
    endless(lints, at, retry, &schedule, settings);
    duration(lints, at, &schedule);
    let windows = schedule.whole.window.is_some() || schedule.stages.iter().any(|stage| stage.limits.window.is_some());
    if retry.keep_min_available && !windows {
        lints.add(
            "unused-keep-min-available",
            format!("{at}.keep_min_available"),
            "it waits for room in a window, and there is no `limit`, so it has no effect",
            "add a `limit`, or leave it out",
        );
    }
}

/// Lints one stage, or the retry itself; `parent` is the retry that it inherits from.
fn stage_settings(lints: &mut Lints, at: &str, settings: &StageSettings, parent: &StageSettings) {
    if let Some(cap) = settings.max_interval {
        let path = || format!("{at}.max_interval");
        let written = format_duration(cap);
        let delays = match settings.backoff.as_ref().or(parent.backoff.as_ref()) {
            Some(Backoff::Schedule(delays)) => Some(delays),
            _ => None,
        };
        let first = match delays {
            Some(delays) => delays.iter().max().copied(),
            None => settings.interval.or(parent.interval),
        };
        if let Some(first) = first.filter(|first| *first > cap) {
            lints.add(
                "cap-below-interval",
                path(),
                format!("the delay of {} is cut to {written} and never applies", format_duration(first)),
                "write a `max_interval` of at least the longest delay, or shorter delays",
            );
        }
        if nanos(cap) < MIN_FAILED_START_DELAY {
            lints.add(
                "cap-below-floor",
                path(),
                format!("after a failed start the delay is at least 100ms, which exceeds this cap of {written}"),
                "write at least 100ms",
            );
        }
    }
    if settings.max_attempts == Some(0) {
        let (effect, advice) = if at.ends_with(']') {
            ("the stage allows no restart and is skipped", "remove the stage, or write at least 1")
        } else {
            ("the first failure exhausts the retry, so nothing is restarted", "write at least 1, or leave `retry` out")
        };
        lints.add("no-attempts", format!("{at}.max_attempts"), effect, advice);
    }
    let jitter = settings.jitter.or(parent.jitter);
    let grows = |backoff: &Option<Backoff>| backoff.as_ref().is_some_and(|backoff| *backoff != Backoff::Constant);
    if jitter == Some(Jitter::Decorrelated) && grows(&settings.backoff) {
        lints.add(
            "unused-backoff",
            format!("{at}.backoff"),
            "decorrelated jitter computes each delay from the previous one, so the backoff has no effect",
            "leave `backoff` out, or choose another jitter",
        );
    }
}

fn limit(lints: &mut Lints, at: &str, schedule: &RetrySchedule, pacings: &[&Pacing], window: Option<WindowLimit>) {
    let Some(window) = window else { return };
    let pace = Pace {
        pacings,
        immediate: schedule.immediate_first != ImmediateFirst::Never,
        recovery: schedule.recover_after,
    };
    let time = pace.min_time(window.restarts);
    if time >= window.within {
        let written = |nanos: u64| format_duration(Duration::from_nanos(nanos));
        let (time, within, restarts) = (written(time), written(window.within), window.restarts);
        lints.add(
            "unreachable-limit",
            format!("{at}.limit"),
            format!(
                "{restarts} restarts take at least {time} even if every run fails at once, so a window of {within} \
                 never holds {restarts} and the limit is never reached"
            ),
            format!("write a `within` longer than {time}, fewer `restarts`, or a shorter `interval`"),
        );
    }
}

fn recovery(lints: &mut Lints, at: &str, retry: &RetryPolicy, schedule: &RetrySchedule) {
    let longest = schedule.stages.iter().map(|stage| stage.pacing.longest()).max().unwrap_or(0);
    let first = schedule.stages.first().map_or(0, |stage| min_delay(&stage.pacing, 0));
    let limited = schedule.whole.attempts != UNLIMITED || schedule.whole.duration != FOREVER;
    // If delays do not grow and nothing is counted, it does not matter when a streak ends.
    let matters = longest > first || limited || schedule.stages.len() > 1;
    if retry.recover.is_some() && schedule.recovery != Recovery::Never && schedule.recover_after < longest && matters {
        let longest = format_duration(Duration::from_nanos(longest));
        lints.add(
            "early-recovery",
            format!("{at}.recover.after"),
            format!(
                "a crash loop with runs a little longer than {} counts as recovered each time, although delays grow to \
                 {longest}: its streak never grows",
                format_duration(Duration::from_nanos(schedule.recover_after)),
            ),
            format!("write at least {longest}, or leave `after` out, which means twice that"),
        );
    }
}

fn endless(lints: &mut Lints, at: &str, retry: &RetryPolicy, schedule: &RetrySchedule, settings: &Settings) {
    let Some(last) = schedule.stages.last() else { return };
    let counted = |limits: &Limits| limits.attempts != UNLIMITED || limits.window.is_some();
    let path =
        || if retry.stages.is_empty() { at.to_owned() } else { format!("{at}.stages[{}]", retry.stages.len() - 1) };
    let pacing = &last.pacing;
    let decorrelated = pacing.jitter == Jitter::Decorrelated;
    let at_once = if decorrelated { pacing.interval == 0 } else { pacing.longest() == 0 };
    // A budget paces the set as a whole.
    let budgeted = settings.failure.budget.is_some();
    if at_once && !counted(&schedule.whole) && !counted(&last.limits) && !budgeted {
        lints.add(
            "hot-loop",
            path(),
            "a replica that fails at once is restarted without delay and without end, a busy loop",
            "give it an `interval` above 0s, a `max_attempts` or a `limit`",
        );
        return;
    }
    let grows = decorrelated || pacing.nominal(1000) > pacing.nominal(0);
    if !at_once && !grows && !schedule.whole.any && !last.limits.any && !budgeted {
        lints.add(
            "endless-retry",
            path(),
            format!(
                "a replica that never recovers is restarted every {} without end",
                format_duration(Duration::from_nanos(pacing.nominal(1000)))
            ),
            "give it a `max_duration`, `max_attempts` or `limit`, or a growing `backoff`",
        );
    }
}

fn duration(lints: &mut Lints, at: &str, schedule: &RetrySchedule) {
    let first = schedule.stages.first().map_or(0, |stage| min_delay(&stage.pacing, 0));
    let limit = schedule.whole.duration;
    if schedule.immediate_first == ImmediateFirst::Never && first > limit {
        lints.add(
            "short-duration",
            format!("{at}.max_duration"),
            format!(
                "the first restart comes after at least {}, so a second failure is always later than {} and there is \
                 never more than one restart",
                format_duration(Duration::from_nanos(first)),
                format_duration(Duration::from_nanos(limit)),
            ),
            "write a `max_duration` of several intervals, or `max_attempts: 1`",
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{is_quiet, warns};
    use serde_json::json;

    #[test]
    fn a_cap_below_the_interval_cuts_the_first_delay() {
        let capped = |cap: &str| json!({"retry": {"interval": "30s", "max_interval": cap, "max_attempts": 3}});
        warns(capped("29s"), "retry.max_interval cap-below-interval");
        is_quiet(capped("30s"));
        let inherited =
            |cap: &str| json!({"retry": {"interval": "30s", "stages": [{"max_attempts": 3, "max_interval": cap}]}});
        warns(inherited("29s"), "retry.stages[0].max_interval cap-below-interval");
        is_quiet(inherited("30s"));
        let schedule = |cap: &str| json!({"retry": {"backoff": {"schedule": ["1s", "9s"]}, "max_interval": cap, "max_attempts": 3}});
        warns(schedule("8s"), "retry.max_interval cap-below-interval");
        is_quiet(schedule("9s"));
    }

    #[test]
    fn a_cap_below_the_least_delay_of_failed_starts_is_reported() {
        let capped = |cap: &str| json!({"retry": {"interval": "1ms", "max_interval": cap, "max_attempts": 3}});
        warns(capped("99ms"), "retry.max_interval cap-below-floor");
        is_quiet(capped("100ms"));
    }

    #[test]
    fn a_recovery_shorter_than_the_longest_delay_is_reported() {
        let recover = |after: &str, retry: serde_json::Value| {
            let mut document = json!({"retry": retry});
            document["retry"]["recover"] = json!({"after": after});
            document
        };
        let growing = json!({"interval": "1s", "backoff": "exponential", "max_interval": "60s"});
        warns(recover("59s", growing.clone()), "retry.recover.after early-recovery");
        is_quiet(recover("60s", growing));
        warns(recover("29s", json!({"interval": "30s", "max_attempts": 5})), "retry.recover.after early-recovery");
        is_quiet(recover("29s", json!({"interval": "30s", "limit": {"restarts": 5, "within": "1h"}})));
    }

    #[test]
    fn restarts_without_limit_and_growth_are_reported() {
        warns(json!({"retry": {"interval": "30s"}}), "retry endless-retry");
        warns(json!({"retry": {"stages": [{"max_attempts": 1}, {"interval": "1m"}]}}), "retry.stages[1] endless-retry");
        is_quiet(json!({"retry": {"interval": "30s", "max_duration": "1h"}}));
        is_quiet(json!({"retry": {"interval": "30s", "backoff": "linear"}}));
        is_quiet(json!({"retry": {"interval": "30s"}, "failure": {"budget": {"restarts": 9, "per": "1h"}}}));
    }

    #[test]
    fn restarts_without_delay_need_a_limit_on_attempts() {
        warns(json!({"retry": {"interval": "0s", "backoff": "exponential"}}), "retry hot-loop");
        warns(json!({"retry": {"interval": "0s", "max_duration": "1h"}}), "retry hot-loop");
        warns(json!({"retry": {"interval": "0s", "jitter": "decorrelated"}}), "retry hot-loop");
        is_quiet(json!({"retry": {"interval": "0s", "max_attempts": 3}}));
        is_quiet(json!({"retry": {"interval": "1ms", "max_duration": "1h"}}));
    }

    #[test]
    fn no_attempts_restart_nothing() {
        warns(json!({"retry": {"max_attempts": 0}}), "retry.max_attempts no-attempts");
        is_quiet(json!({"retry": {"max_attempts": 1}}));
        let stages = json!({"retry": {"stages": [{"max_attempts": 0}, {"max_attempts": 1}]}});
        warns(stages, "retry.stages[0].max_attempts no-attempts");
    }

    #[test]
    fn a_duration_shorter_than_the_first_delay_is_reported() {
        warns(json!({"retry": {"interval": "30s", "max_duration": "29s"}}), "retry.max_duration short-duration");
        is_quiet(json!({"retry": {"interval": "30s", "max_duration": "30s"}}));
        is_quiet(json!({"retry": {"interval": "30s", "max_duration": "29s", "immediate_first": true}}));
    }

    #[test]
    fn a_stage_after_an_endless_one_is_never_reached() {
        let stages = |first: serde_json::Value| json!({"retry": {"stages": [first, {"max_attempts": 1}]}});
        warns(stages(json!({"interval": "1s"})), "retry.stages[1] unreachable-stage");
        is_quiet(stages(json!({"interval": "1s", "max_attempts": 3})));
    }

    #[test]
    fn decorrelated_jitter_uses_no_backoff() {
        let retry = |backoff: &str| json!({"retry": {"jitter": "decorrelated", "backoff": backoff}});
        warns(retry("exponential"), "retry.backoff unused-backoff");
        is_quiet(retry("constant"));
    }

    #[test]
    fn keeping_min_available_needs_a_window_to_wait_for() {
        let keep = |mut retry: serde_json::Value| {
            retry["keep_min_available"] = json!(true);
            json!({"retry": retry})
        };
        warns(keep(json!({"max_attempts": 5})), "retry.keep_min_available unused-keep-min-available");
        is_quiet(keep(json!({"limit": {"restarts": 5, "within": "10m"}})));
    }
}
