//! The embedded default: operating system processes (unix).
//!
//! Each replica is a process group of its own. To stop it is SIGTERM to the group, or what the spec says; to kill it is
//! SIGKILL to the group. When the process itself has ended, what is left of its group is killed, so that no grandchild of one
//! incarnation lives into the next.
//!
//! Children that outlive this program (it was killed itself) are not found again: a new backend lists only what it
//! has started. On drop the children are killed.

mod child;
mod children;
mod command;
mod exit_watcher;
mod files;
mod monitor;
mod orphans;
mod output;
mod ports;
mod read;
mod sets;
mod sink;
mod spec;
mod stopped;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::Signal;
use tokio::task::{JoinHandle, spawn_blocking};

pub use spec::{ProcessOutput, ProcessSpec};

use super::Target;
use super::{
    Backend, BackendError, Instance, KillRequest, ListRequest, ProbeAnswer, ProbeRequest, Reporter, StartRequest,
    StopRequest, WatchRequest, run_network_check,
};
use crate::policy::ProbeCheck;
use child::Child;
use children::{ChildId, Reservation};
use command::PreparedSpec;
use output::Forwarding;
use sets::Sets;

/// How often is looked for processes that are stopped (SIGSTOP) or continued.
const STOPPED_POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Runs replicas as operating system processes.
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
    /// A backend that has started nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lines of replicas' output that were dropped, by any backend of this program, because nobody read this program's
    /// output. See [`ProcessOutput::Prefix`].
    pub fn dropped_output_lines() -> u64 {
        sink::Sink::dropped_lines()
    }
}

/// Starts a process, once nobody else has its port. Blocks.
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
        let Some(reservation) = set.reserve(ChildId::new(request.key)) else { return Ok(()) };
        let spec = request.workload.clone();
        let (target, port) = (spec.target(request.key)?, spec.port_of(request.key)?);
        // Opening files and starting programs may block. What comes of a start that was given up meanwhile is killed,
        // and then the reservation for it is given back.
        let wanted = Arc::new(());
        let still_wanted = Arc::downgrade(&wanted);
        let started = spawn_blocking(move || {
            if still_wanted.strong_count() == 0 {
                return Err(BackendError::lost_answer("the start was given up"));
            }
            let (child, prepared) = spawn_child(&reservation, spec, target, port)?;
            Ok((child, prepared, reservation))
        });
        let started = started.await;
        drop(wanted);
        let started = started.map_err(|error| BackendError::start_error(format!("cannot start it: {error}")))?;
        let (mut child, prepared, reservation) = started?;
        let label = format!("{}/{}", request.key.set, request.key.replica);
        let output = Forwarding::start(&mut child, &label).map_err(|error| prepared.spawn_error(&error))?;
        monitor::spawn_monitor(&reservation, child, prepared, output);
        Ok(())
    }

    async fn stop(&self, request: StopRequest<'_>) -> Result<(), BackendError> {
        let (set, id) = (self.sets.of(request.key.set), ChildId::new(request.key));
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
        self.sets.of(request.key.set).signal(ChildId::new(request.key), Signal::KILL)
    }

    async fn list(&self, request: ListRequest<'_>) -> Result<Vec<Instance>, BackendError> {
        Ok(self.sets.of(request.set).list())
    }

    async fn watch(&self, request: WatchRequest<'_>, reporter: Reporter) -> Result<(), BackendError> {
        let set = self.sets.of(request.set);
        let mut events = set.watch();
        // What happened before is found by a list.
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
                    // It reads /proc for each process; one at a time, and no news waits for it.
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
        let Some(running) = self.sets.of(request.key.set).running(ChildId::new(request.key)) else {
            return ProbeAnswer::unanswered("the process does not run");
        };
        match request.check {
            ProbeCheck::Exec(words) => running.spec.run_probe(words, request.timeout).await,
            network => {
                let answer = run_network_check(network, &running.spec.target, request.timeout).await;
                answer.unwrap_or_else(|| ProbeAnswer::unanswered("this check is not known"))
            }
        }
    }
}
