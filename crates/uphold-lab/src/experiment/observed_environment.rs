//! An environment that wraps another, so that a run can be measured and interrupted while it is simulated.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use uphold::engine::{Kill, ProbeCommand, ProbeResult, Start, Stop};
use uphold::sim::{Action, Environment, InstancePlan, terminate};
use uphold::{Notice, Output, Timestamp};

/// Measures a run from what the set commands and reports.
pub(super) trait Observer {
    /// Observes a start. `starts_in_flight`: the starts in progress, including this one.
    fn observe_start(&mut self, start: &Start, starts_in_flight: u32) {
        let _ = (start, starts_in_flight);
    }

    /// Observes an output of the set.
    fn observe_output(&mut self, output: &Output, at: Timestamp);
}

/// Forwards to the environment `E`, calls the observer `O`, and ends the run early once `stop` is set.
pub(super) struct ObservedEnvironment<'e, E, O> {
    inner: E,
    observer: O,
    stop: &'e AtomicBool,
    interrupted: bool,
    /// The set is terminated or completed: faults no longer matter.
    ended: bool,
}

impl<'e, E: Environment, O: Observer> ObservedEnvironment<'e, E, O> {
    pub(super) fn new(inner: E, observer: O, stop: &'e AtomicBool) -> Self {
        Self { inner, observer, stop, interrupted: false, ended: false }
    }

    /// Returns the observer at the end of the run; `None` if the run was interrupted.
    pub(super) fn into_observer(self) -> Option<O> {
        (!self.interrupted).then_some(self.observer)
    }

    fn stop_requested(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

impl<E: Environment, O: Observer> Environment for ObservedEnvironment<'_, E, O> {
    fn plan(&mut self, start: &Start, at: Timestamp, starts_in_flight: u32) -> InstancePlan {
        self.observer.observe_start(start, starts_in_flight);
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

    fn probe_result(&mut self, probe: &ProbeCommand, at: Timestamp) -> ProbeResult {
        self.inner.probe_result(probe, at)
    }

    fn next_injection(&self) -> Option<Timestamp> {
        if self.ended || self.interrupted {
            return None;
        }
        if self.stop_requested() { Some(Timestamp::ZERO) } else { self.inner.next_injection() }
    }

    fn inject(&mut self, at: Timestamp, actions: &mut Vec<Action>) {
        if self.stop_requested() {
            self.interrupted = true;
            actions.push(terminate());
        } else {
            self.inner.inject(at, actions);
        }
    }

    fn observe(&mut self, output: &Output, at: Timestamp) {
        self.inner.observe(output, at);
        self.observer.observe_output(output, at);
        if let Output::Notice(Notice::Status(change)) = output {
            self.ended = change.status.is_final();
        }
    }
}
