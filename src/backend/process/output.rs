//! What replicas print, line by line, with the replica's name before it.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::process::{ChildStderr, ChildStdout};
use tokio::task::JoinHandle;

use super::child::Child;

/// A longer line is printed in pieces.
const LONGEST_LINE: usize = 8 * 1024;
/// How long the end of a replica may wait for what it printed last.
const LAST_WORDS: Duration = Duration::from_millis(200);

/// What a child prints on its way to this program's output.
#[derive(Debug, Default)]
pub(super) struct Forwarding {
    streams: Vec<JoinHandle<()>>,
}

impl Forwarding {
    /// Forwards what the child prints into its pipes, if it has any.
    pub(super) fn of(child: &mut Child, label: &str) -> io::Result<Self> {
        let (stdout, stderr) = child.take_pipes();
        let stdout = stdout.map(ChildStdout::from_std).transpose()?;
        let stderr = stderr.map(ChildStderr::from_std).transpose()?;
        let stdout = stdout.map(|it| tokio::spawn(prefix(it, tokio::io::stdout(), label.to_owned())));
        let stderr = stderr.map(|it| tokio::spawn(prefix(it, tokio::io::stderr(), label.to_owned())));
        Ok(Self { streams: stdout.into_iter().chain(stderr).collect() })
    }

    /// Waits a moment for the last words of a child that has ended. Not longer: whoever left its process group may
    /// hold the pipes for ever, and our own output may be blocked.
    pub(super) async fn finish(self) {
        let all = async {
            for stream in self.streams {
                let _ = stream.await;
            }
        };
        let _ = tokio::time::timeout(LAST_WORDS, all).await;
    }
}

async fn prefix(from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, label: String) {
    let mut reader = BufReader::with_capacity(LONGEST_LINE, from);
    let mut line = Vec::new();
    loop {
        line.clear();
        line.extend_from_slice(label.as_bytes());
        line.extend_from_slice(b" | ");
        let start = line.len();
        let ended = read_line(&mut reader, &mut line).await;
        if line.len() > start {
            if !line.ends_with(b"\n") {
                line.push(b'\n');
            }
            // A line at a time, so that those of different replicas do not mix. Who closed our own output does not
            // want to read it.
            if to.write_all(&line).await.is_ok() {
                let _ = to.flush().await;
            }
        }
        if ended {
            return;
        }
    }
}

/// Reads up to the end of a line, or as much as is printed at once. Whether the output has ended.
async fn read_line(reader: &mut (impl AsyncBufReadExt + Unpin), line: &mut Vec<u8>) -> bool {
    let start = line.len();
    loop {
        let Ok(available) = reader.fill_buf().await else { return true };
        if available.is_empty() {
            return true;
        }
        let room = LONGEST_LINE.saturating_sub(line.len() - start);
        let end = available.iter().position(|&byte| byte == b'\n').map_or(available.len(), |newline| newline + 1);
        let taken = end.min(room);
        line.extend_from_slice(&available[..taken]);
        reader.consume(taken);
        if line.ends_with(b"\n") || line.len() - start >= LONGEST_LINE {
            return false;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn long_lines_come_in_pieces_and_the_last_line_needs_no_end() {
        let text = [vec![b'x'; LONGEST_LINE + 10], b"\nshort".to_vec()].concat();
        let mut reader = BufReader::with_capacity(100, &text[..]);
        let mut pieces = Vec::new();
        loop {
            let mut line = Vec::new();
            let ended = read_line(&mut reader, &mut line).await;
            pieces.push(line.len());
            if ended {
                break;
            }
        }
        assert_eq!(pieces, [LONGEST_LINE, 11, 5]);
    }

    #[tokio::test]
    async fn every_line_has_the_name_before_it_in_order() {
        let mut printed = Vec::new();
        prefix(&b"one\ntwo\n\xff"[..], &mut printed, "web/1".to_owned()).await;
        assert_eq!(printed, b"web/1 | one\nweb/1 | two\nweb/1 | \xff\n");
    }
}
