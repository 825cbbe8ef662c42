//! The policies that are measured, with the time between failures.

use std::time::Duration;

use uphold::policy::{Budget, Correlated, Probe, ProbeCheck, RolloutPolicy, ScalingPolicy, Scope, StandIns, TcpCheck};
use uphold::{
    Backoff, FailurePolicy, HealthPolicy, Jitter, Policy, Quantity, RetryPolicy, Rule, RuleAction, Timestamp,
};

/// A policy, and the times between failures in its benches.
#[derive(Clone, Debug)]
pub struct Setup {
    /// The policy.
    pub policy: Policy,
    /// From one failure to the next.
    pub step: Duration,
    /// Healthy time between two failures of one replica: long enough to end its streak and to empty its window.
    pub rest: Duration,
}

/// Benches start over at this time, long before the end of the range of `Timestamp`.
pub const LATE: Timestamp = Timestamp::from_secs(100 * 365 * 86_400);

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3600);

fn retry() -> RetryPolicy {
    RetryPolicy::every(30 * SECOND).max_duration(HOUR)
}

fn setup(replicas: u32, retry: RetryPolicy, failure: FailurePolicy) -> Setup {
    let policy = Policy::builder().replicas(replicas).retry(retry).failure(failure).build().expect("a valid policy");
    Setup { policy, step: Duration::from_nanos(1), rest: 2 * HOUR }
}

/// Every 30 s for at most an hour: the smallest policy that restarts.
pub fn flat(replicas: u32) -> Setup {
    setup(replicas, retry(), FailurePolicy::new())
}

/// With a sliding window of 5 in 10 min.
pub fn window(replicas: u32) -> Setup {
    setup(replicas, retry().limit(5, 600 * SECOND), FailurePolicy::new())
}

/// With exponential backoff and jitter.
pub fn jitter(replicas: u32) -> Setup {
    let retry = RetryPolicy::every(30 * SECOND).backoff(Backoff::exponential()).max_interval(300 * SECOND);
    setup(replicas, retry.jitter(Jitter::Equal), FailurePolicy::new())
}

/// With a token bucket that is never empty.
pub fn budget(replicas: u32) -> Setup {
    setup(replicas, retry(), FailurePolicy::new().budget(Budget::new(1_000_000, SECOND)))
}

/// With detection of incidents; failures are too far apart to be one.
pub fn correlated(replicas: u32) -> Setup {
    let failure = FailurePolicy::new().correlated(Correlated::new(Quantity::Percent(50), 30 * SECOND));
    // The interval is longer than a batch of failures, so that no restart falls into it.
    Setup { step: 31 * SECOND, ..setup(replicas, RetryPolicy::every(2100 * SECOND), failure) }
}

/// `retry: true`.
pub fn recommended(replicas: u32) -> Setup {
    Setup { step: 31 * SECOND, ..setup(replicas, RetryPolicy::recommended(), FailurePolicy::new()) }
}

/// `count` rules, of which the last one matches.
pub fn rules(replicas: u32, count: usize) -> Setup {
    let mut failure = FailurePolicy::new();
    for code in 1..count {
        failure = failure.rule(Rule::new(RuleAction::Terminate).exit_code(code as i32));
    }
    if count > 0 {
        failure = failure.rule(Rule::new(RuleAction::Retry).exit_code(137));
    }
    setup(replicas, retry(), failure)
}

/// With `scope: all`: one failure restarts all replicas.
pub fn whole_set(replicas: u32) -> Setup {
    setup(replicas, retry(), FailurePolicy::new().scope(Scope::All))
}

/// With a liveness probe every 10 s.
pub fn probed(replicas: u32) -> Setup {
    let probe = Probe::new(ProbeCheck::Tcp(TcpCheck::new("8080"))).interval(10 * SECOND);
    let policy = Policy::builder()
        .replicas(replicas)
        .retry(retry())
        .health(HealthPolicy::new().liveness(probe))
        .build()
        .expect("a valid policy");
    Setup { policy, step: Duration::from_nanos(1), rest: 2 * HOUR }
}

/// With these limits of rollouts and drains.
pub fn rollout(replicas: u32, rollout: RolloutPolicy) -> Setup {
    let policy = Policy::builder().replicas(replicas).retry(retry()).rollout(rollout).build().expect("a valid policy");
    Setup { policy, step: Duration::from_nanos(1), rest: 2 * HOUR }
}

/// With a standby, and at most 2 stand-ins.
pub fn standby(replicas: u32) -> Setup {
    let scaling = ScalingPolicy::new().standby(1).stand_ins(StandIns::new(2));
    let policy = Policy::builder().replicas(replicas).retry(retry()).scaling(scaling).build().expect("a valid policy");
    Setup { policy, step: Duration::from_nanos(1), rest: 2 * HOUR }
}

/// Returns the policies that are measured at one size, by name.
pub fn features(replicas: u32) -> Vec<(&'static str, Setup)> {
    vec![
        ("flat", flat(replicas)),
        ("window", window(replicas)),
        ("jitter", jitter(replicas)),
        ("budget", budget(replicas)),
        ("correlated", correlated(replicas)),
        ("1 rule", rules(replicas, 1)),
        ("10 rules", rules(replicas, 10)),
        ("100 rules", rules(replicas, 100)),
    ]
}
