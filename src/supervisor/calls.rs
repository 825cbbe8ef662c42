//! Turns commands into calls of the backend. Calls are queued by class, ordered per instance, and run in their own tasks.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::sleep;

use super::bounded_call::{CallFailure, bounded_call};
use super::call_queue::{CallKey, CallQueue};
use super::clock::Clock;
use super::driver_message::DriverMessage;
use super::retry_pause::RetryPause;
use super::start_token::{StartGuard, StartToken};
use super::workload_source::WorkloadSource;
use crate::backend::{
    Backend, BackendError, InstanceKey, KillRequest, ProbeAnswer, ProbeRequest, StartRequest, StopRequest,
};
use crate::decide::{InstanceId, Outcome, ReplicaId};
use crate::engine::{Ended, Event, ProbeCommand, ProbeKind, ProbeReport, ProbeResult, Start, Stop};
use crate::policy::{Policy, ProbeCheck};

/// The maximum number of concurrent calls of each class.
const MAX_STOPS: usize = 512;
const MAX_STARTS: usize = 512;
const MAX_PROBES: usize = 1024;
/// The kinds of calls in the queue of stops and kills.
const STOP: u8 = 0;
const KILL: u8 = 1;
/// How often a start whose answer was lost is retried.
const MAX_START_RETRIES: u32 = 2;

/// The backend and what every call to it needs. Clones share the queues.
pub(super) struct Calls<B: Backend> {
    pub(super) backend: Arc<B>,
    pub(super) name: Arc<str>,
    pub(super) call_timeout: Duration,
    pub(super) messages: mpsc::UnboundedSender<DriverMessage>,
    pub(super) clock: Clock,
    pub(super) queues: Arc<Mutex<CallQueues<B::Workload>>>,
}

/// The queues of calls. Stops and kills have a queue of their own, so that they never wait for a start or a probe.
pub(super) struct CallQueues<W> {
    stops: CallQueue<Job<W>>,
    starts: CallQueue<Job<W>>,
    probes: CallQueue<Job<W>>,
}

impl<W> Default for CallQueues<W> {
    fn default() -> Self {
        Self {
            stops: CallQueue::new(MAX_STOPS),
            starts: CallQueue::new(MAX_STARTS),
            probes: CallQueue::new(MAX_PROBES),
        }
    }
}

#[derive(Clone, Copy, Debug)]
enum CallClass {
    Stops,
    Starts,
    Probes,
}

impl<W> CallQueues<W> {
    fn of(&mut self, class: CallClass) -> &mut CallQueue<Job<W>> {
        match class {
            CallClass::Stops => &mut self.stops,
            CallClass::Starts => &mut self.starts,
            CallClass::Probes => &mut self.probes,
        }
    }
}

/// A queued call.
enum Job<W> {
    Start(StartCall<W>, StartGuard),
    Stop(Stop),
    Kill(InstanceId),
    Probe(ProbeCommand, Option<ProbeCheck>, Option<String>),
}

/// A start with what the driver knows about it.
pub(super) struct StartCall<W> {
    pub(super) start: Start,
    /// The workload of its revision; `None`: it is not known.
    pub(super) workload: Option<WorkloadSource<W>>,
    pub(super) last_node: Option<String>,
}

impl<B: Backend> Clone for Calls<B> {
    fn clone(&self) -> Self {
        Self {
            backend: self.backend.clone(),
            name: self.name.clone(),
            call_timeout: self.call_timeout,
            messages: self.messages.clone(),
            clock: self.clock,
            queues: self.queues.clone(),
        }
    }
}

/// The permit of a running call; dropping it runs the next call of its class.
struct Permit<B: Backend> {
    calls: Calls<B>,
    class: CallClass,
    /// Whether its task has finished, rather than being dropped with the runtime.
    is_done: bool,
}

impl<B: Backend> Permit<B> {
    fn finish(mut self) {
        self.is_done = true;
    }
}

impl<B: Backend> Drop for Permit<B> {
    fn drop(&mut self) {
        self.calls.queues().of(self.class).finish_one();
        // A runtime that is shutting down drops each task as it is spawned, so spawning the next one here would recurse
        // through the whole queue.
        if self.is_done || std::thread::panicking() {
            self.calls.run_next(self.class);
        }
    }
}

impl<B: Backend> Calls<B> {
    /// Makes a bounded call about one instance, in a tracing span.
    #[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "they name the span"))]
    async fn call<T: Send + 'static>(
        &self,
        what: &'static str,
        instance: InstanceId,
        within: Duration,
        call: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, CallFailure> {
        #[cfg(feature = "tracing")]
        let call = tracing::Instrument::instrument(
            call,
            super::catch_panic::catch_panic(|| super::tracing::call_span(&self.name, what, instance))
                .unwrap_or_else(|_| tracing::Span::none()),
        );
        bounded_call(within, call).await
    }

