//! The reference run: a set that never gives up. It shows whether another set gave up too early.

use std::sync::atomic::AtomicBool;
use std::time::Duration;

use uphold::policy::Placement;
use uphold::sim::{SimError, Simulation};
use uphold::{Backoff, Notice, Output, Policy, RetryPolicy, Status, Timestamp};

use super::definition::Experiment;
use super::observed_environment::{ObservedEnvironment, Observer};

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
    let observer = HealthObserver {
        healed_within: experiment.healed_within,
        healthy_since: None,
        gave_up,
        healed: vec![false; gave_up.len()],
    };
    let mut environment = ObservedEnvironment::new(experiment.faults.environment(seed, replicas), observer, stop);
    let until = *last + experiment.healed_within;
    Simulation::new(policy).seed(seed).stats_only().run_in(&mut environment, until)?;
    Ok(environment.into_observer().map(|mut observer| {
        observer.end_healthy_period(until);
        observer.healed
    }))
}

/// Records whether the set is healthy at given times, or soon after them.
struct HealthObserver<'g> {
    healed_within: Duration,
    healthy_since: Option<Timestamp>,
    gave_up: &'g [Timestamp],
    /// For each time in `gave_up`: whether the set was healthy then or within `healed_within`.
    healed: Vec<bool>,
}

impl HealthObserver<'_> {
    fn end_healthy_period(&mut self, at: Timestamp) {
        if let Some(since) = self.healthy_since.take() {
            for (gave_up, healed) in self.gave_up.iter().zip(&mut self.healed) {
                *healed |= since <= *gave_up + self.healed_within && *gave_up < at;
            }
        }
    }
}

impl Observer for HealthObserver<'_> {
    fn observe_output(&mut self, output: &Output, at: Timestamp) {
        if let Output::Notice(Notice::Status(change)) = output {
            if change.status == Status::Healthy {
                self.healthy_since.get_or_insert(at);
            } else {
                self.end_healthy_period(at);
            }
        }
    }
}
