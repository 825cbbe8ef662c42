//! What replicas print, line by line, with the replica's name before it.

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWriteExt, BufReader};
use tokio::process::Child;

use super::spec::ProcessOutput;
use crate::backend::BackendError;

/// A longer line is printed in pieces.
const LONGEST_LINE: usize = 8 * 1024;

/// Forwards what the child prints, where it is to be forwarded.
pub(super) fn forward(child: &mut Child, output: &ProcessOutput, label: &str) -> Result<(), BackendError> {
    if *output == ProcessOutput::Prefix {
        if let Some(stdout) = child.stdout.take() {
            tokio::spawn(prefix(stdout, label.to_owned(), false));
        }
        if let Some(stderr) = child.stderr.take() {
            tokio::spawn(prefix(stderr, label.to_owned(), true));
        }
    }
    Ok(())
}

async fn prefix(from: impl AsyncRead + Unpin, label: String, to_stderr: bool) {
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
            // Who closed our own output does not want to read it.
            let written = if to_stderr {
                tokio::io::stderr().write_all(&line).await
            } else {
                tokio::io::stdout().write_all(&line).await
            };
            let _ = written;
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
}
