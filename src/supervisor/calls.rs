//! Backend calls, each in a task of its own: bounded in time, and no panic gets out.

use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::clock::Clock;
use super::message::Message;
use super::pool::{Key, Pool};
use super::ticket::{Starting, Ticket};
use super::watching::FIRST_PAUSE;
use super::workload::Workloads;
use crate::backend::{
    Backend, BackendError, InstanceKey, KillRequest, ProbeAnswer, ProbeRequest, StartRequest, StopRequest,
};
use crate::decide::{Incarnation, Outcome, ReplicaId};
use crate::engine::{self, Ended, Event, Kill, ProbeKind, ProbeNews, ProbeResult, Start, Stop};
use crate::policy::{Check, Policy};

/// Calls of each kind that are under way at once.
const MOST_STOPS: usize = 512;
const MOST_STARTS: usize = 512;
const MOST_PROBES: usize = 1024;
/// The kinds of calls that stop an instance.
const STOP: u8 = 0;
const KILL: u8 = 1;
/// How often a start whose answer was lost is repeated.
const REPEATS: u32 = 2;

/// What every call needs.
pub(super) struct Calls<B: Backend> {
    pub(super) backend: Arc<B>,
    pub(super) name: Arc<str>,
    pub(super) workloads: Workloads<B::Workload>,
    pub(super) call_timeout: Duration,
    pub(super) messages: mpsc::UnboundedSender<Message>,
    pub(super) clock: Clock,
    pub(super) pools: Arc<Mutex<Pools>>,
}

/// Calls that wait for a place. Stops and kills share places of their own: they wait for no start and no probe.
#[derive(Debug)]
pub(super) struct Pools {
    stops: Pool<Job>,
    starts: Pool<Job>,
    probes: Pool<Job>,
}

impl Default for Pools {
    fn default() -> Self {
        Self { stops: Pool::new(MOST_STOPS), starts: Pool::new(MOST_STARTS), probes: Pool::new(MOST_PROBES) }
    }
}

#[derive(Clone, Copy, Debug)]
enum Lane {
    Stops,
    Starts,
    Probes,
}

impl Pools {
    fn lane(&mut self, lane: Lane) -> &mut Pool<Job> {
        match lane {
            Lane::Stops => &mut self.stops,
            Lane::Starts => &mut self.starts,
            Lane::Probes => &mut self.probes,
        }
    }
}

/// One call that is to be made.
#[derive(Debug)]
enum Job {
    Start(Start, Option<String>, Starting),
    Stop(Stop),
    Kill(ReplicaId, Incarnation),
    Probe(engine::ProbeRequest, Option<Check>, Option<String>),
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
            pools: self.pools.clone(),
        }
    }
}

/// The place of a call under way.
struct Place<B: Backend> {
    calls: Calls<B>,
    lane: Lane,
}

impl<B: Backend> Drop for Place<B> {
    fn drop(&mut self) {
        self.calls.pools().lane(self.lane).done();
        // While the runtime is shut down there is nobody to run the next.
        if tokio::runtime::Handle::try_current().is_ok() {
            self.calls.run_next(self.lane);
        }
    }
}

/// How a call ended without an answer of the backend.
pub(super) enum Broken {
    TimedOut,
    Panicked,
}

impl Broken {
    fn why(&self, within: Duration) -> String {
        match self {
            Self::TimedOut => format!("no answer within {within:?}"),
            Self::Panicked => "the backend panicked".to_owned(),
        }
    }
}

