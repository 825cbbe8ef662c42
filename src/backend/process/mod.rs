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
mod exited;
mod files;
mod orphans;
mod output;
mod ports;
mod read;
mod sets;
mod sink;
mod spec;
mod stopped;
mod watched;

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rustix::process::Signal;
use tokio::task::{JoinHandle, spawn_blocking};

pub use spec::{ProcessOutput, ProcessSpec};

use super::Target;
use super::{
    Backend, BackendError, Instance, KillRequest, ListRequest, ProbeAnswer, ProbeRequest, Reporter, StartRequest,
    StopRequest, WatchRequest, check,
};
use crate::policy::Check;
use child::Child;
use children::{Reservation, Which};
use command::Prepared;
use output::Forwarding;
use sets::Sets;

/// How often is looked for processes that are stopped (SIGSTOP) or continued.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Runs replicas as operating system processes.
///
/// ```no_run
/// use uphold::backend::process::{ProcessBackend, ProcessSpec};
/// use uphold::{Policy, RetryPolicy, Supervisor};
/// use std::time::Duration;
///
/// # async fn run() -> Result<(), uphold::PolicyError> {
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
fn run(
    room: &Reservation,
    spec: ProcessSpec,
    target: Target,
    port: Option<u16>,
) -> Result<(Child, Prepared), BackendError> {
    if let Some(port) = port.filter(|_| spec.port_check) {
        let earlier = || room.set.earlier_groups(room.which.replica);
        ports::wait_until_free(port, earlier)
            .map_err(|holder| BackendError::start_error(format!("port {port} is in use by {holder}")))?;
    }
    let prepared = Prepared::new(spec, target)?;
    let child = prepared.spawn()?;
    Ok((child, prepared))
}

#[async_trait]
impl Backend for ProcessBackend {
    type Workload = ProcessSpec;

    async fn start(&self, request: StartRequest<'_, ProcessSpec>) -> Result<(), BackendError> {
        let set = self.sets.of(request.key.set);
        let Some(room) = set.reserve(Which::new(request.key)) else { return Ok(()) };
        let spec = request.workload.clone();
        let (target, port) = (spec.target(request.key)?, spec.port_of(request.key)?);
        // Opening files and starting programs may block. What comes of a start that was given up meanwhile is killed,
        // and then the room for it is given back.
        let wanted = Arc::new(());
        let still_wanted = Arc::downgrade(&wanted);
        let started = spawn_blocking(move || {
            if still_wanted.strong_count() == 0 {
                return Err(BackendError::lost_answer("the start was given up"));
            }
            let (child, prepared) = run(&room, spec, target, port)?;
            Ok((child, prepared, room))
        });
        let started = started.await;
        drop(wanted);
        let started = started.map_err(|error| BackendError::start_error(format!("cannot start it: {error}")))?;
        let (mut child, prepared, room) = started?;
        let label = format!("{}/{}", request.key.set, request.key.replica);
        let output = Forwarding::of(&mut child, &label).map_err(|error| prepared.cannot_spawn(&error))?;
        watched::watch_over(&room, child, prepared, output);
        Ok(())
    }

    async fn stop(&self, request: StopRequest<'_>) -> Result<(), BackendError> {
        let (set, which) = (self.sets.of(request.key.set), Which::new(request.key));
        let Some(running) = set.running(which) else { return set.signal(which, Signal::TERM) };
        let signal = running.spec.stop_signal();
        if running.spec.spec.stop_command.is_empty() {
            return set.signal(which, signal);
        }
        if set.begin_stop_command(which).is_some() {
            let grace = request.grace;
            tokio::spawn(async move {
                Prepared::clone(&running.spec).stop_command(running.leader, grace).await;
                let _ = set.signal(which, signal);
            });
        }
        Ok(())
    }

    async fn kill(&self, request: KillRequest<'_>) -> Result<(), BackendError> {
        self.sets.of(request.key.set).signal(Which::new(request.key), Signal::KILL)
    }

    async fn list(&self, request: ListRequest<'_>) -> Result<Vec<Instance>, BackendError> {
        Ok(self.sets.of(request.set).list())
    }

    async fn watch(&self, request: WatchRequest<'_>, reporter: Reporter) -> Result<(), BackendError> {
        let set = self.sets.of(request.set);
        let mut news = set.watch();
        // What happened before is found by a list.
        reporter.watching();
        let mut look = tokio::time::interval(LOOK_EVERY);
        let mut looking: Option<JoinHandle<()>> = None;
        look.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            let event = tokio::select! {
                event = news.recv() => match event {
                    Some(event) => event,
                    None => return Ok(()),
                },
                _ = look.tick() => {
                    // It reads /proc for each process; one at a time, and no news waits for it.
                    if looking.as_ref().is_none_or(JoinHandle::is_finished) {
                        let set = set.clone();
                        looking = Some(spawn_blocking(move || {
                            orphans::see_to_them();
                            set.look_for_stopped();
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
        let Some(running) = self.sets.of(request.key.set).running(Which::new(request.key)) else {
            return ProbeAnswer::unanswered("the process does not run");
        };
        match request.check {
            Check::Exec(words) => running.spec.probe(words, request.timeout).await,
            network => {
                let answer = check(network, &running.spec.target, request.timeout).await;
                answer.unwrap_or_else(|| ProbeAnswer::unanswered("this check is not known"))
            }
        }
    }
}