    fn queues(&self) -> MutexGuard<'_, CallQueues<B::Workload>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of entries in its collections.
    pub(super) fn entries(&self) -> usize {
        let queues = self.queues();
        queues.stops.entries() + queues.starts.entries() + queues.probes.entries()
    }

    fn submit(&self, class: CallClass, key: CallKey, job: Job<B::Workload>) {
        self.queues().of(class).push(key, job);
        self.run_next(class);
    }

    /// Spawns a task for each call that gets a permit.
    fn run_next(&self, class: CallClass) {
        loop {
            let Some(job) = self.queues().of(class).next() else { return };
            let permit = Permit { calls: self.clone(), class, is_done: false };
            tokio::spawn(async move {
                match job {
                    Job::Start(call, guard) => permit.calls.run_start(call, guard).await,
                    Job::Stop(stop) => permit.calls.run_stop(stop).await,
                    Job::Kill(instance) => {
                        let answer = permit.calls.call_kill(instance).await;
                        permit.calls.report_failure("kill", instance.replica, answer);
                    }
                    Job::Probe(probe, check, address) => permit.calls.run_probe(probe, check, address).await,
                }
                permit.finish();
            });
        }
    }

    pub(super) fn send(&self, message: DriverMessage) {
        // The inbox is closed once the set has ended.
        let _ = self.messages.send(message);
    }

    /// Queues a start; later stops and kills of the instance are ordered by the token.
    pub(super) fn start(&self, call: StartCall<B::Workload>) -> StartToken {
        let (token, guard) = StartToken::new();
        self.submit(CallClass::Starts, (call.start.instance(), 0), Job::Start(call, guard));
        token
    }

    async fn run_start(&self, call: StartCall<B::Workload>, mut guard: StartGuard) {
        let StartCall { start, workload, last_node } = call;
        let Some(workload) = workload else {
            let error = unknown_workload(&start);
            return self.send(DriverMessage::Event(Event::StartFailed(self.start_failure(&start, &error))));
        };
        let instance = start.instance();
        let mut pause = RetryPause::new();
        for attempt in 0..=MAX_START_RETRIES {
            let answer = tokio::select! {
                answer = self.call_start(start.clone(), workload.clone(), last_node.clone()) => answer,
                // The kill that aborted this call follows, whether the start has succeeded or not.
                () = guard.aborted() => return,
            };
            let lost = match answer {
                Ok(Ok(())) => return,
                Ok(Err(error)) if !error.is_lost_answer() => {
                    return self.send(DriverMessage::Event(Event::StartFailed(self.start_failure(&start, &error))));
                }
                Ok(Err(error)) => error,
                Err(CallFailure::TimedOut) => {
                    BackendError::lost_answer(format!("the start did not answer within {:?}", self.call_timeout))
                }
                Err(CallFailure::Panicked) => BackendError::start_error("the backend panicked while starting it"),
            };
            if !guard.may_retry() {
                // A stop follows, whether the start has succeeded or not.
                return;
            }
            if attempt == MAX_START_RETRIES || !lost.is_lost_answer() {
                // The instance may exist or be created later, and must not outlive its failed start.
                self.send(DriverMessage::AbandoningStart(instance));
                let _ = self.call_kill(instance).await;
                return self.send(DriverMessage::StartAbandoned(self.start_failure(&start, &lost)));
            }
            self.send(DriverMessage::BackendError(format!("start of replica {}: {lost}; retrying", start.replica)));
            tokio::select! {
                () = pause.sleep() => {}
                () = guard.retries_cancelled() => return,
            }
        }
    }

    async fn call_start(
        &self,
        start: Start,
        workload: WorkloadSource<B::Workload>,
        last_node: Option<String>,
    ) -> Result<Result<(), BackendError>, CallFailure> {
        let calls = self.clone();
        self.call("start", start.instance(), self.call_timeout, async move {
            let workload = workload.of(start.replica);
            let key = InstanceKey::new(&calls.name, start.instance());
            let mut request = StartRequest::new(key, &*workload).placement(start.placement);
            request.last_node = last_node.as_deref();
            request.revision = start.revision.as_ref();
            request.role = start.role;
            request.tied_to = start.tied_to;
            calls.backend.start(request).await
        })
        .await
    }

    fn start_failure(&self, start: &Start, error: &BackendError) -> Ended {
        let mut outcome = Outcome::start_failed(error.cause(), self.clock.now()).because(error.to_string());
        if let Some(delay) = error.get_retry_after() {
            outcome = outcome.retry_after(delay);
        }
        Ended::new(start.instance(), outcome)
    }

