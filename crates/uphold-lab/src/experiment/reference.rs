//! The reference that says whether a set gave up too early: one that never does.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use uphold::sim::{Action, Environment, Life, SimError, Simulation};
use uphold::{
    Backoff, Kill, Notice, Output, Placement, Policy, ProbeRequest, ProbeResult, RetryPolicy, Start, Status, Stop,
    Timestamp,
};

use super::definition::Experiment;
use super::observer::Observer;

/// Short enough to be there when a fault is over, long enough not to be a storm by itself.
const INTERVAL: Duration = Duration::from_secs(10);

/// For each time at which a set gave up, whether the reference was healthy then or within `healed_within`. `None` if it
/// was stopped.
pub(super) fn gave_up_too_early(
    experiment: &Experiment,
    seed: u64,
    replicas: u32,
    gave_up: &[Timestamp],
    stop: &AtomicBool,
) -> Result<Option<Vec<bool>>, SimError> {
    let Some(last) = gave_up.iter().max() else { return Ok(Some(Vec::new())) };
    let retry = RetryPolicy::every(INTERVAL).backoff(Backoff::Constant).placement(Placement::Elsewhere);
    // As patient with a start as the most patient of those it is compared with.
    let patience = experiment.policies.iter().map(|(_, policy)| policy.start_timeout()).max().unwrap_or_default();
    let policy = Policy::builder().replicas(replicas).start_timeout(patience).retry(retry).build()?;
    let watch = HealthRecorder {
        inner: experiment.faults.environment(seed, replicas),
        healed_within: experiment.healed_within,
        healthy_since: None,
        asked: gave_up,
        healed: vec![false; gave_up.len()],
    };
    let mut watch = Observer::new(watch, replicas, Duration::ZERO, stop);
    let until = *last + experiment.healed_within;
    Simulation::new(policy).seed(seed).figures_only().run_in(&mut watch, until)?;
    Ok(watch.into_inner().map(|mut watch| {
        watch.end_healthy_period(until);
        watch.healed
    }))
}

/// Surroundings whose set is watched for when it is healthy.
struct HealthRecorder<'g, E> {
    inner: E,
    healed_within: Duration,
    healthy_since: Option<Timestamp>,
    asked: &'g [Timestamp],
    healed: Vec<bool>,
}

impl<E> HealthRecorder<'_, E> {
    fn end_healthy_period(&mut self, at: Timestamp) {
        if let Some(since) = self.healthy_since.take() {
            for (asked, healed) in self.asked.iter().zip(&mut self.healed) {
                *healed |= since <= *asked + self.healed_within && *asked < at;
            }
        }
    }
}

impl<E: Environment> Environment for HealthRecorder<'_, E> {
    fn life(&mut self, start: &Start, at: Timestamp, under_way: u32) -> Life {
        self.inner.life(start, at, under_way)
    }

    fn comes_about(&mut self, start: &Start, at: Timestamp) -> Option<Duration> {
        self.inner.comes_about(start, at)
    }

    fn stops_in(&mut self, stop: &Stop, at: Timestamp) -> Duration {
        self.inner.stops_in(stop, at)
    }

    fn killed_in(&mut self, kill: &Kill, at: Timestamp) -> Duration {
        self.inner.killed_in(kill, at)
    }

    fn answer(&mut self, probe: &ProbeRequest, at: Timestamp) -> ProbeResult {
        self.inner.answer(probe, at)
    }

    fn next(&self) -> Option<Timestamp> {
        self.inner.next()
    }

    fn befalls(&mut self, at: Timestamp, actions: &mut Vec<Action>) {
        self.inner.befalls(at, actions);
    }

    fn hears(&mut self, output: &Output, at: Timestamp) {
        self.inner.hears(output, at);
        if let Output::Notice(Notice::Status(change)) = output {
            if change.status == Status::Healthy {
                self.healthy_since.get_or_insert(at);
            } else {
                self.end_healthy_period(at);
            }
        }
    }
}
