//! Supervises the processes of a service file.
//!
//! `cargo run --example supervise -- examples/services/web.yaml` (needs python3)
//!
//! Prints a live table on a terminal, otherwise plain lines, or with `--json` the trace as one JSON object per line. SIGINT
//! (Ctrl-C), SIGTERM, SIGQUIT and SIGHUP stop gracefully; a second signal kills. Lines are dropped and counted if the output
//! is not read. Exit code 0: stopped or completed; 1: terminated by the policy; 2: bad input.
//!
//! SIGUSR1 reads the file again and rolls out its `process` as the next revision; if that has not changed, it promotes the
//! canaries of the rollout. SIGUSR2 rolls back. `--balance PORT` forwards connections to the ready replicas, so that a client
//! can watch a rollout without a failed request: `examples/services/rollout.yaml` says how.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints")]

mod balancer;
mod metrics;
mod printer;
mod rollouts;
mod service;
mod signals;
mod table;
mod table_text;

use std::io::IsTerminal;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use printer::Printer;
use rollouts::{RolloutSignals, Rollouts};
use service::Service;
use signals::Signals;
use uphold::backend::process::{ProcessBackend, ProcessOutput, ProcessSpec};
use uphold::decide::StatusReason;
use uphold::supervisor::{FileRecorder, Notification, NotificationKind, Notifications, Received};
use uphold::trace::TraceLine;
use uphold::{Command, Notice, Status, Supervisor, SupervisorHandle, Timestamp};

const HELP: &str = "\
Supervises the processes of a service file.

usage: supervise [--json | --plain] [--logs DIR] [--record FILE] [--metrics PORT] [--balance PORT] FILE

  FILE        name, process and policy (YAML)
  --json      prints events, commands and notices, one JSON object per line
  --plain     prints lines instead of a table, even on a terminal
  --logs DIR  writes the output of replicas to DIR/NAME-REPLICA.log; by default it is printed with --plain, and
              otherwise written to a new temporary folder, which is kept
  --metrics P serves Prometheus metrics at http://127.0.0.1:P/metrics
  --record F  records the inputs of the set to F, for simulate --replay
  --balance P forwards connections to 127.0.0.1:P to the ready replicas in turn; needs a port in FILE

signals: SIGUSR1 rolls out the process of the changed FILE, or promotes the canaries; SIGUSR2 rolls back;
SIGINT, SIGTERM, SIGQUIT and SIGHUP stop

exit code: 0 stopped or completed, 1 terminated by the policy, 2 bad input";

/// The size at which a recording is rotated, in bytes.
const RECORDING_SIZE: u64 = 64 * 1024 * 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
enum OutputMode {
    Json,
    Plain,
    Table,
}

struct Arguments {
    file: PathBuf,
    show: OutputMode,
    logs: Option<PathBuf>,
    record: Option<PathBuf>,
    metrics: Option<u16>,
    balance: Option<u16>,
}

fn arguments() -> Result<Option<Arguments>, String> {
    let mut args = std::env::args().skip(1);
    let mut show = if std::io::stdout().is_terminal() { OutputMode::Table } else { OutputMode::Plain };
    let (mut file, mut logs, mut record, mut metrics, mut balance) = (None, None, None, None, None);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-h" | "--help" => return Ok(None),
            "--json" => show = OutputMode::Json,
            "--plain" => show = OutputMode::Plain,
            "--logs" => logs = Some(PathBuf::from(args.next().ok_or("--logs needs a folder")?)),
            "--metrics" => metrics = Some(port(&arg, args.next())?),
            "--balance" => balance = Some(port(&arg, args.next())?),
            "--record" => record = Some(PathBuf::from(args.next().ok_or("--record needs a file")?)),
            flag if flag.starts_with('-') => return Err(format!("unknown option '{flag}'")),
            path if file.is_none() => file = Some(PathBuf::from(path)),
            more => return Err(format!("only one service file can be given; '{more}' is another")),
        }
    }
    let file = file.ok_or("a service file is missing")?;
    Ok(Some(Arguments { file, show, logs, record, metrics, balance }))
}

fn port(option: &str, value: Option<String>) -> Result<u16, String> {
    let port = value.ok_or_else(|| format!("{option} needs a port"))?;
    port.parse().map_err(|_| format!("'{port}' is not a port: 1 to 65535"))
}

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let code = runtime.block_on(run());
    // Bounded, because a blocking task may hang, for instance on a network file system.
    runtime.shutdown_timeout(Duration::from_secs(1));
    code
}

