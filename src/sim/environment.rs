//! What a simulation runs against: who says how long things take and what becomes of each start.

use std::time::Duration;

use super::action::Action;
use crate::decide::Outcome;
use crate::engine::{Kill, Output, ProbeRequest, ProbeResult, Start, Stop};
use crate::policy::Cause;
use crate::time::Timestamp;

/// The surroundings of a simulated set: who says what becomes of each start, and what befalls the set from outside.
///
/// [`World`](super::World) and [`Behaviour`](super::Behaviour) are the simplest. A fault model of your own goes with
/// [`Simulation::run_in`](super::Simulation::run_in). Whatever it draws must come from a seed, or a run cannot be
/// repeated. Times count from the start of the simulation.
///
/// ```
/// use std::time::Duration;
/// use uphold::sim::{Environment, InstancePlan, Simulation};
/// use uphold::{Outcome, Policy, RetryPolicy, Start, Status, Timestamp};
///
/// /// The more start at once, the slower each is.
/// struct SlowUnderLoad;
///
/// impl Environment for SlowUnderLoad {
///     fn plan(&mut self, start: &Start, at: Timestamp, starts_in_flight: u32) -> InstancePlan {
///         InstancePlan::new(Duration::from_secs(u64::from(starts_in_flight)))
///     }
/// }
///
/// let policy = Policy::builder().replicas(3).retry(RetryPolicy::every(Duration::from_secs(30))).build()?;
/// let run = Simulation::new(policy).run_in(&mut SlowUnderLoad, "1m")?;
/// assert_eq!(run.status_at("2s")?, Status::Pending);
/// assert_eq!(run.status_at("3s")?, Status::Healthy); // three at once: three seconds each
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Environment {
    /// What becomes of a start that is commanded now. `starts_in_flight`: so many starts are under way, with all that are
    /// commanded at this instant.
    fn plan(&mut self, start: &Start, at: Timestamp, starts_in_flight: u32) -> InstancePlan;

    /// A start that is reported as failed comes about all the same, so long after its command; `None`, the default: it does
    /// not.
    fn late_start(&mut self, start: &Start, at: Timestamp) -> Option<Duration> {
        let _ = (start, at);
        None
    }

    /// How long an instance takes to stop when it is asked to; [`Duration::MAX`]: it never does. Default: no time.
    fn stop_duration(&mut self, stop: &Stop, at: Timestamp) -> Duration {
        let _ = (stop, at);
        Duration::ZERO
    }

    /// How long an instance takes to be gone when it is killed; [`Duration::MAX`]: this kill changes nothing. Default: no
    /// time.
    fn kill_duration(&mut self, kill: &Kill, at: Timestamp) -> Duration {
        let _ = (kill, at);
        Duration::ZERO
    }

    /// How an instance that can be reached answers a probe. Default: well.
    fn probe_result(&mut self, probe: &ProbeRequest, at: Timestamp) -> ProbeResult {
        let _ = (probe, at);
        ProbeResult::Success
    }

    /// When something befalls the set next, such as a node that fails; `None`: nothing more does. Asked after every
    /// instant.
    fn next_injection(&self) -> Option<Timestamp> {
        None
    }

    /// What befalls the set at `at`, a time that [`next`](Self::next) gave: all of it is known at one instant. What
    /// would befall an instance that is not alive does not.
    fn inject(&mut self, at: Timestamp, actions: &mut Vec<Action>) {
        let _ = (at, actions);
    }

    /// Everything that the set hands out, in order: for models that keep account of where replicas are, and for
    /// stats.
    fn observe(&mut self, output: &Output, at: Timestamp) {
        let _ = (output, at);
    }
}

/// What becomes of one start.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use]
pub struct InstancePlan {
    /// From the command until it runs; `None`: it never does.
    pub(super) start: Option<Duration>,
    /// From when it runs until it can serve; `None`: it never can.
    pub(super) ready: Option<Duration>,
    /// From when it runs (or is commanded, if it never does) until it ends by itself, and how; `None`: it does not.
    pub(super) end: Option<(Duration, Outcome)>,
}

impl InstancePlan {
    /// It runs after this long, can serve at once, and runs on.
    pub fn new(start: Duration) -> Self {
        Self { start: Some(start), ready: Some(Duration::ZERO), end: None }
    }

    /// The start comes to nothing: after this long it is known to have failed.
    pub fn start_fails(after: Duration, cause: Cause) -> Self {
        Self { start: None, ready: None, end: Some((after, Outcome::start_failed(cause, Timestamp::ZERO))) }
    }

    /// Nothing is ever heard of it.
    pub fn hangs() -> Self {
        Self { start: None, ready: None, end: None }
    }

    /// It can serve so long after it runs. Default: at once.
    pub fn ready_after(mut self, after: Duration) -> Self {
        self.ready = Some(after);
        self
    }

    /// It never can serve.
    pub fn never_ready(mut self) -> Self {
        self.ready = None;
        self
    }

    /// It ends so long after it runs, in this way. The time in `outcome` does not matter: it is when it ends.
    pub fn ends_after(mut self, after: Duration, outcome: Outcome) -> Self {
        self.end = Some((after, outcome));
        self
    }
}
