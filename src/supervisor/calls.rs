//! Backend calls, each in a task of its own: bounded in time, and no panic gets out.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::message::Message;
use super::workload::Workloads;
use crate::backend::{
    Backend, BackendError, InstanceKey, KillRequest, ListRequest, ProbeRequest, Report, Reporter, StartRequest,
    StopRequest, WatchRequest,
};
use crate::decide::{Incarnation, Outcome, ReplicaId};
use crate::engine::{Command, Ended, Event, Kill, ProbeKind, ProbeNews, ProbeResult, Start, Stop};
use crate::policy::{Cause, Check, Policy};
use crate::time::{Timestamp, nanos};

use super::clock::Clock;

/// How often a start whose answer was lost is repeated.
const REPEATS: u32 = 2;
/// The first pause after a watch that broke, or a list that failed; it doubles up to [`LONGEST_PAUSE`].
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// A watch that held for this long was no flicker: the pauses begin anew.
const STEADY: Duration = Duration::from_secs(60);

/// What every call needs.
pub(super) struct Calls<B: Backend> {
    pub(super) backend: Arc<B>,
    pub(super) name: Arc<str>,
    pub(super) workloads: Workloads<B::Workload>,
    pub(super) call_timeout: Duration,
    pub(super) messages: mpsc::UnboundedSender<Message>,
    pub(super) clock: Clock,
}

impl<B: Backend> Clone for Calls<B> {
    fn clone(&self) -> Self {
        Self {
            backend: self.backend.clone(),
            name: self.name.clone(),
            workloads: self.workloads.clone(),
            call_timeout: self.call_timeout,
            messages: self.messages.clone(),
            clock: self.clock,
        }
    }
}

/// How a call ended without an answer of the backend.
enum Broken {
    TimedOut,
    Panicked,
}

