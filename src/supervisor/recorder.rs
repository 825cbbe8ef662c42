//! The trait of recorders.

use crate::engine::{RecordedStep, RecordingHeader};

/// Receives a recording of a supervised set: every input of its state machine, so that it can be replayed under the same
/// policy or another.
///
/// Methods are called in the driver's loop and must not block; `FileRecorder` writes in a thread
/// of its own. If a method panics, recording ends with a warning, and supervision continues.
///
/// Recorded policies contain the values of probes' headers, which may be secret; [`Policy::redacted`](crate::Policy::redacted)
/// removes them.
///
/// ```
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use uphold::recording::{RecordedStep, RecordingHeader};
/// use uphold::supervisor::Recorder;
///
/// /// Counts the inputs of a set.
/// struct Counter(Arc<AtomicU64>);
///
/// impl Recorder for Counter {
///     fn begin(&mut self, _: &RecordingHeader) {}
///
///     fn step(&mut self, _: &RecordedStep) {
///         self.0.fetch_add(1, Ordering::Relaxed);
///     }
/// }
/// ```
pub trait Recorder: Send + 'static {
    /// Begins a recording, with a new set or with a snapshot of a running one. Any earlier recording is complete.
    fn begin(&mut self, header: &RecordingHeader);

    /// Records one input of the set.
    fn step(&mut self, step: &RecordedStep);

    /// Returns whether the driver should begin a new recording now, for instance because a file has grown too large.
    /// Called after every step. Default `false`.
    fn wants_rotation(&mut self) -> bool {
        false
    }
}
