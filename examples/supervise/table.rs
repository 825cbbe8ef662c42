//! Redraws the table of the set in place on the terminal.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::termios::tcgetwinsize;
use uphold::{SupervisorHandle, Timestamp};

use crate::printer::Printer;
use crate::table_text::{headline, table};

/// How often the table is redrawn without a change of status.
const REDRAW_INTERVAL: Duration = Duration::from_millis(500);

/// Draws until the set has ended. `footer` is printed under the table.
pub(crate) async fn run(mut handle: SupervisorHandle, printer: &Printer, footer: &str) {
    let mut drawn = 0;
    loop {
        let Ok(replicas) = handle.replicas().await else { break };
        let lines = table(&handle.status(), &replicas, now(), size(), footer);
        let mut text = String::new();
        // Moves the cursor to the first line of the last drawing.
        if drawn > 0 {
            text.push_str(&format!("\x1b[{drawn}A\r"));
        }
        for line in &lines {
            text.push_str(&format!("{line}\x1b[K\n"));
        }
        text.push_str("\x1b[J");
        printer.out(text).await;
        drawn = lines.len();
        let _ = tokio::time::timeout(REDRAW_INTERVAL, handle.changed()).await;
    }
    printer.out(format!("{}\x1b[K\n", headline(&handle.status(), now(), size().0))).await;
}

/// Returns the columns and rows of the terminal, without the last ones, which are left to the cursor.
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
