//! The live table of `supervise`: one line for each replica, the set's status above it.

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use uphold::{Gate, Handle, Phase, ReplicaView, SetStatus, Status, Timestamp};

/// How often the table is drawn anew.
const EVERY: Duration = Duration::from_millis(500);
/// More replicas than this are summed up below the table.
const MOST_ROWS: usize = 40;

pub(crate) async fn run(mut handle: Handle) {
    let mut drawn = 0;
    loop {
        let Ok(replicas) = handle.replicas().await else { break };
        let status = handle.status();
        let text = draw(&status, &replicas, now());
        // Back to the first line of the last drawing, and over it.
        if drawn > 0 {
            print!("\x1b[{drawn}A");
        }
        print!("{}", text.replace('\n', "\x1b[K\n"));
        print!("\x1b[J");
        let _ = std::io::stdout().flush();
        drawn = text.matches('\n').count();
        let _ = tokio::time::timeout(EVERY, handle.changed()).await;
    }
    let last = handle.status();
    println!("{}\x1b[K", headline(&last, now()));
}

#[allow(clippy::disallowed_methods, reason = "a program has a clock")]
fn now() -> Timestamp {
    Timestamp::ZERO + SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn colour(status: Status) -> &'static str {
    match status {
        Status::Healthy | Status::Completed => "\x1b[32m",
        Status::Degraded | Status::Pending => "\x1b[33m",
        _ => "\x1b[31m",
    }
}

fn headline(status: &SetStatus, now: Timestamp) -> String {
    format!(
        "{}{}\x1b[0m for {}, {} of {} available ({})",
        colour(status.status),
        status.status,
        short(now.since(status.since)),
        status.available,
        status.desired,
        status.reason
    )
}

fn draw(status: &SetStatus, replicas: &[ReplicaView], now: Timestamp) -> String {
    let mut text = headline(status, now);
    text.push_str("\n\n replica  phase        incarnation  restarts  next restart  last failure\n");
    for view in replicas.iter().take(MOST_ROWS) {
        let next = match (view.phase, view.gate, view.due) {
            (Phase::Waiting, Some(Gate::Backoff | Gate::Window | Gate::Hold), Some(due))
            | (Phase::Quarantined, _, Some(due)) => {
                format!("in {}", short(due.since(now)))
            }
            (Phase::Waiting, Some(gate), _) => gate.to_string(),
            _ => "-".to_owned(),
        };
        let failure = match &view.last_failure {
            Some((cause, Some(exit))) => format!("{cause}, {exit}"),
            Some((cause, None)) => cause.to_string(),
            None => "-".to_owned(),
        };
        let restarts = view.incarnation.0.saturating_sub(1);
        let _ = writeln!(
            text,
            " {:>7}  {:<11}  {:>11}  {restarts:>8}  {next:<12}  {failure}",
            view.replica, view.phase, view.incarnation
        );
    }
    if replicas.len() > MOST_ROWS {
        let _ = writeln!(text, " and {} more", replicas.len() - MOST_ROWS);
    }
    text.push_str("\n Ctrl-C stops, twice at once\n");
    text
}

/// `4s`, `3m 20s`, `2h 5m`.
fn short(duration: Duration) -> String {
    let secs = duration.as_secs();
    match (secs / 3600, secs / 60 % 60, secs % 60) {
        (0, 0, secs) => format!("{secs}s"),
        (0, minutes, secs) => format!("{minutes}m {secs}s"),
        (hours, minutes, _) => format!("{hours}h {minutes}m"),
    }
}
