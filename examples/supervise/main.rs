//! Keeps real processes up by a service file.
//!
//! `cargo run --example supervise -- examples/services/web.yaml` (needs python3)
//!
//! On a terminal a live table, otherwise plain lines; with `--json` the trace, one JSON object a line. Ctrl-C stops
//! gracefully, twice at once. Exit code 0: stopped or completed; 1: terminated by the policy; 2: bad input.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program that prints")]

mod metrics;
mod table;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::process::ExitCode;

use tokio::signal::unix::{Signal, SignalKind, signal};
use uphold::backend::process::{ProcessBackend, ProcessOutput};
use uphold::{
    Command, FileRecorder, Handle, Happened, Happening, Heard, Notice, Notices, Status, StatusReason, Supervisor,
    Timestamp, TraceLine,
};
use uphold_examples::Service;

const HELP: &str = "\
Keeps real processes up by a service file.

usage: supervise [--json | --plain] [--logs DIR] [--record FILE] [--metrics PORT] FILE

  FILE        name, process and policy (YAML)
  --json      prints what happens, one JSON object a line
  --plain     prints lines instead of a table, on a terminal too
  --logs DIR  the output of replicas goes to DIR/NAME-REPLICA.log; with --plain the default is between the lines,
              otherwise a folder for temporary files
  --metrics P serves figures on port P of this machine, as Prometheus text
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

#[tokio::main]
async fn main() -> ExitCode {
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
    let temporary = || std::env::temp_dir().join(format!("uphold-{}-{}", service.name, std::process::id()));
    let logs = arguments.logs.or_else(|| (arguments.show != Show::Plain).then(temporary));
    let mut below = String::new();
    if let Some(folder) = logs {
        if let Err(error) = std::fs::create_dir_all(&folder) {
            eprintln!("{}: {error}", folder.display());
            return ExitCode::from(2);
        }
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
            Ok(recorder) => supervisor = supervisor.record(recorder),
            Err(error) => {
                eprintln!("{}: {error}", path.display());
                return ExitCode::from(2);
            }
        }
    }
    // Before anything runs: who asks early to stop leaves no children behind.
    let signals =
        signal(SignalKind::interrupt()).and_then(|interrupt| Ok((interrupt, signal(SignalKind::terminate())?)));
    let (handle, notices) = match supervisor.spawn_with_notices() {
        Ok(spawned) => spawned,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let shown = tokio::spawn(show(handle.clone(), notices, arguments.show, below));
    match signals {
        Ok((interrupt, terminate)) => stop_on_signals(handle.clone(), interrupt, terminate),
        Err(error) => eprintln!("{error}: Ctrl-C ends this program and leaves its children running"),
    }
    let mut waiting = handle;
    let last = waiting.wait().await;
    drop(waiting);
    // What happened last is still to be shown.
    let _ = shown.await;
    match (last.status, last.reason) {
        (Status::Completed, _) | (_, StatusReason::Requested) => ExitCode::SUCCESS,
        _ => ExitCode::from(1),
    }
}

/// The first SIGINT or SIGTERM stops gracefully, the second at once.
fn stop_on_signals(handle: Handle, mut interrupt: Signal, mut terminate: Signal) {
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            let mut handle = handle.clone();
            tokio::spawn(async move { handle.shutdown().await });
        }
    });
}

async fn show(handle: Handle, mut notices: Notices, show: Show, below: String) {
    if show == Show::Table {
        drop(notices);
        table::run(handle, &below).await;
        return;
    }
    drop(handle);
    let mut start = None;
    while let Some(heard) = notices.next().await {
        match heard {
            Heard::Missed(missed) => eprintln!("{missed} lines were missed"),
            Heard::Happened(happened) => {
                let start = *start.get_or_insert(happened.at);
                if show == Show::Json { json(&happened, start) } else { plain(&happened, start) }
            }
        }
    }
}

fn json(happened: &Happened, start: Timestamp) {
    let line = match &happened.what {
        Happening::Event(event) => Some(TraceLine::of_event(event, happened.at, start)),
        Happening::Command(command) => Some(TraceLine::of_command(command, happened.at, start)),
        Happening::Notice(notice) => TraceLine::of_notice(notice, happened.at, start),
        Happening::Trouble(trouble) => {
            eprintln!("{trouble}");
            None
        }
        _ => None,
    };
    if let Some(text) = line.and_then(|line| serde_json::to_string(&line).ok()) {
        println!("{text}");
    }
}

fn plain(happened: &Happened, start: Timestamp) {
    let at = happened.at.since(start).as_secs_f64();
    match &happened.what {
        Happening::Notice(Notice::Replica(_)) | Happening::Event(_) | Happening::Command(Command::Probe(_)) => {}
        Happening::Notice(notice) => println!("{at:>9.3}  {notice}"),
        Happening::Command(command) => println!("{at:>9.3}  {command}"),
        Happening::Trouble(trouble) => println!("{at:>9.3}  trouble: {trouble}"),
        _ => {}
    }
}
