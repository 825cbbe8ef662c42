//! The delays of the simulated backend.

use std::time::Duration;

/// How long the simulated backend takes to start and stop instances. All durations default to zero.
///
/// ```
/// use std::time::Duration;
/// use uphold::sim::{Simulation, World};
/// use uphold::{Policy, Status};
///
/// let world = World::new().start(Duration::from_secs(5)).ready(Duration::from_secs(20));
/// let run = Simulation::new(Policy::builder().replicas(2).build()?).world(world).run_until("1m")?;
/// assert_eq!(run.status_at("24s")?, Status::Pending); // neither instance is ready yet
/// assert_eq!(run.status_at("25s")?, Status::Healthy);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
#[must_use]
pub struct World {
    pub(super) start: Duration,
    pub(super) ready: Duration,
    pub(super) stop: Duration,
}

impl World {
    /// Creates a backend for which nothing takes time.
    pub fn new() -> Self {
        Self::default()
    }

    /// Sets the time from the start command until the instance is running.
    pub fn start(mut self, duration: Duration) -> Self {
        self.start = duration;
        self
    }

    /// Sets the time from running until ready.
    pub fn ready(mut self, duration: Duration) -> Self {
        self.ready = duration;
        self
    }

    /// Sets the time from the stop command until the instance has ended.
    pub fn stop(mut self, duration: Duration) -> Self {
        self.stop = duration;
        self
    }

    /// Returns the time from the start command until the instance is running.
    pub fn get_start(&self) -> Duration {
        self.start
    }

    /// Returns the time from running until ready.
    pub fn get_ready(&self) -> Duration {
        self.ready
    }

    /// Returns the time from the stop command until the instance has ended.
    pub fn get_stop(&self) -> Duration {
        self.stop
    }
}