impl<B: Backend> Calls<B> {
    /// Runs a call in a task of its own, so that neither a hang nor a panic reaches its caller.
    async fn bounded<T: Send + 'static>(
        &self,
        within: Duration,
        call: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Broken> {
        let task = tokio::spawn(call);
        let abort = task.abort_handle();
        match timeout(within, task).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(Broken::Panicked),
            Err(_) => {
                abort.abort();
                Err(Broken::TimedOut)
            }
        }
    }

    fn send(&self, message: Message) {
        // Nobody listens once the set has ended, and then nobody needs to.
        let _ = self.messages.send(message);
    }

    /// Carries a command out.
    pub(super) fn spawn(&self, command: Command, policy: &Policy, address: Option<String>, delay: Duration) {
        let calls = self.clone();
        match command {
            Command::Start(start) => {
                tokio::spawn(async move { calls.start(start).await });
            }
            Command::Stop(stop) => {
                tokio::spawn(async move { calls.stop(stop).await });
            }
            Command::Kill(kill) => {
                tokio::spawn(async move { calls.kill(kill).await });
            }
            Command::Probe(probe) => {
                let health = policy.health();
                let settings = match probe.probe {
                    ProbeKind::Startup => &health.startup,
                    ProbeKind::Readiness => &health.readiness,
                    ProbeKind::Liveness => &health.liveness,
                };
                let check = settings.as_ref().map(|settings| settings.check.clone());
                tokio::spawn(async move {
                    if !delay.is_zero() {
                        sleep(delay).await;
                    }
                    calls.probe(probe, check, address).await;
                });
            }
        }
    }

    async fn start(&self, start: Start) {
        let (replica, incarnation) = (start.replica, start.incarnation);
        for attempt in 0..=REPEATS {
            let calls = self.clone();
            let answer = self
                .bounded(self.call_timeout, async move {
                    let workload = calls.workloads.of(replica);
                    let key = InstanceKey::new(&calls.name, replica, incarnation);
                    let request = StartRequest::new(key, &*workload).placement(start.placement);
                    calls.backend.start(request).await
                })
                .await;
            let lost = match answer {
                Ok(Ok(())) => return,
                Ok(Err(error)) if !error.is_lost_answer() => return self.start_failed(replica, incarnation, &error),
                Ok(Err(error)) => error,
                Err(Broken::TimedOut) => {
                    BackendError::lost_answer(format!("the start did not answer within {:?}", self.call_timeout))
                }
                Err(Broken::Panicked) => {
                    let error = BackendError::start_error("the backend panicked while starting it");
                    return self.start_failed(replica, incarnation, &error);
                }
            };
            if attempt == REPEATS {
                // It may come about yet: whatever there is of it must not outlive its failure.
                self.kill_quietly(replica, incarnation).await;
                return self.start_failed(replica, incarnation, &lost);
            }
            self.send(Message::Trouble(format!("start of replica {replica}: {lost}; repeated")));
        }
    }

    fn start_failed(&self, replica: ReplicaId, incarnation: Incarnation, error: &BackendError) {
        let mut outcome = Outcome::start_failed(error.cause(), self.clock.now()).because(error.to_string());
        if let Some(delay) = error.retry_delay() {
            outcome = outcome.retry_after(delay);
        }
        self.send(Message::Event(Event::StartFailed(Ended { replica, incarnation, outcome })));
    }

    async fn stop(&self, stop: Stop) {
        let calls = self.clone();
        let answer = self
            .bounded(self.call_timeout, async move {
                let key = InstanceKey::new(&calls.name, stop.replica, stop.incarnation);
                calls.backend.stop(StopRequest::new(key, stop.grace)).await
            })
            .await;
        self.trouble("stop", stop.replica, answer);
    }

    async fn kill(&self, kill: Kill) {
        let answer = self.kill_call(kill.replica, kill.incarnation).await;
        self.trouble("kill", kill.replica, answer);
    }

    /// Kills an instance without the set's asking.
    pub(super) fn kill_now(&self, replica: ReplicaId, incarnation: Incarnation) {
        let calls = self.clone();
        tokio::spawn(async move { calls.kill_quietly(replica, incarnation).await });
    }

    async fn kill_quietly(&self, replica: ReplicaId, incarnation: Incarnation) {
        let _ = self.kill_call(replica, incarnation).await;
    }

    async fn kill_call(
        &self,
        replica: ReplicaId,
        incarnation: Incarnation,
    ) -> Result<Result<(), BackendError>, Broken> {
        let calls = self.clone();
        self.bounded(self.call_timeout, async move {
            let key = InstanceKey::new(&calls.name, replica, incarnation);
            calls.backend.kill(KillRequest::new(key)).await
        })
        .await
    }

    /// What goes wrong with a stop is no failure: the set kills, and repeats that.
    fn trouble(&self, what: &str, replica: ReplicaId, answer: Result<Result<(), BackendError>, Broken>) {
        let why = match answer {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(Broken::TimedOut) => format!("no answer within {:?}", self.call_timeout),
            Err(Broken::Panicked) => "the backend panicked".to_owned(),
        };
        self.send(Message::Trouble(format!("{what} of replica {replica}: {why}")));
    }

    async fn probe(&self, probe: crate::engine::ProbeRequest, check: Option<Check>, address: Option<String>) {
        let (replica, incarnation, kind) = (probe.replica, probe.incarnation, probe.probe);
        let result = match check {
            None => ProbeResult::Unanswered,
            Some(check) => {
                let calls = self.clone();
                // The backend keeps the timeout itself; one that does not is the prober's own trouble.
                let within = probe.timeout.saturating_mul(2).saturating_add(Duration::from_secs(1));
                self.bounded(within, async move {
                    let key = InstanceKey::new(&calls.name, replica, incarnation);
                    let mut request = ProbeRequest::new(key, kind, &check, probe.timeout);
                    request.address = address.as_deref();
                    calls.backend.probe(request).await
                })
                .await
                .unwrap_or(ProbeResult::Unanswered)
            }
        };
        let at = Some(self.clock.now());
        self.send(Message::Event(Event::Probed(ProbeNews { replica, incarnation, probe: kind, result, at })));
    }

    /// Watches, lists and compares, for as long as somebody listens.
    pub(super) async fn watch(self, reports: mpsc::UnboundedSender<Report>) {
        let mut pause = FIRST_PAUSE;
        while !self.messages.is_closed() {
            let began = self.clock.now();
            let calls = self.clone();
            let reporter = Reporter::new(reports.clone());
            let mut watching = tokio::spawn(async move {
                let request = WatchRequest { set: &calls.name };
                calls.backend.watch(request, reporter).await
            });
            // What happens between the list and the watch would be lost: the watch comes first.
            tokio::task::yield_now().await;
            let broke = if self.list(began).await {
                tokio::select! {
                    ended = &mut watching => Some(match ended {
                        Ok(Ok(())) => "the watch ended".to_owned(),
                        Ok(Err(error)) => format!("the watch broke: {error}"),
                        Err(_) => "the watch panicked".to_owned(),
                    }),
                    () = self.messages.closed() => None,
                }
            } else {
                None
            };
            watching.abort();
            if let Some(broke) = broke {
                self.send(Message::Trouble(broke));
            }
            if nanos(self.clock.now().since(began)) > nanos(STEADY) {
                pause = FIRST_PAUSE;
            }
            tokio::select! {
                () = sleep(pause) => {}
                () = self.messages.closed() => return,
            }
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Whether the list came.
    async fn list(&self, asked: Timestamp) -> bool {
        let calls = self.clone();
        let answer = self
            .bounded(self.call_timeout, async move { calls.backend.list(ListRequest { set: &calls.name }).await })
            .await;
        let error = match answer {
            Ok(Ok(instances)) => {
                self.send(Message::Listed(instances));
                return true;
            }
            Ok(Err(error)) => error,
            Err(Broken::TimedOut) => BackendError::lost_answer(format!("no answer within {:?}", self.call_timeout)),
            Err(Broken::Panicked) => BackendError::caused_by(Cause::Error, "the backend panicked"),
        };
        self.send(Message::ListFailed(asked, error));
        false
    }
}
