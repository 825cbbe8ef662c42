//! Draws the table of the set over and over on the same lines of the terminal.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::termios::tcgetwinsize;
use uphold::{SupervisorHandle, Timestamp};
use uphold_examples::{headline, table};

use crate::printer::Printer;

/// How often the table is drawn anew.
const EVERY: Duration = Duration::from_millis(500);

/// Draws until the set has ended. `below` is a remark under the table.
pub(crate) async fn run(mut handle: SupervisorHandle, printer: &Printer, below: &str) {
    let mut drawn = 0;
    loop {
        let Ok(replicas) = handle.replicas().await else { break };
        let lines = table(&handle.status(), &replicas, now(), size(), below);
        let mut text = String::new();
        // Back to the first line of the last drawing, and over it.
        if drawn > 0 {
            text.push_str(&format!("\x1b[{drawn}A\r"));
        }
        for line in &lines {
            text.push_str(&format!("{line}\x1b[K\n"));
        }
        text.push_str("\x1b[J");
        printer.out(text).await;
        drawn = lines.len();
        let _ = tokio::time::timeout(EVERY, handle.changed()).await;
    }
    printer.out(format!("{}\x1b[K\n", headline(&handle.status(), now(), size().0))).await;
}

/// Columns and rows of the terminal, without the last of each: there the cursor must find room.
fn size() -> (usize, usize) {
    match tcgetwinsize(std::io::stdout()) {
        Ok(size) if size.ws_col > 1 && size.ws_row > 1 => (usize::from(size.ws_col) - 1, usize::from(size.ws_row) - 1),
        _ => (79, 23),
    }
}

#[allow(clippy::disallowed_methods, reason = "a program has a clock")]
fn now() -> Timestamp {
    Timestamp::ZERO + SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
