//! The recorder of a set, kept apart from supervision: what goes wrong with it ends the recording, and nothing else.

use super::guard::guarded;
use super::record::Record;
use crate::engine::{RecordedStep, RecordingHeader};

/// A recorder, for as long as it works.
#[derive(Default)]
pub(super) struct Recording {
    record: Option<Box<dyn Record>>,
    /// Why recording has ended, until that is told.
    trouble: Option<String>,
}

impl Recording {
    pub(super) fn new(record: Option<Box<dyn Record>>) -> Self {
        Self { record, trouble: None }
    }

    /// Whether anything is recorded.
    pub(super) fn is_on(&self) -> bool {
        self.record.is_some()
    }

    fn call<T>(&mut self, call: impl FnOnce(&mut dyn Record) -> T) -> Option<T> {
        let record = self.record.as_mut()?;
        match guarded(|| call(record.as_mut())) {
            Ok(answer) => Some(answer),
            Err(panic) => {
                self.trouble = Some(format!("the recorder panicked ({panic}): recording ends"));
                self.end();
                None
            }
        }
    }

    pub(super) fn begin(&mut self, header: &RecordingHeader) {
        self.call(|record| record.begin(header));
    }

    pub(super) fn step(&mut self, step: &RecordedStep) {
        self.call(|record| record.step(step));
    }

    pub(super) fn wants_beginning(&mut self) -> bool {
        self.call(|record| record.wants_beginning()).unwrap_or(false)
    }

    /// Why recording has ended; said once.
    pub(super) fn take_trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    fn end(&mut self) {
        let record = self.record.take();
        let _ = guarded(|| drop(record));
    }
}

impl Drop for Recording {
    fn drop(&mut self) {
        self.end();
    }
}
