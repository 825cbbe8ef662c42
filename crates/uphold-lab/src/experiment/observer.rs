//! What is observations of one run while it goes on: the figures that a simulation does not keep by itself.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use uphold::sim::{Action, Environment, Life, terminate};
use uphold::{
    Kill, Notice, Output, Phase, ProbeRequest, ProbeResult, ReplicaId, Start, Status, Stop, Timestamp, Verdict,
};

/// Surroundings that are watched.
pub(super) struct Observer<'e, E> {
    inner: E,
    /// The run is to end at once, and what came of it is of no interest.
    stop: &'e AtomicBool,
    interrupted: bool,
    min_ready: Duration,
    status: Status,
    /// Since when it has not been healthy, if it was before.
    left_healthy: Option<Timestamp>,
    replicas: Vec<IncarnationProgress>,
    pub(super) observations: Observations,
}

/// What was observations.
#[derive(Debug, Default)]
pub(super) struct Observations {
    /// From leaving healthy until healthy again.
    pub(super) recoveries: Vec<Duration>,
    /// It was not healthy again by the end.
    pub(super) unrecovered: bool,
    pub(super) restarts: u64,
    pub(super) wasted_restarts: u64,
    pub(super) peak_starts: u32,
    /// When the set was terminated.
    pub(super) gave_up: Option<Timestamp>,
}

/// What the newest incarnation of a replica has achieved.
#[derive(Clone, Copy, Default)]
struct IncarnationProgress {
    ready_since: Option<Timestamp>,
    was_available: bool,
}

impl<'e, E: Environment> Observer<'e, E> {
    /// `min_ready`: for how long a replica must be ready to count as available.
    pub(super) fn new(inner: E, replicas: u32, min_ready: Duration, stop: &'e AtomicBool) -> Self {
        Self {
            inner,
            stop,
            interrupted: false,
            min_ready,
            status: Status::Pending,
            left_healthy: None,
            replicas: vec![IncarnationProgress::default(); replicas as usize],
            observations: Observations::default(),
        }
    }

    /// What was observations, once the run is over; `None` if it was told to end.
    pub(super) fn finish(mut self) -> Option<Observations> {
        self.observations.unrecovered = self.left_healthy.is_some();
        (!self.interrupted).then_some(self.observations)
    }

    /// The environment, once the run is over; `None` if it was told to end.
    pub(super) fn into_inner(self) -> Option<E> {
        (!self.interrupted).then_some(self.inner)
    }

    fn stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    fn progress_of(&mut self, replica: ReplicaId) -> &mut IncarnationProgress {
        let place = replica.0 as usize;
        if self.replicas.len() <= place {
            self.replicas.resize(place + 1, IncarnationProgress::default());
        }
        &mut self.replicas[place]
    }

    fn record_status(&mut self, status: Status, at: Timestamp) {
        if status == self.status {
            return;
        }
        match (self.status, status) {
            (_, Status::Healthy) => {
                let recovered = self.left_healthy.take().map(|left| at.since(left));
                self.observations.recoveries.extend(recovered);
            }
            // What has done its work has nothing to recover from.
            (_, Status::Completed) => self.left_healthy = None,
            (Status::Healthy, _) => self.left_healthy = Some(at),
            _ => {}
        }
        if matches!(status, Status::Terminating | Status::Terminated) {
            self.observations.gave_up.get_or_insert(at);
        }
        self.status = status;
    }
}

impl IncarnationProgress {
    /// It is no longer ready; `at` is when it stopped being so.
    fn end_readiness(&mut self, at: Timestamp, min_ready: Duration) {
        if let Some(since) = self.ready_since.take() {
            self.was_available |= at.since(since) >= min_ready;
        }
    }
}

impl<E: Environment> Environment for Observer<'_, E> {
    fn life(&mut self, start: &Start, at: Timestamp, under_way: u32) -> Life {
        if start.incarnation.0 > 1 {
            self.observations.restarts += 1;
            self.observations.peak_starts = self.observations.peak_starts.max(under_way);
        }
        *self.progress_of(start.replica) = IncarnationProgress::default();
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
        if self.status.is_final() || self.interrupted {
            return None;
        }
        if self.stopped() { Some(Timestamp::ZERO) } else { self.inner.next() }
    }

    fn befalls(&mut self, at: Timestamp, actions: &mut Vec<Action>) {
        if self.stopped() {
            self.interrupted = true;
            actions.push(terminate());
        } else {
            self.inner.befalls(at, actions);
        }
    }

    fn hears(&mut self, output: &Output, at: Timestamp) {
        self.inner.hears(output, at);
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
                if judged.incarnation.0 > 1 && !progress.was_available {
                    self.observations.wasted_restarts += 1;
                }
            }
            Output::Command(_) | Output::Notice(_) => {}
        }
    }
}
