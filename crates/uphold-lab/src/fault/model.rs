//! The fault model: everything that goes wrong, and how long everything takes.

use std::time::Duration;

use super::dependency::Dependency;
use super::distribution::Distribution;
use super::drought::Drought;
use super::failure::FailureMode;
use super::lost_contact::LostContact;
use super::nodes::Nodes;

/// The faults that replicas of a set are exposed to, and how long starts and stops take. By default there are no faults
/// and everything is instantaneous.
///
/// Every random number is a hash of the seed and of what it is for: which replica, which of its starts, which
/// occurrence. Policies compared under one seed therefore meet the same faults: the same nodes fail at the same times,
/// and the third incarnation of replica 5 fails at the same age under each policy.
///
/// ```
/// use std::time::Duration;
/// use uphold::sim::Simulation;
/// use uphold::{Policy, RetryPolicy};
/// use uphold_lab::fault::{Distribution, FailureMode, FaultModel};
///
/// let day = Duration::from_secs(86_400);
/// let model = FaultModel::new()
///     .ready_in(Duration::from_secs(120))
///     .failure(FailureMode::new(Distribution::exponential(day)?));
/// let policy = Policy::builder().replicas(3).retry(RetryPolicy::every(Duration::from_secs(10))).build()?;
/// let run = Simulation::new(policy).run_in(&mut model.environment(7, 3), 30 * day)?;
/// assert!(run.restarts() > 60 && run.availability_ppm() > 990_000);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, PartialEq, Debug)]
#[must_use]
pub struct FaultModel {
    pub(super) starts_in: Distribution,
    pub(super) ready_in: Distribution,
    pub(super) stops_in: Distribution,
    pub(super) refused_in: Option<Distribution>,
    pub(super) slower_per_start: f64,
    pub(super) failures: Vec<FailureMode>,
    pub(super) droughts: Vec<Drought>,
    pub(super) dependencies: Vec<Dependency>,
    pub(super) lost_contact: Vec<LostContact>,
    pub(super) nodes: Option<Nodes>,
}

impl Default for FaultModel {
    fn default() -> Self {
        let instantaneous = || Distribution::fixed(Duration::ZERO);
        Self {
            starts_in: instantaneous(),
            ready_in: instantaneous(),
            stops_in: instantaneous(),
            refused_in: None,
            slower_per_start: 0.0,
            failures: Vec::new(),
            droughts: Vec::new(),
            dependencies: Vec::new(),
            lost_contact: Vec::new(),
            nodes: None,
        }
    }
}

impl FaultModel {
    /// Returns a model without faults in which everything is instantaneous.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the time from the start command until an instance runs. Default 0.
    pub fn starts_in(mut self, time: impl Into<Distribution>) -> Self {
        self.starts_in = time.into();
        self
    }

    /// Sets the time from when an instance runs until it is ready, such as the time to load a model. Default 0.
    pub fn ready_in(mut self, time: impl Into<Distribution>) -> Self {
        self.ready_in = time.into();
        self
    }

    /// Sets the time from the stop command until an instance has ended. Default 0.
    pub fn stops_in(mut self, time: impl Into<Distribution>) -> Self {
        self.stops_in = time.into();
        self
    }

    /// Sets the time from the start command until a failed start is reported. Default: the same as
    /// [`starts_in`](Self::starts_in).
    pub fn refused_in(mut self, time: impl Into<Distribution>) -> Self {
        self.refused_in = Some(time.into());
        self
    }

    /// Sets by how much each other start in progress slows down starting and becoming ready: 0.1 is 10 %. Clamped to 0
    /// to 1000; NaN counts as 0. Default 0.
    pub fn slower_per_start(mut self, share: f64) -> Self {
        self.slower_per_start = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1000.0) };
        self
    }

    /// Adds a failure mode. Of several, the earliest one ends an instance.
    pub fn failure(mut self, failure: FailureMode) -> Self {
        self.failures.push(failure);
        self
    }

    /// Adds times at which starts fail.
    pub fn drought(mut self, drought: Drought) -> Self {
        self.droughts.push(drought);
        self
    }

    /// Adds a dependency that has outages.
    pub fn dependency(mut self, dependency: Dependency) -> Self {
        self.dependencies.push(dependency);
        self
    }

    /// Adds times at which replicas are out of contact although they keep running.
    pub fn lost_contact(mut self, lost: LostContact) -> Self {
        self.lost_contact.push(lost);
        self
    }

    /// Sets the nodes that replicas run on. Default: none, and replicas fail independently.
    pub fn nodes(mut self, nodes: Nodes) -> Self {
        self.nodes = Some(nodes);
        self
    }

    /// Returns the time from the start command until an instance runs.
    pub fn get_starts_in(&self) -> &Distribution {
        &self.starts_in
    }

    /// Returns the time from when an instance runs until it is ready.
    pub fn get_ready_in(&self) -> &Distribution {
        &self.ready_in
    }

    /// Returns the time from the stop command until an instance has ended.
    pub fn get_stops_in(&self) -> &Distribution {
        &self.stops_in
    }

    /// Returns the time from the start command until a failed start is reported.
    pub fn get_refused_in(&self) -> &Distribution {
        self.refused_in.as_ref().unwrap_or(&self.starts_in)
    }

    /// Returns by how much each other start in progress slows down starting and becoming ready: 0.1 is 10 %.
    pub fn get_slower_per_start(&self) -> f64 {
        self.slower_per_start
    }

    /// Returns the failure modes, in the order in which they were added.
    pub fn get_failures(&self) -> &[FailureMode] {
        &self.failures
    }

    /// Returns the droughts, in the order in which they were added.
    pub fn get_droughts(&self) -> &[Drought] {
        &self.droughts
    }

    /// Returns the dependencies, in the order in which they were added.
    pub fn get_dependencies(&self) -> &[Dependency] {
        &self.dependencies
    }

    /// Returns the losses of contact, in the order in which they were added.
    pub fn get_lost_contact(&self) -> &[LostContact] {
        &self.lost_contact
    }

    /// Returns the nodes that replicas run on, if there are any.
    pub fn get_nodes(&self) -> Option<&Nodes> {
        self.nodes.as_ref()
    }

    /// Returns the highest replica number that a part of the model names.
    pub(crate) fn highest_replica(&self) -> Option<u32> {
        let failures = self.failures.iter().filter_map(|failure| failure.replicas.as_ref());
        let lost = self.lost_contact.iter().filter_map(|lost| lost.replicas.as_ref());
        failures.chain(lost).flatten().copied().max()
    }
}
