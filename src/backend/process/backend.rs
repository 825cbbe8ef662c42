//! The backend that runs replicas as operating system processes.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::Signal;
use tokio::task::{JoinHandle, spawn_blocking};

use super::child::Child;
use super::children::Reservation;
use super::command::PreparedSpec;
use super::output::Forwarding;
use super::sets::Sets;
use super::spec::ProcessSpec;
use super::{monitor, orphans, ports, sink};
use crate::backend::{
    Backend, BackendError, Instance, KillRequest, ListRequest, ProbeAnswer, ProbeRequest, Reporter, StartRequest,
    StopRequest, Target, WatchRequest, run_network_check,
};
use crate::policy::ProbeCheck;

/// How often /proc is polled for processes that were stopped by SIGSTOP or continued.
const STOPPED_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Runs replicas as operating system processes; see [the module](crate::backend::process).
///
/// ```no_run
/// use uphold::backend::process::{ProcessBackend, ProcessSpec};
/// use uphold::{Policy, RetryPolicy, Supervisor};
/// use std::time::Duration;
///
/// # async fn spawn_child() -> Result<(), uphold::PolicyError> {
/// let policy = Policy::builder().replicas(3).retry(RetryPolicy::every(Duration::from_secs(30))).build()?;
/// let server = ProcessSpec::new("python3").args(["-m", "http.server", "{port}"]).port(8000);
/// let mut handle = Supervisor::builder(policy, ProcessBackend::new(), server).name("web").spawn();
/// handle.wait().await;
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct ProcessBackend {
    sets: Sets,
}

impl ProcessBackend {
    /// Returns a backend without processes.
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns how many lines of replicas' output all backends of this program have dropped, because this program's output
    /// was not read. See [`ProcessOutput::Prefix`](super::ProcessOutput::Prefix).
    pub fn dropped_output_lines() -> u64 {
        sink::Sink::dropped_lines()
    }
}

/// Spawns a process, once its port is free. Blocks.
fn spawn_child(
    reservation: &Reservation,
    spec: ProcessSpec,
    target: Target,
    port: Option<u16>,
) -> Result<(Child, PreparedSpec), BackendError> {
    if let Some(port) = port.filter(|_| spec.port_check) {
        let earlier = || reservation.set.earlier_groups(reservation.id.replica);
        ports::wait_until_free(port, earlier)
            .map_err(|holder| BackendError::start_error(format!("port {port} is in use by {holder}")))?;
    }
    let prepared = PreparedSpec::new(spec, target)?;
    let child = prepared.spawn()?;
    Ok((child, prepared))
}

#[async_trait]
impl Backend for ProcessBackend {
    type Workload = ProcessSpec;

    async fn start(&self, request: StartRequest<'_, ProcessSpec>) -> Result<(), BackendError> {
        let set = self.sets.of(request.key.set);
        let Some(reservation) = set.reserve(request.key.instance()) else { return Ok(()) };
        let spec = request.workload.clone();
        let (target, port) = (spec.target(request.key)?, spec.port_of(request.key)?);
        // Opening files and spawning may block. If this future is dropped meanwhile, the child is dropped, which kills it,
        // and then its reservation is released.
        let wanted = Arc::new(());
        let still_wanted = Arc::downgrade(&wanted);
        let started = spawn_blocking(move || {
            if still_wanted.strong_count() == 0 {
                return Err(BackendError::lost_answer("the start was aborted"));
            }
            let (child, prepared) = spawn_child(&reservation, spec, target, port)?;
            Ok((child, prepared, reservation))
        });
        let started = started.await;
        drop(wanted);
        let started =
            started.map_err(|error| BackendError::start_error(format!("cannot start the process: {error}")))?;
        let (mut child, prepared, reservation) = started?;
        let label = format!("{}/{}", request.key.set, request.key.replica);
        let output = Forwarding::start(&mut child, &label).map_err(|error| prepared.spawn_error(&error))?;
        monitor::spawn_monitor(&reservation, child, prepared, output);
        Ok(())
    }

    async fn stop(&self, request: StopRequest<'_>) -> Result<(), BackendError> {
        let (set, id) = (self.sets.of(request.key.set), request.key.instance());
        let Some(running) = set.running(id) else { return set.signal(id, Signal::TERM) };
        let signal = running.spec.stop_signal();
        if running.spec.spec.stop_command.is_empty() {
            return set.signal(id, signal);
        }
        if set.claim_stop_command(id).is_some() {
            let grace = request.grace;
            tokio::spawn(async move {
                PreparedSpec::clone(&running.spec).run_stop_command(running.leader, grace).await;
                let _ = set.signal(id, signal);
            });
        }
        Ok(())
    }

    async fn kill(&self, request: KillRequest<'_>) -> Result<(), BackendError> {
        self.sets.of(request.key.set).signal(request.key.instance(), Signal::KILL)
    }

    async fn list(&self, request: ListRequest<'_>) -> Result<Vec<Instance>, BackendError> {
        Ok(self.sets.of(request.set).list())
    }

    async fn watch(&self, request: WatchRequest<'_>, reporter: Reporter) -> Result<(), BackendError> {
        let set = self.sets.of(request.set);
        let mut events = set.watch();
        // Triggers a list, which finds what happened before.
        reporter.watch_established();
        let mut poll_tick = tokio::time::interval(STOPPED_POLL_INTERVAL);
        let mut polling: Option<JoinHandle<()>> = None;
        poll_tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let event = tokio::select! {
                event = events.recv() => match event {
                    Some(event) => event,
                    None => return Ok(()),
                },
                _ = poll_tick.tick() => {
                    // Blocks on /proc, so it runs beside the events, at most once at a time.
                    if polling.as_ref().is_none_or(JoinHandle::is_finished) {
                        let set = set.clone();
                        polling = Some(spawn_blocking(move || {
                            orphans::ensure_reaper();
                            set.poll_stopped();
                        }));
                    }
                    continue;
                }
            };
            if !reporter.report(event) {
                return Ok(());
            }
        }
    }

    async fn probe(&self, request: ProbeRequest<'_>) -> ProbeAnswer {
        let Some(running) = self.sets.of(request.key.set).running(request.key.instance()) else {
            return ProbeAnswer::unanswered("the process is not running");
        };
        match request.check {
            ProbeCheck::Exec(words) => running.spec.run_probe(words, request.timeout).await,
            network => {
                let answer = run_network_check(network, &running.spec.target, request.timeout).await;
                answer.unwrap_or_else(|| ProbeAnswer::unanswered("this kind of check is not supported"))
            }
        }
    }
}
