//! The compiled form of a policy, which decisions read: nanoseconds, tables and masks, with all defaults resolved.

use std::sync::Arc;

use super::budget::BudgetEmpty;
use super::cause::Cause;
use super::disruption::DisruptionLimits;
use super::exhausted::Exhausted;
use super::health::{LostAfter, Probe};
use super::layout::Layout;
use super::on_events::OnEvents;
use super::quantity::Quantity;
use super::retry::{ImmediateFirst, RetryPolicy, Scope};
use super::retry_schedule::{FOREVER, MIN_RECOVERY, RetrySchedule, UNLIMITED};
use super::rollout::{OnRolloutFailure, Promote, RolloutPolicy};
use super::rule_index::RuleIndex;
use super::scaling::ScalingPolicy;
use super::settings::{MAX_REPLICAS, OnSuccess, Settings, StartOrder};
use crate::time::nanos;

/// A compiled policy. Durations are nanoseconds.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub(crate) success: OnSuccess,
    pub(crate) min_ready: u64,
    pub(crate) start_timeout: u64,
    pub(crate) stop_grace: u64,
    /// Whether starts that are due together wait for one another.
    pub(crate) starts_in_order: bool,
    /// The causes that `retry` restarts after if no rule matches. Any other cause terminates the set.
    pub(crate) retried: RetriedCauses,
    /// Whether every failure is retried by one `retry` without stages, windows or an immediate first restart, and no
    /// failure is recorded for an incident. Decisions then take the short path (`Evaluation<PLAIN>`).
    pub(crate) plain: bool,
    /// Whether any failure restarts several replicas together.
    pub(crate) restarts_groups: bool,
    pub(crate) keep_min_available: bool,
    /// The schedule of the policy's own `retry`, which also paces exit 0, then those of rules.
    pub(crate) schedules: Box<[RetrySchedule]>,
    /// The number of sliding windows that each replica has.
    pub(crate) windows: u16,
    pub(crate) rules: RuleIndex,
    /// The keys under which a replica's state is kept.
    pub(crate) layout: Arc<Layout>,
    pub(crate) exhausted: Exhausted,
    pub(crate) min_available: Quantity,
    pub(crate) outage_deadline: u64,
    /// An outage that returns within this is the same outage.
    pub(crate) outage_keeps_for: u64,
    /// The number of failures before any replica was available that terminates the set; `UNLIMITED` for none.
    pub(crate) max_failures_before_ready: u32,
    pub(crate) clear_after: u64,
    pub(crate) budget: Option<CompiledBudget>,
    pub(crate) max_concurrent_starts: Option<Quantity>,
    pub(crate) correlated: Option<CompiledCorrelated>,
    /// Whether any `retry` has `immediate_first: isolated`.
    pub(crate) watches_isolation: bool,
    /// Whether failures of all replicas are recorded: for incidents, `isolated` or `max_failures_before_ready`.
    pub(crate) watches_failures: bool,
    /// A failure is isolated if no other replica failed within this time.
    pub(crate) isolation: u64,
    pub(crate) unknown_after: u64,
    pub(crate) lost_after: u64,
    pub(crate) unready_timeout: u64,
    pub(crate) max_probe_restarts: Option<Quantity>,
    pub(crate) probes: CompiledProbes,
    pub(crate) scaling: CompiledScaling,
    pub(crate) rollout: CompiledRollout,
}

/// The causes after which the policy's own `retry` restarts: none without `retry`, all unless `on_events` selects some.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetriedCauses {
    no_capacity: bool,
    interruption: bool,
    others: bool,
}

impl RetriedCauses {
    fn new(retry: Option<&RetryPolicy>) -> Self {
        let all = retry.is_some();
        match retry.and_then(|retry| retry.on_events) {
            None => Self { no_capacity: all, interruption: all, others: all },
            Some(OnEvents { no_capacity, interruption, error }) => Self { no_capacity, interruption, others: error },
        }
    }

    pub(crate) fn contains(self, cause: &Cause) -> bool {
        match cause {
            Cause::NoCapacity => self.no_capacity,
            Cause::Interruption => self.interruption,
            _ => self.others,
        }
    }

