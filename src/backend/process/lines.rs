//! Splits a replica's output into lines and prefixes them with its name.

/// Longer lines are split.
const MAX_LINE: usize = 8 * 1024;
/// The buffer of a replica that prints little, in bytes.
pub(super) const MIN_READ: usize = 4 * 1024;

/// The bytes that were read and not forwarded yet.
pub(super) struct LineSplitter {
    label: String,
    pub(super) raw: Vec<u8>,
}

/// Complete lines with their prefixes.
#[derive(Default)]
pub(super) struct Batch {
    pub(super) text: Vec<u8>,
    pub(super) lines: u64,
}

impl LineSplitter {
    pub(super) fn new(label: String) -> Self {
        Self { label: format!("{label} | "), raw: Vec::new() }
    }

    /// Takes every complete line, and full pieces of lines that are too long.
    pub(super) fn take_lines(&mut self) -> Batch {
        let mut batch = Batch::default();
        let mut begin = 0;
        while begin < self.raw.len() {
            let rest = &self.raw[begin..];
            let window = &rest[..rest.len().min(MAX_LINE)];
            let end = match window.iter().position(|&byte| byte == b'\n') {
                Some(newline) => newline + 1,
                None if window.len() == MAX_LINE => MAX_LINE,
                None => break,
            };
            batch.push(&self.label, &rest[..end]);
            begin += end;
        }
        self.raw.drain(..begin);
        if self.raw.is_empty() && self.raw.capacity() > MIN_READ {
            self.raw = Vec::new();
        }
        batch
    }

    /// Takes the rest of the last line at the end of the output.
    pub(super) fn take_rest(&mut self) -> Batch {
        let mut batch = Batch::default();
        if !self.raw.is_empty() {
            batch.push(&self.label, &self.raw);
        }
        batch
    }
}

impl Batch {
    fn push(&mut self, label: &str, line: &[u8]) {
        self.text.extend_from_slice(label.as_bytes());
        self.text.extend_from_slice(line);
        if !line.ends_with(b"\n") {
            self.text.push(b'\n');
        }
        self.lines += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forwarded(text: &[u8], at_once: usize) -> Vec<String> {
        let mut lines = LineSplitter::new("web/1".into());
        let mut printed = Vec::new();
        for chunk in text.chunks(at_once) {
            lines.raw.extend_from_slice(chunk);
            printed.extend(lines.take_lines().text);
        }
        printed.extend(lines.take_rest().text);
        printed.split_inclusive(|&byte| byte == b'\n').map(|line| String::from_utf8_lossy(line).into_owned()).collect()
    }

    #[test]
    fn long_lines_are_split_and_the_last_line_needs_no_newline() {
        let text = [vec![b'x'; MAX_LINE + 10], b"\nshort".to_vec()].concat();
        for at_once in [1, 100, 64 * 1024] {
            let lines = forwarded(&text, at_once);
            let lengths: Vec<usize> = lines.iter().map(|line| line.len() - "web/1 | \n".len()).collect();
            assert_eq!(lengths, [MAX_LINE, 10, 5]);
        }
    }

    #[test]
    fn every_line_is_prefixed() {
        for at_once in [1, 3, 1024] {
            assert_eq!(
                forwarded(b"one\ntwo\n\nlast", at_once),
                ["web/1 | one\n", "web/1 | two\n", "web/1 | \n", "web/1 | last\n"]
            );
        }
    }
}
