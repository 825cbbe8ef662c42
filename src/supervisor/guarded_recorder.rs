//! Calls a recorder; a panic ends the recording and nothing else.

use super::catch_panic::catch_panic;
use super::recorder::Recorder;
use crate::engine::{RecordedStep, RecordingHeader};

/// A recorder that is dropped when it panics. Without a recorder, every call does nothing.
#[derive(Default)]
pub(super) struct GuardedRecorder {
    recorder: Option<Box<dyn Recorder>>,
    /// Why recording has ended, until it is taken.
    warning: Option<String>,
}

impl GuardedRecorder {
    pub(super) fn new(recorder: Option<Box<dyn Recorder>>) -> Self {
        Self { recorder, warning: None }
    }

    pub(super) fn is_on(&self) -> bool {
        self.recorder.is_some()
    }

    pub(super) fn begin(&mut self, header: &RecordingHeader) {
        self.call(|recorder| recorder.begin(header));
    }

    pub(super) fn step(&mut self, step: &RecordedStep) {
        self.call(|recorder| recorder.step(step));
    }

    pub(super) fn wants_rotation(&mut self) -> bool {
        self.call(|recorder| recorder.wants_rotation()).unwrap_or(false)
    }

    /// Returns why recording has ended, once.
    pub(super) fn take_warning(&mut self) -> Option<String> {
        self.warning.take()
    }

    fn call<T>(&mut self, call: impl FnOnce(&mut dyn Recorder) -> T) -> Option<T> {
        let recorder = self.recorder.as_mut()?;
        match catch_panic(|| call(recorder.as_mut())) {
            Ok(answer) => Some(answer),
            Err(panic) => {
                self.warning = Some(format!("the recorder panicked ({panic}): recording ends"));
                self.drop_recorder();
                None
            }
        }
    }

    fn drop_recorder(&mut self) {
        let recorder = self.recorder.take();
        let _ = catch_panic(|| drop(recorder));
    }
}

impl Drop for GuardedRecorder {
    fn drop(&mut self) {
        self.drop_recorder();
    }
}