async fn run() -> ExitCode {
    let arguments = match arguments() {
        Ok(Some(arguments)) => arguments,
        Ok(None) => {
            println!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{error}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let service = match Service::read(&arguments.file) {
        Ok(service) => service,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    for warning in service.policy.lint() {
        eprintln!("warning: {warning}");
    }
    // The output of replicas would break the table and mix with JSON lines.
    let folder = match arguments.logs {
        Some(folder) => std::fs::create_dir_all(&folder)
            .map(|()| Some(folder.clone()))
            .map_err(|error| format!("{}: {error}", folder.display())),
        None if arguments.show == OutputMode::Plain => Ok(None),
        None => temporary_folder(&service.name)
            .map(Some)
            .map_err(|error| format!("cannot create a folder for output: {error}")),
    };
    let folder = match folder {
        Ok(folder) => folder,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let mut footer = String::new();
    if let Some(folder) = &folder {
        footer = format!("output in {}", folder.display());
        if arguments.show != OutputMode::Table {
            eprintln!("{footer}");
        }
    }
    let adapt = Box::new(move |process: ProcessSpec| match &folder {
        Some(folder) => process.output(ProcessOutput::File(folder.join("{set}-{replica}.log"))),
        None => process,
    });
    let balanced = match (arguments.balance, service.port) {
        (Some(_), None) => {
            eprintln!("--balance needs process.port in {}", arguments.file.display());
            return ExitCode::from(2);
        }
        (balance, first) => balance.zip(first),
    };
    if let Some(port) = arguments.metrics
        && let Err(error) = metrics::serve(port).await
    {
        eprintln!("{error}");
        return ExitCode::from(2);
    }
    let mut supervisor =
        Supervisor::builder(service.policy, ProcessBackend::new(), adapt(service.process.clone())).name(service.name);
    if let Some(path) = arguments.record {
        match FileRecorder::new(&path, RECORDING_SIZE) {
            Ok(recorder) => supervisor = supervisor.recorder(recorder),
            Err(error) => {
                eprintln!("{}: {error}", path.display());
                return ExitCode::from(2);
            }
        }
    }
    // Installed before anything is started, so that an early signal leaves no children behind.
    let installed = || Ok::<_, std::io::Error>((Signals::new()?, RolloutSignals::new()?, Printer::new()?));
    let (signals, rollout_signals, printer) = match installed() {
        Ok(installed) => installed,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let (handle, notifications) = match supervisor.spawn_with_notifications() {
        Ok(spawned) => spawned,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    if let Some((port, first)) = balanced
        && let Err(error) = balancer::serve(port, first, handle.clone()).await
    {
        printer.err(error).await;
        let mut handle = handle.clone();
        tokio::spawn(async move { handle.shutdown().await });
    }
    let shown = tokio::spawn(show(handle.clone(), notifications, arguments.show, printer.clone(), footer));
    stop_on_signals(handle.clone(), signals);
    let rollouts = Rollouts { file: arguments.file, process: service.process, adapt };
    tokio::spawn(rollouts.run(handle.clone(), rollout_signals, printer.clone()));
    let mut waiting = handle;
    let last = waiting.wait().await;
    drop(waiting);
    // The last notifications are still to be printed.
    let _ = tokio::time::timeout(Duration::from_secs(5), shown).await;
    let dropped = ProcessBackend::dropped_output_lines();
    if dropped > 0 {
        printer.err(format!("{dropped} lines of replicas' output were dropped because they were not read")).await;
    }
    printer.finish().await;
    match (last.status, last.reason) {
        (Status::Completed, _) | (_, StatusReason::Requested) => ExitCode::SUCCESS,
        _ => ExitCode::from(1),
    }
}

/// Creates a folder with mode 0700 and a name that cannot be guessed.
fn temporary_folder(name: &str) -> std::io::Result<PathBuf> {
    let permissions = std::fs::Permissions::from_mode(0o700);
    let folder = tempfile::Builder::new().prefix(&format!("uphold-{name}-")).permissions(permissions).tempdir()?;
    Ok(folder.keep())
}

/// Shuts down at the first signal, and kills at the second.
fn stop_on_signals(handle: SupervisorHandle, mut signals: Signals) {
    tokio::spawn(async move {
        loop {
            signals.recv().await;
            let mut handle = handle.clone();
            tokio::spawn(async move { handle.shutdown().await });
        }
    });
}

async fn show(
    handle: SupervisorHandle,
    mut notifications: Notifications,
    show: OutputMode,
    printer: Printer,
    footer: String,
) {
    if show == OutputMode::Table {
        drop(notifications);
        table::run(handle, &printer, &footer).await;
        return;
    }
    drop(handle);
    let mut start = None;
    while let Some(received) = notifications.next().await {
        match received {
            Received::Missed(missed) => {
                printer.err(format!("{missed} notifications were dropped because the output was not read")).await
            }
            Received::Notification(notification) => {
                let start = *start.get_or_insert(notification.at);
                if let NotificationKind::BackendError(text) | NotificationKind::Warning(text) = &notification.kind
                    && show == OutputMode::Json
                {
                    printer.err(text.clone()).await;
                }
                let line =
                    if show == OutputMode::Json { json(&notification, start) } else { plain(&notification, start) };
                if let Some(line) = line {
                    printer.out(line + "\n").await;
                }
            }
        }
    }
}

fn json(notification: &Notification, start: Timestamp) -> Option<String> {
    let line = match &notification.kind {
        NotificationKind::Event(event) => Some(TraceLine::of_event(event, notification.at, start)),
        NotificationKind::Command(command) => Some(TraceLine::of_command(command, notification.at, start)),
        NotificationKind::Notice(notice) => TraceLine::of_notice(notice, notification.at, start),
        _ => None,
    };
    serde_json::to_string(&line?).ok()
}

fn plain(notification: &Notification, start: Timestamp) -> Option<String> {
    let at = notification.at.since(start).as_secs_f64();
    match &notification.kind {
        NotificationKind::Notice(Notice::Replica(_))
        | NotificationKind::Event(_)
        | NotificationKind::Command(Command::Probe(_)) => None,
        NotificationKind::Notice(notice) => Some(format!("{at:>9.3}  {notice}")),
        NotificationKind::Command(command) => Some(format!("{at:>9.3}  {command}")),
        NotificationKind::BackendError(text) => Some(format!("{at:>9.3}  backend error: {text}")),
        NotificationKind::Warning(text) => Some(format!("{at:>9.3}  warning: {text}")),
        _ => None,
    }
}
