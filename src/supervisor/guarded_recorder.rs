//! The recorder of a set, kept apart from supervision: what goes wrong with it ends the recording, and nothing else.

use super::catch_panic::catch_panic;
use super::recorder::Recorder;
use crate::engine::{RecordedStep, RecordingHeader};

/// A recorder, for as long as it works.
#[derive(Default)]
pub(super) struct GuardedRecorder {
    record: Option<Box<dyn Recorder>>,
    /// Why recording has ended, until that is told.
    failure: Option<String>,
}

impl GuardedRecorder {
    pub(super) fn new(record: Option<Box<dyn Recorder>>) -> Self {
        Self { record, failure: None }
    }

    /// Whether anything is recorded.
    pub(super) fn is_on(&self) -> bool {
        self.record.is_some()
    }

    fn call<T>(&mut self, call: impl FnOnce(&mut dyn Recorder) -> T) -> Option<T> {
        let record = self.record.as_mut()?;
        match catch_panic(|| call(record.as_mut())) {
            Ok(answer) => Some(answer),
            Err(panic) => {
                self.failure = Some(format!("the recorder panicked ({panic}): recording ends"));
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

    pub(super) fn wants_rotation(&mut self) -> bool {
        self.call(|record| record.wants_rotation()).unwrap_or(false)
    }

    /// Why recording has ended; said once.
    pub(super) fn take_warning(&mut self) -> Option<String> {
        self.failure.take()
    }

    fn end(&mut self) {
        let record = self.record.take();
        let _ = catch_panic(|| drop(record));
    }
}

impl Drop for GuardedRecorder {
    fn drop(&mut self) {
        self.end();
    }
}
