//! Measures one run while it is simulated: the figures that [`RunStats`](uphold::sim::RunStats) does not contain.

use std::time::Duration;

use uphold::decide::DecisionReason;
use uphold::engine::Start;
use uphold::{Notice, Output, Phase, ReplicaId, Status, Timestamp, Verdict};

use super::observed_environment::Observer;

/// What was measured of one run.
#[derive(Debug, Default)]
pub(super) struct Observations {
    /// The times from leaving `healthy` until being healthy again.
    pub(super) recoveries: Vec<Duration>,
    /// Whether the set had left `healthy` and was not healthy again at the end.
    pub(super) unrecovered: bool,
    /// Starts of slots that had been started before.
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
    /// The slot was started before.
    is_restart: bool,
    /// The slot has been started since it was added.
    started: bool,
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

/// Collects the [`Observations`] of one run.
pub(super) struct RunObserver {
    min_ready: Duration,
    status: Status,
    /// Since when the set has not been healthy; `None`: it is healthy, or never was.
    unhealthy_since: Option<Timestamp>,
    replicas: Vec<IncarnationProgress>,
    observations: Observations,
}

impl RunObserver {
    /// Creates an observer. `min_ready`: how long a replica must be ready to count as available.
    pub(super) fn new(replicas: u32, min_ready: Duration) -> Self {
        Self {
            min_ready,
            status: Status::Pending,
            unhealthy_since: None,
            replicas: vec![IncarnationProgress::default(); replicas as usize],
            observations: Observations::default(),
        }
    }

    /// Returns the observations at the end of the run.
    pub(super) fn finish(mut self) -> Observations {
        self.observations.unrecovered = self.unhealthy_since.is_some();
        self.observations
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

impl Observer for RunObserver {
    fn observe_start(&mut self, start: &Start, starts_in_flight: u32) {
        let progress = self.progress_of(start.replica);
        let is_restart = progress.started;
        *progress = IncarnationProgress { is_restart, started: true, ..IncarnationProgress::default() };
        if is_restart {
            self.observations.restarts += 1;
            self.observations.peak_starts = self.observations.peak_starts.max(starts_in_flight);
        }
    }

    fn observe_output(&mut self, output: &Output, at: Timestamp) {
        match output {
            Output::Notice(Notice::Status(change)) => self.record_status(change.status, at),
            Output::Notice(Notice::Replica(change)) => {
                let min_ready = self.min_ready;
                let progress = self.progress_of(change.replica);
                if change.phase == Phase::Removed {
                    // Another slot may be added under its number.
                    *progress = IncarnationProgress::default();
                } else if change.phase == Phase::Ready {
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
                // A completed run is not wasted, however short.
                let completed = judged.decision.reason == DecisionReason::CompletedRun;
                if progress.is_restart && !progress.was_available && !completed {
                    self.observations.wasted_restarts += 1;
                }
            }
            Output::Command(_) | Output::Notice(_) => {}
        }
    }
}
