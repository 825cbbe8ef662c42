//! Dependencies: services that replicas need and that have outages, such as a database or a model store.

use std::time::Duration;

use uphold::{Outcome, Timestamp};

use super::distribution::Distribution;
use super::episodes::Episodes;

/// A service that replicas need and that has outages.
///
/// ```
/// use std::time::Duration;
/// use uphold_lab::fault::{Dependency, Episodes, RunningDuringOutage};
///
/// let outage = Episodes::once(Duration::from_secs(3600), Duration::from_secs(300));
/// let database =
///     Dependency::new(outage).running(RunningDuringOutage::Crash).crashes_after(Duration::from_secs(5));
/// assert_eq!(database.get_running(), RunningDuringOutage::Crash);
/// ```
#[derive(Clone, PartialEq, Debug)]
#[must_use]
pub struct Dependency {
    pub(super) outages: Episodes,
    pub(super) starts: StartDuringOutage,
    pub(super) running: RunningDuringOutage,
    pub(super) crashes_after: Distribution,
    pub(super) ends: Outcome,
}

/// What happens to an instance that starts running during an outage of a dependency.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum StartDuringOutage {
    /// It runs, and crashes after [`Dependency::crashes_after`] unless the outage ends first.
    #[default]
    Crash,
    /// The start fails.
    Fail,
    /// It runs, and becomes ready when the outage ends.
    Wait,
}

/// What happens to instances that are running when an outage of a dependency begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
#[non_exhaustive]
pub enum RunningDuringOutage {
    /// They are not affected.
    #[default]
    Serve,
    /// They crash after [`Dependency::crashes_after`] unless the outage ends first.
    Crash,
    /// They are not ready until the outage ends.
    NotReady,
}

impl Dependency {
    /// Returns a dependency with these outages. By default an instance that starts during one crashes after 1 s with
    /// exit code 1, and running instances are not affected.
    pub fn new(outages: Episodes) -> Self {
        Self {
            outages,
            starts: StartDuringOutage::default(),
            running: RunningDuringOutage::default(),
            crashes_after: Duration::from_secs(1).into(),
            ends: Outcome::exited(1, Timestamp::ZERO),
        }
    }

    /// Sets what happens to instances that start running during an outage. Default [`StartDuringOutage::Crash`].
    pub fn starts(mut self, starts: StartDuringOutage) -> Self {
        self.starts = starts;
        self
    }

    /// Sets what happens to instances that are already running. Default [`RunningDuringOutage::Serve`].
    pub fn running(mut self, running: RunningDuringOutage) -> Self {
        self.running = running;
        self
    }

    /// Sets how long an instance survives without the dependency. Default 1 s.
    pub fn crashes_after(mut self, after: impl Into<Distribution>) -> Self {
        self.crashes_after = after.into();
        self
    }

    /// Sets how an instance crashes. The time in `outcome` is ignored. Default: exit code 1.
    pub fn ends(mut self, outcome: Outcome) -> Self {
        self.ends = outcome;
        self
    }

    /// Returns the outages.
    pub fn get_outages(&self) -> &Episodes {
        &self.outages
    }

    /// Returns what happens to instances that start running during an outage.
    pub fn get_starts(&self) -> StartDuringOutage {
        self.starts
    }

    /// Returns what happens to instances that are already running.
    pub fn get_running(&self) -> RunningDuringOutage {
        self.running
    }

    /// Returns how long an instance survives without the dependency.
    pub fn get_crashes_after(&self) -> &Distribution {
        &self.crashes_after
    }

    /// Returns how an instance crashes.
    pub fn get_ends(&self) -> &Outcome {
        &self.ends
    }
}
