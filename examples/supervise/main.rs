//! Keeps real processes up by a service file.
//!
//! `cargo run --example supervise -- examples/services/web.yaml` (needs python3)
//!
//! On a terminal a live table, otherwise plain lines; with `--json` the trace, one JSON object a line. Ctrl-C (SIGINT),
//! SIGTERM, SIGQUIT and SIGHUP stop gracefully, twice at once. Lines that nobody reads are dropped and counted. Exit code 0: stopped or completed; 1: terminated by the policy; 2: bad input.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints")]

mod metrics;
mod printer;
mod signals;
mod table;

use std::io::IsTerminal;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use printer::Printer;
use signals::Signals;
use uphold::backend::process::{ProcessBackend, ProcessOutput};
use uphold::{
    Command, FileRecorder, Notice, Notification, NotificationKind, Notifications, Received, Status, StatusReason,
    Supervisor, SupervisorHandle, Timestamp, TraceLine,
};
use uphold_examples::Service;

const HELP: &str = "\
Keeps real processes up by a service file.

usage: supervise [--json | --plain] [--logs DIR] [--record FILE] [--metrics PORT] FILE

  FILE        name, process and policy (YAML)
  --json      prints what happens, one JSON object a line
  --plain     prints lines instead of a table, on a terminal too
  --logs DIR  the output of replicas goes to DIR/NAME-REPLICA.log; with --plain the default is between the lines,
              otherwise a new folder for temporary files, which is kept
  --metrics P serves figures at /metrics on port P of this machine, as Prometheus text
  --record F  records what happens into F, for simulate --replay

exit code: 0 stopped or completed, 1 terminated by the policy, 2 bad input";

/// A recording is begun anew when it has become this large, in bytes.
const RECORDING_SIZE: u64 = 64 * 1024 * 1024;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Show {
    Json,
    Plain,
    Table,
}

struct Arguments {
    file: PathBuf,
    show: Show,
    logs: Option<PathBuf>,
    record: Option<PathBuf>,
    metrics: Option<u16>,
}

fn arguments() -> Result<Option<Arguments>, String> {
    let mut args = std::env::args().skip(1);
    let mut show = if std::io::stdout().is_terminal() { Show::Table } else { Show::Plain };
    let (mut file, mut logs, mut record, mut metrics) = (None, None, None, None);
    while let Some(arg) = args.next() {
        match arg.as_str() {
            "-h" | "--help" => return Ok(None),
            "--json" => show = Show::Json,
            "--plain" => show = Show::Plain,
            "--logs" => logs = Some(PathBuf::from(args.next().ok_or("--logs needs a folder")?)),
            "--metrics" => {
                let port = args.next().ok_or("--metrics needs a port")?;
                metrics = Some(port.parse().map_err(|_| format!("'{port}' is not a port: 1 to 65535"))?);
            }
            "--record" => record = Some(PathBuf::from(args.next().ok_or("--record needs a file")?)),
            flag if flag.starts_with('-') => return Err(format!("unknown option '{flag}'")),
            path if file.is_none() => file = Some(PathBuf::from(path)),
            more => return Err(format!("one service file at a time; '{more}' is one too many")),
        }
    }
    let file = file.ok_or("a service file is missing")?;
    Ok(Some(Arguments { file, show, logs, record, metrics }))
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
    // Nothing that blocks, such as a file on a server that is gone, keeps the program from its end.
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
    let mut service = match Service::read(&arguments.file) {
        Ok(service) => service,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    for warning in service.policy.lint() {
        eprintln!("warning: {warning}");
    }
    // A table cannot share the screen with what replicas print, nor JSON lines their stream.
    let folder = match arguments.logs {
        Some(folder) => std::fs::create_dir_all(&folder)
            .map(|()| Some(folder.clone()))
            .map_err(|error| format!("{}: {error}", folder.display())),
        None if arguments.show == Show::Plain => Ok(None),
        None => temporary_folder(&service.name).map(Some).map_err(|error| format!("no folder for output: {error}")),
    };
    let folder = match folder {
        Ok(folder) => folder,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let mut below = String::new();
    if let Some(folder) = folder {
        below = format!("output in {}", folder.display());
        if arguments.show != Show::Table {
            eprintln!("{below}");
        }
        let file = folder.join("{set}-{replica}.log");
        service.process = service.process.output(ProcessOutput::File(file));
    }
    if let Some(port) = arguments.metrics
        && let Err(error) = metrics::serve(port).await
    {
        eprintln!("{error}");
        return ExitCode::from(2);
    }
    let mut supervisor = Supervisor::builder(service.policy, ProcessBackend::new(), service.process).name(service.name);
    if let Some(path) = arguments.record {
        match FileRecorder::new(&path, RECORDING_SIZE) {
            Ok(recorder) => supervisor = supervisor.recorder(recorder),
            Err(error) => {
                eprintln!("{}: {error}", path.display());
                return ExitCode::from(2);
            }
        }
    }
    // Before anything runs: who asks early to stop leaves no children behind.
    let (signals, printer) = match Signals::new().and_then(|signals| Ok((signals, Printer::new()?))) {
        Ok(both) => both,
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
    let shown = tokio::spawn(show(handle.clone(), notifications, arguments.show, printer.clone(), below));
    stop_on_signals(handle.clone(), signals);
    let mut waiting = handle;
    let last = waiting.wait().await;
    drop(waiting);
    // What notification last is still to be shown.
    let _ = tokio::time::timeout(Duration::from_secs(5), shown).await;
    let dropped = ProcessBackend::dropped_output_lines();
    if dropped > 0 {
        printer.err(format!("{dropped} lines of replicas' output were dropped: nobody read them")).await;
    }
    printer.finish().await;
    match (last.status, last.reason) {
        (Status::Completed, _) | (_, StatusReason::Requested) => ExitCode::SUCCESS,
        _ => ExitCode::from(1),
    }
}

/// A new folder that nobody else can have made, nor reach.
fn temporary_folder(name: &str) -> std::io::Result<PathBuf> {
    let permissions = std::fs::Permissions::from_mode(0o700);
    let folder = tempfile::Builder::new().prefix(&format!("uphold-{name}-")).permissions(permissions).tempdir()?;
    Ok(folder.keep())
}

/// The first signal stops gracefully, the second at once.
fn stop_on_signals(handle: SupervisorHandle, mut signals: Signals) {
    tokio::spawn(async move {
        loop {
            signals.recv().await;
            let mut handle = handle.clone();
            tokio::spawn(async move { handle.shutdown().await });
        }
    });
}

async fn show(handle: SupervisorHandle, mut notifications: Notifications, show: Show, printer: Printer, below: String) {
    if show == Show::Table {
        drop(notifications);
        table::run(handle, &printer, &below).await;
        return;
    }
    drop(handle);
    let mut start = None;
    while let Some(received) = notifications.next().await {
        match received {
            Received::Missed(missed) => printer.err(format!("{missed} lines were missed")).await,
            Received::Notification(notification) => {
                let start = *start.get_or_insert(notification.at);
                if let NotificationKind::BackendError(text) | NotificationKind::Warning(text) = &notification.kind
                    && show == Show::Json
                {
                    printer.err(text.clone()).await;
                }
                let line = if show == Show::Json { json(&notification, start) } else { plain(&notification, start) };
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
