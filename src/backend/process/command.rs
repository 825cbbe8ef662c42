//! Builds and runs the commands of a spec: the replica itself, probes and the stop command.

use std::io::ErrorKind;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::child::Child;
use super::files;
use super::signal::{is_stop_signal, signal_group};
use super::spec::{ProcessOutput, ProcessSpec};
use crate::backend::{BackendError, ProbeAnswer, Target};

/// A spec with the values of its placeholders and its environment file, for one instance.
#[derive(Clone, Debug)]
pub(super) struct PreparedSpec {
    pub(super) spec: ProcessSpec,
    pub(super) target: Target,
    /// The variables of `env_file`; those of `env` override them.
    loaded: Vec<(String, String)>,
}

impl PreparedSpec {
    /// Reads `env_file`. Blocks.
    pub(super) fn new(spec: ProcessSpec, target: Target) -> Result<Self, BackendError> {
        let loaded = match &spec.env_file {
            None => Vec::new(),
            Some(path) => files::read_env_file(Path::new(path))
                .map_err(|error| BackendError::start_error(format!("cannot read env_file '{path}': {error}")))?,
        };
        Ok(Self { spec, target, loaded })
    }

    /// Returns a command with the instance's environment and working directory, in a process group of its own.
    fn command(&self, program: &str, args: &[String]) -> Command {
        let (spec, target) = (&self.spec, &self.target);
        let mut command = Command::new(target.fill(program));
        command
            .args(args.iter().map(|arg| target.fill(arg)))
            .envs(self.loaded.iter().map(|(name, value)| (name, value)))
            .envs(spec.env.iter().map(|(name, value)| (name, target.fill(value))))
            .envs(["replica", "incarnation", "set", "port"].into_iter().filter_map(|name| {
                let value = target.get(name)?;
                Some((format!("UPHOLD_{}", name.to_ascii_uppercase()), value))
            }))
            .stdin(Stdio::null())
            .process_group(0);
        if let Some(cwd) = &spec.cwd {
            command.current_dir(target.fill(cwd));
        }
        command
    }

    /// Spawns the instance's process, which leads a process group. Blocks.
    pub(super) fn spawn(&self) -> Result<Child, BackendError> {
        let spec = &self.spec;
        let mut command = if spec.shell {
            let words = [vec!["-c".to_owned(), spec.command.clone(), "sh".to_owned()], spec.args.clone()].concat();
            self.command("sh", &words)
        } else {
            self.command(&spec.command, &spec.args)
        };
        match spec.output {
            ProcessOutput::Inherit => {}
            ProcessOutput::Null => {
                command.stdout(Stdio::null()).stderr(Stdio::null());
            }
            ProcessOutput::Prefix => {
                command.stdout(Stdio::piped()).stderr(Stdio::piped());
            }
            ProcessOutput::File(ref path) => {
                let path = self.target.fill(&path.to_string_lossy());
                let failed = |error| BackendError::start_error(format!("cannot write output to '{path}': {error}"));
                let file = files::open_log(Path::new(&path)).map_err(failed)?;
                command.stderr(file.try_clone().map_err(failed)?).stdout(file);
            }
        }
        Child::spawn(&mut command).map_err(|error| self.spawn_error(&error))
    }

    /// Describes why the process was not spawned. Exhausted resources have the cause `no-capacity`.
    pub(super) fn spawn_error(&self, error: &std::io::Error) -> BackendError {
        let (spec, target) = (&self.spec, &self.target);
        let program = if spec.shell { "sh".to_owned() } else { target.fill(&spec.command) };
        if let Some(cwd) = spec.cwd.as_ref().map(|cwd| target.fill(cwd)).filter(|cwd| !Path::new(cwd).is_dir()) {
            return BackendError::start_error(format!("the working directory '{cwd}' does not exist"));
        }
        match error.kind() {
            ErrorKind::NotFound => BackendError::start_error(format!("the command '{program}' does not exist")),
            ErrorKind::PermissionDenied => BackendError::start_error(format!("no permission to execute '{program}'")),
            _ if is_resource_exhaustion(error) => {
                BackendError::no_capacity(format!("no resources to start '{program}': {error}"))
            }
            _ => BackendError::start_error(format!("cannot start '{program}': {error}")),
        }
    }

    /// Runs a command with the instance's environment. At the timeout its group is killed and `None` returned.
    async fn run(&self, words: &[String], within: Duration) -> std::io::Result<Option<ExitStatus>> {
        let Some((program, args)) = words.split_first() else {
            return Err(std::io::Error::other("the command is empty"));
        };
        let mut command = self.command(program, args);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        let spawned = spawn_blocking(move || Child::spawn(&mut command)).await;
        let mut child = spawned.map_err(std::io::Error::other)??;
        let in_time = timeout(within, child.ended()).await.is_ok();
        // Kills what the command has left behind, before reaping it allows the id of its group to be reused.
        let _ = signal_group(child.leader(), Signal::KILL);
        let status = child.reap().await?;
        Ok(in_time.then_some(status))
    }

    /// Runs the command of an `exec` probe.
    pub(super) async fn run_probe(&self, words: &[String], within: Duration) -> ProbeAnswer {
        let program = words.first().map_or("", String::as_str);
        match self.run(words, within).await {
            Ok(Some(status)) if status.success() => ProbeAnswer::success(),
            Ok(Some(status)) => ProbeAnswer::failure(match (status.code(), status.signal()) {
                (Some(code), _) => format!("{program} exited with code {code}"),
                (None, Some(signal)) => format!("{program} was terminated by signal {signal}"),
                (None, None) => format!("{program} ended: {status}"),
            }),
            Ok(None) => ProbeAnswer::failure(format!("{program} timed out after {within:?}")),
            Err(error) => ProbeAnswer::unanswered(format!("cannot run '{program}': {error}")),
        }
    }

    /// Runs the stop command; its result is ignored, because the stop signal follows in any case.
    pub(super) async fn run_stop_command(mut self, leader: Pid, within: Duration) {
        self.target = self.target.value("pid", leader.as_raw_nonzero());
        let words = std::mem::take(&mut self.spec.stop_command);
        let _ = self.run(&words, within).await;
    }

    /// Returns the signal that asks the instance to stop.
    pub(super) fn stop_signal(&self) -> Signal {
        let wanted = self.spec.stop_signal.filter(|signal| is_stop_signal(*signal));
        wanted.and_then(|signal| Signal::from_named_raw(signal.number().into())).unwrap_or(Signal::TERM)
    }
}

/// Returns whether processes, file descriptors, memory or disk space are exhausted, so that a retry may succeed.
fn is_resource_exhaustion(error: &std::io::Error) -> bool {
    let room = [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE, Errno::NOSPC];
    room.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}