    pub(crate) fn any(self) -> bool {
        self.no_capacity || self.interruption || self.others
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct CompiledBudget {
    pub(crate) restarts: u32,
    pub(crate) per: u64,
    pub(crate) empty: BudgetEmpty,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct CompiledCorrelated {
    pub(crate) share: Quantity,
    pub(crate) within: u64,
}

impl CompiledCorrelated {
    /// Returns how many distinct replicas of `desired` make an incident: the share rounded up, at least 2, from 5
    /// replicas on at least 3.
    pub(crate) fn threshold(&self, desired: u32) -> u32 {
        self.share.of_rounded_up(desired).max(if desired >= 5 { 3 } else { 2 })
    }
}

#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct CompiledProbes {
    pub(crate) startup: Option<CompiledProbe>,
    pub(crate) readiness: Option<CompiledProbe>,
    pub(crate) liveness: Option<CompiledProbe>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct CompiledProbe {
    pub(crate) interval: u64,
    pub(crate) timeout: u64,
    pub(crate) successes: u32,
    pub(crate) failures: u32,
    pub(crate) initial_delay: u64,
}

impl CompiledProbe {
    fn new(probe: &Probe) -> Self {
        Self {
            interval: probe.interval.map_or(super::defaults::PROBE_INTERVAL, nanos),
            timeout: probe.timeout.map_or(super::defaults::PROBE_TIMEOUT, nanos),
            successes: probe.successes.unwrap_or(1),
            failures: probe.failures.unwrap_or(super::defaults::PROBE_FAILURES),
            initial_delay: probe.initial_delay.map_or(0, nanos),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct CompiledScaling {
    pub(crate) min: u32,
    pub(crate) max: u32,
    /// Extra replicas that are kept started.
    pub(crate) standby: u32,
    /// The most stand-ins at a time.
    pub(crate) stand_ins: u32,
    /// How long a slot must be unavailable before a stand-in or a standby replaces it.
    pub(crate) stand_in_after: u64,
}

impl CompiledScaling {
    fn new(scaling: &ScalingPolicy) -> Self {
        let stand_ins = scaling.stand_ins;
        Self {
            min: scaling.min.unwrap_or(0),
            max: scaling.max.unwrap_or(MAX_REPLICAS),
            standby: scaling.standby.unwrap_or(0),
            stand_ins: stand_ins.map_or(0, |stand_ins| stand_ins.max),
            stand_in_after: stand_ins
                .and_then(|stand_ins| stand_ins.after)
                .map_or(super::defaults::STAND_IN_AFTER, nanos),
        }
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct CompiledRollout {
    pub(crate) limits: DisruptionLimits,
    pub(crate) canaries: u32,
    pub(crate) bake: u64,
    pub(crate) promote: Promote,
    /// `FOREVER`: none.
    pub(crate) progress_deadline: u64,
    /// The number of failures of the new revision that makes the rollout fail.
    pub(crate) max_failures: u32,
    pub(crate) on_failure: OnRolloutFailure,
}

impl CompiledRollout {
    fn new(rollout: &RolloutPolicy, retries: bool) -> Self {
        let max_failures = match retries {
            true => super::defaults::ROLLOUT_FAILURES,
            false => super::defaults::ROLLOUT_FAILURES_WITHOUT_RETRY,
        };
        Self {
            limits: DisruptionLimits::new(rollout),
            canaries: rollout.canaries.unwrap_or(0),
            bake: rollout.bake.map_or(0, nanos),
            promote: rollout.promote.unwrap_or_default(),
            progress_deadline: rollout.progress_deadline.map_or(FOREVER, nanos),
            max_failures: rollout.max_failures.unwrap_or(max_failures),
            on_failure: rollout.on_failure.unwrap_or_default(),
        }
    }
}

impl Compiled {
    pub(crate) fn new(settings: &Settings) -> Self {
        let failure = &settings.failure;
        let scope = failure.scope.unwrap_or_default();
        let mut windows = 0;
        // Without `retry`, exit 0 is paced as under `retry: true`.
        let own = settings.retry.clone().unwrap_or_else(RetryPolicy::recommended);
        let mut schedules = vec![RetrySchedule::new("", &own, scope, &mut windows)];
        let mut schedule_of_rule = Vec::with_capacity(failure.rules.len());
        for (index, rule) in failure.rules.iter().enumerate() {
            schedule_of_rule.push(match &rule.retry {
                None => 0,
                Some(retry) => {
                    let key = rule.name.clone().unwrap_or_else(|| index.to_string());
                    schedules.push(RetrySchedule::new(&key, retry, scope, &mut windows));
                    (schedules.len() - 1) as u16
                }
            });
        }
        let correlated = failure
            .correlated
            .map(|correlated| CompiledCorrelated { share: correlated.share, within: nanos(correlated.within) });
        let health = &settings.health;
        let max_failures_before_ready = failure.max_failures_before_ready.unwrap_or(UNLIMITED);
        let watches_isolation = schedules.iter().any(|schedule| schedule.immediate_first == ImmediateFirst::Isolated);
        // If nothing ends a streak, the least time that could end one applies.
        let outage_keeps_for = match schedules[0].recover_after {
            FOREVER => nanos(MIN_RECOVERY),
            after => after,
        };
        let of_group = |schedule: &RetrySchedule| schedule.stages.iter().any(|stage| stage.scope != Scope::Replica);
        let restarts_groups = schedules.iter().any(of_group);
        let plain = settings.retry.as_ref().is_some_and(|retry| retry.on_events.is_none())
            && failure.rules.is_empty()
            && correlated.is_none()
            && windows == 0
            && schedules[0].stages.len() == 1
            && !schedules[0].stages[0].limits.any
            && schedules[0].immediate_first == ImmediateFirst::Never
            // A failed trial start is quarantined again, whatever the limits are.
            && !matches!(failure.exhausted, Some(Exhausted::Quarantine(_)));
        let rules = RuleIndex::new(&failure.rules, &schedule_of_rule);
        let layout = Arc::new(Layout::new(&schedules, &rules, windows));
        Self {
            plain,
            restarts_groups,
            layout,
            success: settings.success.unwrap_or_default(),
            min_ready: settings.min_ready.map_or(0, nanos),
            start_timeout: settings.start_timeout.map_or(super::defaults::START_TIMEOUT, nanos),
            stop_grace: settings.stop_grace.map_or(super::defaults::STOP_GRACE, nanos),
            starts_in_order: settings.start_order == Some(StartOrder::Ordered),
            retried: RetriedCauses::new(settings.retry.as_ref()),
            keep_min_available: settings.retry.as_ref().is_some_and(|retry| retry.keep_min_available),
            watches_isolation,
            watches_failures: watches_isolation || correlated.is_some() || max_failures_before_ready != UNLIMITED,
            schedules: schedules.into(),
            windows,
            rules,
            exhausted: failure.exhausted.unwrap_or_default(),
            min_available: failure.min_available.unwrap_or(Quantity::Count(1)),
            outage_deadline: failure.outage_deadline.map_or(FOREVER, nanos),
            max_failures_before_ready,
            outage_keeps_for,
            clear_after: failure.clear_after.map_or(0, nanos),
            budget: failure.budget.map(|budget| CompiledBudget {
                restarts: budget.restarts,
                per: nanos(budget.per),
                empty: budget.empty,
            }),
            max_concurrent_starts: failure.max_concurrent_starts,
            isolation: correlated.map_or(super::defaults::ISOLATION, |correlated| correlated.within),
            correlated,
            unknown_after: health.unknown_after.map_or(super::defaults::UNKNOWN_AFTER, nanos),
            lost_after: match health.lost_after {
                None => super::defaults::LOST_AFTER,
                Some(LostAfter::After(duration)) => nanos(duration),
                Some(LostAfter::Never) => FOREVER,
            },
            unready_timeout: health.unready_timeout.map_or(FOREVER, nanos),
            max_probe_restarts: health.max_probe_restarts,
            probes: CompiledProbes {
                startup: health.startup.as_ref().map(CompiledProbe::new),
                readiness: health.readiness.as_ref().map(CompiledProbe::new),
                liveness: health.liveness.as_ref().map(CompiledProbe::new),
            },
            scaling: CompiledScaling::new(&settings.scaling),
            rollout: CompiledRollout::new(&settings.rollout, settings.retry.is_some()),
        }
    }

    /// Returns how many of `settled` replicas the service needs.
    pub(crate) fn need(&self, settled: u32) -> u32 {
        self.min_available.of_rounded_up(settled).min(settled)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::policy::{Policy, StandIns};

    const SEC: u64 = 1_000_000_000;

    #[test]
    fn scaling_that_is_left_out_has_no_bounds_and_no_extra_replicas() {
        let of = |scaling| Policy::builder().scaling(scaling).build().unwrap().compiled().scaling;
        let scaling = of(ScalingPolicy::new());
        assert_eq!((scaling.min, scaling.max, scaling.standby, scaling.stand_ins), (0, MAX_REPLICAS, 0, 0));
        assert_eq!(scaling.stand_in_after, 60 * SEC);
        // Standbys take over after the same time, without any stand-in too.
        let standby = of(ScalingPolicy::new().standby(1).stand_ins(StandIns::new(0).after(Duration::ZERO)));
        assert_eq!((standby.standby, standby.stand_ins, standby.stand_in_after), (1, 0, 0));
    }

    #[test]
    fn a_rollout_that_is_left_out_has_the_documented_defaults() {
        let policy = Policy::builder().retry(RetryPolicy::recommended()).build().unwrap();
        let rollout = policy.compiled().rollout;
        assert_eq!((rollout.canaries, rollout.bake, rollout.progress_deadline), (0, 0, FOREVER));
        assert_eq!((rollout.promote, rollout.on_failure), (Promote::Auto, OnRolloutFailure::Rollback));
        assert_eq!((rollout.limits.max_surge(3), rollout.limits.max_unavailable(3)), (0, 1));
        assert_eq!(rollout.max_failures, 3);
        assert_eq!(Policy::builder().build().unwrap().compiled().rollout.max_failures, 1);
        let own = Policy::builder().rollout(RolloutPolicy::new().max_failures(7)).build().unwrap();
        assert_eq!(own.compiled().rollout.max_failures, 7);
    }
}
