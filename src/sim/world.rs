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
/// assert_eq!(run.status_at("24s")?, Status::Pending);
/// assert_eq!(run.status_at("25s")?, Status::Healthy);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
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
}
