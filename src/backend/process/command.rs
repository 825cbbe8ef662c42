//! From a spec to a running process.

use std::io::ErrorKind;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tokio::time::timeout;

use super::child::Child;
use super::spec::{ProcessOutput, ProcessSpec};
use crate::backend::{BackendError, ProbeAnswer, Target};

/// The command with its surroundings, as a process group of its own.
fn command(spec: &ProcessSpec, program: &str, args: &[String], target: &Target) -> Command {
    let mut command = Command::new(target.fill(program));
    command
        .args(args.iter().map(|arg| target.fill(arg)))
        .envs(spec.env.iter().map(|(name, value)| (name, target.fill(value))))
        .stdin(Stdio::null())
        .process_group(0);
    if let Some(cwd) = &spec.cwd {
        command.current_dir(target.fill(cwd));
    }
    command
}

/// Starts the process, at the head of a group.
pub(super) fn spawn(spec: &ProcessSpec, target: &Target) -> Result<Child, BackendError> {
    let mut command = if spec.shell {
        let words = [vec!["-c".to_owned(), spec.command.clone(), "sh".to_owned()], spec.args.clone()].concat();
        command(spec, "sh", &words, target)
    } else {
        command(spec, &spec.command, &spec.args, target)
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
            let path = target.fill(&path.to_string_lossy());
            let open = || std::fs::OpenOptions::new().create(true).append(true).open(&path);
            let failed = |error| BackendError::start_error(format!("cannot write output to '{path}': {error}"));
            command.stdout(open().map_err(failed)?).stderr(open().map_err(failed)?);
        }
    }
    Child::spawn(&mut command).map_err(|error| cannot_spawn(spec, target, &error))
}

/// Says what is wrong, and whether it is for want of room.
pub(super) fn cannot_spawn(spec: &ProcessSpec, target: &Target, error: &std::io::Error) -> BackendError {
    let program = if spec.shell { "sh".to_owned() } else { target.fill(&spec.command) };
    if let Some(cwd) = spec.cwd.as_ref().map(|cwd| target.fill(cwd)).filter(|cwd| !Path::new(cwd).is_dir()) {
        return BackendError::start_error(format!("the working directory '{cwd}' is not there"));
    }
    match error.kind() {
        ErrorKind::NotFound => BackendError::start_error(format!("there is no command '{program}'")),
        ErrorKind::PermissionDenied => BackendError::start_error(format!("'{program}' may not be executed")),
        _ if is_want_of_room(error) => BackendError::no_capacity(format!("no room to start '{program}': {error}")),
        _ => BackendError::start_error(format!("cannot start '{program}': {error}")),
    }
}

/// Too many processes, open files or files to be told of, or too little memory: it may work later.
fn is_want_of_room(error: &std::io::Error) -> bool {
    let room = [Errno::AGAIN, Errno::NOMEM, Errno::MFILE, Errno::NFILE, Errno::NOSPC];
    room.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Signals a process that was not reaped, with its group. What is gone is no error. It may have left its group: no kill
/// misses it, nor any signal that would reach nobody else.
pub(super) fn signal(leader: Pid, signal: Signal) -> Result<(), BackendError> {
    let in_group = kill_process_group(leader, signal).err();
    let alone = signal == Signal::KILL || in_group == Some(Errno::SRCH);
    let failed = if alone { kill_process(leader, signal).err() } else { in_group };
    match failed {
        None | Some(Errno::SRCH) => Ok(()),
        Some(error) => Err(BackendError::caused_by(crate::policy::Cause::Error, format!("cannot signal: {error}"))),
    }
}

/// Runs a probe command in the replica's surroundings; at its timeout it is killed with its children.
pub(super) async fn probe(spec: &ProcessSpec, words: &[String], target: &Target, within: Duration) -> ProbeAnswer {
    let Some((program, args)) = words.split_first() else { return ProbeAnswer::unanswered("there is no command") };
    let mut command = command(spec, program, args, target);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = match Child::spawn(&mut command) {
        Ok(child) => child,
        Err(error) => return ProbeAnswer::unanswered(format!("cannot run {program}: {error}")),
    };
    let in_time = timeout(within, child.ended()).await.is_ok();
    // Before it is reaped its group cannot be another's: whatever the command has left behind goes with it.
    let _ = signal(child.leader(), Signal::KILL);
    match child.reap().await {
        Ok(status) if in_time && status.success() => ProbeAnswer::success(),
        Ok(_) if !in_time => ProbeAnswer::failure(format!("{program} timed out after {within:?}")),
        Ok(status) => ProbeAnswer::failure(match (status.code(), status.signal()) {
            (Some(code), _) => format!("{program} exited with code {code}"),
            (None, Some(signal)) => format!("{program} was ended by signal {signal}"),
            (None, None) => format!("{program} ended: {status}"),
        }),
        Err(error) => ProbeAnswer::unanswered(format!("the end of {program} is unknown: {error}")),
    }
}