    /// Stops an instance, once its start has returned.
    pub(super) fn stop(&self, stop: Stop, start: Option<StartToken>) {
        let key = (stop.instance(), STOP);
        let Some(start) = self.running_start(key, start) else {
            return self.submit(CallClass::Stops, key, Job::Stop(stop));
        };
        let calls = self.clone();
        tokio::spawn(async move {
            start.cancel_retries_and_wait().await;
            calls.submit(CallClass::Stops, key, Job::Stop(stop));
        });
    }

    /// Kills an instance and aborts its start.
    pub(super) fn kill(&self, instance: InstanceId, start: Option<StartToken>) {
        let key = (instance, KILL);
        let job = Job::Kill(instance);
        let Some(start) = self.running_start(key, start) else { return self.submit(CallClass::Stops, key, job) };
        let calls = self.clone();
        tokio::spawn(async move {
            start.abort_and_wait().await;
            calls.submit(CallClass::Stops, key, job);
        });
    }

    /// Cancels the instance's start if it is still queued; returns it if it is running.
    fn running_start(&self, (instance, _): CallKey, start: Option<StartToken>) -> Option<StartToken> {
        // Dropped after the lock is released, because dropping its guard completes the token.
        let queued = self.queues().starts.cancel(&(instance, 0));
        drop(queued);
        start.filter(|start| !start.is_done())
    }

    /// Probes an instance after a delay.
    pub(super) fn probe(&self, probe: ProbeCommand, policy: &Policy, address: Option<String>, delay: Duration) {
        let health = policy.health();
        let settings = match probe.probe {
            ProbeKind::Startup => &health.startup,
            ProbeKind::Readiness => &health.readiness,
            ProbeKind::Liveness => &health.liveness,
        };
        let check = settings.as_ref().map(|settings| settings.check.clone());
        let key = (probe.instance(), probe.probe as u8);
        let job = Job::Probe(probe, check, address);
        if delay.is_zero() {
            return self.submit(CallClass::Probes, key, job);
        }
        let calls = self.clone();
        tokio::spawn(async move {
            sleep(delay).await;
            calls.submit(CallClass::Probes, key, job);
        });
    }

    async fn run_stop(&self, stop: Stop) {
        let calls = self.clone();
        let answer = self
            .call("stop", stop.instance(), self.call_timeout, async move {
                let key = InstanceKey::new(&calls.name, stop.instance());
                calls.backend.stop(StopRequest::new(key, stop.grace)).await
            })
            .await;
        self.report_failure("stop", stop.replica, answer);
    }

    async fn call_kill(&self, instance: InstanceId) -> Result<Result<(), BackendError>, CallFailure> {
        let calls = self.clone();
        self.call("kill", instance, self.call_timeout, async move {
            let key = InstanceKey::new(&calls.name, instance);
            calls.backend.kill(KillRequest::new(key)).await
        })
        .await
    }

    /// Reports a failed stop or kill to operators only: the set itself escalates to a kill, and repeats kills.
    fn report_failure(&self, what: &str, replica: ReplicaId, answer: Result<Result<(), BackendError>, CallFailure>) {
        let why = match answer {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(failure) => failure.describe(self.call_timeout),
        };
        self.send(DriverMessage::BackendError(format!("{what} of replica {replica}: {why}")));
    }

    async fn run_probe(&self, probe: ProbeCommand, check: Option<ProbeCheck>, address: Option<String>) {
        let (instance, kind) = (probe.instance(), probe.probe);
        let answer = match check {
            None => ProbeResult::Unanswered.into(),
            Some(check) => {
                let calls = self.clone();
                // The backend applies the probe's timeout. If it does not, the prober has failed and not the replica.
                let within = probe.timeout.saturating_mul(2).saturating_add(Duration::from_secs(1));
                self.call("probe", instance, within, async move {
                    let key = InstanceKey::new(&calls.name, instance);
                    let mut request = ProbeRequest::new(key, kind, &check, probe.timeout);
                    request.address = address.as_deref();
                    calls.backend.probe(request).await
                })
                .await
                .unwrap_or_else(|failure| ProbeAnswer::unanswered(failure.describe(within)))
            }
        };
        let at = Some(self.clock.now());
        let ProbeAnswer { result, message } = answer;
        let report = ProbeReport { at, message, ..ProbeReport::new(instance, kind, result) };
        self.send(DriverMessage::Event(Event::Probed(report)));
    }
}

/// The failure of a start whose revision has no workload: the set was restored without it.
fn unknown_workload(start: &Start) -> BackendError {
    BackendError::start_error(match &start.revision {
        Some(revision) => format!(
            "no workload is known for revision {revision}: give it to SupervisorBuilder::workload_of when restoring the \
             set, or to SupervisorHandle::roll_out"
        ),
        None => "the workload that the set began with is no longer known: roll out a revision".to_owned(),
    })
}