impl<B: Backend> Calls<B> {
    /// Runs a call in a task of its own, so that neither a hang nor a panic reaches its caller.
    pub(super) async fn bounded<T: Send + 'static>(
        &self,
        within: Duration,
        call: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Broken> {
        let mut task = AbortOnDrop(tokio::spawn(call));
        match timeout(within, &mut task.0).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(_)) => Err(Broken::Panicked),
            Err(_) => Err(Broken::TimedOut),
        }
    }

    /// A bounded call about one instance, in a span of its own.
    #[cfg_attr(not(feature = "tracing"), expect(unused_variables, reason = "they name the span"))]
    async fn call<T: Send + 'static>(
        &self,
        what: &'static str,
        (replica, incarnation): (ReplicaId, Incarnation),
        within: Duration,
        call: impl Future<Output = T> + Send + 'static,
    ) -> Result<T, Broken> {
        #[cfg(feature = "tracing")]
        let call = tracing::Instrument::instrument(
            call,
            super::guard::guarded(|| super::tracing::call_span(&self.name, what, replica, incarnation))
                .unwrap_or_else(|_| tracing::Span::none()),
        );
        self.bounded(within, call).await
    }

    fn pools(&self) -> MutexGuard<'_, Pools> {
        self.pools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn submit(&self, lane: Lane, key: Key, job: Job) {
        self.pools().lane(lane).push(key, job);
        self.run_next(lane);
    }

    /// Runs the calls that have a place, each in a task of its own.
    fn run_next(&self, lane: Lane) {
        loop {
            let Some(job) = self.pools().lane(lane).next() else { return };
            let place = Place { calls: self.clone(), lane };
            tokio::spawn(async move {
                match job {
                    Job::Start(start, last_node, starting) => place.calls.see_started(start, last_node, starting).await,
                    Job::Stop(stop) => place.calls.stop_call(stop).await,
                    Job::Kill(replica, incarnation) => {
                        let answer = place.calls.kill_call(replica, incarnation).await;
                        place.calls.trouble("kill", replica, answer);
                    }
                    Job::Probe(probe, check, address) => place.calls.probe_call(probe, check, address).await,
                }
            });
        }
    }

    pub(super) fn send(&self, message: Message) {
        // Nobody listens once the set has ended, and then nobody needs to.
        let _ = self.messages.send(message);
    }

    /// Starts an instance; what comes to stop it takes the ticket.
    pub(super) fn start(&self, start: Start, last_node: Option<String>) -> Ticket {
        let (ticket, starting) = Ticket::new();
        self.submit(Lane::Starts, (start.replica, start.incarnation, 0), Job::Start(start, last_node, starting));
        ticket
    }

    async fn see_started(&self, start: Start, last_node: Option<String>, mut starting: Starting) {
        let (replica, incarnation) = (start.replica, start.incarnation);
        let mut pause = FIRST_PAUSE;
        for attempt in 0..=REPEATS {
            let answer = tokio::select! {
                answer = self.start_call(start, last_node.clone()) => answer,
                // It is killed next, whether it came about or not.
                () = starting.abandoned() => return,
            };
            let lost = match answer {
                Ok(Ok(())) => return,
                Ok(Err(error)) if !error.is_lost_answer() => {
                    return self.send(Message::Event(Event::StartFailed(self.failed(start, &error))));
                }
                Ok(Err(error)) => error,
                Err(Broken::TimedOut) => {
                    BackendError::lost_answer(format!("the start did not answer within {:?}", self.call_timeout))
                }
                Err(Broken::Panicked) => BackendError::start_error("the backend panicked while starting it"),
            };
            if !starting.may_repeat() {
                // It is stopped next, whether it came about or not.
                return;
            }
            if attempt == REPEATS || !lost.is_lost_answer() {
                // It may have come about, or come about yet: whatever there is of it must not outlive its failure.
                self.send(Message::GivingUp(replica, incarnation));
                let _ = self.kill_call(replica, incarnation).await;
                return self.send(Message::GaveUp(self.failed(start, &lost)));
            }
            self.send(Message::Trouble(format!("start of replica {replica}: {lost}; repeated")));
            tokio::select! {
                () = sleep(pause) => {}
                () = starting.unwanted() => return,
            }
            pause *= 2;
        }
    }

    async fn start_call(&self, start: Start, last_node: Option<String>) -> Result<Result<(), BackendError>, Broken> {
        let calls = self.clone();
        self.call("start", (start.replica, start.incarnation), self.call_timeout, async move {
            let workload = calls.workloads.of(start.replica);
            let key = InstanceKey::new(&calls.name, start.replica, start.incarnation);
            let mut request = StartRequest::new(key, &*workload).placement(start.placement);
            request.last_node = last_node.as_deref();
            calls.backend.start(request).await
        })
        .await
    }

    fn failed(&self, start: Start, error: &BackendError) -> Ended {
        let mut outcome = Outcome::start_failed(error.cause(), self.clock.now()).because(error.to_string());
        if let Some(delay) = error.retry_delay() {
            outcome = outcome.retry_after(delay);
        }
        Ended { replica: start.replica, incarnation: start.incarnation, outcome }
    }

    /// Stops an instance, after its start if that is under way.
    pub(super) fn stop(&self, stop: Stop, start: Option<Ticket>) {
        let key = (stop.replica, stop.incarnation, STOP);
        let Some(start) = self.under_way(key, start) else { return self.submit(Lane::Stops, key, Job::Stop(stop)) };
        let calls = self.clone();
        tokio::spawn(async move {
            start.stop().await;
            calls.submit(Lane::Stops, key, Job::Stop(stop));
        });
    }

    /// The start of an instance if it is under way. One that still waits for a place is not made.
    fn under_way(&self, (replica, incarnation, _): Key, start: Option<Ticket>) -> Option<Ticket> {
        let waiting = self.pools().starts.remove(&(replica, incarnation, 0));
        drop(waiting);
        start.filter(|start| !start.is_over())
    }

    /// Kills an instance, its start as well if that is under way.
    pub(super) fn kill(&self, kill: Kill, start: Option<Ticket>) {
        self.kill_now(kill.replica, kill.incarnation, start);
    }

    /// Kills an instance without the set's asking.
    pub(super) fn kill_now(&self, replica: ReplicaId, incarnation: Incarnation, start: Option<Ticket>) {
        let key = (replica, incarnation, KILL);
        let job = Job::Kill(replica, incarnation);
        let Some(start) = self.under_way(key, start) else { return self.submit(Lane::Stops, key, job) };
        let calls = self.clone();
        tokio::spawn(async move {
            start.kill().await;
            calls.submit(Lane::Stops, key, job);
        });
    }

    /// Asks an instance how it is, after a delay.
    pub(super) fn probe(&self, probe: engine::ProbeRequest, policy: &Policy, address: Option<String>, delay: Duration) {
        let health = policy.health();
        let settings = match probe.probe {
            ProbeKind::Startup => &health.startup,
            ProbeKind::Readiness => &health.readiness,
            ProbeKind::Liveness => &health.liveness,
        };
        let check = settings.as_ref().map(|settings| settings.check.clone());
        let key = (probe.replica, probe.incarnation, probe.probe as u8);
        let job = Job::Probe(probe, check, address);
        if delay.is_zero() {
            return self.submit(Lane::Probes, key, job);
        }
        let calls = self.clone();
        tokio::spawn(async move {
            sleep(delay).await;
            calls.submit(Lane::Probes, key, job);
        });
    }

    async fn stop_call(&self, stop: Stop) {
        let calls = self.clone();
        let answer = self
            .call("stop", (stop.replica, stop.incarnation), self.call_timeout, async move {
                let key = InstanceKey::new(&calls.name, stop.replica, stop.incarnation);
                calls.backend.stop(StopRequest::new(key, stop.grace)).await
            })
            .await;
        self.trouble("stop", stop.replica, answer);
    }

    async fn kill_call(
        &self,
        replica: ReplicaId,
        incarnation: Incarnation,
    ) -> Result<Result<(), BackendError>, Broken> {
        let calls = self.clone();
        self.call("kill", (replica, incarnation), self.call_timeout, async move {
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
            Err(broken) => broken.why(self.call_timeout),
        };
        self.send(Message::Trouble(format!("{what} of replica {replica}: {why}")));
    }

    async fn probe_call(&self, probe: engine::ProbeRequest, check: Option<Check>, address: Option<String>) {
        let (replica, incarnation, kind) = (probe.replica, probe.incarnation, probe.probe);
        let answer = match check {
            None => ProbeResult::Unanswered.into(),
            Some(check) => {
                let calls = self.clone();
                // The backend keeps the timeout itself; one that does not is the prober's own trouble.
                let within = probe.timeout.saturating_mul(2).saturating_add(Duration::from_secs(1));
                self.call("probe", (replica, incarnation), within, async move {
                    let key = InstanceKey::new(&calls.name, replica, incarnation);
                    let mut request = ProbeRequest::new(key, kind, &check, probe.timeout);
                    request.address = address.as_deref();
                    calls.backend.probe(request).await
                })
                .await
                .unwrap_or_else(|broken| ProbeAnswer::unanswered(broken.why(within)))
            }
        };
        let at = Some(self.clock.now());
        let ProbeAnswer { result, message } = answer;
        self.send(Message::Event(Event::Probed(ProbeNews { replica, incarnation, probe: kind, result, at, message })));
    }
}

/// A task that nobody waits for any longer is not left running.
struct AbortOnDrop<T>(tokio::task::JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}
