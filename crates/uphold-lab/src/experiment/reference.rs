//! The reference run that tells whether a set gave up too early: a set that never gives up.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use uphold::engine::{Kill, ProbeRequest, ProbeResult, Start, Stop};
use uphold::policy::Placement;
use uphold::sim::{Action, Environment, InstancePlan, SimError, Simulation};
use uphold::{Backoff, Notice, Output, Policy, RetryPolicy, Status, Timestamp};

use super::definition::Experiment;
use super::observer::Observer;

/// The reference's restart interval: short compared with the outages of interest, long enough not to cause a restart
/// storm.
const INTERVAL: Duration = Duration::from_secs(10);

/// Returns for each time in `gave_up` whether the reference was healthy then, or within `healed_within` after it. `None`
/// if it was interrupted.
pub(super) fn gave_up_too_early(
    experiment: &Experiment,
    seed: u64,
    replicas: u32,
    gave_up: &[Timestamp],
    stop: &AtomicBool,
) -> Result<Option<Vec<bool>>, SimError> {
    let Some(last) = gave_up.iter().max() else { return Ok(Some(Vec::new())) };
    let retry = RetryPolicy::every(INTERVAL).backoff(Backoff::Constant).placement(Placement::Elsewhere);
    let start_timeout = experiment.policies.iter().map(|(_, policy)| policy.start_timeout()).max().unwrap_or_default();
    let policy = Policy::builder().replicas(replicas).start_timeout(start_timeout).retry(retry).build()?;
    let recorder = HealthRecorder {
        inner: experiment.faults.environment(seed, replicas),
        healed_within: experiment.healed_within,
        healthy_since: None,
        gave_up,
        healed: vec![false; gave_up.len()],
    };
    let mut observer = Observer::new(recorder, replicas, Duration::ZERO, stop);
    let until = *last + experiment.healed_within;
    Simulation::new(policy).seed(seed).stats_only().run_in(&mut observer, until)?;
    Ok(observer.into_inner().map(|mut recorder| {
        recorder.end_healthy_period(until);
        recorder.healed
    }))
}

/// An environment that wraps another and records when the set is healthy.
struct HealthRecorder<'g, E> {
    inner: E,
    healed_within: Duration,
    healthy_since: Option<Timestamp>,
    gave_up: &'g [Timestamp],
    /// For each time in `gave_up`: whether the set was healthy then or within `healed_within`.
    healed: Vec<bool>,
}

impl<E> HealthRecorder<'_, E> {
    fn end_healthy_period(&mut self, at: Timestamp) {
        if let Some(since) = self.healthy_since.take() {
            for (gave_up, healed) in self.gave_up.iter().zip(&mut self.healed) {
                *healed |= since <= *gave_up + self.healed_within && *gave_up < at;
            }
        }
    }
}

impl<E: Environment> Environment for HealthRecorder<'_, E> {
    fn plan(&mut self, start: &Start, at: Timestamp, starts_in_flight: u32) -> InstancePlan {
        self.inner.plan(start, at, starts_in_flight)
    }

    fn late_start(&mut self, start: &Start, at: Timestamp) -> Option<Duration> {
        self.inner.late_start(start, at)
    }

    fn stop_duration(&mut self, stop: &Stop, at: Timestamp) -> Duration {
        self.inner.stop_duration(stop, at)
    }

    fn kill_duration(&mut self, kill: &Kill, at: Timestamp) -> Duration {
        self.inner.kill_duration(kill, at)
    }

    fn probe_result(&mut self, probe: &ProbeRequest, at: Timestamp) -> ProbeResult {
        self.inner.probe_result(probe, at)
    }

    fn next_injection(&self) -> Option<Timestamp> {
        self.inner.next_injection()
    }

    fn inject(&mut self, at: Timestamp, actions: &mut Vec<Action>) {
        self.inner.inject(at, actions);
    }

    fn observe(&mut self, output: &Output, at: Timestamp) {
        self.inner.observe(output, at);
        if let Output::Notice(Notice::Status(change)) = output {
            if change.status == Status::Healthy {
                self.healthy_since.get_or_insert(at);
            } else {
                self.end_healthy_period(at);
            }
        }
    }
}
