//! Measures one run while it is simulated: what the simulation's own figures do not contain.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use uphold::decide::DecisionReason;
use uphold::engine::{Kill, ProbeRequest, ProbeResult, Start, Stop};
use uphold::sim::{Action, Environment, InstancePlan, terminate};
use uphold::{Notice, Output, Phase, ReplicaId, Status, Timestamp, Verdict};

/// An environment that wraps another, measures the run, and can interrupt it.
pub(super) struct Observer<'e, E> {
    inner: E,
    /// Once it is true, the run is interrupted.
    stop: &'e AtomicBool,
    interrupted: bool,
    min_ready: Duration,
    status: Status,
    /// Since when the set has not been healthy; `None`: it is healthy, or never was.
    unhealthy_since: Option<Timestamp>,
    replicas: Vec<IncarnationProgress>,
    observations: Observations,
}

/// What was measured of one run.
#[derive(Debug, Default)]
pub(super) struct Observations {
    /// The times from leaving `healthy` until being healthy again.
    pub(super) recoveries: Vec<Duration>,
    /// The set had left `healthy` and was not healthy again at the end.
    pub(super) unrecovered: bool,
    /// Starts with an incarnation above 1.
    pub(super) restarts: u64,
    /// Restarts whose incarnation failed before it was available.
    pub(super) wasted_restarts: u64,
    /// The most concurrent starts at the time of a restart.
    pub(super) peak_starts: u32,
    /// When the set was terminated.
    pub(super) gave_up: Option<Timestamp>,
}

/// How far the newest incarnation of a replica has come.
#[derive(Clone, Copy, Default)]
struct IncarnationProgress {
    ready_since: Option<Timestamp>,
    was_available: bool,
}

impl IncarnationProgress {
    /// Records that the replica is no longer ready as of `at`.
    fn end_readiness(&mut self, at: Timestamp, min_ready: Duration) {
        if let Some(since) = self.ready_since.take() {
            self.was_available |= at.since(since) >= min_ready;
        }
    }
}

impl<'e, E: Environment> Observer<'e, E> {
    /// `min_ready`: how long a replica must be ready to count as available.
    pub(super) fn new(inner: E, replicas: u32, min_ready: Duration, stop: &'e AtomicBool) -> Self {
        Self {
            inner,
            stop,
            interrupted: false,
            min_ready,
            status: Status::Pending,
            unhealthy_since: None,
            replicas: vec![IncarnationProgress::default(); replicas as usize],
            observations: Observations::default(),
        }
    }

    /// Returns the observations at the end of the run; `None` if it was interrupted.
    pub(super) fn finish(mut self) -> Option<Observations> {
        self.observations.unrecovered = self.unhealthy_since.is_some();
        (!self.interrupted).then_some(self.observations)
    }

    /// Returns the wrapped environment at the end of the run; `None` if it was interrupted.
    pub(super) fn into_inner(self) -> Option<E> {
        (!self.interrupted).then_some(self.inner)
    }

    fn stop_requested(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn progress_of(&mut self, replica: ReplicaId) -> &mut IncarnationProgress {
        let index = replica.0 as usize;
        if self.replicas.len() <= index {
            self.replicas.resize(index + 1, IncarnationProgress::default());
        }
        &mut self.replicas[index]
    }

    fn record_status(&mut self, status: Status, at: Timestamp) {
        if status == self.status {
            return;
        }
        match (self.status, status) {
            (_, Status::Healthy) => {
                let recovery = self.unhealthy_since.take().map(|since| at.since(since));
                self.observations.recoveries.extend(recovery);
            }
            // A completed set has nothing to recover from.
            (_, Status::Completed) => self.unhealthy_since = None,
            (Status::Healthy, _) => self.unhealthy_since = Some(at),
            _ => {}
        }
        if matches!(status, Status::Terminating | Status::Terminated) {
            self.observations.gave_up.get_or_insert(at);
        }
        self.status = status;
    }
}

impl<E: Environment> Environment for Observer<'_, E> {
    fn plan(&mut self, start: &Start, at: Timestamp, starts_in_flight: u32) -> InstancePlan {
        if start.incarnation.0 > 1 {
            self.observations.restarts += 1;
            self.observations.peak_starts = self.observations.peak_starts.max(starts_in_flight);
        }
        *self.progress_of(start.replica) = IncarnationProgress::default();
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
        if self.status.is_final() || self.interrupted {
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
        match output {
            Output::Notice(Notice::Status(change)) => self.record_status(change.status, at),
            Output::Notice(Notice::Replica(change)) => {
                let min_ready = self.min_ready;
                let progress = self.progress_of(change.replica);
                if change.phase == Phase::Ready {
                    progress.ready_since.get_or_insert(at);
                    progress.was_available |= min_ready.is_zero();
                } else {
                    progress.end_readiness(at, min_ready);
                }
            }
            Output::Notice(Notice::Verdict(judged)) if judged.decision.verdict != Verdict::Complete => {
                let min_ready = self.min_ready;
                let progress = self.progress_of(judged.replica);
                progress.end_readiness(at, min_ready);
                // A run that was completed is not wasted, however short.
                let completed = judged.decision.reason == DecisionReason::CompletedRun;
                if judged.incarnation.0 > 1 && !progress.was_available && !completed {
                    self.observations.wasted_restarts += 1;
                }
            }
            Output::Command(_) | Output::Notice(_) => {}
        }
    }
}
