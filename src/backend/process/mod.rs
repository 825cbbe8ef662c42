//! The embedded default: operating system processes (unix).
//!
//! Each replica is a process group of its own. To stop it is SIGTERM to the group; to kill it is SIGKILL to the
//! group. When the process itself has ended, what is left of its group is killed, so that no grandchild of one
//! incarnation lives into the next.
//!
//! Children that outlive this program (it was killed itself) are not found again: a new backend lists only what it
//! has started. On drop the children are killed.

mod child;
mod children;
mod command;
mod exited;
mod orphans;
mod output;
mod read;
mod spec;
mod stopped;

use std::time::Duration;

use async_trait::async_trait;

pub use spec::{ProcessOutput, ProcessSpec};

use super::{
    Backend, BackendError, Instance, KillRequest, ListRequest, ProbeAnswer, ProbeRequest, Reporter, StartRequest,
    StopRequest, WatchRequest, check,
};
use crate::engine::Event;
use crate::policy::Check;
use child::Child;
use children::{Children, Key};
use output::Forwarding;

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
    children: Children,
}

impl ProcessBackend {
    /// A backend that has started nothing yet.
    pub fn new() -> Self {
        Self::default()
    }
}

/// Starts the process that is asked for.
fn run(request: &StartRequest<'_, ProcessSpec>) -> Result<(Child, Forwarding), BackendError> {
    let target = request.workload.target(request.key)?;
    let mut child = command::spawn(request.workload, &target)?;
    let label = format!("{}/{}", request.key.set, request.key.replica);
    let output = Forwarding::of(&mut child, &label);
    let output = output.map_err(|error| command::cannot_spawn(request.workload, &target, &error))?;
    Ok((child, output))
}

#[async_trait]
impl Backend for ProcessBackend {
    type Workload = ProcessSpec;

    async fn start(&self, request: StartRequest<'_, ProcessSpec>) -> Result<(), BackendError> {
        if let Some(room) = self.children.reserve(Key::new(request.key)) {
            let (child, output) = run(&request)?;
            room.watch_over(child, request.workload.clone(), output);
        }
        Ok(())
    }

    async fn stop(&self, request: StopRequest<'_>) -> Result<(), BackendError> {
        self.children.signal(&Key::new(request.key), rustix::process::Signal::TERM)
    }

    async fn kill(&self, request: KillRequest<'_>) -> Result<(), BackendError> {
        self.children.signal(&Key::new(request.key), rustix::process::Signal::KILL)
    }

    async fn list(&self, request: ListRequest<'_>) -> Result<Vec<Instance>, BackendError> {
        Ok(self.children.list(request.set))
    }

    async fn watch(&self, request: WatchRequest<'_>, reporter: Reporter) -> Result<(), BackendError> {
        let news = self.children.news_of(request.set);
        let mut news = news.lock().await;
        let mut look = tokio::time::interval(LOOK_EVERY);
        loop {
            let heard: Event = tokio::select! {
                event = news.recv() => match event {
                    Some(event) => event,
                    None => return Ok(()),
                },
                _ = look.tick() => {
                    orphans::see_to_them();
                    self.children.look_for_stopped(request.set);
                    continue;
                }
            };
            if !reporter.report(heard) {
                return Ok(());
            }
        }
    }

    async fn probe(&self, request: ProbeRequest<'_>) -> ProbeAnswer {
        let Some(spec) = self.children.spec(&Key::new(request.key)) else {
            return ProbeAnswer::unanswered("the process does not run");
        };
        let target = match spec.target(request.key) {
            Ok(target) => target,
            Err(error) => return ProbeAnswer::unanswered(error.to_string()),
        };
        match request.check {
            Check::Exec(words) => command::probe(&spec, words, &target, request.timeout).await,
            network => {
                let answer = check(network, &target, request.timeout).await;
                answer.unwrap_or_else(|| ProbeAnswer::unanswered("this check is not known"))
            }
        }
    }
}
